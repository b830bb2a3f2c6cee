"""TLS of the HTTP listener: the operator's certificate, or a self-signed one to try it from a phone."""

import datetime
import ipaddress
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from server.addresses import own_addresses
from server.config import Config
from server.errors import ConfigError

CERTIFICATE, KEY = "self-signed.pem", "self-signed-key.pem"
VALID = datetime.timedelta(days=90)
RENEW_BEFORE = datetime.timedelta(days=7)


def server_context(config: Config, now: datetime.datetime) -> ssl.SSLContext | None:
    """TLS 1.2 or newer; None for plain HTTP. Blocks. Raises ConfigError."""
    if config.tls_self_signed:
        certificate, key = self_signed(config.data_dir, (*own_addresses(), "localhost"), now)
    elif config.tls_cert_file:
        certificate, key = Path(config.tls_cert_file), Path(config.tls_key_file)
    else:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "not valid"
        raise ConfigError(f"tls_cert_file {certificate} and tls_key_file {key} cannot be used: {reason}") from None
    return context


def self_signed(folder: Path, names: tuple[str, ...], now: datetime.datetime) -> tuple[Path, Path]:
    """Certificate and key for these addresses and names, made anew when they changed or it ends soon. Raises ConfigError."""
    certificate, key = folder / CERTIFICATE, folder / KEY
    try:
        if not _still_good(certificate, key, names, now):
            _make(certificate, key, names, now)
    except OSError as error:
        raise ConfigError(f"tls_self_signed: cannot write {certificate}: {error.strerror}") from None
    return certificate, key


def _general(names: tuple[str, ...]) -> list[x509.GeneralName]:
    general: list[x509.GeneralName] = []
    for name in names:
        try:
            general.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            general.append(x509.DNSName(name))
    return general


def _still_good(certificate: Path, key: Path, names: tuple[str, ...], now: datetime.datetime) -> bool:
    if not certificate.is_file() or not key.is_file():
        return False
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        holds = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    return set(holds) == set(_general(names)) and found.not_valid_after_utc - now > RENEW_BEFORE


def _make(certificate: Path, key: Path, names: tuple[str, ...], now: datetime.datetime) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tongping self-signed")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(_general(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(key, pem)
    _write(certificate, made.public_bytes(serialization.Encoding.PEM))


def _write(path: Path, data: bytes) -> None:
    """Mode 0600, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    temporary.replace(path)

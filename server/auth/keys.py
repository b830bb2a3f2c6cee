"""The server's own secrets, in ``secrets/`` of the data directory: files of mode 0600, made atomically, once.

| File                       | Content                                                                |
|----------------------------|------------------------------------------------------------------------|
| ``token-signing.pem``      | Ed25519 private key that signs tokens (PKCS 8, RFC 8410)               |
| ``token-verify-<kid>.pem`` | public keys that signed before: tokens made with them are still read   |
| ``audit-signing.pem``      | likewise, for checkpoints of the audit trail                           |
| ``audit-verify-<kid>.pem`` | public keys that signed checkpoints before                             |
| ``decision-signing.pem``   | likewise, for decisions about transactions                             |
| ``decision-verify-<kid>.pem`` | public keys that signed decisions before                            |
| ``webhook-signing.pem``    | likewise, for webhooks; ``webhook-verify-<kid>.pem``                   |
| ``invitation-codes.key``   | 32 bytes: the HMAC key of the 6-digit invitation codes                 |
| ``risk-identifiers.key``   | 32 bytes: the HMAC key of identifiers in risk lists                     |

Everything here touches the disk and blocks: call it at the start, not on the event loop.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.auth.tokens import DESK_LIFETIME_S, ISSUER, MAX_KEYS, SESSION_LIFETIME_S, TokenSigner, TokenVerifier
from server.errors import ConfigError
from server.transactions.token import MAX_KEYS as MAX_DECISION_KEYS

FOLDER = "secrets"
CODES = "invitation-codes.key"
RISK = "risk-identifiers.key"
CODE_KEY_BYTES = 32
MIN_SECRET_CHARS = 32
MAX_PREVIOUS = MAX_KEYS - 1
MAX_FILE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Where the keys of one purpose lie. ``most``: that are read, the signing one too."""

    signing: str
    verify_prefix: str
    most: int
    purpose: str


TOKEN_KEYS = KeyFiles("token-signing.pem", "token-verify-", MAX_KEYS, "token signing key")
AUDIT_KEYS = KeyFiles("audit-signing.pem", "audit-verify-", 100, "audit checkpoint key")
"""Kept for years: so are checkpoints."""
DECISION_KEYS = KeyFiles("decision-signing.pem", "decision-verify-", MAX_DECISION_KEYS, "decision signing key")
WEBHOOK_KEYS = KeyFiles("webhook-signing.pem", "webhook-verify-", MAX_KEYS, "webhook signing key")
ALL_KEYS = (TOKEN_KEYS, AUDIT_KEYS, DECISION_KEYS, WEBHOOK_KEYS)
"""As ``Secrets`` has them."""


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """One that signs, and all that are read; ``verify_keys`` holds the signing key's public half too."""

    signing_key: Ed25519PrivateKey
    kid: str
    verify_keys: Mapping[str, Ed25519PublicKey]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kid={self.kid!r})"


@dataclass(frozen=True, slots=True, repr=False)
class Secrets(SigningKeys):
    """The keys of tokens, and the others. ``audit``: of checkpoints of the audit trail. ``decisions``: of those about transactions. ``webhooks``: of what
    the bank's systems are told."""

    code_key: bytes
    audit: SigningKeys
    decisions: SigningKeys
    webhooks: SigningKeys

    def signer(
        self,
        *,
        issuer: str = ISSUER,
        session_lifetime_s: int = SESSION_LIFETIME_S,
        desk_lifetime_s: int = DESK_LIFETIME_S,
    ) -> TokenSigner:
        return TokenSigner(
            self.signing_key,
            self.kid,
            new_jti=lambda: secrets.token_hex(16),
            issuer=issuer,
            session_lifetime_s=session_lifetime_s,
            desk_lifetime_s=desk_lifetime_s,
        )

    def verifier(self, *, issuer: str = ISSUER) -> TokenVerifier:
        return TokenVerifier(self.verify_keys, issuer=issuer)


def key_id(key: Ed25519PublicKey) -> str:
    """Names a key by its content: the first 64 bits of the SHA-256 of its 32 bytes, in hex."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def from_secret(secret: str, previous: Sequence[str] = ()) -> Secrets:
    """All secrets derived (HKDF-SHA-256, RFC 5869) from one text that several nodes share. ``previous``: texts before it, the newest first: what was signed
    with keys of theirs is still read. Raises ConfigError under 32 characters, and for more than ``MAX_PREVIOUS``."""
    if any(len(one) < MIN_SECRET_CHARS for one in (secret, *previous)):
        raise ConfigError(f"the secret needs at least {MIN_SECRET_CHARS} characters, and each before it")
    if len(previous) > MAX_PREVIOUS:
        raise ConfigError(f"secret_previous: {MAX_PREVIOUS} at most")
    tokens, *others = (_derived_keys(secret, previous, files) for files in ALL_KEYS)
    return Secrets(tokens.signing_key, tokens.kid, tokens.verify_keys, _derive(secret, b"invitation codes"), *others)


def _derived_keys(secret: str, previous: Sequence[str], files: KeyFiles) -> SigningKeys:
    keys = [
        Ed25519PrivateKey.from_private_bytes(_derive(one, files.purpose.encode())) for one in dict.fromkeys((secret, *previous))
    ]
    public = [key.public_key() for key in keys]
    return SigningKeys(keys[0], key_id(public[0]), {key_id(key): key for key in public})


def _derive(secret: str, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=b"tongping", info=purpose).derive(secret.encode())


def load_or_create(data_dir: Path) -> Secrets:
    """Read the secrets, making those that are not there yet; safe against another process doing the same.

    Raises ConfigError when one is readable by others, broken, or cannot be read or written.
    """
    tokens, *others = (load_or_create_keys(data_dir, files) for files in ALL_KEYS)
    folder = data_dir / FOLDER
    try:
        code_key = _read_or_create(folder / CODES, lambda: secrets.token_bytes(CODE_KEY_BYTES))
    except OSError as exc:
        raise ConfigError(f"the secrets in {folder} cannot be read or written: {exc.strerror}") from exc
    if len(code_key) != CODE_KEY_BYTES:
        raise ConfigError(f"{folder / CODES} must hold {CODE_KEY_BYTES} bytes, not {len(code_key)}")
    return Secrets(tokens.signing_key, tokens.kid, tokens.verify_keys, code_key, *others)


def identifier_key(data_dir: Path, secret: str = "", previous: Sequence[str] = ()) -> bytes:
    """32 bytes: of the hashes of identifiers in risk lists. Derived from ``secret`` where there is one, else made once. Raises ConfigError.

    From the oldest of ``previous``, where there are any: what is hashed cannot be hashed anew.
    """
    if secret:
        return _derive((secret, *previous)[-1], b"risk identifiers")
    path = data_dir / FOLDER / RISK
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = _read_or_create(path, lambda: secrets.token_bytes(CODE_KEY_BYTES))
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read or written: {exc.strerror}") from exc
    if len(key) != CODE_KEY_BYTES:
        raise ConfigError(f"{path} must hold {CODE_KEY_BYTES} bytes, not {len(key)}")
    return key


def load_or_create_keys(data_dir: Path, files: KeyFiles) -> SigningKeys:
    """The keys of one purpose, as ``load_or_create``."""
    folder = data_dir / FOLDER
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        pem = _read_or_create(folder / files.signing, _private_pem)
        signing_key = _parse_private(folder / files.signing, pem)
        verify_keys = {key_id(signing_key.public_key()): signing_key.public_key()}
        for path in sorted(folder.glob(f"{files.verify_prefix}*.pem")):
            key = _parse_public(path, _read_private_file(path))
            verify_keys[key_id(key)] = key
    except OSError as exc:
        raise ConfigError(f"the secrets in {folder} cannot be read or written: {exc.strerror}") from exc
    if len(verify_keys) > files.most:
        raise ConfigError(f"{folder} holds more than {files.most} keys: remove the oldest {files.verify_prefix}*.pem")
    return SigningKeys(signing_key, key_id(signing_key.public_key()), verify_keys)


class Rotation:
    """A new signing key that lies ready beside the old one. Nothing has changed until ``take_effect``.

    ``kid``: the new key's name. ``older_kept``: how many older ones will still be read.
    """

    def __init__(self, data_dir: Path, *, forget: bool, files: KeyFiles = TOKEN_KEYS) -> None:
        self._data_dir = data_dir
        self._files = files
        self._folder = data_dir / FOLDER
        old = load_or_create_keys(data_dir, files)
        public = old.signing_key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        pem = _private_pem()
        try:
            for left in self._folder.glob(f".{files.signing}.*"):  # of a rotation that ended before its time
                left.unlink()
            kept = sorted(
                self._folder.glob(f"{files.verify_prefix}*.pem"), key=lambda path: path.stat().st_mtime_ns, reverse=True
            )
            self._dropped = kept[0 if forget else files.most - 2 :]
            self._old = None if forget else (self._folder / f"{files.verify_prefix}{old.kid}.pem", public)
            self._fresh = _write_temporary(self._folder / files.signing, pem)
            _sync_folder(self._folder)
        except OSError as exc:
            raise ConfigError(f"the secrets in {self._folder} cannot be written: {exc.strerror}") from exc
        self.kid = key_id(_parse_private(self._fresh, pem).public_key())
        self.older_kept = 0 if forget else min(len(old.verify_keys), files.most - 1)

    def take_effect(self) -> SigningKeys:
        """A crash in between leaves the old key or both, never none. Raises ConfigError."""
        try:
            for path in self._dropped:
                path.unlink()
            if self._old is not None:
                path, public = self._old
                _read_or_create(path, lambda: public)
            self._fresh.replace(self._folder / self._files.signing)
            _sync_folder(self._folder)
        except OSError as exc:
            raise ConfigError(f"the secrets in {self._folder} cannot be written: {exc.strerror}") from exc
        return load_or_create_keys(self._data_dir, self._files)

    def give_up(self) -> None:
        """Leave everything as it was."""
        self._fresh.unlink(missing_ok=True)


def rotate(data_dir: Path, *, forget: bool = False) -> Secrets:
    """Sign with a new key from the next start on; the old one is kept for reading, the oldest beyond 8 are dropped.

    ``forget``: no older key is kept, and whatever was signed opens nothing any more. Run it by hand or by a timer, one at a time. Raises ConfigError.
    """
    Rotation(data_dir, forget=forget).take_effect()
    return load_or_create(data_dir)


def _private_pem() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _parse_private(path: Path, pem: bytes) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise ConfigError(f"{path} is not a private key in PEM") from exc
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} is not an Ed25519 key")
    return key


def _parse_public(path: Path, pem: bytes) -> Ed25519PublicKey:
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise ConfigError(f"{path} is not a public key in PEM") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path} is not an Ed25519 key")
    return key


def _read_or_create(path: Path, make: Callable[[], bytes]) -> bytes:
    try:
        return _read_private_file(path)
    except FileNotFoundError:
        pass
    temporary = _write_temporary(path, make())
    try:
        os.link(temporary, path)  # fails when another process was first: then its secret is the one
        _sync_folder(path.parent)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
    return _read_private_file(path)


def _write_temporary(path: Path, data: bytes) -> Path:
    """A synced file of mode 0600 beside ``path``."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_private_file(path: Path) -> bytes:
    """Raises ConfigError when others than the owner may read or write it, OSError as ``open`` does."""
    with path.open("rb") as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            raise ConfigError(f"{path} is not a file")
        if info.st_mode & 0o077:
            raise ConfigError(f"{path} may be read by others (mode {stat.S_IMODE(info.st_mode):04o}): chmod 600 it")
        if info.st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path} is too large to be a key")
        return file.read(MAX_FILE_BYTES)

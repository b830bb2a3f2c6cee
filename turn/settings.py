"""coturn's configuration out of ours: what is rendered, and what is refused before it is. S.

coturn 4.6 (Debian 12) reads one ``option`` or ``option=value`` a line. It warns about what it does not know and goes on without it, so
a test asks the installed coturn for its options and finds every one of ours among them.
"""

import ipaddress
from dataclasses import dataclass, field

from turn.errors import SettingsError
from turn.ranges import coturn_range, denied_networks

MIN_SECRET_CHARS = 32
NONCE_S = 600
ALLOCATION_S = 3600
MAX_PEERS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a TURN relay is started with.

    ``listen``: addresses that pages come to. ``relay``: addresses that it sends from. ``peers``: the media workers' addresses, and
    nobody else's. ``tls_port`` 0: no TLS. ``session_bps``: bits a second of one allocation, each way. ``folder``: where coturn keeps
    its pid and its (empty) database. Raises SettingsError.
    """

    listen: tuple[str, ...]
    relay: tuple[str, ...]
    peers: tuple[str, ...]
    realm: str
    secret: str = field(repr=False)
    folder: str
    port: int = 3478
    tls_port: int = 0
    tls_cert_file: str = ""
    tls_key_file: str = ""
    relay_port_min: int = 49152
    relay_port_max: int = 65535
    user_quota: int = 24
    total_quota: int = 2000
    session_bps: int = 10_000_000

    def __post_init__(self) -> None:
        for name, addresses in (("listen", self.listen), ("relay", self.relay), ("peer", self.peers)):
            if not addresses:
                raise SettingsError(f"no_{name}_address", f"at least one {name} address is needed")
            for text in addresses:
                _address(name, text)
        if len(self.peers) > MAX_PEERS:
            raise SettingsError("too_many_peers", f"at most {MAX_PEERS} peer addresses")
        for text in self.peers:
            peer = ipaddress.ip_address(text)
            mapped = getattr(peer, "ipv4_mapped", None)
            if peer.is_multicast or peer.is_unspecified or mapped is not None or str(peer) == "255.255.255.255":
                raise SettingsError("bad_peer_address", f"{text} is not the address of one media worker")
        if len(self.secret) < MIN_SECRET_CHARS or not _plain(self.secret):
            raise SettingsError("bad_secret", f"the secret has at least {MIN_SECRET_CHARS} visible ASCII characters")
        if not self.realm or not _plain(self.realm):
            raise SettingsError("bad_realm", "the realm has visible ASCII characters only")
        if not 1 <= self.port <= 65535 or not 0 <= self.tls_port <= 65535 or self.port == self.tls_port:
            raise SettingsError("bad_port", "port and tls_port are different TCP ports")
        if not 1024 <= self.relay_port_min <= self.relay_port_max <= 65535:
            raise SettingsError("bad_relay_ports", "the relay's ports lie between 1024 and 65535, the lowest first")
        if self.tls_port and not (self.tls_cert_file and self.tls_key_file):
            raise SettingsError("no_certificate", "TLS needs a certificate and its key")
        for path in (self.tls_cert_file, self.tls_key_file, self.folder):
            if "\n" in path or "\r" in path:
                raise SettingsError("bad_path", "a path cannot have a line break")


def _address(name: str, text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise SettingsError(f"bad_{name}_address", f"{text!r} is not an IP address") from None


def _plain(text: str) -> bool:
    return all("!" <= character <= "~" for character in text)


def render(settings: Settings) -> str:
    """``turnserver.conf``. It holds the secret: keep it to yourself."""
    lines = [
        "# Written by `tongping turn`; changes here are lost.",
        "# Who may use it: participants with a credential of the last minutes, and nobody else.",
        "use-auth-secret",
        f"static-auth-secret={settings.secret}",
        f"realm={settings.realm}",
        f"stale-nonce={NONCE_S}",
        f"max-allocate-lifetime={ALLOCATION_S}",
        f"user-quota={settings.user_quota}",
        f"total-quota={settings.total_quota}",
        f"max-bps={max(1, settings.session_bps // 8)}",
        "no-dynamic-realms",
        "no-auth-pings",
        "# Where it listens and what it sends from.",
        f"listening-port={settings.port}",
        *(f"listening-ip={address}" for address in settings.listen),
        *(f"relay-ip={address}" for address in settings.relay),
        f"min-port={settings.relay_port_min}",
        f"max-port={settings.relay_port_max}",
        *_tls(settings),
        "# What it answers: nothing that it need not.",
        "fingerprint",
        "no-software-attribute",
        "no-rfc5780",
        "no-stun-backward-compatibility",
        "response-origin-only-with-rfc5780",
        "no-cli",
        "no-tcp-relay",
        "# Whom it sends to: the media workers. Everybody else is denied, by name and then altogether.",
        "no-multicast-peers",
        "no-dynamic-ip-list",
        *(["allow-loopback-peers"] if any(ipaddress.ip_address(peer).is_loopback for peer in settings.peers) else []),
        *(f"allowed-peer-ip={ipaddress.ip_address(peer)}" for peer in settings.peers),
        *(f"denied-peer-ip={coturn_range(network)}" for network in denied_networks()),
        "# What it keeps: nothing but its own number. Sessions are not logged: an address is personal data.",
        f"pidfile={settings.folder}/turnserver.pid",
        f"userdb={settings.folder}/turndb",
        "log-file=stdout",
        "no-stdout-log",
        "simple-log",
    ]
    return "\n".join(lines) + "\n"


def _tls(settings: Settings) -> list[str]:
    """TLS 1.2 or newer over TCP; never DTLS, which pages do not use."""
    if not settings.tls_port:
        return ["no-tls", "no-dtls"]
    return [
        f"tls-listening-port={settings.tls_port}",
        f"cert={settings.tls_cert_file}",
        f"pkey={settings.tls_key_file}",
        "no-tlsv1",
        "no-tlsv1_1",
        "no-dtls",
    ]

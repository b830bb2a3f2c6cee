"""What a load test is asked to do, and what it will not do."""

import ipaddress
import math
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from server.errors import ConfigError

MAX_ROOMS, MAX_PEOPLE, MAX_DURATION_S, MAX_RAMP, MAX_PROCESSES = 200, 12, 3600, 100.0, 32
PACKETS_OF_A_PROCESS = 20_000
"""Packets a second, sent and received together, that one process of the load is given at most."""
PACKETS_OF_A_PERSON = 110
"""A second: 30 pictures of two packets and 50 voices."""


class LoadtestFailed(Exception):
    """It could not be measured; the text is one line for the person who ran it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """``url`` "": a server of its own. ``ramp``: joins begun a second, 0: as fast as they go. ``processes`` 0: as many as the load needs.

    ``insecure``: the server's certificate is not checked.
    """

    rooms: int
    people: int
    duration_s: float
    url: str = ""
    ramp: float = 0.0
    processes: int = 0
    plot: Path | None = None
    insecure: bool = False

    def load_processes(self) -> int:
        if self.processes:
            return min(self.processes, self.rooms)
        each = self.people * PACKETS_OF_A_PERSON * self.people
        needed = math.ceil(self.rooms * each / PACKETS_OF_A_PROCESS)
        return max(1, min(needed, self.rooms, os.cpu_count() or 1, MAX_PROCESSES))

    def shares(self) -> list[int]:
        """Rooms of each process."""
        count = self.load_processes()
        return [self.rooms // count + (number < self.rooms % count) for number in range(count)]


def check(settings: Settings) -> None:
    """Raises ConfigError: out of bounds, or the plot's file cannot be there."""
    for name, value, lowest, highest in (
        ("--rooms", settings.rooms, 1, MAX_ROOMS),
        ("--people", settings.people, 2, MAX_PEOPLE),
        ("--duration", settings.duration_s, 1, MAX_DURATION_S),
        ("--ramp", settings.ramp or 1, 0.1, MAX_RAMP),
        ("--processes", settings.processes, 0, MAX_PROCESSES),
    ):
        if not lowest <= value <= highest:  # a NaN neither
            raise ConfigError(f"{name} is between {lowest} and {highest}")
    if settings.plot is not None:
        if settings.plot.suffix.lower() != ".png":
            raise ConfigError("--plot names a .png file")
        if not settings.plot.absolute().parent.is_dir():
            raise ConfigError(f"--plot: there is no folder {settings.plot.absolute().parent}")


Resolve = Callable[[str], Iterable[str]]


def resolve(host: str) -> Iterable[str]:
    """The addresses of a host. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


def check_target(url: str, *, owned: bool, resolve: Resolve = resolve) -> str:
    """The URL without what follows the host. ``owned``: the operator says that the server is theirs, wherever it is.

    Raises ConfigError: no HTTP URL, not found, or neither this machine nor a private network (RFC 1918, RFC 4193) and not owned.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("--url is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ConfigError("--url begins with http:// or https:// and a host, and holds no password")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ConfigError("--url ends after the host and port")
    try:
        found = [ipaddress.ip_address(address.partition("%")[0]) for address in resolve(parts.hostname)]
    except (OSError, UnicodeError, ValueError):
        found = []
    if not found:
        raise ConfigError(f"--url: {parts.hostname} is not found")
    if not (owned or all(_near(address) for address in found)):
        raise ConfigError(
            f"{parts.hostname} is neither this machine nor in a private network: a load test of somebody else's server is an attack; "
            "if it is yours, say --i-own-this-server"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def _near(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    own = mapped or address
    return own.is_loopback or (own.is_private and not own.is_unspecified)

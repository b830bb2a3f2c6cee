"""A real coturn with our configuration on 127.0.0.1, and what is tried against it."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from server.auth.turn import turn_credential
from turn.probe import Target
from turn.relay import running
from turn.settings import Settings

SECRET = "a secret that only tests know, 32+".replace(" ", "_")
needs_coturn = pytest.mark.skipif(
    shutil.which("turnserver", path="/usr/bin:/usr/local/bin") is None,
    reason="needs coturn; as root: apt-get install -y --no-install-recommends coturn",
)


def free_port() -> int:
    """Free for UDP and TCP on 127.0.0.1 a moment ago."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            try:
                udp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@dataclass(frozen=True, slots=True)
class Lab:
    settings: Settings
    log: list[str]

    @property
    def udp(self) -> Target:
        return Target("127.0.0.1", self.settings.port, "udp")

    @property
    def tcp(self) -> Target:
        return Target("127.0.0.1", self.settings.port, "tcp")


def credential(who: str = "PA_test", *, lasts_s: float = 60, secret: str = SECRET) -> tuple[str, str]:
    made = turn_credential(secret, who, datetime.fromtimestamp(time.time() + lasts_s, UTC))
    return made.username, made.password


@asynccontextmanager
async def coturn(folder: Path, **changes: Any) -> AsyncIterator[Lab]:
    values: dict[str, Any] = {
        "listen": ("127.0.0.1",),
        "relay": ("127.0.0.1",),
        "peers": ("127.0.0.1",),
        "realm": "tongping",
        "secret": SECRET,
        "folder": str(folder),
        "port": free_port(),
    }
    settings = Settings(**{**values, **changes})
    async with running(settings, folder) as relay:
        yield Lab(settings, relay.log)


class Decoy(asyncio.DatagramProtocol):
    """A socket that must stay silent, or one that says what came."""

    def __init__(self) -> None:
        self.came: list[bytes] = []
        self.heard = asyncio.Event()

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.came.append(data)
        self.heard.set()


@asynccontextmanager
async def decoy(host: str, port: int = 0) -> AsyncIterator[tuple[Decoy, int]]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Decoy, local_addr=(host, port))
    try:
        yield protocol, int(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()

"""Which TURN relay the pages may use, with a credential for each participant, and whether it works."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from server.auth.turn import turn_credential
from server.clock import Clock
from server.signalling.messages import IceServer

log = logging.getLogger(__name__)
PROBE_USER = "probe"
LOOK_S = 5.0
"""How often a server without a configured relay looks whether one was started beside it."""
RENEW_BEFORE_S = 120.0

Transport = Literal["udp", "tcp", "tls"]


@dataclass(frozen=True, slots=True)
class TurnAddress:
    """Where pages reach a relay. ``tls_port`` 0: no TLS."""

    host: str
    port: int
    tls_port: int = 0

    def urls(self) -> list[str]:
        """RFC 7065, cheapest for a call first."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        plain = [f"turn:{host}:{self.port}?transport={transport}" for transport in ("udp", "tcp")]
        return [*plain, f"turns:{host}:{self.tls_port}?transport=tcp"] if self.tls_port else plain

    def transports(self) -> list[tuple[Transport, int]]:
        plain: list[tuple[Transport, int]] = [("udp", self.port), ("tcp", self.port)]
        return [*plain, ("tls", self.tls_port)] if self.tls_port else plain


@dataclass(frozen=True, slots=True)
class Issued:
    """``renew_at``: None where there is nothing to renew. ``version`` changes with the relay."""

    servers: list[IceServer]
    renew_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Tried:
    """One way to the relay, tried. ``problem``: empty, or a stable word."""

    transport: Transport
    problem: str
    took_s: float


Probe = Callable[[TurnAddress, Callable[[], tuple[str, str]]], Awaitable[Sequence[Tried]]]
Find = Callable[[], TurnAddress | None]


class TurnRelay:
    """``configured``: the relay of the configuration; else ``find`` says whether one runs beside this server. Blocking: in a thread."""

    def __init__(
        self,
        configured: TurnAddress | None,
        clock: Clock,
        *,
        secret: str,
        credential_s: float,
        probe_s: float,
        probe: Probe,
        find: Find = lambda: None,
    ) -> None:
        self.configured = configured is not None
        self._address = configured
        self._clock = clock
        self._secret = secret
        self._credential_s = credential_s
        self._probe_s = probe_s
        self._probe = probe
        self._find = find
        self._version = 0 if configured is None else 1
        self._tried: list[Tried] = []
        self._probes = 0
        self._probe_at = float("-inf")

    @property
    def version(self) -> int:
        return self._version

    def issue(self, participant: str) -> Issued:
        """What this participant may use from now on."""
        address = self._address
        if address is None:
            return Issued([], None, self._version)
        now = self._clock.now()
        made = turn_credential(self._secret, participant, now + timedelta(seconds=self._credential_s))
        server = IceServer(urls=address.urls(), username=made.username, credential=made.password)
        last_s = max(self._credential_s - RENEW_BEFORE_S, self._credential_s / 2)
        return Issued([server], now + timedelta(seconds=last_s), self._version)

    # ------------------------------------------------------------ whether it works

    @property
    def ready(self) -> bool:
        """Every way to the relay was tried and gave an allocation, the last time."""
        return bool(self._tried) and not any(one.problem for one in self._tried)

    def tried(self) -> Sequence[Tried]:
        return tuple(self._tried)

    def _probe_credential(self) -> tuple[str, str]:
        self._probes += 1  # the relay counts an allocation for minutes after it was given back
        made = turn_credential(self._secret, f"{PROBE_USER}-{self._probes}", self._clock.now() + timedelta(seconds=60))
        return made.username, made.password

    async def look(self) -> None:
        """Find the relay, where it is not configured, and try it."""
        if not self.configured:
            found = await asyncio.to_thread(self._find)
            if found != self._address:
                self._address, self._tried = found, []
                self._probe_at = float("-inf")
                self._version += 1
                log.info("turn relay found" if found else "turn relay gone")
        if self._address is None or self._clock.monotonic() < self._probe_at:
            return
        self._probe_at = self._clock.monotonic() + self._probe_s
        before = {one.transport: one.problem for one in self._tried}
        self._tried = list(await self._probe(self._address, self._probe_credential))
        for one in self._tried:
            if one.problem != before.get(one.transport, ""):
                extra = {"transport": one.transport, "problem": one.problem or "none"}
                log.log(logging.WARNING if one.problem else logging.INFO, "turn relay tried", extra=extra)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("turn relay could not be tried")
            await asyncio.sleep(self._probe_s if self.configured else LOOK_S)

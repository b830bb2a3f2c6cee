"""Synthetic people at a real media worker: real ICE and DTLS, then packets of a made-up VP8 stream from one thread.

Cheap enough for thirty people on one core; what they say is only counted and timed. See ``media.bench.load``.
"""

import contextlib
import logging
from collections.abc import AsyncIterator

from aiortc import RTCCertificate

from media import control
from media.bench.load import Load
from media.bench.peers import Connection, Section, only_address
from tests.support.media_lab import LabWorker, lab_worker


class Crowd:
    """``join`` people, ``load.start()``, ``load.window(…)``; everybody leaves at the end."""

    def __init__(self, worker: LabWorker, payload_bytes: int) -> None:
        self.worker = worker
        self.load = Load(payload_bytes)
        self._certificate = RTCCertificate.generateCertificate()
        self._connections: list[tuple[str, str, Connection]] = []

    async def meet(self, room: str, name: str, *, publishes: bool = True, slots: int = 0) -> tuple[Connection, int]:
        """Connected, with its own thread of control still; its SSRC (0: it only watches)."""
        connection = Connection(self._certificate, "gcm", True)
        ssrc = 100_000 + 10 * connection.number if publishes else 0
        sections = [Section("0", ssrc)] if publishes else []
        sections += [Section(str(n)) for n in range(len(sections), len(sections) + slots)]
        await self.worker.gates(name, "camera", room=room)
        reply = await self.worker.ask(control.Connect, room, name, await connection.describe(sections, "actpass"))
        assert isinstance(reply, control.Connected), reply
        self._connections.append((room, name, connection))
        await connection.connect(reply.answer)
        return connection, ssrc

    async def join(self, room: str, name: str, *, publishes: bool = True, slots: int = 0) -> Connection:
        """Meet, and let the load's thread send and receive. Before ``load.start()`` only."""
        connection, ssrc = await self.meet(room, name, publishes=publishes, slots=slots)
        connection.hand_over(self.load, ssrc)
        return connection

    async def leave(self) -> None:
        self.load.stop()
        for room, name, _ in self._connections:
            await self.worker.ask(control.Disconnect, room, name)
        for _, _, connection in self._connections:
            await connection.close()
        self._connections.clear()


@contextlib.asynccontextmanager
async def crowd(worker: LabWorker, payload_bytes: int = 1000) -> AsyncIterator[Crowd]:
    people = Crowd(worker, payload_bytes)
    try:
        yield people
    finally:
        await people.leave()


@contextlib.asynccontextmanager
async def synthetic_worker() -> AsyncIterator[LabWorker]:
    """A worker on 127.0.0.1, where synthetic people find it."""
    for name in ("aioice", "aiortc"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with only_address("127.0.0.1"):
        async with lab_worker() as worker:
            yield worker

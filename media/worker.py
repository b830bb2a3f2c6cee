"""The media worker: one process, one UDP port, all its rooms. Started by ``media.supervisor``; speaks ``media.control``.

    python -m media.worker --control-fd N

The first message configures it. It ends when the control stream closes or on SIGTERM.
"""

import argparse
import asyncio
import contextlib
import functools
import gc
import logging
import signal
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from media import control
from media.errors import ControlError, ExhaustedError, MediaError
from media.heap import Heap
from media.native.batch import NativeBatch
from media.native.forwarder import NativeForwarder
from media.native.inlet import Inlet
from media.native.library import load
from media.native.selector import MediaSelector
from media.recording.feed import Feed
from media.relay.catch_up import catch_up
from media.relay.downlink import Downlink
from media.relay.forward import PACE_S, Forwarder
from media.relay.peer import Peer
from media.relay.publication import Publication
from media.relay.recording import Order
from media.relay.room import Audience, Room
from media.relay.totals import Totals
from media.tap.outlet import SocketOutlet
from media.transport import mmsg, srtp
from media.transport.dtls import Identity
from media.transport.ice_lite import IceLite
from media.transport.mux import Mux, Reading
from media.wire.sdp import Offer

log = logging.getLogger("media.worker")

TICK_S = 0.02
LAGS = 500
"""Ticks whose lateness is kept: ten seconds."""
ROOMS_AT_ONCE = 8
"""Counted in one go for a heartbeat: about a millisecond."""
MAX_ROOMS = 2000
MAX_UNSENT_BYTES = 8 << 20
"""Events the server has not read yet; beyond it the control stream counts as broken and the worker ends."""
CONFIGURE_DEADLINE_S = 10.0
STOP_DEADLINE_S = 3.0
READ_BYTES = 1 << 16
ERROR_LOG_INTERVAL_S = 5.0


class Worker:
    """Rooms, the mux and the control stream. ``run`` returns when it is over.

    ``selector``: the running loop's, where it has one in which media can be received.
    """

    def __init__(self, sock: socket.socket, selector: MediaSelector | None = None) -> None:
        self._sock = sock
        self._selector = selector
        self.rooms: dict[str, Room] = {}
        self._ice = IceLite(time.monotonic())
        self._forwarder = Forwarder(srtp.unprotect, srtp.protect, srtp.new_length())
        self._compiled = False
        self._identity: Identity | None = None
        self._mux: Mux | None = None
        self._config = control.Configure()
        self._writer: asyncio.StreamWriter | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self._logged_at = float("-inf")
        self._lags: deque[float] = deque(maxlen=LAGS)
        self.counts: Counter[str] = Counter()
        self._totals = Totals(time.monotonic())
        self._heap = Heap()
        self.recorder: Feed | None = None

    async def run(self) -> None:
        """Serve until stopped."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stopped.set)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the whole group: the server says when a worker ends
        reader, self._writer = await asyncio.open_unix_connection(sock=self._sock)
        tasks: list[asyncio.Task[None]] = []
        try:
            frames = control.FrameReader()
            waiting = await self._configure(reader, frames)
            tasks = [
                loop.create_task(self._commands(reader, frames, waiting), name="media.worker.commands"),
                loop.create_task(self._beat(), name="media.worker.beat"),
                loop.create_task(self._ticks(), name="media.worker.ticks"),
                loop.create_task(self._paces(), name="media.worker.paces"),
                loop.create_task(self._wait_stopped(), name="media.worker.stop"),
            ]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except (ControlError, TimeoutError, ConnectionError) as error:
            log.error("control stream broken before configuration", extra={"error": type(error).__name__})
        finally:
            for task in tasks:
                task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, Exception):
                    log.error("task ended with an error", extra={"error": type(result).__name__}, exc_info=result)
            await self._close()

    async def _wait_stopped(self) -> None:
        await self._stopped.wait()

    async def _configure(self, reader: asyncio.StreamReader, frames: control.FrameReader) -> list[bytes]:
        async with asyncio.timeout(CONFIGURE_DEADLINE_S):
            waiting: list[bytes] = []
            while not waiting:
                data = await reader.read(READ_BYTES)
                if not data:
                    raise ConnectionError("closed")
                waiting = frames.feed(data)
        first = control.decode_command(waiting[0])
        if not isinstance(first, control.Configure):
            raise ControlError("not_configured")
        self._config = first
        self._identity = Identity()
        if first.recorder:
            self.recorder = Feed(first.recorder, first.name)
        library = load() if first.native and mmsg.AVAILABLE else None
        make_batch: Callable[[socket.socket], mmsg.SendBatch] = mmsg.SendBatch
        reading: Callable[[Mux], Reading] | None = None
        if library is not None:
            self._compiled = True
            self._forwarder = NativeForwarder(library)
            make_batch = functools.partial(NativeBatch, library=library)
            if self._selector is not None and len(first.bind) <= library.lib.TP_ENDPOINTS:
                reading = functools.partial(Inlet, library, self._forwarder, self._selector)
        self._mux = Mux(
            self._forwarder, self._ice, first.bind, first.port, first.announced, self._packet_error, make_batch, reading
        )
        self._mux.start()
        gc.collect()
        gc.freeze()
        self.emit(control.Ready(self._mux.addresses, self._compiled))
        return waiting[1:]

    # ---- control

    async def _commands(self, reader: asyncio.StreamReader, frames: control.FrameReader, waiting: list[bytes]) -> None:
        try:
            while True:
                for frame in waiting:
                    self._command(control.decode_command(frame))
                data = await reader.read(READ_BYTES)
                if not data:
                    return
                waiting = frames.feed(data)
        except (ControlError, ConnectionError) as error:
            log.error("control stream broken", extra={"error": str(error)})

    def _command(self, command: control.Command) -> None:
        if isinstance(command, control.Configure):
            raise ControlError("configured_twice")
        try:
            reply = self._do(command)
        except MediaError as error:
            reply = control.Failed(command.request, error.code, error.detail)
        except Exception:
            self._packet_error()
            reply = control.Failed(command.request, "internal", "the media worker could not do this")
        self.flush()
        try:
            self.emit(reply)
        except ControlError:  # too long for one message
            self.emit(control.Failed(command.request, "too_large", "the answer is too long"))

    def _do(self, command: Any) -> control.Reply:
        if isinstance(command, control.Connect):
            return control.Connected(command.request, self._room(command.room).connect(command.participant, command.offer))
        if isinstance(command, control.SetGates):
            only = None if command.only is None else frozenset(command.only)
            self._room(command.room).set_gates(command.participant, command.sources, Audience(command.circle, only))
        elif isinstance(command, control.SetReceive):
            self._room(command.room).set_receive(command.participant, command.video, {s.mid: s.height for s in command.sizes})
        elif isinstance(command, control.SetRecording):
            self._record(command)
        elif isinstance(command, control.Replace):
            self._room(command.room).replace(command.old, command.new)
        elif isinstance(command, control.OpenTap):
            self._room(command.room).open_tap(command, lambda: SocketOutlet(command.socket))
        elif isinstance(command, control.CloseTap):
            room = self.rooms.get(command.room)
            if room is not None:
                room.taps.close(command.tap)
        elif isinstance(command, control.Disconnect):
            room = self.rooms.get(command.room)
            if room is not None:
                room.disconnect(command.participant)
        elif isinstance(command, control.CloseRoom):
            room = self.rooms.pop(command.room, None)
            if room is not None:
                room.close()
        elif isinstance(command, control.Stats):
            return control.StatsReport(command.request, self._stats(command.room))
        return control.Done(command.request)

    def _record(self, command: control.SetRecording) -> None:
        room = self.rooms.get(command.room)
        if room is None and command.state == "off":
            return
        whom = {each.participant: frozenset[str](each.sources) for each in command.whom}
        order = Order(command.recording, command.zero_mono_us, whom, command.state)
        (room or self._room(command.room)).set_recording(order)

    def _room(self, name: str) -> Room:
        room = self.rooms.get(name)
        if room is None:
            if len(self.rooms) >= MAX_ROOMS:
                raise ExhaustedError("worker_full", f"{MAX_ROOMS} rooms")
            room = self.rooms[name] = Room(name, self)
        return room

    def _stats(self, name: str | None) -> dict[str, object]:
        if name is not None:
            room = self.rooms.get(name)
            return room.stats() if room is not None else {}
        assert self._mux is not None
        return {
            "rooms": len(self.rooms),
            "peers": self._peers,
            "forwards": self._forwarder.forwards,
            "protect_refused": self._forwarder.protect_refused,
            "cpu_s": time.process_time(),
            "tasks": len(asyncio.all_tasks()),
            "sent": sum(e.batch.sent for e in self._mux.endpoints),
            "send_dropped": sum(e.batch.dropped for e in self._mux.endpoints),
            "mux": dict(self._mux.counts),
            "stun": {verdict.value: count for verdict, count in self._ice.counts.items() if count},
            "worker": dict(self.counts),
            "recorder": None if self.recorder is None else self.recorder.stats(),
        }

    @property
    def _peers(self) -> int:
        return sum(len(room.peers) for room in self.rooms.values())

    # ---- what rooms need

    def emit(self, event: control.Message) -> None:
        """Write one message to the server. Never waits: a server that does not read is given up on."""
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.error("control stream stuck")
            self._stopped.set()
            return
        writer.write(control.encode(event))

    def new_peer(self, room: Room, participant: str, offer: Offer, now: float) -> Peer:
        assert self._identity is not None
        assert self._mux is not None
        if self._peers >= self._config.max_peers:
            raise ExhaustedError("worker_full", f"{self._config.max_peers} connections")
        return Peer(
            room,
            participant,
            offer,
            ice=self._ice,
            identity=self._identity,
            candidates=self._mux.addresses,
            video_codecs=self._config.video_codecs,
            now=now,
            sent=self._forwarder.history(),
            make_uplink=self._forwarder.uplink,
        )

    def retire(self, peer: Peer) -> None:
        self._totals.forget(peer)
        task = asyncio.get_running_loop().create_task(peer.close(), name="media.peer.close")
        self._closing.add(task)
        task.add_done_callback(self._closed)

    def _closed(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        self._heap.freed()

    def catch_up(self, publication: Publication, downlink: Downlink, since: float, now: float) -> bool:
        return catch_up(self._forwarder, publication, downlink, since, now)

    def flush(self) -> None:
        """Also what commands and ticks put into batches has to leave."""
        if self._mux is not None:
            self._mux.flush()

    # ---- time

    async def _ticks(self) -> None:
        while True:
            due = time.monotonic() + TICK_S
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            self._lags.append(max(0.0, now - due))
            if self._mux is not None:
                self._mux.settle()
            for room in list(self.rooms.values()):
                try:
                    room.tick(now)
                except Exception:  # one room's trouble is not the others'
                    self._packet_error()
            self.flush()
            if self.recorder is not None:
                try:
                    self.recorder.tick(now)
                except Exception:  # calls go on whatever becomes of a recording
                    self._packet_error()

    async def _paces(self) -> None:
        """What waits for its turn leaves every few milliseconds; nothing is done while nothing waits."""
        while True:
            await asyncio.sleep(PACE_S if self._forwarder.pacers else TICK_S)
            if self._forwarder.pacers:
                try:
                    self._forwarder.release(time.monotonic())
                except Exception:
                    self._packet_error()
                self.flush()

    async def _beat(self) -> None:
        interval = self._config.heartbeat_interval_s
        while True:
            due = time.monotonic() + interval
            await asyncio.sleep(interval)
            lag_ms = max(0.0, (time.monotonic() - due) * 1000)
            lags = sorted(self._lags)
            p99_ms = 1000 * lags[len(lags) * 99 // 100] if lags else 0.0
            await self._count()
            self._heap.give_back(time.monotonic(), idle=not self._peers)
            forwards, cpu_s = self._forwarder.forwards, time.process_time()
            totals = self._totals.told(self.recorder.dropped if self.recorder is not None else 0)
            self.emit(control.Heartbeat(lag_ms, len(self.rooms), self._peers, forwards, cpu_s, p99_ms, totals))

    async def _count(self) -> None:
        """Room by room, with packets in between."""
        self._totals.begin(time.monotonic())
        for number, room in enumerate(list(self.rooms.values())):
            try:
                self._totals.add_room(room.peers.values())
            except Exception:  # a heartbeat that says too little is better than none
                self._packet_error()
            if number % ROOMS_AT_ONCE == ROOMS_AT_ONCE - 1:
                await asyncio.sleep(0)

    def _packet_error(self) -> None:
        """Called while an unexpected exception is handled: counted always, logged now and then."""
        self.counts["errors"] += 1
        now = time.monotonic()
        if now - self._logged_at >= ERROR_LOG_INTERVAL_S:
            self._logged_at = now
            log.error("unexpected error on input", extra={"errors": self.counts["errors"]}, exc_info=True)

    async def _close(self) -> None:
        for room in self.rooms.values():
            room.close()
        self.rooms.clear()
        if self.recorder is not None:
            self.recorder.close(time.monotonic())
        if self._closing:
            await asyncio.wait(self._closing, timeout=STOP_DEADLINE_S)
        for task in list(self._closing):
            task.cancel()
        if self._mux is not None:
            self._mux.flush()
            self._mux.close()
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._writer.wait_closed()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="media.worker")
    parser.add_argument("--control-fd", type=int, required=True)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("aiortc").setLevel(logging.CRITICAL)
    sock = socket.socket(fileno=arguments.control_fd)
    sock.setblocking(False)

    selector = MediaSelector() if mmsg.AVAILABLE and load() is not None else None

    async def serve() -> None:
        await Worker(sock, selector).run()

    if selector is not None:  # media that C receives does not pass the loop, and for the rest asyncio's own will do
        with asyncio.Runner(loop_factory=functools.partial(asyncio.SelectorEventLoop, selector)) as runner:
            runner.run(serve())
        return
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve())
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()

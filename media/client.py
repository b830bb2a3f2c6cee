"""The media plane as the rest of the program sees it: rooms and participants, whichever worker holds them.

Rooms are placed on the least loaded worker and stay there. Gates are remembered per participant, set again before every
connect, and survive the loss of a worker. Where a command that cuts media (gates, disconnect, close) is not confirmed in
time, the worker is killed: failing closed is better than forwarding what must not be.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import NamedTuple, get_args

from media import control
from media.errors import MediaRefusedError, MediaUnavailableError
from media.ports import MediaEvents, NetworkState, SlotAssignment
from media.supervisor import Supervisor, SupervisorConfig

BUSY_CODES = frozenset({"worker_full"})
"""Refusals that are not the peer's fault."""


class _Gates(NamedTuple):
    """As in ``control.SetGates``."""

    sources: tuple[str, ...] = ()
    circle: str = ""
    only: tuple[str, ...] | None = None


class _Recording(NamedTuple):
    """As in ``control.SetRecording``."""

    recording: str
    zero_mono_us: int
    whom: tuple[control.Recorded, ...]
    state: control.RecordingState


class _Room:
    """What is remembered of a room. ``worker``: where it is placed, None before the first connect or after a loss."""

    def __init__(self) -> None:
        self.worker: int | None = None
        self.gates: dict[str, _Gates] = {}
        self.receive: dict[str, tuple[int, tuple[control.SlotSize, ...]]] = {}
        self.participants: set[str] = set()
        self.recording: _Recording | None = None
        self.taps: set[str] = set()


class MediaClient:
    """Use as ``listen(events)``, ``await start()`` … ``await close()``. All methods belong to one event loop."""

    def __init__(self, config: SupervisorConfig) -> None:
        self._config = config
        self._supervisor = Supervisor(config, self)
        self._events: MediaEvents | None = None
        self._tap_ended: Callable[[str, str], None] | None = None
        self._rooms: dict[str, _Room] = {}

    @property
    def supervisor(self) -> Supervisor:
        """For health pages and metrics: which workers are ready, their last heartbeats."""
        return self._supervisor

    def use_recorder(self, socket_path: str) -> None:
        """Where workers connect to that are started from now on (``RecorderClient.socket_path``); call it before ``launch`` and ``start``."""
        self._supervisor.recorder = socket_path

    def launch(self) -> None:
        """Begin to start the first worker, and do not wait."""
        self._supervisor.launch()

    async def start(self) -> None:
        """Start the workers. Raises MediaUnavailableError when none is ready in time."""
        await self._supervisor.start()

    async def close(self) -> None:
        await self._supervisor.close()
        self._rooms.clear()

    # ---- what the live sessions ask

    def listen(self, events: MediaEvents) -> None:
        """Who is told what happens; one listener, set before ``start``."""
        self._events = events

    async def connect(self, room: str, participant: str, offer_sdp: str) -> str:
        """Answer an offer: a first one, one with new ICE credentials, or one after a reload. Returns the answer's SDP.

        Waits for a worker while none is ready. Raises MediaRefusedError, MediaUnavailableError.
        """
        if not self._supervisor.ready():
            await self._supervisor.wait_ready(self._config.request_timeout_s)
        held = self._rooms.setdefault(room, _Room())
        if held.worker is None or held.worker not in self._supervisor.ready():
            held.worker = self._least_loaded()
        worker = held.worker
        gates = held.gates.get(participant, _Gates())
        request = self._supervisor.next_request
        if held.recording is not None:  # before the gates: the first packet that passes is recorded
            recorded = self._supervisor.send(worker, control.SetRecording(request(), room, *held.recording))
            recorded.add_done_callback(_retrieve)
        gated = self._supervisor.send(worker, control.SetGates(request(), room, participant, *gates))
        gated.add_done_callback(_retrieve)
        if participant in held.receive:
            limited = self._supervisor.send(
                worker, control.SetReceive(request(), room, participant, *held.receive[participant])
            )
            limited.add_done_callback(_retrieve)
        reply = await self._supervisor.reply(
            self._supervisor.send(worker, control.Connect(request(), room, participant, offer_sdp))
        )
        if isinstance(reply, control.Failed):
            if reply.code in BUSY_CODES:
                raise MediaUnavailableError(reply.code, reply.detail)
            raise MediaRefusedError(reply.code, reply.detail)
        if not isinstance(reply, control.Connected):
            raise MediaUnavailableError("bad_reply", "the media worker answered something else")
        held.participants.add(participant)
        return reply.answer

    async def set_gates(
        self, room: str, participant: str, open_sources: frozenset[str], circle: str = "", only: frozenset[str] | None = None
    ) -> None:
        """From the next packet on exactly these sources of the participant are forwarded; all are shut at first.

        To those of the same ``circle``, or ``only`` to those named: see ``control.SetGates``. Remembered also while nobody is connected. Returns when it is in force. Raises MediaUnavailableError.
        """
        held = self._rooms.setdefault(room, _Room())
        gates = _Gates(tuple(sorted(open_sources)), circle, None if only is None else tuple(sorted(only)))
        held.gates[participant] = gates
        if held.worker is not None:
            await self._must(held.worker, control.SetGates(self._supervisor.next_request(), room, participant, *gates))

    async def set_receive(self, room: str, participant: str, video: int, sizes: Mapping[str, int] | None = None) -> None:
        """Show this participant at most ``video`` pictures at once; ``sizes``: how tall each is drawn, in device pixels by mid.

        Remembered like the gates. Raises MediaUnavailableError.
        """
        held = self._rooms.setdefault(room, _Room())
        wanted = video, tuple(control.SlotSize(mid, height) for mid, height in (sizes or {}).items())
        held.receive[participant] = wanted
        if held.worker is not None:
            command = control.SetReceive(self._supervisor.next_request(), room, participant, *wanted)
            reply = await self._supervisor.reply(self._supervisor.send(held.worker, command))
            if not isinstance(reply, control.Done):
                raise MediaUnavailableError("not_applied", "the media worker could not apply it")

    async def set_recording(
        self,
        room: str,
        recording: str,
        zero_mono_us: int,
        whom: Mapping[str, frozenset[str]],
        state: control.RecordingState,
    ) -> None:
        """From the next packet on exactly these sources (by participant) are recorded: see ``control.SetRecording``.

        Remembered while nobody is connected, until the room is closed or its worker lost. Returns when it is in force. Raises
        MediaUnavailableError (``no_recorder``: the workers were configured without one).
        """
        if not self._supervisor.recorder:
            raise MediaUnavailableError("no_recorder", "the media workers have no recorder")
        held = self._rooms.setdefault(room, _Room())
        known = get_args(control.SourceName)
        recorded = tuple(
            control.Recorded(participant, tuple(source for source in known if source in sources))
            for participant, sources in sorted(whom.items())
        )
        order = _Recording(recording, zero_mono_us, recorded, state)
        held.recording = order if state != "off" else None
        if held.worker is not None:
            await self._must(held.worker, control.SetRecording(self._supervisor.next_request(), room, *order))

    async def replace(self, room: str, old: str, new: str) -> None:
        """Hand-over: see ``control.Replace``. Forgotten with the worker: then nothing is shown that could be taken over.

        Raises MediaUnavailableError.
        """
        held = self._rooms.get(room)
        if held is None or held.worker is None:
            return
        command = control.Replace(self._supervisor.next_request(), room, old, new)
        reply = await self._supervisor.reply(self._supervisor.send(held.worker, command))
        if not isinstance(reply, control.Done):
            raise MediaUnavailableError("not_applied", "the media worker could not apply it")

    def listen_taps(self, ended: Callable[[str, str], None]) -> None:
        """Who is told (tap, reason) of each that ended without having been closed; reasons as in ``control.TapEnded``."""
        self._tap_ended = ended

    async def open_tap(
        self, room: str, participant: str, source: str, tap: str, socket: str, max_seconds: float, height: int = 0
    ) -> None:
        """See ``control.OpenTap``; forgotten with the worker. Raises MediaRefusedError (its codes), MediaUnavailableError."""
        held = self._rooms.get(room)
        known = get_args(control.SourceName)
        if held is None or held.worker is None or source not in known:
            raise MediaRefusedError("no_such_source", "nobody sends it")
        if tap in held.taps:
            raise MediaRefusedError("busy", "there is such a tap")
        name: control.SourceName = known[known.index(source)]
        command = control.OpenTap(self._supervisor.next_request(), room, participant, name, tap, socket, max_seconds, height)
        held.taps.add(tap)
        try:
            reply = await self._supervisor.reply(self._supervisor.send(held.worker, command))
        except MediaUnavailableError:
            held.taps.discard(tap)
            raise
        if isinstance(reply, control.Failed):
            held.taps.discard(tap)
            raise MediaRefusedError(reply.code, reply.detail)

    async def close_tap(self, room: str, tap: str) -> None:
        """Nothing more of it once this returns; nothing happens when there is none. Raises MediaUnavailableError."""
        held = self._rooms.get(room)
        if held is not None and held.worker is not None and tap in held.taps:
            held.taps.discard(tap)
            await self._must(held.worker, control.CloseTap(self._supervisor.next_request(), room, tap))

    async def disconnect(self, room: str, participant: str) -> None:
        """Forget a participant's connection and gates; nothing happens when there is none."""
        held = self._rooms.get(room)
        if held is None:
            return
        held.gates.pop(participant, None)
        held.receive.pop(participant, None)
        held.participants.discard(participant)
        if held.worker is not None:
            await self._must(held.worker, control.Disconnect(self._supervisor.next_request(), room, participant))

    async def close_room(self, room: str) -> None:
        """Forget a room and everybody in it; nothing happens when there is none. Call it again where it was not confirmed."""
        held = self._rooms.get(room)
        if held is None:
            return
        if held.worker is not None:
            await self._must(held.worker, control.CloseRoom(self._supervisor.next_request(), room))
        if self._rooms.get(room) is held:
            del self._rooms[room]

    async def stats(self, room: str) -> Mapping[str, object]:
        """The worker's counters of a room; empty when it is not placed. Raises MediaUnavailableError."""
        held = self._rooms.get(room)
        if held is None or held.worker is None:
            return {}
        waiting = self._supervisor.send(held.worker, control.Stats(self._supervisor.next_request(), room))
        reply = await self._supervisor.reply(waiting)
        return reply.stats if isinstance(reply, control.StatsReport) else {}

    # ---- what the supervisor tells

    def on_event(self, worker: int, event: control.Event) -> None:
        """Pass on what concerns rooms; a room that is not placed there (any more) is not told about."""
        if self._events is None or isinstance(event, control.Ready | control.Heartbeat):
            return
        held = self._rooms.get(event.room)
        if held is None or held.worker != worker:
            return
        if isinstance(event, control.TapEnded):
            held.taps.discard(event.tap)
            if self._tap_ended is not None:
                self._tap_ended(event.tap, event.reason)
            return
        if isinstance(event, control.Slots):
            slots = [SlotAssignment(slot.mid, slot.participant, slot.source, slot.held) for slot in event.slots]
            self._events.on_slots(event.room, event.participant, slots)
        elif isinstance(event, control.Speaking):
            self._events.on_speaking(event.room, event.participants)
        elif isinstance(event, control.PeerState):
            if event.state in ("closed", "failed"):
                held.participants.discard(event.participant)
            self._events.on_peer(event.room, event.participant, event.state)
        elif isinstance(event, control.Encodings):
            self._events.on_encodings(event.room, event.participant, event.source, event.active)
        elif isinstance(event, control.Network):
            state = NetworkState(event.down_bps, event.rtt_ms, event.loss_permille, event.limit, event.held)
            self._events.on_network(event.room, event.participant, state)
        else:
            self._events.on_track(event.room, event.participant, event.source, event.flowing)

    def on_lost(self, worker: int) -> None:
        """Unplace the worker's rooms, keep their gates, and say which they are."""
        lost = sorted(room for room, held in self._rooms.items() if held.worker == worker)
        for room in lost:
            self._rooms[room].worker = None
            self._rooms[room].participants.clear()
            self._rooms[room].recording = None
            taps, self._rooms[room].taps = self._rooms[room].taps, set()
            for tap in taps:
                if self._tap_ended is not None:
                    self._tap_ended(tap, "lost")
        if lost and self._events is not None:
            self._events.on_rooms_lost(lost)

    # ---- own

    def _least_loaded(self) -> int:
        """Fewest participants, then fewest rooms, then the lowest index."""
        load = {worker: [0, 0] for worker in self._supervisor.ready()}
        if not load:
            raise MediaUnavailableError("no_worker", "no media worker is ready")
        for held in self._rooms.values():
            if held.worker in load:
                load[held.worker][0] += len(held.participants)
                load[held.worker][1] += 1
        return min(load, key=lambda worker: (load[worker], worker))

    async def _must(
        self,
        worker: int,
        command: control.SetGates | control.SetRecording | control.CloseTap | control.Disconnect | control.CloseRoom,
    ) -> None:
        """A command that may cut media. A worker that is gone forwards nothing, so then there is nothing left to do."""
        try:
            waiting = self._supervisor.send(worker, command)
        except MediaUnavailableError as error:
            if error.code == "no_worker":
                return
            self._supervisor.kill(worker, "a command that may cut media cannot be sent")
            raise
        try:
            reply = await self._supervisor.reply(waiting)
        except MediaUnavailableError as error:
            if error.code == "worker_lost":
                return
            self._supervisor.kill(worker, "a command that may cut media was not confirmed")
            raise
        if not isinstance(reply, control.Done):
            self._supervisor.kill(worker, "a command that may cut media failed")
            raise MediaUnavailableError("not_applied", "the media worker could not apply it")


def _retrieve(waiting: "asyncio.Future[control.Reply]") -> None:
    """Mark an exception as seen: the command that follows on the same stream fails with the same."""
    if not waiting.cancelled():
        waiting.exception()

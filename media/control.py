"""What the supervisor and a media worker say to each other: typed messages in length-prefixed frames. S.

A frame is a 4-byte big-endian length followed by one msgpack message (a tagged union of the structs below). Commands go
to the worker and carry a ``request`` number (``Configure`` does not: it comes once, first); the worker answers each exactly once, with the reply named in its docstring
or with ``Failed``. Events come from the worker unasked. A frame over ``MAX_FRAME_BYTES`` or an unknown message is a
``ControlError``: the stream cannot be trusted any more and the side that sees it closes it.

A worker is started as ``python -m media.worker --control-fd N`` with a connected stream socket as file descriptor N. It exits
when that socket closes, so it never outlives its supervisor.
"""

import ipaddress
import struct
from typing import Literal, TypeVar

import msgspec

from media.errors import ControlError

T = TypeVar("T")
MAX_FRAME_BYTES = 1 << 20
_LENGTH = struct.Struct("!I")

PeerStateName = Literal["connecting", "connected", "disconnected", "failed", "closed"]
SourceName = Literal["microphone", "camera", "screen"]


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages; the tag is the class name."""


# ---- to the worker


class Configure(Message, frozen=True):
    """The first message to a worker, once. Answered by the ``Ready`` event, which has no request number.

    ``bind``: addresses to listen on, IPv4 or IPv6. ``port``: the same UDP port on each, 0 takes one that is free on all.
    ``announced``: addresses to put into candidates instead of the bound ones (1:1 NAT), empty = the bound ones.
    ``video_codecs``: order of preference of what publishers are asked to send. ``max_peers``: connections beyond this are
    refused with code ``worker_full``. ``native``: forward in C where that was built (``media/native``). ``recorder``: path of the
    recorder's socket, "" where nothing is recorded; ``name``: what the worker is called there (the supervisor numbers them).

    Raises ValueError for what cannot work: no browser can reach 0.0.0.0 or ::, so they may be bound only with ``announced``.
    """

    bind: tuple[str, ...] = ("127.0.0.1", "::1")
    port: int = 0
    announced: tuple[str, ...] = ()
    video_codecs: tuple[str, ...] = ("VP8", "H264", "VP9", "AV1")
    heartbeat_interval_s: float = 1.0
    max_peers: int = 1000
    native: bool = True
    recorder: str = ""
    name: str = "worker-0"

    def __post_init__(self) -> None:
        bound = [ipaddress.ip_address(host) for host in self.bind]
        if not bound:
            raise ValueError("no address to listen on")
        if not self.announced and any(address.is_unspecified for address in bound):
            raise ValueError("a wildcard address needs announced addresses: browsers cannot be told to come to it")
        for host in self.announced:
            address = ipaddress.ip_address(host)
            if address.is_unspecified or address.is_multicast:
                raise ValueError(f"{host} cannot be announced: it is not the address of one machine")
        if not 0 <= self.port <= 65535:
            raise ValueError("a UDP port is 0 to 65535")
        if not 0.01 <= self.heartbeat_interval_s <= 60 or self.max_peers < 1:
            raise ValueError("a heartbeat each 0.01 to 60 s, and at least one connection")


class Connect(Message, frozen=True):
    """Answer an offer: ``Connected`` or ``Failed`` (code and detail safe to show)."""

    request: int
    room: str
    participant: str
    offer: str


class SetGates(Message, frozen=True):
    """From the next packet on exactly these sources are forwarded: ``Done``. Kept for a participant not yet connected.

    People of the same ``circle`` hear and see each other; ``""`` is everybody's at first. With ``only``, what this participant sends
    reaches exactly those, in whatever circle they are; what they hear themselves still follows their circle.
    """

    request: int
    room: str
    participant: str
    sources: tuple[str, ...]
    circle: str = ""
    only: tuple[str, ...] | None = None


class SlotSize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How tall the picture of the slot ``mid`` is drawn, in device pixels; 0: it is not seen."""

    mid: str
    height: int


class SetReceive(Message, frozen=True):
    """Show this participant at most ``video`` pictures at once: ``Done``. Kept until ``Disconnect``.

    ``sizes``: the whole of them every time; a slot that is not named is taken as tall.
    """

    request: int
    room: str
    participant: str
    video: int
    sizes: tuple[SlotSize, ...] = ()


RecordingState = Literal["on", "paused", "off"]


class Recorded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of this participant these sources may be recorded."""

    participant: str
    sources: tuple[SourceName, ...]


class SetRecording(Message, frozen=True):
    """What of a room is recorded from the next packet on: ``Done``, or ``Failed`` with ``no_recorder``.

    The whole of it each time. ``recording``: its id at the recorder, where it has begun already; ``zero_mono_us``: the zero of its
    times there. A source is written while it is in ``whom``, the ``state`` is "on", and its own gate (``SetGates``) is open.
    Forgotten when the room is closed.
    """

    request: int
    room: str
    recording: str
    zero_mono_us: int
    whom: tuple[Recorded, ...]
    state: RecordingState


class Replace(Message, frozen=True):
    """Hand over: ``new``'s microphone and camera take the slots of ``old`` in everybody's view: ``Done``, also when nobody is there yet.

    A picture of ``old`` goes on until ``new``'s first key frame; the slots of an ``old`` who is gone are kept free. Of a source that
    ``new`` does not send within ten seconds this is forgotten. ``old`` is not shown again until one of them is disconnected.
    """

    request: int
    room: str
    old: str
    new: str


class OpenTap(Message, frozen=True):
    """Hand the packets of one camera or screen to the decoder that listens at ``socket``: ``Done``, or ``Failed`` with ``no_such_source``,
    ``gate_shut``, ``busy`` or ``bad_codec``.

    From its next key frame on, asked for at once, for as long as its gate is open and they are connected, at most ``max_seconds``. ``height``:
    lines that are enough, 0: the tallest there is. Ends with ``CloseTap``, or with ``TapEnded``.
    """

    request: int
    room: str
    participant: str
    source: SourceName
    tap: str
    socket: str
    max_seconds: float
    height: int = 0


class CloseTap(Message, frozen=True):
    """Nothing more of this tap from the next packet on: ``Done``, also when there is none."""

    request: int
    room: str
    tap: str


class Disconnect(Message, frozen=True):
    """Forget a participant's connection and gates: ``Done``, also when there is none."""

    request: int
    room: str
    participant: str


class CloseRoom(Message, frozen=True):
    """Forget a room and everybody in it: ``Done``, also when there is none."""

    request: int
    room: str


class Stats(Message, frozen=True):
    """Counters of one room, or of the worker when ``room`` is None: ``StatsReport``."""

    request: int
    room: str | None = None


Command = (
    Configure | Connect | SetGates | SetReceive | SetRecording | Replace | OpenTap | CloseTap | Disconnect | CloseRoom | Stats
)

# ---- from the worker: replies


class Connected(Message, frozen=True):
    request: int
    answer: str


class Done(Message, frozen=True):
    request: int


class StatsReport(Message, frozen=True):
    request: int
    stats: dict[str, object]


class Failed(Message, frozen=True):
    """The command could not be done. ``code`` is stable, ``detail`` safe to show."""

    request: int
    code: str
    detail: str = ""


# ---- from the worker: events


class Ready(Message, frozen=True):
    """The sockets are bound. ``addresses``: what candidates announce, (address, UDP port). ``compiled``: it forwards in C."""

    addresses: tuple[tuple[str, int], ...]
    compiled: bool = False


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A histogram that only grows. ``counts``: samples by bucket, not added up, one more than there are bounds; ``sum`` of all."""

    counts: tuple[int, ...]
    sum: float


class Totals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What all connections of a worker counted since it started; names as in ``media.relay.totals``.

    ``now``: how many of what there are, by name and kind.
    """

    counts: dict[str, int]
    now: dict[str, dict[str, int]]
    spreads: dict[str, Spread]


class Heartbeat(Message, frozen=True):
    """Sent every ``heartbeat_interval_s`` from the worker's one loop. ``lag_ms``: how late this beat's timer fired;
    ``lag_p99_ms``: the 99th percentile of how late the timers of the last ten seconds fired.

    ``cpu_s``: CPU time of the process since its start.
    """

    lag_ms: float
    rooms: int
    peers: int
    forwards: int = 0
    cpu_s: float = 0.0
    lag_p99_ms: float = 0.0
    totals: Totals | None = None


class SlotState(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``mid``: the subscriber's receive-only section. ``participant`` and ``source`` are None when it shows nothing.

    ``held``: not sent for now, because the subscriber's path cannot carry it.
    """

    mid: str
    participant: str | None = None
    source: str | None = None
    held: bool = False


class Slots(Message, frozen=True):
    """All slots of one subscriber, whenever one of them changes."""

    room: str
    participant: str
    slots: tuple[SlotState, ...]


class Speaking(Message, frozen=True):
    """Who speaks in a room, loudest first, whenever that changes."""

    room: str
    participants: tuple[str, ...]


class PeerState(Message, frozen=True):
    room: str
    participant: str
    state: PeerStateName


class TrackFlow(Message, frozen=True):
    """The first packet of a source came in (True), or none for 2 s after some did (False)."""

    room: str
    participant: str
    source: str
    flowing: bool


class Encodings(Message, frozen=True):
    """Which encodings (rids) of a source somebody needs: the publisher should pause the others. Each time the whole list. Of a
    microphone "red", with redundancy, or "", without."""

    room: str
    participant: str
    source: str
    active: tuple[str, ...]


class TapEnded(Message, frozen=True):
    """A tap is over without having been closed. ``reason``: ``gate``, ``gone`` (they left or connected anew), ``time``, ``lost`` (the decoder)."""

    room: str
    tap: str
    reason: str


LimitName = Literal["none", "bandwidth", "loss"]


class Network(Message, frozen=True):
    """The way to one subscriber, when it changes and at most once a second. ``down_bps``: the estimate.

    ``rtt_ms`` is None while unknown; ``limit``: why less is sent than was asked for; ``held``: pictures not sent for now.
    """

    room: str
    participant: str
    down_bps: int
    rtt_ms: int | None
    loss_permille: int
    limit: LimitName
    held: int


Reply = Connected | Done | StatsReport | Failed
Event = Ready | Heartbeat | Slots | Speaking | PeerState | TrackFlow | Encodings | Network | TapEnded
WorkerMessage = (
    Connected
    | Done
    | StatsReport
    | Failed
    | Ready
    | Heartbeat
    | Slots
    | Speaking
    | PeerState
    | TrackFlow
    | Encodings
    | Network
    | TapEnded
)

_encoder = msgspec.msgpack.Encoder()
_command_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_worker_decoder: msgspec.msgpack.Decoder[WorkerMessage] = msgspec.msgpack.Decoder(WorkerMessage)


def encode(message: Message) -> bytes:
    """One frame, length included. Raises ControlError(``frame_too_large``)."""
    body = _encoder.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise ControlError("frame_too_large", f"{len(body)} bytes")
    return _LENGTH.pack(len(body)) + body


def decode(decoder: msgspec.msgpack.Decoder[T], frame: bytes) -> T:
    """One message of what the decoder knows. Raises ControlError(``bad_message``)."""
    try:
        return decoder.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ControlError("bad_message", str(error)) from None


def decode_command(frame: bytes) -> Command:
    """What the worker reads. Raises ControlError(``bad_message``)."""
    return decode(_command_decoder, frame)


def decode_worker_message(frame: bytes) -> WorkerMessage:
    """What the supervisor reads. Raises ControlError(``bad_message``)."""
    return decode(_worker_decoder, frame)


class FrameReader:
    """Cuts a byte stream into frames; holds at most one frame that is still incomplete."""

    def __init__(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_frame_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames (without length) that ``data`` completes, in order. Raises ControlError(``frame_too_large``)."""
        self._buffer += data
        frames: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if length > self._max:
                raise ControlError("frame_too_large", f"{length} bytes")
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            frames.append(bytes(self._buffer[start + _LENGTH.size : end]))
            start = end
        del self._buffer[:start]
        return frames

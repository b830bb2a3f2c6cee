"""What the server and the sanitiser's process say to each other: frames of ``media.control``. Sans-I/O.

Events are long, so they go in pieces: those of one request follow each other, ``last`` ends them. What is asked about one share is answered in the order in
which it was asked.
"""

import msgspec

from media import control

PIECE_CHARS = 64 * 1024
"""Of a ``Take`` or a ``Made``: at most 256 KiB of UTF-8, under what a frame may hold."""


class Message(control.Message, frozen=True, tag_field="message"):
    """Base of all; ``type`` is a node's."""


class Configure(Message, frozen=True):
    """The first message, once; answered by ``Ready``. ``nodes``: of all shares together; beyond it the largest begins anew. ``memory_bytes``: address space
    beyond what it has when it begins."""

    nodes: int = 2_000_000
    memory_bytes: int = 4 << 30
    heartbeat_s: float = 0.5


class Rules(Message, frozen=True):
    """A rule pack that shares may be opened with, by its hash: ``Done``."""

    request: int
    hash: str
    text: bytes


class OpenShare(Message, frozen=True):
    """``key``: of the digests that stand for names of classes and ids. ``Done``; opening again begins anew."""

    request: int
    share: str
    rules: str
    key: bytes


class CloseShare(Message, frozen=True):
    """``Done``, also when there is none."""

    request: int
    share: str


class Take(Message, frozen=True):
    """A piece of an event: ``orders.Sanitise``. ``Made`` once the last has come, ``Done`` for the others."""

    request: int
    share: str
    page: int
    text: str
    last: bool
    gap: bool = False


class Look(Message, frozen=True):
    """What a node is: ``Seen``."""

    request: int
    share: str
    page: int
    node: int


Command = Configure | Rules | OpenShare | CloseShare | Take | Look


class Done(Message, frozen=True):
    request: int


class Failed(Message, frozen=True):
    """There is no such share, or no such rules."""

    request: int
    code: str


class Made(Message, frozen=True):
    """A piece of what may leave: ``orders.Cleaned``. All but ``text`` are right in the last piece."""

    request: int
    text: str
    last: bool
    kind: int = -1
    name: str = ""
    hidden: bool = False
    resync: bool = False
    dropped: dict[str, int] = msgspec.field(default_factory=dict)
    pictured: tuple[tuple[int, int], ...] = ()


class Seen(Message, frozen=True):
    """``orders.Facts``."""

    request: int
    known: bool
    tag: str = ""
    type: str = ""
    level: int = 0
    value_shown: bool = False
    sensitive: bool = False
    clickable: bool = False
    above: tuple[tuple[str, str], ...] = ()


class Ready(Message, frozen=True):
    """``confined``: what holds it, by name."""

    confined: tuple[str, ...]


class Heartbeat(Message, frozen=True):
    """``waiting``: events that wait."""

    shares: int
    nodes: int
    waiting: int
    events: int
    cpu_s: float


Reply = Done | Failed | Made | Seen
Said = Done | Failed | Made | Seen | Ready | Heartbeat

_command_decoder: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_said_decoder: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)


def decode_command(frame: bytes) -> Command:
    """What the process reads. Raises ControlError(``bad_message``)."""
    return control.decode(_command_decoder, frame)


def decode_said(frame: bytes) -> Said:
    """What the server reads. Raises ControlError(``bad_message``)."""
    return control.decode(_said_decoder, frame)

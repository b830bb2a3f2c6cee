"""One signalling connection as a state machine. Sans-I/O: frames and ``now`` in, events and frames out.

A connection outlives its WebSocket: when the socket is cut the state is kept for ``Limits.keep_s`` and another socket can
go on with it (``resume``). Messages are numbered from 1 in each direction. The server keeps each of its messages until the
client has acknowledged it; what waits to be written is derived from that one bounded list, so there is no second queue.
``docs/protocol.md`` is the contract for clients.
"""

import hmac
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

import msgspec

from server.domain.ids import ConnectionId
from server.signalling.messages import (
    MAX_FRAME_BYTES,
    PROTOCOL_VERSION,
    RETRYABLE,
    Ack,
    Acknowledged,
    Bye,
    ClientBody,
    CloseCode,
    Frame,
    Hello,
    Ping,
    Pong,
    Resume,
    Sequence,
    ServerBody,
    Snapshot,
    Welcome,
)
from server.signalling.rates import TokenBucket


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound of a connection. Memory per connection: ``unacknowledged_bytes`` plus one incoming frame."""

    hello_s: float = 5.0  # from the opened socket to a complete hello
    heartbeat_s: int = 4  # the client sends something at least this often
    silence_s: float = 9.5  # nothing heard for so long: the socket is given up (two pings and a half)
    keep_s: float = 20.0  # how long a cut connection can be resumed
    ack_delay_s: float = 0.1  # a handled message is acknowledged at the latest after this
    hello_bytes: int = 8 * 1024
    frame_bytes: int = MAX_FRAME_BYTES
    unacknowledged: int = 1024  # messages; more: too_slow
    unacknowledged_bytes: int = 2 * 1024 * 1024  # more: too_slow
    in_hand: int = 32  # received and not yet handled; the socket is not read meanwhile
    frames_per_s: float = 30.0  # more: too_many
    frames_burst: float = 120.0
    bytes_per_s: float = 64 * 1024.0
    bytes_burst: float = 1024 * 1024.0


class State(IntEnum):
    AWAIT_HELLO = 0
    OPEN = 1
    CUT = 2
    CLOSED = 3


class Input(StrEnum):
    """What moves the state. Frames do so only by ending in CLOSE."""

    ACCEPT = "accept"
    LOSE = "lose"  # the socket is gone, or the client has been silent too long
    RESUME = "resume"
    CLOSE = "close"


TABLE: Final[dict[tuple[State, Input], State]] = {
    (State.AWAIT_HELLO, Input.ACCEPT): State.OPEN,
    (State.AWAIT_HELLO, Input.LOSE): State.CLOSED,
    (State.AWAIT_HELLO, Input.CLOSE): State.CLOSED,
    (State.OPEN, Input.LOSE): State.CUT,
    (State.OPEN, Input.RESUME): State.OPEN,  # taken over by another socket before the loss was noticed
    (State.OPEN, Input.CLOSE): State.CLOSED,
    (State.CUT, Input.LOSE): State.CUT,
    (State.CUT, Input.RESUME): State.OPEN,
    (State.CUT, Input.CLOSE): State.CLOSED,
    (State.CLOSED, Input.LOSE): State.CLOSED,
    (State.CLOSED, Input.CLOSE): State.CLOSED,  # the first reason stands
}
"""Pairs that are absent are mistakes of the caller: ``IllegalInput``."""

FLUSHED: Final = frozenset(
    {CloseCode.LEFT, CloseCode.REMOVED, CloseCode.SESSION_ENDED, CloseCode.GOING_AWAY, CloseCode.TOKEN_EXPIRED, CloseCode.MOVED}
)
"""Closing for these, messages that wait are written before the ``bye``."""


class IllegalInput(RuntimeError):
    """The caller's bug: an input that the state does not allow."""


class FrameRefused(Exception):
    """The peer's fault: a frame that ends the connection. ``detail`` is safe to send."""

    def __init__(self, code: CloseCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Greeted:
    """The hello came; the caller checks the token, then calls ``accept``, ``close``, or ``resume`` on the older connection."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Incoming:
    """The next message, exactly once and in order. Call ``handled(seq)`` when it has been dealt with."""

    seq: int
    body: ClientBody


@dataclass(frozen=True, slots=True)
class Refused:
    """The next message, with a body that is not valid. Answer with ``error`` (invalid), then call ``handled(seq)``."""

    seq: int
    detail: str


Event = Greeted | Incoming | Refused


class ClientEnvelope(Frame, frozen=True, kw_only=True, tag="msg"):
    """``ClientMessage`` with its body still to be read, so that a bad body costs one message and not the connection."""

    seq: Sequence
    ack: Acknowledged
    body: msgspec.Raw


_frames: Final[msgspec.json.Decoder[Hello | ClientEnvelope | Ack | Ping]] = msgspec.json.Decoder(
    Hello | ClientEnvelope | Ack | Ping
)
_bodies: Final[msgspec.json.Decoder[ClientBody]] = msgspec.json.Decoder(ClientBody)
_encoder: Final = msgspec.json.Encoder()


def read_frame(data: str | bytes, max_bytes: int) -> Hello | ClientEnvelope | Ack | Ping:
    """A client's text frame. Raises FrameRefused (too_large, bad_message) and nothing else."""
    if isinstance(data, bytes):
        raise FrameRefused(CloseCode.BAD_MESSAGE, "Frames are JSON text.")
    # Characters first: a string of more characters than bytes allowed is too large without being encoded.
    if len(data) > max_bytes:
        raise FrameRefused(CloseCode.TOO_LARGE, f"A frame has at most {max_bytes} bytes.")
    try:
        encoded = data.encode()
        if len(encoded) > max_bytes:
            raise FrameRefused(CloseCode.TOO_LARGE, f"A frame has at most {max_bytes} bytes.")
        return _frames.decode(encoded)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise FrameRefused(CloseCode.BAD_MESSAGE, "This is not a frame of the protocol.") from error


def read_body(raw: bytes | msgspec.Raw) -> ClientBody | str:
    """The body of a message, or what is wrong with it (one public sentence). Never raises."""
    try:
        return _bodies.decode(raw)
    except msgspec.ValidationError as error:
        # msgspec names the place and the rule; the value itself may appear, but goes back to its sender only.
        return f"The message is not valid: {error}"[:200]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return "The message is not valid."


class SignallingProtocol:
    """The state of one connection. See ``TABLE``; ``_move`` is the only place that sets the state."""

    def __init__(self, now: float, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.state = State.AWAIT_HELLO
        self.closed: tuple[CloseCode, str] | None = None
        self.cut_at: float | None = None
        self._greeted = False
        self._opened_at = now
        self._heard_at = now
        # client → server
        self.received = 0  # highest number taken in
        self._handled = 0  # highest number dealt with: what is acknowledged
        self._ack_told = 0
        self._ack_due: float | None = None
        # server → client
        self.sent = 0  # highest number given out
        self.acknowledged = 0
        self._unacknowledged: deque[tuple[int, bytes]] = deque()
        self._unacknowledged_bytes = 0
        self._written = 0  # highest number written to the present socket
        self._welcome: bytes | None = None
        self._pong: int | None = None
        self._bye_written = False
        # resuming
        self._key = ""
        self._previous_key = ""  # until the client shows that it has the welcome with the new one
        self._frame_rate = TokenBucket(self.limits.frames_per_s, self.limits.frames_burst, now)
        self._byte_rate = TokenBucket(self.limits.bytes_per_s, self.limits.bytes_burst, now)

    def _move(self, input: Input) -> None:
        target = TABLE.get((self.state, input))
        if target is None:
            raise IllegalInput(f"{input.value} in {self.state.name}")
        self.state = target

    # ------------------------------------------------------------ in

    def receive(self, data: str | bytes, now: float) -> Event | None:
        """A frame of the present socket. A frame that must not be ends the connection: see ``closed``."""
        if self.state is State.CLOSED or self.state is State.CUT:
            return None  # left over from a socket that is gone
        try:
            return self._receive(data, now)
        except FrameRefused as refused:
            self.close(refused.code, refused.detail, now)
            return None

    def _receive(self, data: str | bytes, now: float) -> Event | None:
        if not self._frame_rate.take(now) or not self._byte_rate.take(now, len(data)):
            raise FrameRefused(CloseCode.TOO_MANY, "Too many messages in a short time.")
        waiting = self.state is State.AWAIT_HELLO
        frame = read_frame(data, self.limits.hello_bytes if waiting else self.limits.frame_bytes)
        self._heard_at = now
        if isinstance(frame, Hello):
            if not waiting or self._greeted:
                raise FrameRefused(CloseCode.BAD_MESSAGE, "A connection has one hello.")
            if frame.version != PROTOCOL_VERSION:
                raise FrameRefused(CloseCode.BAD_MESSAGE, f"This server speaks version {PROTOCOL_VERSION}.")
            self._greeted = True
            return Greeted(frame)
        if waiting:
            raise FrameRefused(CloseCode.BAD_MESSAGE, "The first frame is hello, and its answer comes first.")
        self._previous_key = ""
        if isinstance(frame, Ping):
            self._pong = frame.n
            return None
        self._acknowledge(frame.ack)
        if isinstance(frame, Ack):
            return None
        return self._message(frame)

    def _message(self, frame: ClientEnvelope) -> Event | None:
        if frame.seq <= self.received:
            return None  # a repeat after resuming
        if frame.seq != self.received + 1:
            raise FrameRefused(CloseCode.BAD_MESSAGE, "A message number was left out.")
        self.received = frame.seq
        body = read_body(frame.body)
        return Refused(frame.seq, body) if isinstance(body, str) else Incoming(frame.seq, body)

    def _acknowledge(self, number: int) -> None:
        if number > self.sent:
            raise FrameRefused(CloseCode.BAD_MESSAGE, "Acknowledged what was never sent.")
        self.acknowledged = max(self.acknowledged, number)
        while self._unacknowledged and self._unacknowledged[0][0] <= number:
            self._unacknowledged_bytes -= len(self._unacknowledged.popleft()[1])

    @property
    def in_hand(self) -> int:
        """Messages taken in and not yet handled."""
        return self.received - self._handled

    @property
    def ready_for_more(self) -> bool:
        """False: do not read the socket until some messages were handled."""
        return self.in_hand < self.limits.in_hand

    def handled(self, seq: int, now: float) -> None:
        """Everything up to ``seq`` was dealt with and, where it says so, is durably stored."""
        if not self._handled < seq <= self.received:
            raise IllegalInput(f"handled {seq}, received {self.received}, handled before {self._handled}")
        self._handled = seq
        self._heard_at = max(self._heard_at, now)
        if self._ack_due is None:
            self._ack_due = now + self.limits.ack_delay_s

    # ------------------------------------------------------------ state

    def accept(
        self, *, connection: ConnectionId, key: str, server_time: datetime, snapshot: Snapshot | None, now: float
    ) -> None:
        """The token is good and nothing is resumed."""
        if not self._greeted:
            raise IllegalInput("accept before hello")
        self._move(Input.ACCEPT)
        self._key = key
        self._heard_at = now
        self._welcome = self._make_welcome(connection, False, server_time, snapshot)

    def knows(self, resume: Resume) -> bool:
        """Whether ``resume`` fits this connection: the key (compared in constant time) and a possible number."""
        if self.state not in (State.OPEN, State.CUT):
            return False
        offered = resume.key.encode()
        fits = hmac.compare_digest(offered, self._key.encode())
        fits_previous = hmac.compare_digest(offered, self._previous_key.encode()) and self._previous_key != ""
        return (fits or fits_previous) and self.acknowledged <= resume.ack <= self.sent

    def resume(self, resume: Resume, *, connection: ConnectionId, key: str, server_time: datetime, now: float) -> bool:
        """Go on over another socket: exactly the unacknowledged messages follow the welcome. False: unknown.

        The key changes with every welcome. The old one stays good until the client is heard, because a welcome can be
        lost on the way.
        """
        if not self.knows(resume):
            return False
        self._move(Input.RESUME)
        self.cut_at = None
        self._acknowledge(resume.ack)
        self._previous_key = resume.key
        self._key = key
        self._heard_at = now
        self._written = self.acknowledged
        self._pong = None
        self._frame_rate = TokenBucket(self.limits.frames_per_s, self.limits.frames_burst, now)
        self._byte_rate = TokenBucket(self.limits.bytes_per_s, self.limits.bytes_burst, now)
        self._welcome = self._make_welcome(connection, True, server_time, None)
        return True

    def lose(self, now: float) -> None:
        """The socket is gone."""
        before = self.state
        self._move(Input.LOSE)
        if before is State.OPEN:
            self.cut_at = now
        if before is State.AWAIT_HELLO:
            self.closed = (CloseCode.TIMEOUT, "The socket was closed before hello was answered.")
            self._bye_written = True

    def close(self, code: CloseCode, detail: str, now: float) -> None:
        """End it for good; the first reason stands. Messages that wait are still given out where ``FLUSHED`` says so."""
        del now
        first = self.state is not State.CLOSED
        self._move(Input.CLOSE)
        if not first:
            return
        self.closed = (code, detail)
        if code not in FLUSHED:
            self._unacknowledged.clear()
            self._unacknowledged_bytes = 0
            self._welcome = None
            self._pong = None

    def tick(self, now: float) -> bool:
        """Deadlines. True: something changed that must be looked at (the state, or an acknowledgement to write)."""
        if self.state is State.AWAIT_HELLO and not self._greeted:
            if now - self._opened_at >= self.limits.hello_s:
                self.close(CloseCode.TIMEOUT, "No hello in time.", now)
                return True
        elif self.state is State.OPEN:
            # Not while a message is being handled: then it is the server that does not listen.
            if self.in_hand == 0 and now - self._heard_at >= self.limits.silence_s:
                self.lose(now)
                return True
            return self._ack_due is not None and now >= self._ack_due
        elif self.state is State.CUT and self.cut_at is not None and now - self.cut_at >= self.limits.keep_s:
            self.close(CloseCode.TIMEOUT, "Not resumed in time.", now)
            return True
        return False

    def next_deadline(self) -> float | None:
        """When ``tick`` has something to do, unless something happens before. ``receive`` makes it later only."""
        if self.state is State.AWAIT_HELLO:
            return None if self._greeted else self._opened_at + self.limits.hello_s
        if self.state is State.OPEN:
            silent = self._heard_at + self.limits.silence_s if self.in_hand == 0 else None
            return min((one for one in (silent, self._ack_due) if one is not None), default=None)
        return self.cut_at + self.limits.keep_s if self.state is State.CUT and self.cut_at is not None else None

    # ------------------------------------------------------------ out

    def send(self, body: ServerBody, now: float) -> None:
        """Number a message and keep it until it is acknowledged. Too much kept: the connection ends with ``too_slow``."""
        if self.state is State.AWAIT_HELLO:
            raise IllegalInput("send before hello was accepted")
        if self.state is State.CLOSED:
            return
        encoded = _encoder.encode(body)
        self.sent += 1
        self._unacknowledged.append((self.sent, encoded))
        self._unacknowledged_bytes += len(encoded)
        if (
            len(self._unacknowledged) > self.limits.unacknowledged
            or self._unacknowledged_bytes > self.limits.unacknowledged_bytes
        ):
            self.close(CloseCode.TOO_SLOW, "Messages were not acknowledged.", now)

    @property
    def has_output(self) -> bool:
        """Whether ``take_output`` would give a frame out (an acknowledgement that is not due yet does not count)."""
        return (
            self._welcome is not None
            or self._pong is not None
            or (self._written < self.sent and bool(self._unacknowledged))
            or (self.closed is not None and not self._bye_written)
        )

    def take_output(self, now: float, max_frames: int = 64) -> list[bytes]:
        """The frames to write to the present socket now, in order. Nothing while there is none (CUT)."""
        if self.state is State.CUT:
            return []
        frames: list[bytes] = []
        if self._welcome is not None:
            frames.append(self._welcome)
            self._welcome = None
        skip = self._written - (self._unacknowledged[0][0] - 1) if self._unacknowledged else 0
        for index in range(max(skip, 0), len(self._unacknowledged)):
            if len(frames) >= max_frames:
                return frames
            number, body = self._unacknowledged[index]
            frames.append(b'{"t":"msg","seq":%d,"ack":%d,"body":%b}' % (number, self._handled, body))
            self._written = number
            self._told()
        if self._ack_due is not None and now >= self._ack_due and self._ack_told < self._handled:
            frames.append(_encoder.encode(Ack(ack=self._handled)))
            self._told()
        if self._pong is not None:
            frames.append(_encoder.encode(Pong(n=self._pong)))
            self._pong = None
        if self.closed is not None and not self._bye_written:
            self._bye_written = True
            frames.append(bye(*self.closed))
        return frames

    def _told(self) -> None:
        self._ack_told = self._handled
        self._ack_due = None

    def _make_welcome(self, connection: ConnectionId, resumed: bool, server_time: datetime, snapshot: Snapshot | None) -> bytes:
        self._told()
        return _encoder.encode(
            Welcome(
                version=PROTOCOL_VERSION,
                connection=connection,
                resume_key=self._key,
                resumed=resumed,
                ack=self._handled,
                heartbeat_s=self.limits.heartbeat_s,
                keep_s=round(self.limits.keep_s),
                server_time=server_time,
                snapshot=snapshot,
            )
        )


def bye(code: CloseCode, detail: str) -> bytes:
    """The last frame before the server closes."""
    return _encoder.encode(Bye(code=code, detail=detail, retry=code in RETRYABLE))

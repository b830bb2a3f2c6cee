"""What live sessions need of the media plane. Bound to ``media.client`` in ``server/app.py``; faked in tests.

Every event callback is synchronous, quick and never raises; the live session queues what needs awaiting.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from server.api.bodies import Entry
from server.auth.tokens import Claims
from server.domain.grants import Grant
from server.domain.ids import LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import RecordingEnding, Role, Session
from server.transactions.brief import CaseBrief


class MediaRefused(Exception):
    """The peer's fault: an offer that cannot be answered. ``code`` is stable, ``detail`` is safe to show."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class MediaUnavailable(Exception):
    """The dependency's failure: no worker, or it did not answer in time."""


@dataclass(frozen=True, slots=True)
class SlotAssignment:
    """``mid``: the subscriber's receive-only m-line. ``participant`` and ``source`` are None when it shows nothing.

    ``held``: not sent for now, because the subscriber's network cannot carry it.
    """

    mid: str
    participant: str | None
    source: str | None
    held: bool = False


@dataclass(frozen=True, slots=True)
class NetworkState:
    """The relay's way to one subscriber. ``down_bps``: the estimate; ``rtt_ms``: None while unknown; ``held``: pictures not sent."""

    down_bps: int
    rtt_ms: int | None
    loss_permille: int
    limit: Literal["none", "bandwidth", "loss"]
    held: int


PeerState = Literal["connecting", "connected", "disconnected", "failed", "closed"]
RecordingState = Literal["on", "paused", "off"]


class MediaEvents(Protocol):
    def on_slots(self, room: str, participant: str, slots: Sequence[SlotAssignment]) -> None: ...
    def on_speaking(self, room: str, participants: Sequence[str]) -> None: ...
    def on_peer(self, room: str, participant: str, state: PeerState) -> None: ...
    def on_track(self, room: str, participant: str, source: str, flowing: bool) -> None:
        """The first packet of a source came in (True), or none for 2 s after some did (False)."""
        ...

    def on_encodings(self, room: str, participant: str, source: str, active: Sequence[str]) -> None:
        """Which encodings (rids) of a source somebody needs now; the publisher should pause the others."""
        ...

    def on_network(self, room: str, participant: str, state: NetworkState) -> None:
        """The way to a subscriber, when it changes and at most once a second."""
        ...

    def on_rooms_lost(self, rooms: Sequence[str]) -> None:
        """Their worker died; connect again and say the gates again."""
        ...


class TapRefused(Exception):
    """Pictures cannot be had. ``code``: ``no_such_source``, ``gate_shut``, ``busy``, ``bad_codec``."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code


class TapEnded(Exception):
    """There are no more pictures before as many came as were asked for. ``code``: ``gate``, ``gone``, ``withdrawn``, ``held``, ``tap_lost``, …"""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class TapPicture(Protocol):
    """A decoded picture. ``received_at``: seconds of the machine's monotonic clock. ``pixels``: rows of red, green, blue; ``sha256`` of them.

    ``lost``: frames that never came whole since the one before.
    """

    @property
    def rtp_time(self) -> int: ...
    @property
    def received_at(self) -> float: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def pixels(self) -> memoryview: ...
    @property
    def sha256(self) -> bytes: ...
    @property
    def index(self) -> int: ...
    @property
    def nonce(self) -> bytes: ...
    @property
    def lost(self) -> int: ...


class OpenTap(Protocol):
    """Iterate over it; raises TapEnded. ``frames``: how many came so far."""

    @property
    def frames(self) -> int: ...
    def end(self, reason: str) -> None:
        """At once: not one more picture; ``reason`` is the code of the TapEnded that follows."""
        ...

    def __aiter__(self) -> AsyncIterator[TapPicture]: ...


class MediaPort(Protocol):
    def listen(self, events: MediaEvents) -> None: ...

    async def connect(self, room: str, participant: str, offer_sdp: str) -> str:
        """Answer an offer (first one, a repeated one with new ICE credentials, or one after a reload); returns the answer SDP.

        Creates the room where needed. Raises MediaRefused, MediaUnavailable.
        """
        ...

    async def set_gates(
        self, room: str, participant: str, open_sources: frozenset[str], circle: str = "", only: frozenset[str] | None = None
    ) -> None:
        """From the next packet on exactly these sources of this participant are forwarded. All are shut at first.

        People of the same ``circle`` hear and see each other. With ``only``, what this participant sends reaches exactly those
        named, in whatever circle they are.
        Kept for the participant even before it connects. Returns when the worker has applied it. Raises MediaUnavailable.
        """
        ...

    async def set_receive(self, room: str, participant: str, video: int, sizes: Mapping[str, int]) -> None:
        """Show this participant at most ``video`` pictures at once, drawn this tall (device pixels by mid; 0 unseen).

        Kept like the gates. Raises MediaUnavailable.
        """
        ...

    async def set_recording(
        self, room: str, recording: str, zero_mono_us: int, whom: Mapping[str, frozenset[str]], state: RecordingState
    ) -> None:
        """From the next packet on exactly these sources (by participant) are recorded, as far as their gates are open.

        The whole of it each time. ``recording`` has begun at the recorder, ``zero_mono_us`` is the zero of its times there. Kept for who
        is not connected yet; forgotten when the room is closed or its worker lost: say it again before the gates. Returns when the
        worker has applied it. Raises MediaUnavailable, also where there is no recorder.
        """
        ...

    async def replace(self, room: str, old: str, new: str) -> None:
        """Hand over: in everybody's view ``new``'s microphone and camera take the slots of ``old``, who is not shown again.

        A picture of ``old`` stays until the first one of ``new`` is there; where ``old`` is gone its slots are kept for ``new``. Of what
        ``new`` does not send for ten seconds this is forgotten. Say it before ``old`` is disconnected, or after. Raises MediaUnavailable.
        """
        ...

    def open_tap(
        self,
        room: str,
        participant: str,
        source: str,
        *,
        nonce: bytes,
        fps: float,
        frames: int,
        seconds: float,
        height: int | None = None,
    ) -> AbstractAsyncContextManager[OpenTap]:
        """Pictures of a camera or screen, decoded in a process of their own, behind its gate. ``live/taps.py`` says when this may be asked.

        Raises TapRefused, MediaUnavailable, ValueError (bounds).
        """
        ...

    async def disconnect(self, room: str, participant: str) -> None: ...
    async def close_room(self, room: str) -> None: ...
    async def stats(self, room: str) -> Mapping[str, object]:
        """The relay's counters of a room, as ``server/api/media.py`` reads them; empty where there is none."""
        ...


class RecorderUnavailable(Exception):
    """The dependency's failure. ``disk``: it is full, or refused; else there is no recorder, or it did not answer in time."""

    def __init__(self, detail: str, *, disk: bool = False) -> None:
        super().__init__(detail)
        self.disk = disk


@dataclass(frozen=True, slots=True)
class RecordingEnd:
    """``size``: bytes of its files."""

    ending: RecordingEnding
    size: int
    duration_ms: int


class RecorderEvents(Protocol):
    def on_recorder(self, ready: bool) -> None:
        """It is lost, and is started again by itself; or it is there again, with every recording that had begun."""
        ...

    def on_recording_failed(self, recording: str) -> None:
        """The disk refused: what was kept is whole, nothing more is kept. End it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLine:
    """Of a page that is shared, JSON, for its track. ``begins``: a player may begin with it; ``blank``: nothing is shown from there on."""

    track: str
    participant: ParticipantId
    text: bytes
    begins: bool = False
    blank: bool = False


class RecorderPort(Protocol):
    """Seals and keeps what the media workers hand it. All raise RecorderUnavailable, and have a deadline."""

    @property
    def ready(self) -> bool: ...
    def listen(self, events: RecorderEvents) -> None: ...

    async def begin(self, recording: str) -> int:
        """A new one, with a key of its own; the zero of its times, in microseconds of the machine's monotonic clock."""
        ...

    async def tell(self, recording: str, event: Mapping[str, object], mono_us: int) -> None:
        """Something that happened, as ``recording_events`` says it; ``mono_us``: when."""
        ...

    async def page(self, recording: str, line: PageLine, mono_us: int) -> None:
        """A line of the shared page, for the track that it names."""
        ...

    async def pause(self, recording: str, paused: bool) -> None:
        """What media workers hand over while it is paused is thrown away. Kept also when this raises: a recorder that is lost does so later."""
        ...

    async def end(self, recording: str) -> RecordingEnd:
        """With all that its files need to be verified. Also of one that a server before this one began."""
        ...


class SessionRecords(Protocol):
    """``server.services.sessions.Sessions``."""

    async def end(self, id: SessionId, reason: str, actor: str) -> Session: ...
    async def abandoned(self, *, before: datetime) -> list[SessionId]: ...
    async def end_abandoned(self, id: SessionId, *, before: datetime) -> Session | None: ...
    async def end_over(self, id: SessionId, *, before: datetime) -> Session | None: ...
    async def take(self, id: SessionId, staff: StaffId) -> Session: ...
    async def waiting(self) -> list[Session]: ...
    async def queue_positions(self) -> dict[SessionId, tuple[int, int | None]]: ...


class CaseBriefs(Protocol):
    """``server.services.verification_sessions.CaseSessions``."""

    async def of_session(self, session: SessionId) -> list[CaseBrief]:
        """The newest first. Raises StoreUnavailable."""
        ...


class EntryRecords(Protocol):
    """``server.services.entries.Entries``."""

    async def enter(self, session_id: SessionId, staff_id: StaffId, login: LoginId) -> Entry: ...
    async def renew(self, session_id: SessionId, participant_id: ParticipantId) -> tuple[str, datetime]: ...


class DeskTokens(Protocol):
    """``server.auth.tokens.TokenSigner``."""

    def desk_token(
        self, *, staff: StaffId, login: LoginId, role: Role, grants: frozenset[Grant], now: datetime, until: datetime
    ) -> tuple[str, datetime]: ...


class Verifier(Protocol):
    """``server.auth.tokens.TokenVerifier``."""

    def verify(self, token: str, *, now: datetime) -> Claims:
        """Raises Unauthenticated, TokenExpired."""
        ...

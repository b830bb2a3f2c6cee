"""What live sessions need of the media plane. Bound to ``media.client`` in ``server/app.py``; faked in tests.

Every event callback is synchronous, quick and never raises; the live session queues what needs awaiting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from server.api.bodies import Entry
from server.auth.tokens import Claims
from server.domain.grants import Grant
from server.domain.ids import LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import Role, Session


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

    async def disconnect(self, room: str, participant: str) -> None: ...
    async def close_room(self, room: str) -> None: ...
    async def stats(self, room: str) -> Mapping[str, object]:
        """The relay's counters of a room, as ``server/api/media.py`` reads them; empty where there is none."""
        ...


class SessionRecords(Protocol):
    """``server.services.sessions.Sessions``."""

    async def end(self, id: SessionId, reason: str, actor: str) -> Session: ...
    async def abandoned(self, *, before: datetime) -> list[SessionId]: ...
    async def end_abandoned(self, id: SessionId, *, before: datetime) -> Session | None: ...
    async def take(self, id: SessionId, staff: StaffId) -> Session: ...
    async def waiting(self) -> list[Session]: ...
    async def queue_positions(self) -> dict[SessionId, tuple[int, int | None]]: ...


class EntryRecords(Protocol):
    """``server.services.entries.Entries``."""

    async def enter(self, session_id: SessionId, staff_id: StaffId) -> Entry: ...
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

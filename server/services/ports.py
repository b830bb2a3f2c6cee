"""What the services and the API need of the others. Bound in ``server/app.py``."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from server.domain.grants import Grant
from server.domain.ids import InvitationId, LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import Language, ParticipantState, Role, Session
from server.domain.views import AvailableStaff

MakeId = Callable[[str], str]  # prefix → a fresh identifier


class TokenIssuer(Protocol):
    """Short-lived signed tokens; each call answers the token and when it ends."""

    def session_token(
        self, *, session: SessionId, participant: ParticipantId, role: Role, grants: frozenset[Grant], now: datetime
    ) -> tuple[str, datetime]: ...

    def desk_token(
        self, *, staff: StaffId, login: LoginId, role: Role, grants: frozenset[Grant], now: datetime, until: datetime
    ) -> tuple[str, datetime]: ...


class Passwords(Protocol):
    """argon2id outside the event loop."""

    async def hash(self, password: str) -> str: ...
    async def verify(self, password_hash: str, password: str) -> bool: ...
    async def verify_nobody(self, password: str) -> None:
        """As long as ``verify`` takes: an unknown user name must not answer sooner."""
        ...

    def needs_rehash(self, password_hash: str) -> bool:
        """Whether it was made with weaker parameters than today's."""
        ...


class Throttle(Protocol):
    """``server/auth/throttle.py``. ``scope`` is what is guessed at, ``who`` the guesser (address, user name)."""

    def check(self, scope: str, who: str) -> None:
        """Let an attempt through: it counts as failed until ``succeeded``. Raises TooMany with ``retry_after_s``."""
        ...

    def failed(self, scope: str, who: str) -> None: ...
    def succeeded(self, scope: str, who: str) -> None: ...


class Pages(Protocol):
    """``server/live/cobrowse/site.py: OnSite``: customers who show a page, or may."""

    @property
    def presence(self) -> bool: ...
    async def by_code(self, staff: StaffId, code: str, language: Language) -> Session:
        """A session of theirs for the page with this code. Raises NotFound, Gone, TooMany, StoreUnavailable."""
        ...

    def visitors(self, staff: StaffId) -> Sequence[msgspec.Struct]:
        """Those on the sites now, as this member of staff sees them."""
        ...

    async def offer(self, staff: StaffId, name: str, visitor: str) -> None:
        """Raises NotFound, Conflict, StoreUnavailable."""
        ...

    async def withdraw(self, staff: StaffId, visitor: str) -> None:
        """Raises NotFound, StoreUnavailable."""
        ...


class Live(Protocol):
    """The connected people: ``server/live/hub.py: LiveSessions``."""

    @property
    def pages(self) -> Pages | None:
        """None: no pages are shown on this server."""
        ...

    async def end_session(self, session: SessionId, reason: str, actor: str) -> Session:
        """``Sessions.end`` and then everybody is told and disconnected. Raises NotFound."""
        ...

    async def remove_participant(self, session: SessionId, participant: ParticipantId, actor: str) -> None:
        """Recorded, audited, told, disconnected. Raises NotFound, Gone when they have left already."""
        ...

    async def staff_disabled(self, staff: StaffId, actor: str) -> None:
        """An account was disabled: its desks and places end."""
        ...

    async def login_ended(self, login: LoginId) -> None:
        """Somebody signed out: the desks of that login and the places that were entered by it end."""
        ...

    async def invitation_revoked(self, session: SessionId, invitation: InvitationId, actor: str) -> None:
        """An invitation was withdrawn: who came in by it leaves."""
        ...

    def staff_available(self) -> list[AvailableStaff]:
        """Who is at a desk and may be given a customer."""
        ...

    def hides(self, role: Role) -> bool:
        """Whether somebody of this role must not know of supervisors who listen."""
        ...

    def waiting_changed(self) -> None:
        """Somebody came to, left or was taken from the waiting list: desks and waiting customers are told."""
        ...

    def session_changed(self, session: Session) -> None:
        """The record changed (taken, named): those in it are told."""
        ...

    def connected(self, session: SessionId) -> frozenset[ParticipantId]:
        """Who has a signalling connection now (places that are being kept count)."""
        ...

    def states(self, session: SessionId) -> dict[ParticipantId, ParticipantState]:
        """The live states of those who are here: finer than the stored ones."""
        ...

    def listening(self, session: SessionId) -> frozenset[ParticipantId]:
        """Who is here and listens: whether they whisper is not everybody's to know."""
        ...

    async def media(self, session: SessionId) -> Mapping[str, object]:
        """The relay's counters of the session; empty where nobody is connected. Raises MediaPlaneUnavailable."""
        ...

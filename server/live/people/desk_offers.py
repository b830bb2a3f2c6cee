"""Who is at a desk and can be asked to take over a customer, and what was offered to whom. Lives on the event loop; never awaits."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from server.domain.grants import Grant
from server.domain.ids import ParticipantId, SessionId, StaffId
from server.domain.model import Role, staff_of
from server.domain.views import AvailableStaff
from server.live.member import Member
from server.signalling.connection import Connection
from server.signalling.messages_people import HandoverOffered, HandoverWithdrawn
from server.signalling.protocol import State


class AtDesk(Protocol):
    """``desk.Desk``."""

    staff: StaffId
    role: Role
    name: str
    grants: frozenset[Grant]
    connection: Connection


class Live(Protocol):
    """``session.LiveSession``."""

    @property
    def members(self) -> Mapping[ParticipantId, Member]: ...
    @property
    def on_the_way(self) -> StaffId | None:
        """Who has accepted a customer here and has not come yet."""
        ...


class DeskOffers:
    def __init__(self, desks: Callable[[], Iterable[AtDesk]], sessions: Callable[[], Iterable[Live]]) -> None:
        self._desks = desks
        self._sessions = sessions

    def available(self) -> list[AvailableStaff]:
        """Everybody with a desk connected who may be given a customer, by name."""
        busy = self._busy()
        found = {
            desk.staff: AvailableStaff(id=desk.staff, name=desk.name, role=desk.role, busy=desk.staff in busy)
            for desk in self._connected()
        }
        return sorted(found.values(), key=lambda one: (one.busy, one.name, one.id))

    def free(self, roles: frozenset[Role]) -> set[StaffId]:
        return {one.id for one in self.available() if not one.busy and one.role in roles}

    def there(self, staff: StaffId) -> bool:
        return any(desk.staff == staff for desk in self._connected())

    def offer(self, asked: Iterable[StaffId], offer: HandoverOffered, *, to: Connection | None = None) -> None:
        """To their desks, or to this one of theirs."""
        whose = frozenset(asked)
        for desk in self._connected():
            if desk.staff in whose and to in (None, desk.connection):
                desk.connection.send(offer)

    def withdraw(self, asked: Iterable[StaffId], session: SessionId, *, but: Connection | None = None) -> None:
        """An offer is over."""
        whose = frozenset(asked)
        for desk in self._connected():
            if desk.staff in whose and desk.connection is not but:
                desk.connection.send(HandoverWithdrawn(session=session))

    def _connected(self) -> list[AtDesk]:
        """Also those whose connection was cut and may be resumed: what they are sent is kept for them."""
        return [desk for desk in self._desks() if Grant.HANDOVER in desk.grants and desk.connection.state is not State.CLOSED]

    def _busy(self) -> set[StaffId]:
        """Who is in a session, otherwise than listening, or on the way to one."""
        busy: set[StaffId] = set()
        for session in self._sessions():
            if session.on_the_way is not None:
                busy.add(session.on_the_way)
            for member in session.members.values():
                staff = staff_of(member.participant)
                if staff is not None and not member.listens and member.away_since is None:
                    busy.add(staff)
        return busy

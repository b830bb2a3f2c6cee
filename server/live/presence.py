"""Who is inside which open session, as the desks are told: a customer who came by a link must not sit there unseen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from server.domain import ids
from server.domain.ids import ParticipantId, StaffId
from server.domain.model import Role, Session, SessionStatus, by_themselves
from server.domain.views import OccupiedSession, PersonInside
from server.live.member import Member

TOLD_EVERY_S = 1.0  # changes that come faster are told together
TAKING_S = 10.0  # whoever has taken a customer is on the way in so long
MOST = 100  # sessions in one message, as many as the page lists
LEADING = frozenset({Role.AGENT, Role.SUPERVISOR})


class Alone:
    """Since when a customer is in an open session in which nobody leads. Places that are being kept count as taken."""

    def __init__(self) -> None:
        self.since: datetime | None = None
        self._taking_until: float | None = None

    def taken(self, now: float) -> None:
        """An agent has taken this session, and is coming."""
        self._taking_until = now + TAKING_S

    def due(self, now: float) -> bool:
        """Whether the agent who was coming should have come: call ``note``."""
        return self._taking_until is not None and now >= self._taking_until

    def next_deadline(self) -> float | None:
        """When it is due."""
        return self._taking_until

    def note(self, members: Iterable[Member], status: SessionStatus, now: float, wall: datetime) -> None:
        """Somebody came or went, or time has passed."""
        if self.due(now):
            self._taking_until = None
        roles = {member.participant.role for member in members if member.participant.listens_at is None}
        alone = status is SessionStatus.OPEN and Role.CUSTOMER in roles and not roles & LEADING and self._taking_until is None
        if not alone:
            self.since = None
        elif self.since is None:
            self.since = wall


class Occupied(Protocol):
    """``session.LiveSession``."""

    record: Session | None
    members: dict[ParticipantId, Member]
    alone: Alone


@dataclass(frozen=True, slots=True)
class Inside:
    """The open sessions that somebody is in, by the accounts they belong to; ``nobodys``: nobody has taken them yet. Those of customers who are verified by
    themselves are among ``others``: nobody has asked for anybody."""

    own: Mapping[StaffId, list[Occupied]] = field(default_factory=dict)
    nobodys: list[Occupied] = field(default_factory=list)
    others: list[Occupied] = field(default_factory=list)

    def seen_by(self, staff: StaffId, *, all_sessions: bool, told: bool = True) -> list[OccupiedSession]:
        """Customers alone first, the longest wait on top, then the newest; at most ``MOST``.

        One's own, and those nobody has, without the reference. ``all_sessions`` (a supervisor): everybody's, whose being
        alone is their agents' affair. ``told``: of supervisors who listen, too.
        """
        views = {
            session.record.id: _view(session, reads=True, told=told) for session in self.own.get(staff, []) if session.record
        }
        for session in self.nobodys:
            if session.record is not None:
                views.setdefault(session.record.id, _view(session, reads=all_sessions, told=told))
        if all_sessions:
            for session in self.others:
                if session.record is not None:
                    views.setdefault(session.record.id, _view(session, reads=True, told=told, told_alone=False))
        newest_first = sorted(views.values(), key=lambda view: view.created_at, reverse=True)
        return sorted(newest_first, key=lambda view: (view.alone_since is None, view.alone_since or view.created_at))[:MOST]


def look(sessions: Iterable[Occupied]) -> Inside:
    """One pass over all live sessions."""
    own: dict[StaffId, list[Occupied]] = {}
    inside = Inside(own)
    for session in sessions:
        record = session.record
        if record is None or record.status is not SessionStatus.OPEN or not session.members:
            continue
        owners = {id for id in (record.taken_by or record.created_by,) if ids.is_id(id, ids.STAFF)}
        for owner in owners:
            own.setdefault(StaffId(owner), []).append(session)
        (inside.others if owners or by_themselves(record) else inside.nobodys).append(session)
    return inside


def _view(session: Occupied, *, reads: bool, told: bool, told_alone: bool = True) -> OccupiedSession:
    record = session.record
    assert record is not None  # looked at
    people = [
        PersonInside(role=member.participant.role, name=member.participant.name, connected=member.away_since is None)
        for member in session.members.values()
        if told or not member.listens
    ]
    return OccupiedSession(
        session=record.id,
        customer_name=record.customer_name,
        customer_reference=record.customer_reference if reads else "",
        reason=record.reason,
        language=record.language,
        created_at=record.created_at,
        people=people,
        alone_since=session.alone.since if told_alone else None,
    )

"""An agent whose connection is gone: the others are told, the place is kept, colleagues may take over, and at last the customer
waits again, before everybody else."""

import logging
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from server.domain.ids import ParticipantId
from server.domain.model import Participant, Role, SessionStatus, staff_of
from server.errors import CallerError, DependencyError
from server.live.member import Member
from server.live.people import handover, leading
from server.signalling.messages_people import AgentBack, AgentLost, HandoverState

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lost:
    """``at``: monotonic seconds, since when."""

    whom: ParticipantId
    at: float
    since: datetime
    until: datetime


def watch(session: "LiveSession") -> None:
    """Time has passed, or somebody came or went. Quick."""
    leader, now = leading.lead(session), session.needs.clock.monotonic()
    serving = session.status is SessionStatus.OPEN and bool(leading.customers(session))
    if session.lost is None:
        if serving and leader is not None and leader.away_since is not None:
            _note(session, leader, leader.away_since, now)
        return
    lost = session.lost
    if not serving:
        session.lost = None
        return
    whom = session.members.get(lost.whom)
    if (whom is not None and whom.away_since is None) or (whom is None and leader is not None):
        _back(session)
    elif whom is None and session.on_the_way is None:
        session.queue("requeue", partial(_requeue, session))
    elif now - lost.at >= session.needs.settings.agent_offer_s and not _helped(session, lost):
        _look_for_somebody(session, lost, now)


def _note(session: "LiveSession", leader: Member, away_since: float, now: float) -> None:
    settings, wall = session.needs.settings, session.needs.clock.now()
    if now - away_since < settings.agent_lost_s:
        return
    since = wall - timedelta(seconds=now - away_since)
    session.lost = Lost(leader.id, away_since, since, since + timedelta(seconds=settings.agent_keep_s))
    for member in session.members.values():
        greeted(session, member)


def greeted(session: "LiveSession", member: Member) -> None:
    """The others are told, on a new page again."""
    if session.lost is not None and member.id != session.lost.whom:
        member.send(AgentLost(since=session.lost.since, until=session.lost.until))


def _back(session: "LiveSession") -> None:
    session.lost = None
    session.tell(AgentBack())
    if (handing := session.handing) is not None and handing.lost and handing.stage is handover.Stage.OFFERED:
        session.queue("withdraw", partial(_withdraw, session))


async def _withdraw(session: "LiveSession") -> None:
    handing = session.handing
    if handing is None or not handing.lost or handing.stage is not handover.Stage.OFFERED:
        return
    try:
        await handover.drop(session, HandoverState.CANCELLED, "")
    except (DependencyError, CallerError):  # nobody may take it all the same, and its time is up soon
        handing.asked.clear()
        log.warning("offer withdrawn, not stored", extra={"session": session.id})


def _helped(session: "LiveSession", lost: Lost) -> bool:
    """Whether a colleague is inside."""
    others = (one for one in session.members.values() if one.id != lost.whom and leading.leads(one))
    return any(one.away_since is None for one in others)


def _look_for_somebody(session: "LiveSession", lost: Lost, now: float) -> None:
    if session.handing is None:
        if now < lost.at + session.needs.settings.agent_keep_s:
            session.queue("lost-offer", partial(_offer, session, lost))
    elif session.handing.lost:
        handover.ask_more(session)


async def _offer(session: "LiveSession", lost: Lost) -> None:
    if session.lost is not lost or session.handing is not None:
        return
    until = lost.at + session.needs.settings.agent_keep_s
    try:
        await handover.begin(session, handover.Handing(lost.whom, False, until, lost=True, anybody=handover.ANYBODY), "")
    except DependencyError:
        log.warning("offer not stored, tried again", extra={"session": session.id})
        return
    handover.ask_more(session)


async def _requeue(session: "LiveSession") -> None:
    if session.lost is None or leading.lead(session) is not None or session.on_the_way is not None:
        return
    try:
        record = await session.needs.people.requeue(session.id)
    except (DependencyError, CallerError) as error:
        log.warning("not back in the waiting list", extra={"session": session.id, "code": error.code})
        return
    session.lost = None
    await session.changed(record)
    session.needs.waiting_changed()


def keep_s(session: "LiveSession", member: Member) -> float:
    """How long the place of somebody whose connection is gone is kept, in seconds."""
    settings = session.needs.settings
    if handover.given(session, member):
        return math.inf  # until it is decided who leads
    if session.status is SessionStatus.OPEN and leading.customers(session) and leading.lead(session) is member:
        return settings.agent_keep_s
    return settings.connection.keep_s


async def retaken(session: "LiveSession", place: Participant) -> None:
    """An agent comes back whose customer waits again: theirs, if they are the first. Raises Conflict, Gone, StoreUnavailable."""
    staff = staff_of(place)
    if session.status is SessionStatus.WAITING and staff is not None and place.role is Role.AGENT:
        await session.changed(await session.needs.sessions.take(session.id, staff))
        session.needs.waiting_changed()

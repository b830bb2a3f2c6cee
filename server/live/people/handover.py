"""Giving the customer to a colleague: offered at desks, accepted by one, who comes and leads from then on.

Cold: as soon as the colleague is here. Warm: when whoever hands over says so; until then everybody but the two is on hold.
``_next`` says from the state alone what is to be done: it is asked at every tick and whenever something has happened, so that what
could not be stored is done later, and nothing depends on the order in which people come and go.
"""

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from server.domain.grants import session_grants
from server.domain.ids import LoginId, ParticipantId, StaffId
from server.domain.model import LeaveReason, Participant, Role, Session, SessionStatus, Source, staff_of
from server.domain.views import SessionView
from server.errors import Conflict, DependencyError, Gone, Invalid, NotAllowed, NotFound
from server.live.member import Member
from server.live.people import leading, supervision, unstored
from server.services.views import session_view
from server.signalling.connection import Connection
from server.signalling.messages import ServerBody
from server.signalling.messages_people import Handover, HandoverOffer, HandoverOffered, HandoverState

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)
_AGENTS = frozenset({Role.AGENT})
ANYBODY = frozenset({Role.AGENT, Role.SUPERVISOR})
_QUIET = frozenset({HandoverState.OFFERED, HandoverState.DECLINED, HandoverState.EXPIRED, HandoverState.CANCELLED})


class Stage(Enum):
    OFFERED = auto()
    ACCEPTED = auto()  # the colleague is on the way
    HERE = auto()


@dataclass(slots=True)
class Handing:
    """``until``: monotonic seconds; of an offer to be answered, of an accepted one to come.

    ``asked``: who may answer. ``anybody``: whoever is free may, also who comes to a desk later. ``lost``: whoever leads is gone.
    """

    giver: ParticipantId
    warm: bool
    until: float
    note: str = ""
    lost: bool = False
    anybody: frozenset[Role] = frozenset()
    asked: set[StaffId] = field(default_factory=set)
    declined: set[StaffId] = field(default_factory=set)
    stage: Stage = Stage.OFFERED
    to: ParticipantId | None = None
    staff: StaffId | None = None
    to_name: str = ""
    came_at: float | None = None
    here_at: float | None = None
    was_inside: bool = False


class Step(Enum):
    DECLINE = auto()
    EXPIRE = auto()
    CANCEL = auto()
    HERE = auto()
    COMPLETE = auto()
    LET_GO = auto()


# ---------------------------------------------------------------- what whoever leads says


async def offer(session: "LiveSession", member: Member, body: HandoverOffer) -> None:
    """Raises Conflict, NotAllowed, NotFound, Invalid, StoreUnavailable."""
    if session.status is not SessionStatus.OPEN or not leading.customers(session):
        raise Conflict("There is no customer here.")
    if session.handing is not None or session.leaving is not None:
        raise Conflict("A hand-over is under way.")
    if leading.lead(session) is not member:
        raise NotAllowed("Only whoever leads hands over.")
    own, desks = staff_of(member.participant), session.needs.desks
    if body.to is None:
        asked, anybody = desks.free(_AGENTS) - {own}, _AGENTS
    elif body.to == own:
        raise Invalid("Nobody hands over to themselves.")
    else:
        asked, anybody = ({body.to} if desks.there(body.to) else set()), frozenset()
    if not asked:
        raise NotFound("Nobody is free." if body.to is None else "This colleague is not at a desk.")
    until = session.needs.clock.monotonic() + session.needs.settings.offer_s
    handing = Handing(member.id, body.warm, until, body.note, anybody=anybody, asked=asked)
    await begin(session, handing, member.id)


async def begin(session: "LiveSession", handing: Handing, actor: str) -> None:
    """Written down, told at the desks and here. Raises StoreUnavailable."""
    details = {"to": next(iter(handing.asked)) if not handing.anybody else "", "lost": "yes" if handing.lost else "no"}
    await session.needs.people.note_handover(session.id, actor, HandoverState.OFFERED.value, details)
    session.handing = handing
    _offer_to(session, handing, handing.asked)
    if not handing.lost:
        tell(session, HandoverState.OFFERED)


async def cancel(session: "LiveSession", member: Member) -> None:
    """Raises Conflict, NotAllowed, StoreUnavailable."""
    handing = session.handing
    if handing is None or (handing.lost and handing.stage is Stage.OFFERED):
        raise Conflict("No hand-over is under way.")
    if member.id not in (handing.giver, handing.to) and member.participant.role is not Role.SUPERVISOR:
        raise NotAllowed("This is for the two who hand over.")
    await drop(session, HandoverState.CANCELLED, member.id)


async def complete(session: "LiveSession", member: Member) -> None:
    """Raises Conflict, NotAllowed, StoreUnavailable."""
    handing = session.handing
    if handing is None or handing.stage is not Stage.HERE:
        raise Conflict("The colleague is not here yet.")
    if member.id != handing.giver and member.participant.role is not Role.SUPERVISOR:
        raise NotAllowed("This is for whoever hands over.")
    await _complete(session, handing, member.id)


# ---------------------------------------------------------------- what desks say


async def answer(
    session: "LiveSession", staff: StaffId, login: LoginId, connection: Connection, accepted: bool
) -> tuple[SessionView, str] | None:
    """Of a desk to which it was offered, once. The session and a token for it, when it was accepted.

    Raises Conflict (it is over, or was not offered to this account), NotAllowed, Gone, StoreUnavailable.
    """
    handing = session.handing
    if handing is None or handing.stage is not Stage.OFFERED or staff not in handing.asked or _too_late(session, handing):
        raise Conflict("This offer is over.")
    desks, needs = session.needs.desks, session.needs
    if not accepted:
        handing.asked.discard(staff)
        handing.declined.add(staff)
        desks.withdraw({staff}, session.id, but=connection)
        await proceed(session)
        return None
    record, place = await needs.people.accept_handover(session.id, handing.giver, staff, login, warm=handing.warm)
    desks.withdraw(handing.asked, session.id, but=connection)
    handing.stage, handing.until = Stage.ACCEPTED, needs.clock.monotonic() + needs.settings.come_s
    handing.to, handing.staff, handing.to_name, handing.asked = place.id, staff, place.name, set()
    session.record = record
    session.people[place.id] = place
    await _already_inside(session, handing, place, record)
    await _set_aside(session)
    tell(session, HandoverState.ACCEPTED)
    session.note_people()
    token, _ = await needs.entries.renew(session.id, place.id)
    poke(session)
    return session_view(record, session_grants(place.role, record.kind)), token


async def _already_inside(session: "LiveSession", handing: Handing, place: Participant, record: Session) -> None:
    unstored.forget(session, place.id)  # they begin anew, as it was just stored
    inside = session.members.get(place.id)
    if inside is not None:
        handing.was_inside = True
        await supervision.hushed(session, inside)
        inside.participant = place
        inside.gate.grants = session_grants(place.role, record.kind)
        await session.apply_gate(inside)
        session.tell_view(inside)


def ask_more(session: "LiveSession") -> None:
    """Whoever is free by now is asked, too."""
    handing = session.handing
    if handing is None or handing.stage is not Stage.OFFERED:
        return
    giver = session.people.get(handing.giver)
    own = staff_of(giver) if giver is not None else None
    more = session.needs.desks.free(handing.anybody) - handing.asked - handing.declined - {own}
    handing.asked |= more
    if more:
        _offer_to(session, handing, more)


def desk_came(session: "LiveSession", staff: StaffId, connection: Connection) -> None:
    """A page of a desk is new: what is offered to it is told (again)."""
    handing = session.handing
    if handing is None or handing.stage is not Stage.OFFERED:
        return
    if staff in handing.asked:
        _offer_to(session, handing, {staff}, connection)
    ask_more(session)


# ---------------------------------------------------------------- what happens


def poke(session: "LiveSession") -> None:
    """Something has happened, or time has passed."""
    if _next(session, session.needs.clock.monotonic()) is not None:
        session.queue("handover", partial(proceed, session))


async def proceed(session: "LiveSession") -> None:
    """Do what is to be done; what cannot be stored is tried again with the next tick."""
    done: Step | None = None
    while (step := _next(session, session.needs.clock.monotonic())) is not None and step is not done:
        try:
            await _take(session, step)
        except (DependencyError, NotFound, Gone) as error:
            log.warning("hand-over step put off", extra={"session": session.id, "step": step.name, "code": error.code})
            return
        done = step


def _next(session: "LiveSession", now: float) -> Step | None:
    handing = session.handing
    if session.leaving is not None and (now >= session.leaving[1] or session.leaving[0].gone):
        return Step.LET_GO
    if handing is None:
        return None
    if session.status is not SessionStatus.OPEN or not leading.customers(session):
        return Step.CANCEL
    if handing.stage is Stage.OFFERED:
        return _next_of_offer(session, handing, now)
    colleague = session.members.get(handing.to) if handing.to is not None else None
    if colleague is not None and colleague.away_since is None and handing.came_at is None:
        handing.came_at = now
    if colleague is None and handing.came_at is not None:
        return Step.CANCEL
    if handing.stage is Stage.ACCEPTED:
        if handing.came_at is None:
            return Step.EXPIRE if now >= handing.until else None
        assert colleague is not None  # came, and is not gone
        here = colleague.peer == "connected" or now - handing.came_at >= session.needs.settings.here_s
        return Step.HERE if here and colleague.away_since is None else None
    return _next_of_here(session, handing, now)


def _next_of_offer(session: "LiveSession", handing: Handing, now: float) -> Step | None:
    if handing.giver not in session.members:
        return Step.CANCEL
    if now >= handing.until:
        return Step.EXPIRE
    return Step.DECLINE if not handing.asked and not handing.lost else None


def _next_of_here(session: "LiveSession", handing: Handing, now: float) -> Step | None:
    """A picture is switched to when it flows: until then the one before is shown."""
    settings = session.needs.settings
    giver = session.members.get(handing.giver)
    if handing.warm and giver is not None:
        lost = giver.away_since is not None and now - giver.away_since >= settings.agent_offer_s
        return Step.COMPLETE if lost else None
    colleague = session.members.get(handing.to) if handing.to is not None else None
    if colleague is None or handing.here_at is None:
        return None
    shown = Source.CAMERA in colleague.flowing and Source.CAMERA in colleague.passing
    return Step.COMPLETE if shown or giver is None or now - handing.here_at >= settings.picture_s else None


async def _take(session: "LiveSession", step: Step) -> None:
    """Raises NotFound, Gone, StoreUnavailable."""
    handing = session.handing
    if step is Step.LET_GO:
        if session.leaving is not None:
            leaver, _, reason = session.leaving
            session.leaving = None
            if not leaver.gone:
                await session.depart(leaver, reason, leaver.id)
        return
    assert handing is not None  # every other step is of one
    if step is Step.HERE:
        handing.stage, handing.here_at = Stage.HERE, session.needs.clock.monotonic()
        tell(session, HandoverState.HERE)
    elif step is Step.COMPLETE:
        await _complete(session, handing, handing.giver)
    elif step is Step.DECLINE:
        await drop(session, HandoverState.DECLINED, "")
    elif step is Step.EXPIRE:
        await drop(session, HandoverState.EXPIRED, "")
    else:
        await drop(session, HandoverState.CANCELLED, "")


async def drop(session: "LiveSession", state: HandoverState, actor: str) -> None:
    """Nobody takes over after all: the colleague leaves, then those on hold are taken back. Raises StoreUnavailable, NotFound, Gone."""
    handing = session.handing
    if handing is None:
        return
    if handing.stage is Stage.OFFERED:
        await session.needs.people.note_handover(session.id, actor, state.value, {})
        session.handing = None
        session.needs.desks.withdraw(handing.asked, session.id)
        if not handing.lost:
            tell(session, state, handing)
        return
    if handing.to is not None and not handing.was_inside:
        await _send_off(session, handing.to, actor)
    record = await session.needs.people.drop_handover(session.id, actor, state.value)
    session.record = record
    session.handing = None
    await _set_aside(session)
    tell(session, state, handing)
    session.note_people()


async def _send_off(session: "LiveSession", colleague: ParticipantId, actor: str) -> None:
    member = session.find(colleague)
    if member is not None:
        await session.depart(member, LeaveReason.LEFT, actor or colleague)
        return
    try:
        session.people[colleague] = await session.needs.records.leave(colleague, LeaveReason.LEFT, actor or colleague)
    except Gone:
        log.info("left already by the record", extra={"session": session.id, "participant": colleague})


async def _complete(session: "LiveSession", handing: Handing, actor: str) -> None:
    assert handing.to is not None  # it was accepted
    record, place, before = await session.needs.people.lead(
        session.id, handing.to, handing.giver, LeaveReason.HANDED_OVER, actor
    )
    session.handing = None
    session.lost = None
    tell(session, HandoverState.DONE, handing)
    await switch(session, session.members.get(handing.giver), place, record, before, LeaveReason.HANDED_OVER)
    await _set_aside(session)


async def switch(
    session: "LiveSession",
    giver: Member | None,
    place: Participant,
    record: Session,
    before: Participant | None,
    reason: LeaveReason,
) -> None:
    """It is written down who leads: in every page they take the slots of whoever led, who leaves."""
    session.people[place.id] = place
    unstored.stored(session, place.id, unstored.LISTENS)
    if before is not None:
        session.people[before.id] = before
    colleague = session.members.get(place.id)
    if colleague is not None:
        colleague.participant = msgspec.structs.replace(colleague.participant, listens_at=place.listens_at)
        colleague.whispers_to = None
    if giver is not None:
        giver.stays_for = frozenset(one.id for one in session.members.values() if one is not giver and not one.circle)
        await supervision.hushed(session, giver)
        await session.apply_gate(giver)
        await session.room.replace(giver.id, place.id)
        until = session.needs.clock.monotonic() + session.needs.settings.linger_s
        if any(one.aside for one in session.members.values()) or giver.away_since is not None:
            until = 0.0  # nobody sees them
        session.leaving = (giver, until, reason)
    await session.changed(record)
    if session.leaving is not None and session.leaving[1] == 0.0:
        await proceed(session)
    if colleague is not None:
        session.tell_view(colleague)


# ---------------------------------------------------------------- on hold, and restored


def aside(session: "LiveSession", participant: ParticipantId) -> bool:
    """Whether two others talk first, so that this person is on hold."""
    record = session.record
    if record is None or record.consults_at is None:
        return False
    return participant not in (record.handover_from, record.handover_to)


async def _set_aside(session: "LiveSession") -> None:
    """As the record has it: relay first. Whispers end where there is a hold."""
    changed = []
    for member in session.members.values():
        wanted = aside(session, member.id)
        if member.aside is not wanted:
            member.aside = wanted
            changed.append(member)
    for member in changed:
        await session.apply_gate(member)
    for member in changed:
        if member.aside:
            await supervision.hushed(session, member)
        session.tell_view(member)


def restored(session: "LiveSession") -> None:
    """After a start: a colleague had accepted, and did not lead yet. They and whoever hands over have some time to come back."""
    record = session.record
    if record is None or record.handover_from is None or record.handover_to is None or record.status is not SessionStatus.OPEN:
        return
    settings = session.needs.settings
    place = session.people.get(record.handover_to)
    session.handing = Handing(
        record.handover_from,
        record.consults_at is not None,
        session.needs.clock.monotonic() + settings.come_s,
        stage=Stage.ACCEPTED,
        to=record.handover_to,
        staff=staff_of(place) if place is not None else None,
        to_name=place.name if place is not None else "",
    )


def over(session: "LiveSession") -> None:
    """The session has ended."""
    handing, session.handing, session.leaving, session.lost = session.handing, None, None, None
    if handing is not None and handing.stage is Stage.OFFERED:
        session.needs.desks.withdraw(handing.asked, session.id)


# ---------------------------------------------------------------- telling


def tell(session: "LiveSession", state: HandoverState, handing: Handing | None = None) -> None:
    """Those inside; customers and experts from when a colleague has accepted."""
    handing = handing or session.handing
    assert handing is not None  # of what it is told
    for member in session.members.values():
        body = _message(member, handing, state)
        if body is not None:
            member.send(body)


def greeted(session: "LiveSession", member: Member) -> None:
    """A new page is told how it stands."""
    handing = session.handing
    if handing is None or (handing.lost and handing.stage is Stage.OFFERED):
        return
    states = {Stage.OFFERED: HandoverState.OFFERED, Stage.ACCEPTED: HandoverState.ACCEPTED, Stage.HERE: HandoverState.HERE}
    body = _message(member, handing, states[handing.stage])
    if body is not None:
        member.send(body)


def _message(member: Member, handing: Handing, state: HandoverState) -> ServerBody | None:
    """To whoever does not lead: nothing before one has accepted, nor that nobody has."""
    if member.participant.role in (Role.CUSTOMER, Role.EXPERT) and state in _QUIET and handing.to is None:
        return None
    return Handover(state=state, warm=handing.warm, from_=handing.giver, to=handing.to, to_name=handing.to_name)


def _offer_to(session: "LiveSession", handing: Handing, asked: set[StaffId], to: Connection | None = None) -> None:
    record, giver = session.record, session.people.get(handing.giver)
    assert record is not None  # loaded before anybody is seated
    needs = session.needs
    view = session_view(record, session_grants(Role.AGENT, record.kind))
    if handing.anybody:  # as the waiting list shows it: whoever takes it reads the rest
        view = msgspec.structs.replace(view, customer_reference="", context="")
    left_s = handing.until - needs.clock.monotonic()
    needs.desks.offer(
        asked,
        HandoverOffered(
            session=view,
            from_name=giver.name if giver is not None else "",
            warm=handing.warm,
            note=handing.note,
            lost=handing.lost,
            expires_at=needs.clock.now() + timedelta(seconds=left_s),
        ),
        to=to,
    )


def _too_late(session: "LiveSession", handing: Handing) -> bool:
    giver = session.members.get(handing.giver)
    back = handing.lost and giver is not None and giver.away_since is None
    return back or giver is None or session.needs.clock.monotonic() >= handing.until


def given(session: "LiveSession", member: Member) -> bool:
    """Whether somebody else is on the way to lead instead of this one, whose place is kept until that is decided."""
    handing = session.handing
    return handing is not None and handing.giver == member.id and handing.stage is not Stage.OFFERED

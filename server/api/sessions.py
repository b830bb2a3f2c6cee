"""Sessions, who is in them, and what they agreed to."""

from server.api.bodies import Consents, CreateSession, EndRequest, Participants, SessionPage, UpdateSession
from server.api.call import Call, Handler, Reply
from server.api.operations import BASE, SessionsQuery
from server.domain import ids
from server.domain.grants import Grant
from server.domain.ids import ParticipantId, StaffId
from server.domain.model import Role, SessionStatus
from server.domain.views import ParticipantView, SessionView
from server.errors import Unauthenticated
from server.services.sessions import grants_in
from server.services.views import consent_view, session_view


async def create_session(call: Call) -> Reply:
    body: CreateSession = call.body
    session = await call.context.sessions.create(body, call.who)
    return Reply(session_view(session, grants_in(session, call.who)), f"{BASE}/sessions/{session.id}")


async def list_sessions(call: Call) -> Reply:
    """Staff see the sessions they made or took, and those nobody has taken yet; a supervisor and the bank's systems see all.

    Those nobody has are listed with the customer's name, without reference, reason and context: these need ``session.read``
    in them. So does finding them by the reference.
    """
    query: SessionsQuery = call.query
    page = await call.context.sessions.page(
        status=query.status,
        customer_reference=query.customer_reference,
        limit=query.limit,
        cursor=query.cursor,
        seen_by=StaffId(call.who.actor) if call.who.role is Role.AGENT else None,
    )
    found = [(session, grants_in(session, call.who)) for session in page.sessions]
    if query.customer_reference is not None:  # else asking for a reference would tell whose session it is
        found = [(session, grants) for session, grants in found if Grant.SESSION_READ in grants]
    views = [session_view(session, grants) for session, grants in found]
    return Reply(SessionPage(sessions=views, next=page.next))


async def get_session(call: Call) -> Reply:
    return Reply(session_view(call.where, call.grants))


async def update_session(call: Call) -> Reply:
    body: UpdateSession = call.body
    session = await call.context.sessions.update(call.where.id, body, call.who.actor)
    if session != call.where:
        call.context.live.session_changed(session)
    return Reply(session_view(session, call.grants))


async def end_session(call: Call) -> Reply:
    body: EndRequest = call.body
    session = await call.context.live.end_session(call.where.id, body.reason, call.who.actor)
    view: SessionView = session_view(session, call.grants)
    return Reply(view)


async def enter_session(call: Call) -> Reply:
    """Entering a waiting session, or one that nobody has, takes it: those who see it are told."""
    context = call.context
    before = await context.sessions.get(ids.SessionId(call.id("session", ids.SESSION)))
    if call.who.login is None:
        raise Unauthenticated("Sign in first.")
    entry = await context.entries.enter(before.id, StaffId(call.who.actor), call.who.login)
    after = await context.sessions.get(before.id)
    if after != before:
        context.live.session_changed(after)
    if before.status is SessionStatus.WAITING:
        context.live.waiting_changed()
    return Reply(entry)


async def list_participants(call: Call) -> Reply:
    return Reply(Participants(participants=await _known_people(call)))


async def _known_people(call: Call) -> list[ParticipantView]:
    """Without those whom the caller must not know of: who listens, where that is hidden from them, and who waits to be let in."""
    states = call.context.live.states(call.where.id)
    people = await call.context.history.participants(call.where.id, states)
    hides, knows = call.context.live.hides(call.who.role), call.knows_who_waits
    return [person for person in people if not (hides and person.listens) and (knows or not person.waits)]


async def remove_participant(call: Call) -> Reply:
    id = ParticipantId(call.id("participant", ids.PARTICIPANT))
    await call.context.live.remove_participant(call.where.id, id, call.who.actor)
    return Reply()


async def list_consents(call: Call) -> Reply:
    consents = await call.context.history.consents(call.where.id)
    known = {person.id for person in await _known_people(call)}
    return Reply(Consents(consents=[consent_view(consent) for consent in consents if consent.participant_id in known]))


HANDLERS: dict[str, Handler] = {
    "create_session": create_session,
    "list_sessions": list_sessions,
    "get_session": get_session,
    "update_session": update_session,
    "end_session": end_session,
    "enter_session": enter_session,
    "list_participants": list_participants,
    "remove_participant": remove_participant,
    "list_consents": list_consents,
}

"""From a bearer credential to a principal, and from a principal to a decision about an operation."""

from aiohttp import web

from server.api.operations import Access, Operation
from server.auth.tokens import Audience
from server.context import Context
from server.domain import ids
from server.domain.grants import KEY_RIGHTS, Grant, desk_grants
from server.domain.ids import LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import LeaveReason, Role, Session, replaced, staff_of
from server.errors import NotAllowed, Unauthenticated
from server.services.keys import looks_like_key
from server.services.principal import Principal, PrincipalKind
from server.services.sessions import grants_in

KEEPS = frozenset({None, LeaveReason.LOST, LeaveReason.ENDED})
WAITING = frozenset({"start_network_test"})  # all that who waits to be let in may call


async def authenticate(context: Context, request: web.Request) -> Principal | None:
    """Who asks; None without a credential. A credential that does not hold is refused even where none is needed.

    A disabled account, a login that was ended, a revoked key and a place that was taken away or given up end at once, not when their token does.
    Raises Unauthenticated, TokenExpired.
    """
    header = request.headers.getall("Authorization", [])
    if not header:
        return None
    scheme, _, credential = header[0].partition(" ")
    if len(header) > 1 or scheme.lower() != "bearer" or not credential:
        raise Unauthenticated("Authorization: send one bearer token.")
    if looks_like_key(credential):
        key = await context.keys.authenticate(credential)
        more = [grants for right, grants in KEY_RIGHTS.items() if getattr(key, right)]
        return Principal(PrincipalKind.SERVICE, key.id, Role.SERVICE, desk_grants(Role.SERVICE).union(*more))
    claims = context.verifier.verify(credential, now=context.clock.now())
    if claims.audience is Audience.DESK:
        staff, login = await context.staff.signed_in(StaffId(claims.subject), LoginId(claims.login))
        return Principal(PrincipalKind.DESK, staff.id, staff.role, claims.grants & desk_grants(staff.role), login=login.id)
    id, session = ParticipantId(claims.subject), SessionId(claims.session)
    async with context.store.read() as tx:
        participant = await tx.get_participant(id)
        came_by = participant.login_id if participant is not None else None
        entered_by = await tx.get_login(came_by) if came_by is not None else None
        record = await tx.get_session(session) if participant is not None else None
    if participant is None or participant.session_id != session or participant.leave_reason not in KEEPS:
        raise Unauthenticated("This place was taken away or given up.")
    if record is not None and replaced(record, participant):
        raise Unauthenticated("Somebody else has taken this customer.")
    if participant.role is not claims.role:
        raise Unauthenticated("This place has another role now: use the newer token.")
    if (staff_id := staff_of(participant)) is not None:
        await context.staff.active(staff_id)
        if came_by is not None and (entered_by is None or entered_by.ended_at is not None):
            raise Unauthenticated("Please sign in again.")
    waits = participant.waits_at is not None
    grants = frozenset() if waits else claims.grants
    return Principal(PrincipalKind.PARTICIPANT, id, claims.role, grants, session, id, waits=waits)


async def authorise(
    context: Context, operation: Operation, principal: Principal | None, session_id: SessionId | None
) -> tuple[frozenset[Grant], Session | None]:
    """The caller's grants for this operation, and the path's session. Raises Unauthenticated, NotAllowed, NotFound.

    A participant asking for another session is refused before anything is looked up: whether it exists is not said.
    """
    if operation.needs is Access.PUBLIC:
        return frozenset(), None
    if principal is None:
        raise Unauthenticated("Sign in first.")
    if principal.waits and operation.id not in WAITING:
        raise NotAllowed("You are in the waiting room.")
    if session_id is not None and principal.kind is PrincipalKind.PARTICIPANT and principal.session != session_id:
        raise NotAllowed("This token is for another session.")
    if operation.needs is Access.DESK and principal.kind is not PrincipalKind.DESK:
        raise NotAllowed("This is for staff who are signed in.")
    if session_id is None:
        _require(operation, principal.grants)
        return principal.grants, None
    if operation.needs is Access.DESK:
        return principal.grants, None
    session = await context.sessions.get(session_id)
    grants = grants_in(session, principal)
    if operation.needs is Access.PLACE and principal.kind is PrincipalKind.PARTICIPANT:
        return grants, session
    _require(operation, grants)
    return grants, session


def _require(operation: Operation, grants: frozenset[Grant]) -> None:
    needed = Grant.SESSION_READ if operation.needs is Access.PLACE else operation.needs
    if isinstance(needed, Grant) and needed not in grants:
        raise NotAllowed(f"This needs the grant {needed.value}.")


def presented_key(request: web.Request) -> str | None:
    """The id that an API key was shown with, "" where that is none; None where nothing like a key was shown."""
    credential = request.headers.get("Authorization", "").partition(" ")[2]
    if not looks_like_key(credential):
        return None
    id = credential.partition(".")[0]
    return id if ids.is_id(id, ids.API_KEY) else ""


def session_in_path(request: web.Request) -> SessionId | None:
    return SessionId(request.match_info["session"]) if "session" in request.match_info else None

"""From a bearer credential to a principal, and from a principal to a decision about an operation."""

from aiohttp import web

from server.api.operations import Access, Operation
from server.auth.tokens import Audience
from server.context import Context
from server.domain.grants import Grant, desk_grants
from server.domain.ids import LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import LeaveReason, Role, Session, staff_of
from server.errors import NotAllowed, Unauthenticated
from server.services.keys import looks_like_key
from server.services.principal import Principal, PrincipalKind
from server.services.sessions import grants_in

GIVEN_UP = frozenset({LeaveReason.REMOVED, LeaveReason.LEFT})


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
        return Principal(PrincipalKind.SERVICE, key.id, Role.SERVICE, desk_grants(Role.SERVICE))
    claims = context.verifier.verify(credential, now=context.clock.now())
    if claims.audience is Audience.DESK:
        staff, login = await context.staff.signed_in(StaffId(claims.subject), LoginId(claims.login))
        return Principal(PrincipalKind.DESK, staff.id, staff.role, claims.grants & desk_grants(staff.role), login=login.id)
    id, session = ParticipantId(claims.subject), SessionId(claims.session)
    async with context.store.read() as tx:
        participant = await tx.get_participant(id)
    if participant is None or participant.session_id != session or participant.leave_reason in GIVEN_UP:
        raise Unauthenticated("This place was taken away or given up.")
    if (staff_id := staff_of(participant)) is not None:
        await context.staff.active(staff_id)
    return Principal(PrincipalKind.PARTICIPANT, id, claims.role, claims.grants, session, id)


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


def session_in_path(request: web.Request) -> SessionId | None:
    return SessionId(request.match_info["session"]) if "session" in request.match_info else None

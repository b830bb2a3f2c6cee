"""Invitations: made and withdrawn in a session, looked at and used by whoever has the link or the code."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from server.api.bodies import Invitations, InvitationSecret, RedeemInvitation
from server.api.call import Call, Handler, Reply
from server.api.operations import BASE
from server.domain import ids
from server.domain.ids import InvitationId
from server.errors import NotFound
from server.services.invitations import invitation_view

T = TypeVar("T")


async def create_invitation(call: Call) -> Reply:
    created = await call.context.invitations.create(call.where.id, call.body, call.who.actor)
    return Reply(created, f"{BASE}/sessions/{call.where.id}/invitations")


async def list_invitations(call: Call) -> Reply:
    found = await call.context.invitations.of_session(call.where.id)
    return Reply(Invitations(invitations=[invitation_view(invitation) for invitation in found]))


async def revoke_invitation(call: Call) -> Reply:
    """Also who came in by it leaves. Again does that again: a first try may have been cut short."""
    id = InvitationId(call.id("invitation", ids.INVITATION))
    await call.context.invitations.revoke(call.where.id, id, call.who.actor)
    await call.context.live.invitation_revoked(call.where.id, id, call.who.actor)
    return Reply()


async def inspect_invitation(call: Call) -> Reply:
    body: InvitationSecret = call.body
    return Reply(await _guarded(call, body, lambda: call.context.invitations.inspect(body.secret, body.code)))


async def redeem_invitation(call: Call) -> Reply:
    body: RedeemInvitation = call.body
    entry = await _guarded(call, body, lambda: call.context.entries.redeem(body))
    call.context.live.session_changed(await call.context.sessions.get(entry.session.id))
    return Reply(entry)


async def _guarded(call: Call, body: InvitationSecret | RedeemInvitation, work: Callable[[], Awaitable[T]]) -> T:
    """Only what was not known counts as a guess: a used or expired invitation was once right."""
    scope, throttle = ("code" if body.code else "link"), call.context.throttle
    throttle.check(scope, call.address)
    try:
        done = await work()
    except NotFound:
        throttle.failed(scope, call.address)
        raise
    except Exception:
        throttle.succeeded(scope, call.address)
        raise
    throttle.succeeded(scope, call.address)
    return done


HANDLERS: dict[str, Handler] = {
    "create_invitation": create_invitation,
    "list_invitations": list_invitations,
    "revoke_invitation": revoke_invitation,
    "inspect_invitation": inspect_invitation,
    "redeem_invitation": redeem_invitation,
}

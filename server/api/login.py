"""Staff sign in, and stay signed in."""

from server.api.call import Call, Handler, Reply
from server.domain.ids import LoginId, StaffId
from server.errors import Unauthenticated
from server.services.staff import staff_view


async def login(call: Call) -> Reply:
    return Reply(await call.context.staff.login(call.body, call.address))


async def renew_login(call: Call) -> Reply:
    return Reply(await call.context.staff.renew(StaffId(call.who.actor), _login_of(call)))


async def logout(call: Call) -> Reply:
    """The record first: what is open ends after nothing new can be opened."""
    login = _login_of(call)
    await call.context.staff.logout(login)
    await call.context.live.login_ended(login)
    return Reply()


def _login_of(call: Call) -> LoginId:
    if call.who.login is None:
        raise Unauthenticated("Sign in first.")
    return call.who.login


async def get_me(call: Call) -> Reply:
    return Reply(staff_view(await call.context.staff.active(StaffId(call.who.actor))))


HANDLERS: dict[str, Handler] = {"login": login, "renew_login": renew_login, "logout": logout, "get_me": get_me}

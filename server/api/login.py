"""Staff sign in, and stay signed in."""

from server.api.call import Call, Handler, Reply
from server.domain.ids import StaffId
from server.services.staff import staff_view


async def login(call: Call) -> Reply:
    return Reply(await call.context.staff.login(call.body, call.address))


async def renew_login(call: Call) -> Reply:
    return Reply(await call.context.staff.renew(StaffId(call.who.actor)))


async def get_me(call: Call) -> Reply:
    return Reply(staff_view(await call.context.staff.active(StaffId(call.who.actor))))


HANDLERS: dict[str, Handler] = {"login": login, "renew_login": renew_login, "get_me": get_me}

"""Staff accounts."""

from server.api.bodies import StaffAvailable, StaffList
from server.api.call import Call, Handler, Reply
from server.api.operations import BASE
from server.domain import ids
from server.domain.ids import StaffId
from server.services.staff import staff_view


async def list_staff(call: Call) -> Reply:
    return Reply(StaffList(staff=[staff_view(staff) for staff in await call.context.staff.all()]))


async def create_staff(call: Call) -> Reply:
    return Reply(staff_view(await call.context.staff.create(call.body, call.who.actor)), f"{BASE}/staff")


async def disable_staff(call: Call) -> Reply:
    """Also what is open ends. Again does that again: a first try may have been cut short."""
    id = StaffId(call.id("staff", ids.STAFF))
    await call.context.staff.disable(id, call.who.actor)
    await call.context.live.staff_disabled(id, call.who.actor)
    return Reply()


async def list_available(call: Call) -> Reply:
    return Reply(StaffAvailable(staff=call.context.live.staff_available()))


HANDLERS: dict[str, Handler] = {
    "list_staff": list_staff,
    "list_available": list_available,
    "create_staff": create_staff,
    "disable_staff": disable_staff,
}

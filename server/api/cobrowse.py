"""Pages that customers show: begun by a code where no session is, or by an offer of help."""

import msgspec

from server.api.bodies_cobrowse import BeginPage, SeenVisitor, SeenVisitors
from server.api.call import Call, Handler, Reply
from server.api.operations import BASE
from server.domain import ids
from server.domain.ids import StaffId
from server.errors import NotFound
from server.services.ports import Pages
from server.services.sessions import grants_in
from server.services.views import session_view


def _pages(call: Call) -> Pages:
    pages = call.context.live.pages
    if pages is None:
        raise NotFound("No pages are shown on this server.")
    return pages


async def begin_page(call: Call) -> Reply:
    """Wrong codes count for who tries and for all together."""
    body: BeginPage = call.body
    session = await _pages(call).by_code(StaffId(call.who.actor), body.code, body.language)
    return Reply(session_view(session, grants_in(session, call.who)), f"{BASE}/sessions/{session.id}")


async def list_visitors(call: Call) -> Reply:
    pages = call.context.live.pages
    if pages is None:
        return Reply(SeenVisitors(presence=False, visitors=[]))
    found = [msgspec.convert(msgspec.structs.asdict(one), SeenVisitor) for one in pages.visitors(StaffId(call.who.actor))]
    return Reply(SeenVisitors(presence=pages.presence, visitors=found))


async def offer_help(call: Call) -> Reply:
    pages, visitor = _pages(call), call.id("visitor", ids.VISITOR)
    staff = await call.context.staff.active(StaffId(call.who.actor))
    await pages.offer(staff.id, staff.name, visitor)
    return Reply()


async def withdraw_offer(call: Call) -> Reply:
    await _pages(call).withdraw(StaffId(call.who.actor), call.id("visitor", ids.VISITOR))
    return Reply()


HANDLERS: dict[str, Handler] = {
    "begin_page": begin_page,
    "list_visitors": list_visitors,
    "offer_help": offer_help,
    "withdraw_offer": withdraw_offer,
}

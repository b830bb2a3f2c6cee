"""The waiting list."""

from server.api.bodies import WaitingEntries
from server.api.call import Call, Handler, Reply
from server.services.views import waiting_entry

THROTTLE = "waiting"


async def join_waiting(call: Call) -> Reply:
    """Every join counts for its address, also good ones: the list is for people, not for scripts."""
    call.context.throttle.check(THROTTLE, call.address)
    entry = await call.context.entries.join_waiting(call.body)
    call.context.live.waiting_changed()
    return Reply(entry)


async def get_waiting(call: Call) -> Reply:
    waiting = await call.context.sessions.waiting()
    live = call.context.live
    return Reply(WaitingEntries(entries=[waiting_entry(s, connected=bool(live.connected(s.id))) for s in waiting]))


HANDLERS: dict[str, Handler] = {"join_waiting": join_waiting, "get_waiting": get_waiting}

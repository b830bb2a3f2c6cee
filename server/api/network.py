"""The network test: does a way to the media workers carry anything?"""

from server.api.bodies import NetworkTest, NetworkTestStarted
from server.api.call import Call, Handler, Reply
from server.auth.throttle import address_key
from server.domain.model import SessionStatus
from server.services.network_tests import LAST_S, Caller

THROTTLE = "network_test"


async def start_network_test(call: Call) -> Reply:
    """Every test counts, also good ones: a few checks are for people, hundreds are not."""
    body: NetworkTest = call.body
    call.context.throttle.check(THROTTLE, call.who.actor)
    where = call.where
    caller = Caller(call.who.actor, where.id, address_key(call.address), where.status is SessionStatus.WAITING)
    answer = await call.context.network_tests.start(caller, body.sdp)
    return Reply(NetworkTestStarted(sdp=answer, ends_s=int(LAST_S)))


HANDLERS: dict[str, Handler] = {"start_network_test": start_network_test}

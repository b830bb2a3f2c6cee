"""The audit trail, readable; ``tongping audit verify`` checks its chain."""

from server.api.bodies import AuditPage
from server.api.call import Call, Handler, Reply
from server.api.operations import AuditQuery


async def list_audit(call: Call) -> Reply:
    query: AuditQuery = call.query
    return Reply(AuditPage(entries=await call.context.history.audit(after=query.after, limit=query.limit)))


HANDLERS: dict[str, Handler] = {"list_audit": list_audit}

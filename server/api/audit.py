"""The audit trail, readable, and its signed head; ``tongping audit verify`` checks its chain."""

import msgspec

from server.api.bodies import AuditCheckpoint, AuditPage, KeySet
from server.api.call import Call, Handler, Reply
from server.auth.jwks import key_set


async def list_audit(call: Call) -> Reply:
    query = call.query
    return Reply(AuditPage(entries=await call.context.history.audit(after=query.after, limit=query.limit)))


async def get_audit_checkpoint(call: Call) -> Reply:
    made = await call.context.audit.checkpoint()
    return Reply(AuditCheckpoint(number=made.point.number, hash=made.point.hash.hex(), at=made.at, signed=made.text))


async def get_audit_keys(call: Call) -> Reply:
    return Reply(msgspec.convert(key_set(call.context.audit_keys), KeySet))


HANDLERS: dict[str, Handler] = {
    "list_audit": list_audit,
    "get_audit_checkpoint": get_audit_checkpoint,
    "get_audit_keys": get_audit_keys,
}

"""The chat's history; messages are sent over the signalling WebSocket."""

from server.api.bodies import Messages
from server.api.call import Call, Handler, Reply
from server.api.operations import MessagesQuery
from server.audit.events import AuditAction
from server.services.principal import PrincipalKind


async def list_messages(call: Call) -> Reply:
    query: MessagesQuery = call.query
    if call.who.kind is not PrincipalKind.PARTICIPANT:
        await call.context.history.read_from_outside(
            AuditAction.CHAT_READ, call.context.clock.now(), call.who.actor, call.where.id
        )
    messages = await call.context.history.messages(call.where.id, after=query.after, limit=query.limit)
    return Reply(Messages(messages=messages))


HANDLERS: dict[str, Handler] = {"list_messages": list_messages}

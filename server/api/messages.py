"""The chat's history; messages are sent over the signalling WebSocket."""

from server.api.bodies import Messages
from server.api.call import Call, Handler, Reply
from server.api.operations import MessagesQuery


async def list_messages(call: Call) -> Reply:
    query: MessagesQuery = call.query
    messages = await call.context.history.messages(call.where.id, after=query.after, limit=query.limit)
    return Reply(Messages(messages=messages))


HANDLERS: dict[str, Handler] = {"list_messages": list_messages}

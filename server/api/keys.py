"""API keys of the bank's systems."""

from server.api.bodies import Keys
from server.api.call import Call, Handler, Reply
from server.api.operations import BASE
from server.domain import ids
from server.domain.grants import KEY_RIGHTS
from server.domain.ids import ApiKeyId
from server.services.keys import key_view


async def list_keys(call: Call) -> Reply:
    return Reply(Keys(keys=[key_view(key) for key in await call.context.keys.all()]))


async def create_key(call: Call) -> Reply:
    rights = {right: getattr(call.body, right) for right in KEY_RIGHTS}
    return Reply(await call.context.keys.create(call.body.name, call.who.actor, **rights), f"{BASE}/keys")


async def revoke_key(call: Call) -> Reply:
    await call.context.keys.revoke(ApiKeyId(call.id("key", ids.API_KEY)), call.who.actor)
    return Reply()


HANDLERS: dict[str, Handler] = {"list_keys": list_keys, "create_key": create_key, "revoke_key": revoke_key}

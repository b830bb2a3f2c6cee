"""The management of risk: lists, rules, the files of policies."""

from server.api.call import Call, Handler, Reply
from server.api.operations import BASE
from server.domain import ids
from server.domain.ids import RiskEntryId


async def list_risk_entries(call: Call) -> Reply:
    return Reply(await call.context.risk.lists.page(limit=call.query.limit, cursor=call.query.cursor, actor=call.who.actor))


async def add_risk_entry(call: Call) -> Reply:
    return Reply(await call.context.risk.lists.add(call.body, call.who.actor), f"{BASE}/risk/lists")


async def find_risk_entries(call: Call) -> Reply:
    return Reply(await call.context.risk.lists.find(call.body, call.who.actor))


async def remove_risk_entry(call: Call) -> Reply:
    await call.context.risk.lists.remove(RiskEntryId(call.id("entry", ids.RISK_ENTRY)), call.who.actor)
    return Reply()


async def list_risk_rules(call: Call) -> Reply:
    return Reply(call.context.risk.rules.all())


async def put_risk_rules(call: Call) -> Reply:
    return Reply(await call.context.risk.rules.put(call.request.match_info["rules"], call.body.text, call.who.actor))


async def drop_risk_rules(call: Call) -> Reply:
    await call.context.risk.rules.drop(call.request.match_info["rules"], call.who.actor)
    return Reply()


async def check_risk(call: Call) -> Reply:
    return Reply(await call.context.risk.rules.check(call.body))


async def reload_policies(call: Call) -> Reply:
    return Reply(await call.context.risk.rules.reload(call.who.actor))


HANDLERS: dict[str, Handler] = {
    "list_risk_entries": list_risk_entries,
    "add_risk_entry": add_risk_entry,
    "find_risk_entries": find_risk_entries,
    "remove_risk_entry": remove_risk_entry,
    "list_risk_rules": list_risk_rules,
    "put_risk_rules": put_risk_rules,
    "drop_risk_rules": drop_risk_rules,
    "check_risk": check_risk,
    "reload_policies": reload_policies,
}

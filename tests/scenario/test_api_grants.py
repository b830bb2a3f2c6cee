"""Who may do what: every operation × every kind of caller × own and other session, against a table written by hand."""

from pathlib import Path
from typing import Any

import pytest

from server.api.operations import OPERATIONS, Operation
from tests.support.server import Here, app

CALLERS = ("nobody", "customer", "expert", "agent_place", "agent", "other_agent", "supervisor", "key")
PUBLIC = frozenset({"get_site", "login", "join_waiting", "inspect_invitation", "redeem_invitation"})

# The session belongs to `agent`; customer, expert and agent_place have places in it.
OWN: dict[str, frozenset[str]] = {
    "renew_login": frozenset({"agent", "other_agent", "supervisor"}),
    "logout": frozenset({"agent", "other_agent", "supervisor"}),
    "get_me": frozenset({"agent", "other_agent", "supervisor"}),
    "get_waiting": frozenset({"agent", "other_agent", "supervisor"}),
    "create_session": frozenset({"agent", "other_agent", "supervisor", "key"}),
    "list_sessions": frozenset({"agent", "other_agent", "supervisor", "key"}),
    "get_session": frozenset({"expert", "agent_place", "agent", "supervisor", "key"}),
    "update_session": frozenset({"agent_place", "agent", "supervisor", "key"}),
    "end_session": frozenset({"customer", "agent_place", "agent", "supervisor", "key"}),
    "enter_session": frozenset({"agent", "supervisor"}),
    "list_participants": frozenset({"expert", "agent_place", "agent", "supervisor", "key"}),
    "remove_participant": frozenset({"agent_place", "agent", "supervisor", "key"}),
    "list_consents": frozenset({"expert", "agent_place", "agent", "supervisor", "key"}),
    "get_media": frozenset({"expert", "agent_place", "agent", "supervisor", "key"}),
    "start_network_test": frozenset({"customer", "expert", "agent_place", "agent", "supervisor", "key"}),
    "create_invitation": frozenset({"agent_place", "agent", "supervisor", "key"}),
    "list_invitations": frozenset({"agent_place", "agent", "supervisor", "key"}),
    "revoke_invitation": frozenset({"agent_place", "agent", "supervisor", "key"}),
    "list_messages": frozenset({"customer", "expert", "agent_place", "agent", "supervisor", "key"}),
    "send_file": frozenset({"customer", "expert", "agent_place"}),
    "get_file": frozenset({"customer", "expert", "agent_place", "agent", "supervisor", "key"}),
    "list_keys": frozenset({"supervisor"}),
    "create_key": frozenset({"supervisor"}),
    "revoke_key": frozenset({"supervisor"}),
    "list_staff": frozenset({"supervisor"}),
    "create_staff": frozenset({"supervisor"}),
    "disable_staff": frozenset({"supervisor"}),
    "list_audit": frozenset({"supervisor", "key"}),
}
# A session that another agent made, where none of the places is.
OTHER = {name: OWN[name] - {"customer", "expert", "agent_place", "agent"} | {"other_agent"} for name in OWN} | {
    "send_file": frozenset()
}


def test_the_table_is_complete() -> None:
    assert set(OWN) | PUBLIC == {operation.id for operation in OPERATIONS}


async def cast(here: Here, session: str) -> dict[str, str]:
    body = {"username": "li", "name": "Li", "role": "agent", "password": "correct horse battery"}
    await here.post("/staff", body, token=here.supervisor)
    return {
        "nobody": "",
        "customer": (await here.place(session, "customer"))["token"],
        "expert": (await here.place(session, "expert"))["token"],
        "agent_place": (await here.post(f"/sessions/{session}/enter", token=here.agent)).json["token"],
        "agent": here.agent,
        "other_agent": await here.login("li", body["password"]),
        "supervisor": here.supervisor,
        "key": here.key,
    }


async def things(here: Here, session: str, token: str) -> dict[str, str]:
    """What the paths name: in the session, and outside it."""
    place = await here.place(session)
    file = await here.post(f"/sessions/{session}/files", data=b"words", headers={"X-File-Name": "a.txt"}, token=place["token"])
    invited = await here.post(f"/sessions/{session}/invitations", {"role": "expert"}, token=token)
    key = await here.post("/keys", {"name": "spare"}, token=here.supervisor)
    return {
        "session": session,
        "participant": place["participant"],
        "file": file.json["id"],
        "invitation": invited.json["id"],
        "key": key.json["key"]["id"],
        "staff": f"ST_{'A' * 26}",
    }


def request(operation: Operation, number: int) -> dict[str, Any]:
    bodies: dict[str, Any] = {
        "create_session": {"kind": "video"},
        "update_session": {"context": "more"},
        "end_session": {},
        "create_invitation": {"role": "expert"},
        "create_key": {"name": "k"},
        "create_staff": {"username": f"user{number}", "name": "U", "role": "agent", "password": "correct horse battery"},
    }
    if operation.body is bytes:
        return {"data": b"words", "headers": {"X-File-Name": "a.txt"}}
    return {"body": bodies[operation.id]} if operation.id in bodies else {}


@pytest.mark.campaign(4)
@pytest.mark.parametrize("whose", ["own", "other"])
async def test_every_cell(tmp_path: Path, whose: str) -> None:
    async with app(tmp_path, throttle__attempts=1000, limits__max_participants=100) as here:
        own = await here.session()
        callers = await cast(here, own)
        expected, owner, maker = OWN, own, callers["agent"]
        if whose == "other":
            maker = callers["other_agent"]
            owner = (await here.post("/sessions", {"kind": "video"}, token=maker)).json["id"]
            here.agent = maker
            expected = OTHER
        wrong: list[str] = []
        cells = 0
        # Ending the session, then signing out, go last; whatever else is undone is fresh each time.
        last = ("end_session", "logout")
        for operation in sorted(OPERATIONS, key=lambda operation: last.index(operation.id) if operation.id in last else -1):
            if operation.id in PUBLIC:
                continue
            if whose == "other" and not operation.in_session:
                continue
            for number, (caller, token) in enumerate(callers.items()):
                bare = operation.path.count("{") == operation.in_session
                named = {"session": owner} if bare else await things(here, owner, maker)
                path = operation.path.format(**named)
                answer = await here.call(operation.method, path, **request(operation, number), token=token)
                allowed = caller in expected[operation.id]
                refusals = {401} if caller == "nobody" else {403}
                fits = answer.status not in {401, 403} and answer.status < 500 if allowed else answer.status in refusals
                cells += 1
                if not fits:
                    wrong.append(f"{operation.id} by {caller}: {answer.status}, allowed: {allowed}")
                if operation.id == "remove_participant" and not allowed:
                    people = (await here.get(f"/sessions/{owner}/participants", token=here.supervisor)).json["participants"]
                    assert next(p for p in people if p["id"] == named["participant"])["state"] != "left"
        assert wrong == []
        assert cells == len(CALLERS) * sum(
            operation.id not in PUBLIC and (whose == "own" or operation.in_session) for operation in OPERATIONS
        )

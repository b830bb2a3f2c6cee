"""A login of a member of staff: it ends by itself, whoever signs out ends it at once, and its list shows what is theirs."""

from pathlib import Path
from typing import Any

import aiohttp

from tests.support.server import Here, app
from tests.support.signalling import ManualClock

PASSWORD = "correct horse battery"


async def hired(here: Here, username: str) -> str:
    body = {"username": username, "name": username, "role": "agent", "password": PASSWORD}
    assert (await here.post("/staff", body, token=here.supervisor)).status == 201
    return await here.login(username, PASSWORD)


async def frame(opened: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    while True:
        told: dict[str, Any] = await opened.receive_json(timeout=60)
        if told["t"] == kind:
            return told


async def test_signing_out_ends_this_login_and_no_other(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        first, other = await hired(here, "li"), await here.login("li", PASSWORD)
        async with here.http.ws_connect(f"{here.url}/api/v1/signal") as desk:
            await desk.send_json({"t": "hello", "version": 1, "token": first})
            await frame(desk, "welcome")
            assert (await here.delete("/login", token=first)).status == 204
            assert (await frame(desk, "bye"))["code"] == "left"
        for method, path in (("GET", "/me"), ("POST", "/login/renew"), ("GET", "/sessions"), ("DELETE", "/login")):
            assert (await here.call(method, path, token=first)).code == "unauthenticated"
        async with here.http.ws_connect(f"{here.url}/api/v1/signal") as again:
            await again.send_json({"t": "hello", "version": 1, "token": first})
            assert (await frame(again, "bye"))["code"] == "unauthorised"
        renewed = await here.post("/login/renew", token=other)
        assert renewed.status == 200
        assert (await here.delete("/login", token=renewed.json["token"])).status == 204
        assert (await here.get("/me", token=other)).status == 401  # the same login
        ended = [
            entry
            for entry in (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
            if entry["action"] == "login.ended"
        ]
        assert len({entry["details"]["login"] for entry in ended}) == len(ended) == 2
        assert {entry["actor"] for entry in ended} == {entry["subject"] for entry in ended}
        assert (await here.delete("/login", token=here.key)).status == 403


async def test_a_login_has_an_end_that_renewing_does_not_move(tmp_path: Path) -> None:
    clock = ManualClock()
    async with app(tmp_path, clock=clock, tokens__desk_max_s=7200) as here:
        token, ends = here.agent, []
        for _ in range(3):
            clock.seconds += 2000
            login = (await here.post("/login/renew", token=token)).json
            token = login["token"]
            ends.append(login["expires_at"])
        assert ends[1] == ends[2] > ends[0]
        clock.seconds += 1190
        assert (await here.get("/me", token=token)).status == 200
        clock.seconds += 20
        assert (await here.get("/me", token=token)).status == 401
        assert (await here.post("/login/renew", token=token)).status == 401
        fresh = await here.login("agent", here.server.first_passwords["agent"])
        assert (await here.get("/me", token=fresh)).status == 200


async def test_an_agent_lists_own_sessions_and_those_nobody_has(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        li = await hired(here, "li")
        secret = await here.session(customer_name="Zhang San", customer_reference="C-1")
        await here.post("/waiting", {"name": "Wang Wu", "reason": "card", "language": "zh"})
        body = {"kind": "video", "customer_name": "Zhao Liu", "customer_reference": "C-2", "reason": "loan"}
        free = (await here.post("/sessions", body, token=here.key)).json["id"]
        own = (await here.post("/sessions", {"kind": "video", "customer_name": "Qian Qi"}, token=li)).json["id"]

        async def listed(token: str, query: str = "") -> dict[str, dict[str, Any]]:
            answer = await here.get(f"/sessions{query}", token=token)
            return {session["id"]: session for session in answer.json["sessions"]}

        seen = await listed(li)
        assert {session["customer_name"] for session in seen.values()} == {"Wang Wu", "Zhao Liu", "Qian Qi"}
        assert secret not in seen
        assert (seen[free]["reason"], seen[free]["customer_reference"]) == ("", "")
        assert await listed(li, "?customer_reference=C-1") == await listed(li, "?customer_reference=C-2") == {}
        assert len(await listed(here.supervisor)) == len(await listed(here.key)) == 4
        assert (await here.post(f"/sessions/{free}/enter", token=here.agent)).status == 200
        assert set(await listed(li)) == set(seen) - {free}
        assert (await listed(here.agent))[free]["customer_reference"] == "C-2"
        assert own not in await listed(here.agent)

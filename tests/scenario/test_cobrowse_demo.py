"""``make run``: the demo bank's own pages can be shown to an agent."""

import json
import re
import tomllib
from pathlib import Path

import aiohttp
import pytest

from server.demo_beside import SITE
from tests.support.cobrowsing import Tab, View
from tests.support.pages import Recorder
from tests.support.server_process import CALLS_ONLY, ServerProcess


@pytest.fixture
def server(tmp_path: Path) -> ServerProcess:
    return ServerProcess(tmp_path, **CALLS_ONLY, TONGPING_MEDIA_WORKERS="1")


async def test_the_demo_bank_s_pages_can_be_shown(server: ServerProcess) -> None:
    with server:
        async with aiohttp.ClientSession() as http:

            async def api(path: str, body: object, token: str = "") -> dict[str, str]:
                headers = {"Authorization": f"Bearer {token}"} if token else {}
                async with http.post(f"{server.url}/api/v1{path}", json=body, headers=headers) as answer:
                    assert answer.status < 300, await answer.text()
                    found: dict[str, str] = await answer.json()
                    return found

            async def tab(origin: str) -> Tab:
                path = f"{server.url}/api/v1/cobrowse/tab"
                page = Recorder(f"{server.bank}/history")
                page.put(page.element("h1", {}, "History"), page.element("p", {"class": "amount"}, "84,213.07"))
                return Tab(await http.ws_connect(path, headers={"Origin": origin}, max_msg_size=0), page)

            for origin in (server.url, "http://127.0.0.1:1"):
                with pytest.raises(aiohttp.WSServerHandshakeError):
                    await tab(origin)
            shared = await (await tab(server.bank)).hello(site=SITE)
            welcome = await shared.next("tab.welcome")
            rules = tomllib.loads((server.data / "demo-bank" / "cobrowse.toml").read_text(encoding="utf-8"))["page"]
            assert [one["url"] for one in welcome["pages"]] == [one["url"] for one in rules]
            await shared.next("tab.state")
            name, password = server.agent
            desk = (await api("/login", {"username": name, "password": password}))["token"]
            session = (await api("/sessions", {"kind": "video"}, desk))["id"]
            link = (await api(f"/sessions/{session}/invitations", {"role": "customer"}, desk))["link"]
            places = [
                await api("/invitations/redeem", {"secret": link.rpartition("/")[2], "name": "c"}),
                await api(f"/sessions/{session}/enter", {}, desk),
            ]
            lines = []
            for place in places:
                line = await http.ws_connect(f"{server.url}/api/v1/signal", max_msg_size=0)
                await line.send_json({"t": "hello", "version": 1, "token": place["token"], "resume": None})
                assert json.loads((await line.receive(30)).data)["t"] == "welcome"
                lines.append(line)
            body = {"type": "cobrowse.attach", "code": shared.state["code"]}
            await lines[1].send_json({"t": "msg", "seq": 1, "ack": 0, "body": body})
            await shared.until(lambda: shared.state["state"] == "attached")
            view = View(await http.ws_connect(f"{server.url}/api/v1/cobrowse/view", max_msg_size=0))
            await view.hello(places[1]["token"], welcome["share"])
            await view.ask(shared)
            (picture,) = await view.pictures()
            assert "History" in json.dumps(picture)
            assert "84,213" not in view.text
            assert view.state["name"] == "history"
            for one in (view, shared):
                await one.close()
            for line in lines:
                await line.close()
    assert "84,213" not in server.log
    assert not re.search(r"Traceback|never retrieved", server.log)

"""An account that was disabled, a place that was given up: what is left of it opens nothing, at once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.server import Here, app

PASSWORD = "correct horse battery"


async def insider(here: Here) -> tuple[str, str]:
    """An agent's id and desk token."""
    body = {"username": "mallory", "name": "M", "role": "agent", "password": PASSWORD}
    made = (await here.post("/staff", body, token=here.supervisor)).json
    return made["id"], await here.login("mallory", PASSWORD)


@asynccontextmanager
async def socket(here: Here, token: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with here.http.ws_connect(f"{here.url}/api/v1/signal") as opened:
        await opened.send_json({"t": "hello", "version": 1, "token": token})
        yield opened


async def until(opened: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next frame of this ``t``."""
    while True:
        frame: dict[str, Any] = await opened.receive_json(timeout=60)
        if frame["t"] == kind:
            return frame


async def test_disabling_an_account_ends_everything_it_has_open(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        id, desk = await insider(here)
        session = (await here.post("/sessions", {"kind": "video"}, token=desk)).json["id"]
        place = (await here.post(f"/sessions/{session}/enter", token=desk)).json
        link = (await here.post(f"/sessions/{session}/invitations", {"role": "customer"}, token=desk)).json["link"]
        customer = (await here.post("/invitations/redeem", {"secret": link.rpartition("/")[2], "name": "Li"})).json
        async with (
            socket(here, desk) as at_desk,
            socket(here, place["token"]) as in_session,
            socket(here, customer["token"]) as other,
        ):
            for opened in (at_desk, in_session, other):
                await until(opened, "welcome")
            assert (await here.delete(f"/staff/{id}", token=here.supervisor)).status == 204
            assert (await until(at_desk, "bye"))["code"] == "unauthorised"
            assert (await until(in_session, "bye"))["code"] == "removed"
            gone: dict[str, Any] = {}
            while gone.get("type") != "participant.left":
                gone = (await until(other, "msg"))["body"]
            assert (gone["participant"], gone["reason"]) == (place["participant"], "removed")
        for token in (desk, place["token"]):
            async with socket(here, token) as again:
                assert (await until(again, "bye"))["code"] == "unauthorised"
            assert (await here.get(f"/sessions/{session}", token=token)).status == 401
            invited = await here.post(f"/sessions/{session}/invitations", {"role": "expert"}, token=token)
            assert invited.status == 401
        assert (await here.delete(f"/staff/{id}", token=here.supervisor)).status == 204  # again changes nothing


async def test_a_back_door_made_beforehand_is_shut(tmp_path: Path) -> None:
    """Links for colleagues end with the account, however many hands they went through; customers' stay good."""
    async with app(tmp_path) as here:
        id, desk = await insider(here)
        session = (await here.post("/sessions", {"kind": "video"}, token=desk)).json["id"]

        async def invite(role: str, token: str) -> str:
            made = await here.post(f"/sessions/{session}/invitations", {"role": role, "uses_allowed": 9}, token=token)
            return str(made.json["link"]).rpartition("/")[2]

        async def redeem(secret: str) -> Any:
            return await here.post("/invitations/redeem", {"secret": secret, "name": "x"})

        own_place = (await here.post(f"/sessions/{session}/enter", token=desk)).json["token"]
        first = await invite("agent", desk)
        guest = (await redeem(first)).json["token"]
        second = await invite("agent", own_place)
        third = await invite("agent", guest)
        last = await invite("expert", (await redeem(third)).json["token"])
        customer = await invite("customer", desk)
        for secret in (first, second, third, last, customer):
            assert (await redeem(secret)).status == 200
        await here.delete(f"/staff/{id}", token=here.supervisor)
        for secret in (first, second, third, last):
            assert (await redeem(secret)).status == 410
            assert (await here.post("/invitations/inspect", {"secret": secret})).status == 410
        assert (await redeem(customer)).status == 200


async def test_a_place_token_kept_for_later_is_dead_with_the_account(tmp_path: Path) -> None:
    """Never connected: there is nothing to disconnect, and the token opens nothing all the same."""
    async with app(tmp_path) as here:
        id, desk = await insider(here)
        session = (await here.post("/sessions", {"kind": "video"}, token=desk)).json["id"]
        place = (await here.post(f"/sessions/{session}/enter", token=desk)).json["token"]
        assert (await here.get(f"/sessions/{session}", token=place)).status == 200
        await here.delete(f"/staff/{id}", token=here.supervisor)
        assert (await here.get(f"/sessions/{session}", token=place)).status == 401
        async with socket(here, place) as opened:
            assert (await until(opened, "bye"))["code"] == "unauthorised"


async def test_who_left_has_left_for_the_api_too(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        place = await here.place(session, "expert")
        async with socket(here, place["token"]) as opened:
            await until(opened, "welcome")
            assert (await here.get(f"/sessions/{session}/messages", token=place["token"])).status == 200
            await opened.send_json({"t": "msg", "seq": 1, "ack": 0, "body": {"type": "leave"}})
            assert (await until(opened, "bye"))["code"] == "left"
        for path in ("", "/messages", "/participants", "/consents"):
            assert (await here.get(f"/sessions/{session}{path}", token=place["token"])).status == 401
        sent = await here.post(
            f"/sessions/{session}/files", data=b"words", headers={"X-File-Name": "a.txt"}, token=place["token"]
        )
        assert sent.status == 401

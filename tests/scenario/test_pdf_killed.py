"""A PDF that is open when the server is killed or stopped: it is open again, as it was, to those who go on; a signature that was under way lands wholly or not at all."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from tests.scenario.test_killed import DEADLINE_S, Person, place, until_gone
from tests.support import pdfs
from tests.support.bank import Bank, Opened
from tests.support.server_process import CALLS_ONLY, ServerProcess

BOX = {"page": 2, "x": 0.1, "y": 0.6, "width": 0.5, "height": 0.1}
STROKES = [[[0.0, 0.2], [0.5, 1.0], [1.0, 0.2]]]


class Table:
    """An agent and a customer with a PDF before them, on a server of its own."""

    def __init__(self, server: ServerProcess, http: aiohttp.ClientSession) -> None:
        self.server, self._http = server, http
        self.bank = Bank(http, server.url)
        self.opened: Opened

    async def begin(self) -> str:
        """The PDF's id."""
        await self.bank.sign_in(*self.server.agent)
        self.opened = await self.bank.open()
        self.customer = await place(self._http, self.server.url, self.opened.customer_link, "Lin")
        self.expert = await place(self._http, self.server.url, self.opened.expert_link, "Chen")
        entry = await self.bank.call("POST", f"/sessions/{self.opened.id}/enter", {})
        self.agent = Person(self._http, entry["token"])
        for person in (self.agent, self.customer):
            await person.hello(self.server.url)
        path = f"{self.server.url}/api/v1/sessions/{self.opened.id}/pdfs?name=a.pdf"
        headers = {"Authorization": f"Bearer {self.agent.token}"}
        async with self._http.post(path, data=pdfs.paper(), headers=headers) as answer:
            id = str((await answer.json())["id"])
        await self.agent.say("pdf.open", pdf=id)
        for person in (self.agent, self.customer):
            await person.hears("pdf.state")
        return id

    async def fetched(self, pdf: str, what: str) -> bytes:
        """By the customer."""
        path = f"{self.server.url}/api/v1/sessions/{self.opened.id}/pdfs/{pdf}/{what}"
        async with self._http.get(path, headers={"Authorization": f"Bearer {self.customer.token}"}) as answer:
            assert answer.status == 200
            return await answer.read()

    def looked(self) -> list[str | None]:
        """As it lies in the database."""
        with contextlib.closing(sqlite3.connect(f"file:{self.server.data}/tongping.db?mode=ro", uri=True)) as database:
            return [looked for (looked,) in database.execute("SELECT looked FROM pdfs")]

    def signed(self) -> int:
        """How often, as the audit has it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.server.data}/tongping.db?mode=ro", uri=True)) as database:
            return sum('"pdf.signed"' in entry for (entry,) in database.execute("SELECT entry FROM audit"))

    async def until_kept(self, true: Callable[[str], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not any(one is not None and true(one) for one in self.looked()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0)

    async def again(self, *, killed: bool = True) -> None:
        """The server is ended and started; the agent and the customer come back to it."""
        workers = self.server.media_workers()
        if killed:
            self.server.kill()
        else:
            os.kill(self.server.pid, signal.SIGINT)
            self.server.died()
        await until_gone(workers)
        self.server.start()
        for person in (self.agent, self.customer):
            await person.socket.close()
            assert (await person.hello(self.server.url))["t"] == "welcome"

    async def state(self) -> dict[str, Any]:
        """What both are told of it, and the same."""
        mine, theirs = [await person.hears("pdf.state") for person in (self.agent, self.customer)]
        assert mine == theirs
        return mine


@contextlib.asynccontextmanager
async def table(folder: Path) -> AsyncIterator[Table]:
    with ServerProcess(folder, **CALLS_ONLY) as server:
        async with aiohttp.ClientSession() as http:
            yield Table(server, http)


async def test_it_is_open_again_as_it_was_and_is_signed_by_who_was_asked(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        id = await here.begin()
        await here.customer.say("pdf.look", pdf=id, page=2, y=0.25)
        await here.agent.hears("pdf.looked")
        await here.agent.say("pdf.mark", pdf=id, mark="m1", page=2, kind="highlight", points=[[0.1, 0.1], [0.5, 0.2]])
        await here.customer.say("pdf.mark", pdf=id, mark="m2", page=1, kind="ink", points=[[0, 0], [1, 1], [0, 1]])
        await here.customer.say("pdf.mark", pdf=id, mark="m3", page=1, kind="ink", points=[[0, 0], [1, 1]])
        await here.customer.say("pdf.unmark", pdf=id, mark="m3")
        await here.agent.hears("pdf.unmarked")
        await here.agent.say("pdf.sign.ask", pdf=id, **BOX)
        before = await here.state()
        assert (before["page"], before["y"], before["interrupted"]) == (2, 0.25, False)
        assert [one["mark"] for one in before["marks"]] == ["m1", "m2"]
        await here.until_kept(lambda looked: before["asked"]["request"] in looked and "m2" in looked)

        await here.again()
        after = await here.state()
        assert after == {**before, "interrupted": True}
        assert await here.fetched(id, "file") == pdfs.paper()
        await here.expert.hello(here.server.url)  # who comes later is told the same
        assert await here.expert.hears("pdf.state") == after
        answer = {"pdf": id, "request": after["asked"]["request"], "strokes": STROKES}
        await here.expert.say("pdf.sign", **answer)
        assert (await here.expert.hears("error"))["code"] == "not_allowed"
        await here.customer.say("pdf.sign", **answer)
        signed = await here.state()
        assert (signed["asked"], signed["interrupted"]) == (None, False)
        assert pdfs.hashed(await here.fetched(id, "signed")) == signed["signed"]["sha256"]

        await here.agent.say("pdf.close")
        assert (await here.state())["pdf"] is None
        assert here.looked() == [None]
        await here.again()
        await here.agent.say("pdf.look", pdf=id, page=1, y=0)
        assert (await here.agent.hears("error"))["code"] == "not_found"


async def test_a_signature_under_way_when_the_server_is_killed_lands_wholly_or_is_asked_for_again(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        id = await here.begin()
        for _ in range(3):
            landed = here.signed()
            await here.agent.say("pdf.sign.ask", pdf=id, **BOX)
            asked = await here.state()
            await here.customer.say("pdf.sign", pdf=id, request=asked["asked"]["request"], strokes=STROKES)
            await here.agent.say("pdf.look", pdf=id, page=2, y=0)
            await here.customer.hears("pdf.looked")
            await here.again()
            state = await here.state()
            if here.signed() > landed:
                assert (state["asked"], state["interrupted"]) == (None, False)
                assert pdfs.hashed(await here.fetched(id, "signed")) == state["signed"]["sha256"]
            else:
                assert (state["asked"], state["interrupted"]) == (asked["asked"], True)
                assert state["signed"] == asked["signed"]
                await here.agent.say("pdf.sign.cancel", pdf=id)
                cancelled = await here.state()
                assert (cancelled["asked"], cancelled["interrupted"]) == (None, False)


async def test_stopped_and_started_nothing_is_lost_and_with_the_session_all_is_gone(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        id = await here.begin()
        for number in range(20):  # faster than it is written down
            await here.agent.say("pdf.mark", pdf=id, mark=f"m{number}", page=1, kind="ink", points=[[0, 0], [1, number / 20]])
            await here.customer.hears("pdf.marked")
        await here.again(killed=False)
        assert [one["mark"] for one in (await here.state())["marks"]] == [f"m{number}" for number in range(20)]
        again = Bank(here._http, here.server.url)
        await again.sign_in(*here.server.agent)
        await again.call("POST", f"/sessions/{here.opened.id}/end", {"reason": "done"})
        assert here.looked() == [None]

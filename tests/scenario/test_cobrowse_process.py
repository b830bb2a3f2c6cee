"""The sanitisers' processes: what they can do, that one large page holds up nobody else, and what becomes of shares when one dies or hangs."""

import asyncio
import json
import os
import platform
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from server.cobrowse import orders
from server.cobrowse.process_messages import Configure
from server.cobrowse.rules import read_rules
from server.live.cobrowse.held import SanitiserAway
from server.sanitisers import STRIKES, Sanitisers
from tests.support.cobrowsing import RULES, WITHIN_S
from tests.support.pages import Recorder, event, mutation
from verification.engine.calls import MACHINES

HASH = read_rules(RULES.encode()).hash
KEY = b"k" * 32
LINUX = pytest.mark.skipif(sys.platform != "linux" or platform.machine() not in MACHINES, reason="seccomp")


class Told:
    """What shares are told."""

    def __init__(self) -> None:
        self.cleaned_: list[tuple[str, orders.Cleaned]] = []
        self.looked_: dict[int, orders.Facts | None] = {}
        self.lost: list[str] = []
        self.back: list[str] = []
        self.refused: list[str] = []

    def cleaned(self, id: str, cleaned: orders.Cleaned) -> None:
        self.cleaned_.append((id, cleaned))

    def looked(self, id: str, look: int, facts: orders.Facts | None) -> None:
        self.looked_[look] = facts

    def sanitiser_lost(self, id: str) -> None:
        self.lost.append(id)

    def sanitiser_back(self, id: str) -> None:
        self.back.append(id)

    def sanitiser_refuses(self, id: str) -> None:
        self.refused.append(id)

    def of(self, id: str) -> list[orders.Cleaned]:
        return [cleaned for one, cleaned in self.cleaned_ if one == id]


class Desk:
    def __init__(self, sanitisers: Sanitisers, told: Told) -> None:
        self.sanitisers, self.told = sanitisers, told
        self._order = 0

    def take(self, share: str, *events: bytes, page: int = 1, gap: bool = False) -> None:
        for one in events:
            self._order += 1
            self.sanitisers.order(share, orders.Sanitise(order=self._order, page=page, text=one.decode(), gap=gap))

    async def until(self, condition: Callable[[], Any]) -> Any:
        async with asyncio.timeout(WITHIN_S):
            while not (found := condition()):  # noqa: ASYNC110 - what a process says has no event of its own
                await asyncio.sleep(0.01)
            return found


@asynccontextmanager
async def running(processes: int = 1, configure: Configure | None = None, **more: Any) -> AsyncIterator[Desk]:
    told = Told()
    sanitisers = Sanitisers(processes, {HASH: RULES.encode()}, configure=configure, **more)
    sanitisers.listen(told)
    await sanitisers.start()
    try:
        yield Desk(sanitisers, told)
    finally:
        await sanitisers.close()


def page(words: str = "Transfer", url: str = "https://bank.example/transfers/7?card=1") -> Recorder:
    recorder = Recorder(url)
    return recorder.put(recorder.element("h1", {}, words), recorder.element("p", {}, "secret words"))


def large(bytes_: int) -> Recorder:
    recorder = Recorder("https://bank.example/transfers/7")
    row = "x" * 400
    for _ in range(bytes_ // 480):
        recorder.put(recorder.element("p", {"class": "shown"}, row))
    return recorder


async def test_what_leaves_was_made_anew() -> None:
    async with running() as desk:
        desk.sanitisers.open("SH_A", HASH, KEY)
        recorder = page()
        desk.take("SH_A", recorder.meta(), recorder.picture(), b"{", mutation(texts=[{"id": 1 << 20, "value": "x"}]))
        found = await desk.until(lambda: len(desk.told.of("SH_A")) == 4 and desk.told.of("SH_A"))
        meta, picture, broken, unknown = found
        assert [one.order for one in found] == [1, 2, 3, 4]
        assert (meta.kind, meta.name, json.loads(meta.text)["data"]["href"]) == (4, "transfer", "transfer")
        assert picture.kind == 2
        assert "Transfer" in picture.text
        assert "secret words" not in picture.text
        assert (broken.text, broken.kind, broken.resync, dict(broken.dropped)) == ("", -1, True, {"unreadable": 1})
        assert (unknown.text, dict(unknown.dropped)) == ("", {"unknown_node": 1})


async def test_what_a_node_is() -> None:
    recorder = Recorder("https://bank.example/transfers/7")
    button = recorder.element("button", {"type": "submit", "class": "shown"}, recorder.element("b", {}, "Pay"))
    word = recorder.element("input", {"type": "password", "id": "amount"})
    recorder.put(recorder.element("form", {}, button, word))
    async with running() as desk:
        desk.sanitisers.open("SH_A", HASH, KEY)
        desk.take("SH_A", recorder.meta(), recorder.picture())
        for look, node in enumerate([button["childNodes"][0]["id"], word["id"], 1 << 20]):
            desk.sanitisers.order("SH_A", orders.Look(look=look, page=1, node=node))
        desk.sanitisers.order("SH_A", orders.Look(look=9, page=2, node=button["id"]))
        found = await desk.until(lambda: len(desk.told.looked_) == 4 and desk.told.looked_)
        bold, secret = found[0], found[1]
        assert (bold.tag, list(bold.above)[:2]) == ("b", [("button", "submit"), ("form", "")])
        assert (secret.tag, secret.type, secret.sensitive) == ("input", "password", True)
        assert found[2] is None
        assert found[9] is None, "of another document nothing is known"


async def test_what_a_node_is_is_never_too_much_to_say() -> None:
    recorder = Recorder("https://bank.example/transfers/7")
    field = node = recorder.element("input", {"id": "amount"})
    for _ in range(200):
        node = recorder.element("div", {"type": "密" * 4000}, node)
    recorder.put(node)
    async with running() as desk:
        desk.sanitisers.open("SH_A", HASH, KEY)
        desk.take("SH_A", recorder.meta(), recorder.picture())
        desk.sanitisers.order("SH_A", orders.Look(look=-1, page=1, node=field["id"]))
        found = await desk.until(lambda: desk.told.looked_ or desk.sanitisers.restarts)
        assert (found[-1].tag, desk.sanitisers.restarts) == ("input", 0)
        assert max(len(kind) for _, kind in found[-1].above) < 100
        assert desk.sanitisers._processes[0].at_work == desk.sanitisers._request, "who asks what a node is has the blame, too"


async def test_another_document_knows_nothing_of_the_one_before() -> None:
    async with running() as desk:
        desk.sanitisers.open("SH_A", HASH, KEY)
        recorder = page()
        shown = recorder.body["childNodes"][0]["childNodes"][0]["id"]
        change = mutation(texts=[{"id": shown, "value": "more"}])
        desk.take("SH_A", recorder.meta(), recorder.picture(), change)
        desk.take("SH_A", change, page=2)
        desk.take("SH_A", recorder.meta(), recorder.picture(), page=2)
        desk.take("SH_A", change, page=2, gap=True)
        found = await desk.until(lambda: len(desk.told.of("SH_A")) == 7 and desk.told.of("SH_A"))
        assert [one.kind for one in found] == [4, 2, 3, -1, 4, 2, -1]
        assert found[3].resync
        assert found[6].resync, "after a gap nothing leaves until the next picture"


async def test_a_large_page_holds_up_nobody_else() -> None:
    async with running() as desk:
        for share in ("SH_LARGE", "SH_SMALL"):
            desk.sanitisers.open(share, HASH, KEY)
        recorder, small = large(6_000_000), page()
        desk.take("SH_SMALL", small.meta(), small.picture())
        await desk.until(lambda: len(desk.told.of("SH_SMALL")) == 2)
        picture = recorder.picture()
        assert 6_000_000 < len(picture) < 8 * 1024 * 1024
        desk.take("SH_LARGE", recorder.meta(), picture)
        assert desk.sanitisers.has_room("SH_LARGE")
        id = small.body["childNodes"][0]["childNodes"][0]["id"]
        for number in range(20):
            desk.take("SH_SMALL", mutation(texts=[{"id": id, "value": f"number {number}"}]))
        desk.take("SH_LARGE", picture)  # behind it, as all goes one way
        assert not desk.sanitisers.has_room("SH_LARGE"), "what it says is left out until that is done"
        assert desk.sanitisers.has_room("SH_SMALL")
        found = await desk.until(lambda: len(desk.told.of("SH_LARGE")) == 3 and desk.told.cleaned_)
        assert desk.sanitisers.has_room("SH_LARGE")
        assert desk.told.of("SH_LARGE")[1].text.count("x" * 400) > 10_000
        before = [id for id, _ in found[: [cleaned for _, cleaned in found].index(desk.told.of("SH_LARGE")[1])]]
        assert before.count("SH_SMALL") == 22, "all of the small one was answered while the large one was drawn"
        assert desk.sanitisers.asked("SH_LARGE") == 0


async def test_an_event_that_is_too_large_leaves_nothing() -> None:
    async with running() as desk:
        desk.sanitisers.open("SH_A", HASH, KEY)
        recorder = large(9_000_000)
        desk.take("SH_A", recorder.meta(), recorder.picture())
        found = await desk.until(lambda: len(desk.told.of("SH_A")) == 2 and desk.told.of("SH_A"))
        assert (found[1].kind, dict(found[1].dropped)) == (-1, {"too_much": 1})


async def test_nodes_of_all_pages_together_are_bounded() -> None:
    """The largest is drawn anew, the others go on."""
    async with running(configure=Configure(nodes=3_000)) as desk:
        small, middle, largest = page(), large(600_000), large(1_200_000)
        for share, recorder in (("SH_S", small), ("SH_M", middle), ("SH_L", largest)):
            desk.sanitisers.open(share, HASH, KEY)
            desk.take(share, recorder.meta(), recorder.picture())
            await desk.until(lambda share=share: len(desk.told.of(share)) == 2)
        last = desk.told.of("SH_L")[1]
        assert (last.kind, last.resync, dict(last.dropped)) == (-1, True, {"too_much": 1})
        id = middle.body["childNodes"][0]["id"]
        for share in ("SH_M", "SH_L"):
            desk.take(share, mutation(attributes=[{"id": id, "attributes": {"style": "color: red"}}]))
        await desk.until(lambda: len(desk.told.of("SH_M")) == len(desk.told.of("SH_L")) == 3)
        assert desk.told.of("SH_M")[2].kind == 3
        assert desk.told.of("SH_L")[2].kind == -1


def status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


@LINUX
async def test_it_is_held() -> None:
    async with running() as desk:
        assert {"limits", "privileges", "calls"} <= set(desk.sanitisers.confined)
        (pid,) = desk.sanitisers.pids
        said = status(pid)
        assert "Seccomp:\t2" in said
        assert "NoNewPrivs:\t1" in said
        assert "Threads:\t1" in said


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_what_a_lost_process_knew_is_asked_for_anew(how: signal.Signals) -> None:
    async with running(hangs_s=2.0) as desk:
        desk.sanitisers.open("SH_A", HASH, KEY)
        recorder = page()
        desk.take("SH_A", recorder.meta(), recorder.picture())
        await desk.until(lambda: len(desk.told.of("SH_A")) == 2)
        (pid,) = desk.sanitisers.pids
        os.kill(pid, how)
        if how is signal.SIGSTOP:
            desk.take("SH_A", mutation())  # nobody answers
        await desk.until(lambda: desk.told.lost == ["SH_A"])
        with pytest.raises(SanitiserAway):
            desk.take("SH_A", mutation())
        await desk.until(lambda: desk.told.back == ["SH_A"])
        assert desk.sanitisers.asked("SH_A") == 0
        shown = recorder.body["childNodes"][0]["childNodes"][0]["id"]
        desk.take("SH_A", mutation(texts=[{"id": shown, "value": "more"}]), recorder.meta(), recorder.picture())
        found = await desk.until(lambda: len(desk.told.of("SH_A")) == 5 and desk.told.of("SH_A"))
        assert [one.kind for one in found[2:]] == [-1, 4, 2], "nothing before the new picture"
        assert desk.sanitisers.restarts == 1


async def test_a_share_that_ends_its_process_again_and_again_is_given_up() -> None:
    async with running() as desk:
        for share in ("SH_BAD", "SH_GOOD"):
            desk.sanitisers.open(share, HASH, KEY)
        picture = large(6_000_000).picture()
        for number in range(1, STRIKES + 1):
            desk.take("SH_BAD", page().meta(), picture)
            process = desk.sanitisers._processes[0]
            await desk.until(lambda process=process: getattr(process.asked.get(process.at_work), "size", 0) > 1_000_000)
            desk.take("SH_GOOD", page().meta())  # waits beside it
            os.kill(desk.sanitisers.pids[0], signal.SIGKILL)
            await desk.until(lambda number=number: desk.told.back.count("SH_GOOD") == number)
        assert desk.told.refused == ["SH_BAD"]
        with pytest.raises(SanitiserAway):
            desk.take("SH_BAD", page().meta())
        desk.take("SH_GOOD", page().meta())
        await desk.until(lambda: desk.told.of("SH_GOOD"))


async def test_shares_are_spread_over_the_processes() -> None:
    async with running(2) as desk:
        assert len(set(desk.sanitisers.pids)) == 2
        for number in range(4):
            desk.sanitisers.open(f"SH_{number}", HASH, KEY)
        os.kill(desk.sanitisers.pids[0], signal.SIGKILL)
        await desk.until(lambda: len(desk.told.lost) == 2)
        desk.sanitisers.shut("SH_0")
        with pytest.raises(SanitiserAway):
            desk.take("SH_0", event(4, {}))

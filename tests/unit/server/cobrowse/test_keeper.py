"""How much of a shared page a recording takes: beyond it there is a gap, and a new picture later."""

import asyncio
import json
from typing import Any

import pytest

from server.cobrowse.messages import Body, Bye, ViewDom
from server.domain.ids import ParticipantId, RecordingId
from server.live.cobrowse.keeper import GAP_S, Keeper
from server.live.ports import PageLine
from server.live.recording import pages
from server.live.recording.pages import PageKept, Room


class Recorder:
    def __init__(self) -> None:
        self.lines: list[PageLine] = []

    async def page(self, recording: str, line: PageLine, mono_us: int) -> None:
        self.lines.append(line)


class Now:
    at = 100.0

    def monotonic(self) -> float:
        return self.at


def dom(n: int, text: str, *, picture: bool = False) -> ViewDom:
    return ViewDom(page=1, n=n, text=text, last=True, picture=picture)


def test_a_recording_takes_so_much_at_once_an_hour_and_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(0.0)
    assert room.take(pages.BURST_BYTES, 0.0)
    assert not room.take(1, 0.0)
    assert room.take(pages.HOUR_BYTES // 3600, 1.0)
    assert not room.take(pages.HOUR_BYTES // 3600, 1.0)
    monkeypatch.setattr(pages, "MOST_BYTES", 10)
    small = Room(0.0)
    assert small.take(10, 0.0)
    assert not small.take(1, 1e6)


async def test_what_grows_too_fast_has_a_gap_and_goes_on_with_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "BURST_BYTES", 2000)
    monkeypatch.setattr(pages, "HOUR_BYTES", 3600 * 20)
    recorder, now, told = Recorder(), Now(), asyncio.Event()
    what = PageKept(RecordingId("RE_1"), 1, frozenset(), Room(now.at))
    said: list[Body] = []
    keeper = Keeper(
        "recorder",
        recorder,  # type: ignore[arg-type]
        now,  # type: ignore[arg-type]
        what,
        "SH_1",
        ParticipantId("PA_1"),
        lambda: (said.pop(0), what) if said else None,
        lambda: True,
        lambda *_: told.set(),
    )

    async def say(*bodies: Body) -> list[Any]:
        recorder.lines.clear()
        said.extend(bodies)
        keeper.wake()
        for _ in range(8):
            await asyncio.sleep(0)
        return [json.loads(one.text) for one in recorder.lines]

    def kinds(lines: list[Any]) -> list[str]:
        return [one["type"] for one in lines]

    assert kinds(await say(dom(1, "p", picture=True), dom(2, "x" * 500))) == ["kept.begin", "view.dom", "view.dom"]
    lines = await say(dom(3, "x" * 1500), dom(4, "small"))
    assert lines == [{"type": "kept.paused", "why": "too_much"}]
    assert recorder.lines[0].blank
    now.at += GAP_S - 1
    assert not keeper.picture_due(now.at)
    assert await say(dom(5, "p", picture=True), dom(6, "small")) == [], "not yet"
    now.at += 1
    assert keeper.picture_due(now.at)
    assert not keeper.picture_due(now.at), "once"
    assert await say(dom(7, "small")) == [], "it needs a picture"
    assert kinds(await say(dom(8, "p", picture=True), dom(9, "small"))) == ["kept.begin", "view.dom", "view.dom"]
    assert await say(dom(10, "x" * 3000)) == [{"type": "kept.paused", "why": "too_much"}]
    assert [one["state"] for one in await say(Bye(code="ended", again=False))] == ["ended"]
    await told.wait()

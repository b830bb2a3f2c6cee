"""What agents see of a customer's page is kept with the recording, as long as both are agreed to, and nothing else: over real sockets, with a real recorder."""

import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.cobrowsing import PLANTED, Form, View
from tests.support.kept_page import Kept, events, kept, of, on_disk
from tests.support.pages import added, mutation


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Kept]:
    async with kept(tmp_path) as made:
        yield made


async def change(form: Form, tab: object, view: View, words: str) -> None:
    """Seen by the agent."""
    node = form.recorder.element("label", {}, words)
    form.recorder.body["childNodes"].append(node)
    await tab.record(mutation(adds=[added(form.recorder.body, node)]))  # type: ignore[attr-defined]
    await view.until(lambda: words in json.dumps(view.events))


def said(lines: list[dict[str, object]]) -> str:
    return json.dumps(events(lines), ensure_ascii=False)


async def test_what_the_agent_saw_is_played_and_nothing_more(here: Kept, tmp_path: Path) -> None:
    form = Form()
    for name, node in (("password", form.password), ("code", form.code), ("file", form.file)):
        node["attributes"]["id"] = name  # a field of the same id as a secret one is not filled in a later picture
    tab, view = await here.at.looking(form.recorder, "point", "fill")
    await change(form, tab, view, "before")
    pictures = len(view.drawn)
    recording = await here.recorded()
    await view.pictures(pictures + 1)  # made for the recorder, which had none
    from_here = view.events.index(view.drawn[-1]) - 1
    await change(form, tab, view, "first")
    page = view.state["page"]
    await view.say("mark", id="m1", page=page, kind="highlight", spots=[{"node": form.title["id"], "x": 0.5, "y": 0.5}])
    await tab.next("mark")
    await view.act("fill", form.amount["id"], f"{PLANTED} of Zhang", id="a2")
    act = await tab.next("act")
    await tab.say("tab.done", act=act["act"], outcome="done")
    assert await view.outcome("a2") == "done"
    await change(form, tab, view, "second")
    await on_disk(tmp_path, recording, "second")
    await here.ended(recording)

    lines = await here.lines(recording)
    assert events(lines) == view.events[from_here:], "what is played is what the agent's page got"
    [begin] = of(lines, "kept.begin")
    assert begin["state"]["name"] == "transfer"
    assert [(one["id"], one["role"], one["granted"]) for one in begin["state"]["viewers"]] == [
        (here.at.agent.participant, "agent", ["view", "point", "fill"])
    ]
    [mark] = of(lines, "mark")
    assert (mark["viewer"], mark["id"]) == (here.at.agent.participant, "m1")
    [act] = of(lines, "kept.act")
    assert (act["viewer"], act["kind"], act["node"], act["outcome"]) == (
        here.at.agent.participant,
        "fill",
        form.amount["id"],
        "done",
    )
    times = [one["at_us"] for one in lines]
    assert times == sorted(times)
    # not of what is not shown
    everything = json.dumps(lines, ensure_ascii=False)
    for secret in (PLANTED, "84,213", "hunter22", "889900"):
        assert secret not in everything
    # and it is sealed as the rest is
    token = here.at.here.supervisor
    verified = (await here.at.here.post(f"/recordings/{recording}/verify", token=token)).json
    assert (verified["intact"], verified["findings"]) == (True, [])
    folder = tmp_path / "data" / "recordings" / recording
    [file] = folder.glob("page-*.track")
    whole = file.read_bytes()
    assert b"Transfer" not in whole
    file.write_bytes(whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :])
    verified = (await here.at.here.post(f"/recordings/{recording}/verify", token=token)).json
    assert verified["intact"] is False
    assert {one["file"] for one in verified["findings"]} == {file.name}
    file.write_bytes(whole)
    assert (await here.at.here.get(f"/recordings/{recording}", token=here.at.here.agent)).status == 403
    track = await here.track(recording)
    assert track is not None
    path = f"/recordings/{recording}/tracks/{track['track']}/media"
    assert (await here.at.here.get(path, token=here.at.here.agent)).status == 403
    erased = await here.at.here.call("DELETE", f"/recordings/{recording}", {"reason": "test"}, token=token)
    assert erased.status == 204
    assert not folder.exists()
    assert (await here.at.here.get(path, token=token)).status == 410


async def test_nothing_is_kept_before_consent_in_a_pause_or_after_it_was_taken_back(here: Kept, tmp_path: Path) -> None:
    form = Form()
    tab, view = await here.at.looking(form.recorder)
    await change(form, tab, view, "before consent")
    recording = await here.recorded()
    await view.pictures(2)
    await change(form, tab, view, "kept one")
    await on_disk(tmp_path, recording, "kept one")
    await here.at.agent.tell("recording.set", state="paused")
    await here.shows("paused")
    await change(form, tab, view, "in the pause")
    form.recorder.body["childNodes"].pop()  # gone again before anything goes on
    await here.at.agent.tell("recording.set", state="on")
    await here.shows("on")
    await view.pictures(3)
    await change(form, tab, view, "kept two")
    await on_disk(tmp_path, recording, "kept two")
    await here.decide(here.at.customer, "withdrawn")
    await change(form, tab, view, "taken back")
    form.recorder.body["childNodes"].pop()
    await here.decide(here.at.customer)
    await here.shows("on")
    await view.pictures(4)
    await change(form, tab, view, "kept three")
    await tab.say("tab.pause", paused=True)
    await on_disk(tmp_path, recording, '"state":"paused"')
    await here.ended(recording)
    lines = await here.lines(recording)
    words = said(lines)
    for kept_words in ("kept one", "kept two", "kept three"):
        assert kept_words in words
    for left_out in ("in the pause", "taken back"):
        assert left_out not in words
    assert len(of(lines, "kept.paused")) >= 2
    assert of(lines, "kept.state")[-1]["shown"] is False, "the share was paused"
    track = await here.track(recording)
    assert track is not None
    assert len(track["spans"]) == 3
    # a player that begins in the middle needs nothing of what was before
    middle = track["spans"][1]["from_ms"] + 1
    later = await here.lines(recording, middle)
    assert later[0]["begins"] is True
    assert later[0]["at_us"] // 1000 <= middle
    assert later == lines[-len(later) :]
    assert len(events(later)) < len(events(lines))


@pytest.mark.parametrize("wording", ["recording-1", "recording-0", "rec-bank-7"])
async def test_a_consent_that_did_not_speak_of_the_page_keeps_none(here: Kept, wording: str) -> None:
    form = Form()
    tab, view = await here.at.looking(form.recorder)
    recording = await here.recorded(wording)
    await change(form, tab, view, "not agreed to")
    await here.ended(recording)
    assert await here.track(recording) is None


async def test_a_text_of_the_banks_own_speaks_of_the_page_where_the_bank_says_so(tmp_path: Path) -> None:
    async with kept(tmp_path, recording__page_wordings=["rec-bank-8"]) as here:
        form = Form()
        tab, view = await here.at.looking(form.recorder)
        recording = await here.recorded("rec-bank-8")
        await view.pictures(2)
        await change(form, tab, view, "agreed to")
        await on_disk(tmp_path, recording, "agreed to")
        await here.ended(recording)
        assert "agreed to" in said(await here.lines(recording))


async def test_a_recorder_that_is_killed_costs_a_second_and_a_picture_begins_anew(here: Kept, tmp_path: Path) -> None:
    form = Form()
    tab, view = await here.at.looking(form.recorder)
    recording = await here.recorded()
    await view.pictures(2)
    await change(form, tab, view, "long before")
    assert here.process.pid is not None
    await on_disk(tmp_path, recording, "long before")
    os.kill(here.process.pid, signal.SIGKILL)
    await change(form, tab, view, "meanwhile")
    await view.pictures(3)
    await change(form, tab, view, "after it")
    await on_disk(tmp_path, recording, "after it")
    await here.ended(recording)
    words = said(await here.lines(recording))
    assert "long before" in words
    assert "after it" in words
    verified = (await here.at.here.post(f"/recordings/{recording}/verify", token=here.at.here.supervisor)).json
    assert verified["intact"] is True

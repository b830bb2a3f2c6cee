"""A recording whose recorder, disk, relay, store or server fails: everybody is told, and the call goes on."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.domain.model import RecordingEnding, Role
from tests.support.recorded import Call, Studio, agree, now, state
from tests.support.signalling import replaced


@pytest.fixture
async def house() -> AsyncIterator[Studio]:
    house = Studio()
    yield house
    await house.close()


@pytest.fixture
async def call(house: Studio) -> Call:
    return await Call(house, await house.session()).begin()


async def test_without_a_recorder_it_fails_and_begins_when_there_is_one(house: Studio, call: Call) -> None:
    house.recorder.lose()
    await call.agent.say("recording.set", state="on")
    await agree(call.customer)
    await agree(call.agent)
    assert (state(call.customer), now(call.customer)["problem"]) == ("failed", "recorder")
    assert await house.recordings() == []
    assert await call.customer.error("chat.send", client_id="1", text="the call goes on") is None
    house.recorder.come_back()
    await house.live.settle()
    assert state(call.customer) == "on"
    assert house.whom(call.session) == {call.customer_id, call.agent_id}


async def test_a_recorder_that_is_lost_and_comes_back_goes_on(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    house.recorder.lose()
    await call.customer.say("chat.send", client_id="1", text="meanwhile")
    assert state(call.customer) == "on"
    house.recorder.come_back()
    await house.live.settle()
    assert [event["text"] for event in house.recorder.said[recording] if event["type"] == "chat"] == ["meanwhile"]
    house.recorder.lose()
    await house.advance(6, call.customer, call.agent)
    assert (state(call.customer), now(call.customer)["problem"]) == ("failed", "recorder")
    house.recorder.come_back()
    await house.live.settle()
    assert (state(call.customer), now(call.customer)["id"]) == ("on", recording)
    assert len(await house.recordings()) == 1


async def test_a_full_disk_ends_the_recording_and_not_the_call(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    house.recorder.fail(recording)
    await house.live.settle()
    for page in (call.customer, call.agent):
        assert (state(page), now(page)["problem"]) == ("failed", "disk")
    assert house.media.recordings[call.session].state == "off"
    assert house.recorder.ended == [recording]
    assert (await house.recordings())[0].ended_at is not None
    await house.advance(10, call.customer, call.agent)
    assert state(call.agent) == "failed"
    await call.agent.say("recording.set", state="on")
    assert state(call.agent) == "on"
    assert len(await house.recordings()) == 2


async def test_a_disk_that_is_full_from_the_start(house: Studio, call: Call) -> None:
    house.recorder.full = True
    await call.agent.say("recording.set", state="on")
    await agree(call.customer)
    await agree(call.agent)
    assert (state(call.customer), now(call.customer)["problem"]) == ("failed", "disk")
    assert house.media.recordings == {}
    assert (await house.recordings())[0].ending is RecordingEnding.FAILED
    assert await house.actions() == ["recording.started", "recording.failed"]


async def now_done(house: Studio, call: Call) -> None:
    """The session has done what it was asked, whatever the recorder does."""
    async with asyncio.timeout(60):
        await house.live._sessions[call.session].actor.settle()


async def test_a_recorder_that_hangs_when_it_is_to_begin_holds_up_nothing_else(house: Studio, call: Call) -> None:
    await agree(call.customer)
    await agree(call.agent)
    house.recorder.answers.clear()
    asked = call.agent.post("recording.set", state="on")
    call.customer.post("chat.send", client_id="1", text="the call goes on")
    await now_done(house, call)
    assert [body["message"]["text"] for body in call.agent.got("chat.message")] == ["the call goes on"]
    assert (state(call.agent), house.whom(call.session)) == ("asking", set())
    paused = call.agent.post("recording.set", state="paused")
    await now_done(house, call)
    house.recorder.answers.set()
    await house.live.settle()
    assert {asked, paused} & call.agent.errors().keys() == set()
    assert (state(call.agent), house.whom(call.session)) == ("paused", set())
    assert house.media.recordings[call.session].state == "paused"
    assert (await house.recordings())[0].paused_at is not None
    await call.agent.say("recording.set", state="on")
    assert (state(call.agent), house.whom(call.session)) == ("on", {call.customer_id, call.agent_id})
    assert await house.actions() == ["recording.started", "recording.paused", "recording.resumed"]


async def test_a_recorder_that_hangs_when_it_is_to_pause_and_go_on_holds_up_nothing_else(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    house.recorder.answers.clear()
    call.agent.post("recording.set", state="paused")
    call.customer.post("chat.send", client_id="1", text="one")
    await now_done(house, call)
    assert house.media.recordings[call.session].state == "paused"
    assert (await house.recordings())[0].paused_at is not None
    call.agent.post("recording.set", state="on")
    call.customer.post("chat.send", client_id="2", text="two")
    await now_done(house, call)
    assert [body["message"]["text"] for body in call.agent.got("chat.message")] == ["one", "two"]
    assert house.whom(call.session) == set()  # before it takes in what comes
    house.recorder.answers.set()
    await house.live.settle()
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    assert house.recorder.under_way[recording] is False
    told = [event["type"] for event in house.recorder.said[recording] if event["type"] in ("paused", "resumed")]
    assert told == ["paused", "resumed"]


async def test_a_no_while_the_recorder_is_asked_to_go_on_is_heeded(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    await call.agent.say("recording.set", state="paused")
    house.recorder.answers.clear()
    call.agent.post("recording.set", state="on")
    await now_done(house, call)
    call.customer.post("consent.set", scope="recording", decision="withdrawn", wording="recording-1", language="en")
    await now_done(house, call)
    house.recorder.answers.set()
    await house.live.settle()
    assert (state(call.agent), house.whom(call.session)) == ("paused", set())
    assert house.recorder.under_way[recording] is True
    told = [event["type"] for event in house.recorder.said[recording] if event["type"] in ("paused", "resumed")]
    assert told == ["paused"]


async def test_a_session_waits_for_its_recorder_before_it_is_forgotten(house: Studio, call: Call) -> None:
    await agree(call.customer)
    await agree(call.agent)
    house.recorder.answers.clear()
    call.agent.post("recording.set", state="on")
    await now_done(house, call)
    call.agent.post("session.end")
    await now_done(house, call)
    house.live.tick()
    assert house.live.stats()["sessions"] == 1
    house.recorder.answers.set()
    await house.live.settle()
    assert (await house.recordings())[0].ended_at is not None
    await house.advance(1)
    assert house.live.stats()["sessions"] == 0


async def test_a_store_that_refuses(house: Studio, call: Call) -> None:
    await agree(call.customer)
    await agree(call.agent)
    with house.broken_store():
        assert await call.agent.error("recording.set", state="on") == "internal"
    assert (state(call.agent), now(call.agent)["problem"]) == ("failed", "store")
    assert house.recorder.under_way == {}
    assert await call.agent.error("recording.set", state="on") is None
    assert state(call.agent) == "on"


async def test_a_relay_that_does_not_confirm_and_the_recorder_throws_away(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    expert_id, expert = await house.enter(call.session, Role.EXPERT)
    await agree(expert)
    house.media.down = True
    await agree(expert, "withdrawn")
    assert house.recorder.under_way[recording] is True
    assert ("disconnect", call.session, expert_id) not in house.media.calls
    await house.advance(6, call.customer, call.agent, expert)
    assert (state(call.agent), now(call.agent)["problem"]) == ("failed", "relay")
    house.media.down = False
    await house.advance(2, call.customer, call.agent, expert)
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    assert house.recorder.under_way[recording] is False
    assert state(call.agent) == "on"


async def test_a_recorder_that_still_throws_away_is_asked_until_it_does_not(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    _, expert = await house.enter(call.session, Role.EXPERT)
    await agree(expert)
    house.media.down = True
    await agree(expert, "withdrawn")
    assert house.recorder.under_way[recording] is True
    house.media.down, house.recorder.down = False, True
    house.recorder.under_way = {}
    await house.advance(2, call.customer, call.agent, expert)
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    assert (state(call.agent), now(call.agent)["problem"]) == ("failed", "recorder")
    house.recorder.down = False
    house.recorder.under_way = {recording: True}
    await house.advance(6, call.customer, call.agent, expert)
    assert house.recorder.under_way[recording] is False
    assert state(call.agent) == "on"


async def test_where_neither_answers_their_media_is_taken_down(house: Studio, call: Call) -> None:
    await call.recorded()
    house.media.down = house.recorder.down = True
    await agree(call.customer, "withdrawn")
    assert ("disconnect", call.session, call.customer_id) in house.media.calls


async def test_a_media_worker_that_died_is_told_before_any_gate(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    await call.customer.say("consent.set", scope="microphone", decision="given", wording="microphone-1", language="en")
    house.media.recordings.clear()
    del house.media.calls[:]
    house.media.lose(call.session)
    await house.live.settle()
    assert house.media.recordings[call.session].recording == recording
    names = [name for name, _, _ in house.media.calls if name in ("set_recording", "set_gates")]
    assert names[0] == "set_recording"
    assert names.count("set_recording") == 1


async def test_a_server_that_was_restarted_goes_on_with_a_new_recording(house: Studio, call: Call) -> None:
    first = await call.recorded()
    await call.agent.say("checkpoint.mark", item="identity", done=True)
    customer, agent = call.customer_id, call.agent_id
    after = Studio(house.store)
    after.recorder.under_way[first] = False
    await after.live.recover()
    await after.live.settle()
    [closed] = await after.recordings()
    assert (closed.ending, closed.ended_at is not None) == (RecordingEnding.INTERRUPTED, True)
    page = await after.connect(after.token(call.session, customer, Role.CUSTOMER))
    other = await after.connect(after.token(call.session, agent, Role.AGENT))
    assert state(other) == "on"
    assert now(page)["id"] != first
    assert after.whom(call.session) == {customer, agent}
    assert now(other)["checklist"][0]["done_at"] is not None
    assert len(await after.recordings()) == 2
    await after.close()


async def test_one_that_was_paused_does_not_go_on_by_itself_after_a_restart(house: Studio, call: Call) -> None:
    await call.recorded()
    await call.agent.say("recording.set", state="paused")
    after = Studio(house.store)
    await after.live.recover()
    await after.connect(after.token(call.session, call.customer_id, Role.CUSTOMER))
    page = await after.connect(after.token(call.session, call.agent_id, Role.AGENT))
    assert state(page) == "off"
    assert after.media.recordings == {}
    await after.close()


async def test_an_ending_that_cannot_be_written_down_is_tried_again(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    house.recorder.lose()
    await call.agent.say("recording.set", state="off")
    assert (await house.recordings())[0].ended_at is None
    assert house.media.recordings[call.session].state == "off"
    house.recorder.come_back()
    await house.advance(3, call.customer, call.agent)
    assert (await house.recordings())[0].ended_at is not None
    assert house.recorder.ended[-1] == recording


async def test_a_successor_is_asked_and_nothing_is_recorded_until_they_agree(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    id, successor = await house.enter(call.session, Role.AGENT)
    assert now(successor)["missing"] == [id]
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    await call.agent.say("leave")
    assert house.whom(call.session) == set()
    assert state(call.customer) == "asking"
    assert house.recorder.under_way[recording] is True
    await agree(successor)
    assert (state(call.customer), now(call.customer)["id"]) == ("on", recording)
    assert house.whom(call.session) == {call.customer_id, id}


async def test_who_is_let_in_from_the_waiting_room_is_asked_then(house: Studio, call: Call) -> None:
    await call.recorded()
    id, token = await house.place(call.session, Role.EXPERT)
    async with house.store.begin() as tx:
        place = await tx.get_participant(id)
        await tx.save_participant(replaced(place, waits_at=house.clock.now()))
    page = await house.connect(token)
    assert now(call.agent)["missing"] == []
    assert await call.agent.error("participant.admit", participant=id, admitted=True) is None
    assert now(call.agent)["missing"] == [id]
    assert page.got("admitted")[-1]["snapshot"]["recording"]["state"] == "on"
    assert page.got("recording")[-1]["missing"] == [id]
    await agree(page)
    assert id in house.whom(call.session)


async def test_what_could_not_be_stored_is_not_kept_past_the_end_of_the_session(house: Studio, call: Call) -> None:
    await call.recorded()
    with house.broken_store():
        await agree(call.customer, "withdrawn")
    await call.agent.say("session.end")
    await house.advance(1)
    assert house.live.stats()["sessions"] == 0

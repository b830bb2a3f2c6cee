"""Events on their way to the recorder, and endings that are tried again."""

import asyncio

import pytest

from server.live.recording import journal as recording_journal
from server.live.recording.endings import MOST_TRIES
from server.live.recording.journal import Journal
from tests.support.fake_recorder import FakeRecorder
from tests.support.recorded import Call, Studio


async def begun() -> tuple[FakeRecorder, Journal]:
    recorder = FakeRecorder()
    recorder.listen(Studio().live)
    await recorder.begin("RE_1")
    return recorder, Journal(recorder, "RE_1")


async def test_events_wait_for_a_recorder_that_is_lost_and_keep_their_order_and_times() -> None:
    recorder, journal = await begun()
    journal.add({"type": "chat", "participant": "PA_1", "text": "1"}, 10)
    await journal.settle()
    recorder.lose()
    for number in (2, 3):
        journal.add({"type": "chat", "participant": "PA_1", "text": str(number)}, 10 * number)
    await journal.settle()
    assert len(recorder.said["RE_1"]) == 1
    recorder.come_back()
    journal.again()
    await journal.settle()
    assert [(event["text"], event["mono_us"]) for event in recorder.said["RE_1"]] == [("1", 10), ("2", 20), ("3", 30)]
    await journal.close(1.0)


async def test_so_many_wait_and_no_more(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(recording_journal, "MOST", 5)
    recorder, journal = await begun()
    recorder.lose()
    for number in range(8):
        journal.add({"type": "chat", "participant": "PA_1", "text": str(number)}, number)
    assert journal.dropped == 3
    recorder.come_back()
    await journal.settle()
    await journal.close(1.0)
    assert [event["text"] for event in recorder.said["RE_1"]] == list("01234")
    assert "dropped" in caplog.text
    assert "lost" in caplog.text


async def test_an_event_that_cannot_be_said_does_not_hold_the_others_up(caplog: pytest.LogCaptureFixture) -> None:
    recorder, journal = await begun()
    journal.add({"type": "nonsense"}, 1)
    journal.add({"type": "resumed", "by": ""}, 2)
    await journal.settle()
    assert [event["type"] for event in recorder.said["RE_1"]] == ["resumed"]
    await journal.close(1.0)
    assert "not written" in caplog.text


async def test_a_journal_of_a_recorder_that_stays_away_is_given_up_in_time() -> None:
    recorder, journal = await begun()
    recorder.lose()
    journal.add({"type": "resumed", "by": ""}, 2)
    async with asyncio.timeout(60):
        await journal.close(0.01)


async def test_what_was_not_taken_in_time_is_tried_once_more_at_the_end() -> None:
    recorder, journal = await begun()
    recorder.down = True
    journal.add({"type": "resumed", "by": ""}, 2)
    await journal.settle()
    recorder.down = False  # it was slow, and nobody has said that it is there
    await journal.close(1.0)
    assert [event["type"] for event in recorder.said["RE_1"]] == ["resumed"]


async def test_an_ending_that_fails_unexpectedly_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    house = Studio()
    call = await Call(house, await house.session()).begin()
    await call.recorded()

    async def broken(recording: str) -> None:
        raise OSError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(house.recorder, "end", broken)
        await call.agent.say("recording.set", state="off")
    assert "a defect" in caplog.text
    assert (await house.recordings())[0].ended_at is None
    await house.advance(3, call.customer, call.agent)
    assert (await house.recordings())[0].ended_at is not None
    await house.close()


async def test_an_ending_is_given_up_in_the_end_and_left_to_the_next_start() -> None:
    house = Studio()
    call = await Call(house, await house.session()).begin()
    recording = await call.recorded()
    house.recorder.lose()
    await call.agent.say("recording.set", state="off")
    for _ in range(2 * MOST_TRIES):
        await house.advance(1, call.customer, call.agent)
        house.clock.seconds += 300
        house.live._endings.tick()
        await house.live.settle()
    assert [name for name, id, _ in house.recorder.calls if id == recording].count("recorder.end") == MOST_TRIES
    assert (await house.recordings())[0].ended_at is None
    await house.close()
    after = Studio(house.store)
    after.recorder.under_way[recording] = False
    await after.live.recover()
    await after.live.settle()
    assert (await after.recordings())[0].ended_at is not None
    await after.close()

"""Recording a session: with whose consent, what the relay and the recorder are told and in which order, what everybody is told."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.domain.ids import ParticipantId, SessionId
from server.domain.model import RecordingEnding, Role, SessionStatus
from server.live.ports import RecordingState
from tests.support.fake_media import FakeMedia
from tests.support.recorded import SOURCES, Call, Studio, agree, now, state
from tests.support.signalling import BrittleStore, Page, replaced


@pytest.fixture
async def house() -> AsyncIterator[Studio]:
    house = Studio()
    yield house
    await house.close()


@pytest.fixture
async def call(house: Studio) -> Call:
    return await Call(house, await house.session()).begin()


# ---------------------------------------------------------------- consent


async def test_nothing_is_recorded_before_customer_and_agent_have_agreed(house: Studio, call: Call) -> None:
    assert state(call.customer) == "off"
    assert now(call.customer)["available"] is True
    assert await call.agent.error("recording.set", state="on") is None
    for page in (call.customer, call.agent):
        assert state(page) == "asking"
        assert set(now(page)["missing"]) == {call.customer_id, call.agent_id}
    await agree(call.agent)
    assert state(call.customer) == "asking"
    assert now(call.customer)["missing"] == [call.customer_id]
    assert house.media.recordings == {}
    assert house.recorder.under_way == {}
    assert await house.recordings() == []
    await agree(call.customer)
    [recording] = await house.recordings()
    assert now(call.customer) == now(call.customer) | {
        "state": "on",
        "id": recording.id,
        "recorded": sorted([call.agent_id, call.customer_id]),
        "missing": [],
        "checklist": [],
    }
    assert [item["item"] for item in now(call.agent)["checklist"]] == ["identity", "risk"]
    said = house.media.recordings[call.session]
    assert said.recording == recording.id
    assert said.zero_mono_us == 5_000_000
    assert dict(said.whom) == {call.customer_id: SOURCES, call.agent_id: SOURCES}
    assert recording.started_by == call.agent_id
    assert set(recording.participants) == {call.customer_id, call.agent_id}
    assert await house.actions() == ["recording.started"]


async def test_consent_given_before_it_is_asked_for(house: Studio, call: Call) -> None:
    await agree(call.customer)
    await agree(call.agent)
    assert house.media.recordings == {}
    await call.agent.say("recording.set", state="on")
    assert house.whom(call.session) == {call.customer_id, call.agent_id}


async def test_others_are_recorded_only_if_they_agree_themselves(house: Studio, call: Call) -> None:
    expert_id, expert = await house.enter(call.session, Role.EXPERT)
    await call.recorded()
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    assert now(call.agent)["missing"] == [expert_id]
    await agree(expert, "refused")
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    assert now(call.agent)["missing"] == []
    await agree(expert)
    assert house.whom(call.session) == {call.customer_id, call.agent_id, expert_id}
    [recording] = await house.recordings()
    assert expert_id in recording.participants
    late_id, late = await house.enter(call.session, Role.EXPERT)
    assert state(late) == "on"
    assert late.snapshot["recording"]["missing"] == [late_id]
    assert late_id not in house.whom(call.session)


@pytest.mark.parametrize("who", ["customer", "agent"])
async def test_a_refusal_before_it_began_ends_the_asking(house: Studio, call: Call, who: str) -> None:
    await call.agent.say("recording.set", state="on")
    await agree(getattr(call, who), "refused")
    assert state(call.agent) == "off"
    await agree(call.agent)
    await agree(call.customer)
    assert house.media.recordings == {}
    await call.agent.say("recording.set", state="on")
    assert state(call.agent) == "on"


async def test_every_customer_here_must_agree(house: Studio, call: Call) -> None:
    await call.recorded()
    other_id, other = await house.enter(call.session)
    assert house.whom(call.session) == set()
    assert state(call.agent) == "asking"
    assert now(other)["missing"] == [other_id]
    await agree(other)
    assert house.whom(call.session) == {call.customer_id, call.agent_id, other_id}


async def test_what_was_not_stored_was_not_agreed_to(house: Studio, call: Call) -> None:
    await call.agent.say("recording.set", state="on")
    await agree(call.agent)
    with house.broken_store():
        assert await agree(call.customer) == "internal"
    assert house.media.recordings == {}
    assert state(call.agent) == "asking"


class Watching(FakeMedia):
    """Notes how many audit entries there were whenever the relay was told what is recorded."""

    store: BrittleStore

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[RecordingState, set[str], int]] = []

    async def set_recording(self, room: str, recording: str, zero_mono_us: int, whom: Any, state: RecordingState) -> None:
        await super().set_recording(room, recording, zero_mono_us, whom, state)
        async with self.store.read() as tx:
            self.seen.append((state, set(whom), len(await tx.list_audit(after=0, limit=1000))))


async def test_taking_it_back_is_done_at_the_relay_then_at_the_recorder_then_in_the_record() -> None:
    class WatchedStudio(Studio):
        media_class = Watching

    house = WatchedStudio()
    assert isinstance(house.media, Watching)
    house.media.store = house.store
    call = await Call(house, await house.session()).begin()
    recording = await call.recorded()
    assert [action for action, _ in await house.audit()][-1] == "recording.started"
    before = len(await house.audit())
    del house.media.calls[:]
    assert await agree(call.customer, "withdrawn") is None
    assert house.media.seen[-1] == ("paused", set(), before)
    names = [name for name, _, _ in house.media.calls]
    assert names.index("set_recording") < names.index("recorder.pause")
    assert house.recorder.under_way[recording] is True
    assert [action for action, _ in (await house.audit())[before:]] == ["recording.paused", "consent.decided"]
    assert state(call.agent) == "paused"
    assert now(call.agent)["recorded"] == now(call.agent)["missing"] == []
    # An agent who asks again asks the customer again; their consent is needed, nobody's else.
    await call.agent.say("recording.set", state="on")
    assert state(call.customer) == "asking"
    assert now(call.customer)["missing"] == [call.customer_id]
    assert house.whom(call.session) == set()
    await agree(call.customer)
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    assert house.recorder.under_way[recording] is False
    assert len(await house.recordings()) == 1
    assert (await house.actions())[-2:] == ["recording.paused", "recording.resumed"]
    await house.close()


async def test_what_cannot_be_written_down_stays_taken_back(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    with house.broken_store():
        assert await agree(call.customer, "withdrawn") == "internal"
        assert house.whom(call.session) == set()
        assert house.recorder.under_way[recording] is True
    assert house.whom(call.session) == set()
    page = await house.connect(house.token(call.session, call.customer_id, Role.CUSTOMER))
    assert state(page) == "paused"
    assert house.whom(call.session) == set()
    await house.advance(2, page, call.agent)
    assert (await house.recordings())[0].paused_at is not None
    assert await agree(page) is None
    assert house.whom(call.session) == {call.customer_id, call.agent_id}


async def test_somebody_else_who_takes_it_back_is_taken_out_alone(house: Studio, call: Call) -> None:
    expert_id, expert = await house.enter(call.session, Role.EXPERT)
    recording = await call.recorded()
    await agree(expert)
    assert expert_id in house.whom(call.session)
    await agree(expert, "withdrawn")
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    assert state(call.agent) == "on"
    assert house.recorder.under_way[recording] is False


# ---------------------------------------------------------------- who is not recorded


async def test_who_is_on_hold_is_not_recorded(house: Studio, call: Call) -> None:
    await call.recorded()
    del house.media.calls[:]
    await call.agent.say("participant.hold", participant=call.customer_id, held=True)
    assert house.whom(call.session) == frozenset()
    assert state(call.agent) == "paused"  # what staff say meanwhile is not the customer's conversation
    names = [name for name, _, who in house.media.calls if name == "set_recording" or who == call.customer_id]
    assert names[0] == "set_recording"  # before their circle is another
    await call.agent.say("participant.hold", participant=call.customer_id, held=False)
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    assert state(call.agent) == "on"


async def supervisor(house: Studio, session: SessionId) -> tuple[ParticipantId, Page]:
    id, token = await house.place(session, Role.SUPERVISOR)
    async with house.store.begin() as tx:
        place = await tx.get_participant(id)
        await tx.save_participant(replaced(place, listens_at=house.clock.now()))
    return id, await house.connect(token)


async def test_who_listens_or_whispers_is_not_recorded(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    id, listening = await supervisor(house, call.session)
    assert id not in now(call.agent)["missing"]
    await agree(listening)
    await listening.say("consent.set", scope="microphone", decision="given", wording="microphone-1", language="en")
    assert id not in house.whom(call.session)
    await listening.say("supervise", mode="whisper", to=call.agent_id)
    assert house.media.gates[call.session, id] == {"microphone"}
    house.media.speaking(call.session, id)
    await house.live.settle()
    assert id not in house.whom(call.session)
    assert not [event for event in house.recorder.said[recording] if id in str(event)]
    await listening.say("supervise", mode="join")
    assert [event["type"] for event in house.recorder.said[recording] if id in str(event)][:2] == ["consent", "joined"]
    assert id in house.whom(call.session)
    await listening.say("supervise", mode="listen")
    assert id not in house.whom(call.session)


async def test_who_waits_to_be_let_in_is_not_recorded_and_learns_nothing(house: Studio, call: Call) -> None:
    await call.recorded()
    id, token = await house.place(call.session, Role.EXPERT)
    async with house.store.begin() as tx:
        place = await tx.get_participant(id)
        await tx.save_participant(replaced(place, waits_at=house.clock.now()))
    page = await house.connect(token)
    assert page.snapshot["recording"]["state"] == "off"
    await agree(page)
    assert id not in house.whom(call.session)
    assert id not in now(call.agent)["missing"]
    await call.agent.say("recording.set", state="paused")
    assert page.got("recording") == []


async def test_who_leaves_is_not_recorded_any_more(house: Studio, call: Call) -> None:
    _, expert = await house.enter(call.session, Role.EXPERT)
    await call.recorded()
    await agree(expert)
    await expert.say("leave")
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    await call.customer.say("leave")
    assert house.whom(call.session) == set()
    assert state(call.agent) == "paused"


# ---------------------------------------------------------------- what staff ask for


async def test_pause_go_on_and_end(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    assert await call.agent.error("recording.set", state="paused") is None
    assert state(call.customer) == "paused"
    assert house.media.recordings[call.session].state == "paused"
    assert house.recorder.under_way[recording] is True
    await agree(call.customer)  # consent alone does not make it go on
    assert house.whom(call.session) == set()
    assert await call.agent.error("recording.set", state="on") is None
    assert house.whom(call.session) == {call.customer_id, call.agent_id}
    assert await call.agent.error("recording.set", state="off") is None
    assert state(call.customer) == "off"
    assert house.media.recordings[call.session].state == "off"
    assert house.recorder.ended == [recording]
    [stored] = await house.recordings()
    assert (stored.ending, stored.bytes, stored.duration_ms) == (RecordingEnding.COMPLETE, 1000, 2000)
    assert stored.ended_at is not None
    assert await house.actions() == ["recording.started", "recording.paused", "recording.resumed", "recording.ended"]
    kinds = [event["type"] for event in house.recorder.said[recording]]
    assert kinds[:4] == ["consent", "consent", "joined", "joined"]
    assert kinds[4:] == ["paused", "consent", "resumed"]


async def test_saying_it_again_changes_nothing(house: Studio, call: Call) -> None:
    await call.recorded()
    other_id, other = await house.enter(call.session, Role.AGENT)
    await agree(other, "refused")
    before = await house.audit()
    told = len(call.customer.got("recording"))
    for wanted in ("on", "on"):
        assert await other.error("recording.set", state=wanted) is None
    assert await house.audit() == before
    assert len(call.customer.got("recording")) == told
    assert now(call.agent)["missing"] == []
    for wanted in ("paused", "paused", "off", "off"):
        assert await call.agent.error("recording.set", state=wanted) is None
    assert await house.actions() == ["recording.started", "recording.paused", "recording.ended"]
    assert other_id not in (await house.recordings())[0].participants


async def test_two_who_press_at_once(house: Studio, call: Call) -> None:
    _, other = await house.enter(call.session, Role.AGENT)
    await agree(call.customer)
    await agree(call.agent)
    call.agent.post("recording.set", state="on")
    other.post("recording.set", state="on")
    await house.live.settle()
    assert len(await house.recordings()) == 1
    assert state(other) == "on"


async def test_a_new_one_after_the_end(house: Studio, call: Call) -> None:
    first = await call.recorded()
    await call.agent.say("recording.set", state="off")
    await call.agent.say("recording.set", state="on")
    assert now(call.agent)["id"] != first
    assert len(await house.recordings()) == 2
    assert house.whom(call.session) == {call.customer_id, call.agent_id}


async def test_the_end_of_the_session_ends_it(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    await call.agent.say("session.end")
    assert house.recorder.ended == [recording]
    assert (await house.recordings())[0].ending is RecordingEnding.COMPLETE
    await house.advance(1)
    assert house.live.stats()["sessions"] == 0


async def test_when_everybody_has_left_it_ends(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    await call.customer.say("leave")
    await call.agent.say("leave")
    assert house.recorder.ended == [recording]


async def test_what_is_refused(house: Studio, call: Call) -> None:
    assert await call.customer.error("recording.set", state="on") == "not_allowed"
    assert await call.customer.error("checkpoint.mark", item="risk", done=True) == "not_allowed"
    assert await call.agent.error("recording.set", state="paused") == "conflict"
    assert await call.agent.error("recording.set", state="off") is None
    assert await call.agent.error("recording.set", state="loud") == "invalid"
    assert await call.agent.error("checkpoint.mark", item="risk", done=True) == "conflict"
    await call.recorded()
    assert await call.agent.error("checkpoint.mark", item="luck", done=True) == "invalid"
    assert await call.agent.error("checkpoint.mark", item="risk", done=True, note="x" * 201) == "invalid"
    assert state(call.agent) == "on"


async def test_a_session_that_waits_is_not_recorded(house: Studio) -> None:
    session = await house.session(SessionStatus.WAITING)
    _, agent = await house.enter(session, Role.AGENT)
    assert await agent.error("recording.set", state="on") == "conflict"


async def test_a_server_that_does_not_record() -> None:
    house = Studio(enabled=False)
    call = await Call(house, await house.session()).begin()
    assert now(call.agent)["available"] is False
    assert await call.agent.error("recording.set", state="on") == "conflict"
    await house.close()


async def test_everybody_is_asked_at_the_start() -> None:
    house = Studio(at_start="ask")
    session = await house.session()
    _, customer = await house.enter(session)
    assert state(customer) == "off"
    _, agent = await house.enter(session, Role.AGENT)
    assert state(customer) == "asking"
    await agree(customer, "refused")
    assert state(agent) == "off"
    await house.enter(session, Role.EXPERT)
    assert state(agent) == "off"  # once
    await house.close()


# ---------------------------------------------------------------- the checklist and the events


async def test_checkpoints_are_told_audited_and_written_into_the_recording(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    assert await call.agent.error("checkpoint.mark", item="risk", done=True, note="reads aloud") is None
    assert await call.agent.error("checkpoint.mark", item="risk", done=True) is None
    item = now(call.agent)["checklist"][1]
    assert item["by"] == call.agent_id
    assert item["done_at"] is not None
    assert [mark.item for mark in (await house.recordings())[0].checkpoints] == ["risk"]
    [event] = [event for event in house.recorder.said[recording] if event["type"] == "checkpoint"]
    assert (event["key"], event["label"], event["note"], event["done"]) == ("risk", "风险", "reads aloud", True)
    assert (event["zh"], event["en"]) == ("风险", "Risks")
    async with house.store.read() as tx:
        entries = [entry.event for entry in await tx.list_audit(after=0, limit=1000)]
    [marked] = [entry for entry in entries if entry.action.value == "checkpoint.marked"]
    assert marked.details == {"item": "risk", "done": "yes"}
    assert "aloud" not in str(entries)
    await call.agent.say("checkpoint.mark", item="risk", done=False)
    assert now(call.agent)["checklist"][1]["done_at"] is None


async def test_a_note_alone_is_in_the_recording_and_nowhere_else(house: Studio, call: Call) -> None:
    assert await call.agent.error("checkpoint.mark", item="", done=True, note="asks about fees") == "conflict"
    recording = await call.recorded()
    assert await call.agent.error("checkpoint.mark", item="", done=True, note="asks about fees") is None
    assert await call.agent.error("checkpoint.mark", item="", done=True) == "invalid"
    assert await call.agent.error("checkpoint.mark", item="", done=False, note="asks about fees") == "invalid"
    [event] = [event for event in house.recorder.said[recording] if event["type"] == "checkpoint"]
    assert (event["key"], event["note"], event["participant"]) == ("", "asks about fees", call.agent_id)
    assert "checkpoint.marked" not in await house.actions()
    assert (await house.recordings())[0].checkpoints == ()


async def test_nothing_is_noted_while_it_is_paused(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    marks = [{"item": "", "done": True, "note": "her card ends in 12"}, {"item": "risk", "done": True, "note": "x"}]
    await agree(call.customer, "withdrawn")
    for mark in marks:
        assert await call.agent.error("checkpoint.mark", **mark) == "conflict"
    await call.agent.say("recording.set", state="on")
    await agree(call.customer)
    await call.agent.say("recording.set", state="paused")
    for mark in marks:
        assert await call.agent.error("checkpoint.mark", **mark) == "conflict"
    assert not [event for event in house.recorder.said[recording] if event["type"] == "checkpoint"]
    assert (await house.recordings())[0].checkpoints == ()
    await call.agent.say("recording.set", state="on")
    assert await call.agent.error("checkpoint.mark", **marks[0]) is None


async def test_what_somebody_notes_who_is_not_recorded_is_not_kept(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    _, colleague = await house.enter(call.session, Role.AGENT)
    assert await colleague.error("checkpoint.mark", item="", done=True, note="mine") == "conflict"
    assert await colleague.error("checkpoint.mark", item="risk", done=True, note="mine") is None
    [event] = [event for event in house.recorder.said[recording] if event["type"] == "checkpoint"]
    assert (event["key"], event["note"]) == ("risk", "")


async def test_decisions_of_who_waits_are_not_in_the_recording(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    await call.agent.say("session.waiting_room", on=True)
    id, token = await house.place(call.session, Role.EXPERT)
    async with house.store.begin() as tx:
        place = await tx.get_participant(id)
        await tx.save_participant(replaced(place, waits_at=house.clock.now()))
    guest = await house.connect(token)
    assert await agree(guest) is None
    assert not [event for event in house.recorder.said[recording] if id in str(event)]
    await call.agent.say("participant.admit", participant=id, admitted=True)
    assert [event["type"] for event in house.recorder.said[recording] if id in str(event)] == ["consent", "joined"]


async def test_everybody_is_told_how_long_it_is_kept() -> None:
    house = Studio(retention_days=90)
    call = await Call(house, await house.session()).begin()
    assert now(call.customer)["retention_days"] == 90
    await house.close()


async def test_what_was_done_stays_done_in_the_next_recording_of_the_session(house: Studio, call: Call) -> None:
    await call.recorded()
    await call.agent.say("checkpoint.mark", item="identity", done=True)
    await call.agent.say("recording.set", state="off")
    await call.agent.say("recording.set", state="on")
    assert now(call.agent)["checklist"][0]["done_at"] is not None
    assert len((await house.recordings())[1].checkpoints) == 1


async def test_what_goes_into_the_events(house: Studio, call: Call) -> None:
    expert_id, expert = await house.enter(call.session, Role.EXPERT)
    await expert.say("chat.send", client_id="0", text="before")
    recording = await call.recorded()
    await call.customer.say("chat.send", client_id="1", text="hello")
    await call.customer.say("chat.send", client_id="1", text="hello")
    file = await house.file(call.session, call.customer_id)
    await call.customer.say("chat.send", client_id="2", file=file)
    await expert.say("chat.send", client_id="3", text="not agreed")
    house.media.speaking(call.session, expert_id, call.customer_id)
    house.media.speaking(call.session, call.customer_id, expert_id)
    await call.customer.say("consent.set", scope="screen", decision="given", wording="screen-1", language="en")
    await call.customer.say("track.state", source="screen", on=True)
    await call.customer.say("track.state", source="screen", on=False)
    await expert.say("leave")
    said = house.recorder.said[recording]
    assert [event for event in said if event["type"] == "chat"] == [
        {"type": "chat", "participant": call.customer_id, "text": "hello", "mono_us": int(house.clock.monotonic() * 1e6)}
    ]
    [sent] = [event for event in said if event["type"] == "file"]
    assert (sent["name"], sent["size"]) == ("a.png", 10)
    assert [event["participants"] for event in said if event["type"] == "speaking"] == [[call.customer_id]]
    assert [event["on"] for event in said if event["type"] == "screen"] == [True, False]
    names = {event["participant"]: event["name"] for event in said if event["type"] == "joined"}
    assert names == {call.customer_id: "customer", call.agent_id: "agent", expert_id: ""}
    assert [event["participant"] for event in said if event["type"] == "left"] == [expert_id]
    assert "not agreed" not in str(said)


async def test_nothing_that_is_said_in_a_pause_is_kept(house: Studio, call: Call) -> None:
    recording = await call.recorded()
    await call.agent.say("recording.set", state="paused")
    await call.customer.say("chat.send", client_id="1", text="secret")
    house.media.speaking(call.session, call.customer_id)
    await house.live.settle()
    assert not {"chat", "speaking"} & {event["type"] for event in house.recorder.said[recording]}

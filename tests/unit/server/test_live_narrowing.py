"""What narrows is in force when it is said, whatever the session waits for: the store, or the recorder."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.domain.grants import session_grants
from server.domain.ids import InvitationId, ParticipantId, SessionId, StaffId
from server.domain.model import Role, SessionKind, Source
from server.live.gates import PUBLISH
from server.live.session import LiveSession
from server.store.ports import Transaction
from tests.support.fake_media import OFFER
from tests.support.fake_recorder import FakeRecorder
from tests.support.recorded import Call, Studio, agree, now, state
from tests.support.signalling import BrittleStore, Page, replaced


class SlowStore(BrittleStore):
    """Nothing is written while ``open`` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = asyncio.Event()

    def begin(self) -> Any:
        return self._slowly(super().begin())

    @asynccontextmanager
    async def _slowly(self, begun: Any) -> AsyncIterator[Transaction]:
        self.waiting.set()
        await self.open.wait()
        async with begun as tx:
            yield tx


class HungRecorder(FakeRecorder):
    """Answers no pause while ``open`` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.waiting = asyncio.Event()

    async def pause(self, recording: str, paused: bool) -> None:
        self.waiting.set()
        await self.open.wait()
        await super().pause(recording, paused)


class Slow(Studio):
    """A call with a camera, whose store can be made to stand still."""

    store: SlowStore
    recorder_class = HungRecorder

    async def begin(self) -> "Slow":
        self.id: SessionId = await self.session()
        self.call = await Call(self, self.id).begin()
        self.customer, self.agent = self.call.customer, self.call.agent
        for page in (self.customer, self.agent):
            for scope in ("camera", "microphone"):
                assert await decide(page, "given", scope) is None
        return self

    @property
    def session_now(self) -> LiveSession:
        return self.live._sessions[self.id]

    def passes(self, whose: ParticipantId) -> frozenset[str]:
        return self.media.gates[self.id, whose]

    def circle(self, whose: ParticipantId) -> str:
        return self.media.circles[self.id, whose]

    async def stuck(self) -> None:
        """The session waits for the store from here on."""
        self.store.open.clear()
        self.store.waiting.clear()
        self.agent.post("chat.send", client_id="stuck", text="hello")
        await self.store.waiting.wait()

    async def told(self) -> None:
        """The relay was told, and the session still waits."""
        await self.session_now.narrowing.settle()
        assert not self.session_now.actor.idle

    async def free(self) -> None:
        self.store.open.set()
        await self.live.settle()


@pytest.fixture
async def house() -> AsyncIterator[Slow]:
    house = await Slow(SlowStore()).begin()
    yield house
    house.store.open.set()
    await house.close()


def say_decision(page: Page, decision: str, scope: str) -> int:
    return page.post("consent.set", scope=scope, decision=decision, wording="c-1", language="en")


async def decide(page: Page, decision: str, scope: str) -> str | None:
    seq = say_decision(page, decision, scope)
    await page.house.live.settle()
    return page.errors().get(seq)


BOTH = frozenset({"camera", "microphone"})


async def test_a_withdrawal_does_not_wait_for_the_store(house: Slow) -> None:
    await house.stuck()
    say_decision(house.customer, "withdrawn", "camera")
    await house.told()
    assert house.passes(house.call.customer_id) == {"microphone"}
    assert house.passes(house.call.agent_id) == BOTH
    await house.free()
    assert house.passes(house.call.customer_id) == {"microphone"}
    assert house.customer.got("consent.changed")[-1]["consent"]["decision"] == "withdrawn"


async def test_given_and_taken_back_at_once_never_opens(house: Slow) -> None:
    assert await decide(house.customer, "withdrawn", "camera") is None
    await house.stuck()
    say_decision(house.customer, "given", "camera")
    say_decision(house.customer, "withdrawn", "camera")
    await house.told()
    begun = len(house.media.calls)
    await house.free()
    assert house.passes(house.call.customer_id) == {"microphone"}
    assert ("set_gates", house.id, house.call.customer_id) not in house.media.calls[begun:]


async def test_taken_back_and_given_again_ends_open(house: Slow) -> None:
    await house.stuck()
    say_decision(house.customer, "withdrawn", "camera")
    await house.told()
    say_decision(house.customer, "given", "camera")
    await house.told()
    assert house.passes(house.call.customer_id) == {"microphone"}
    await house.free()
    assert house.passes(house.call.customer_id) == BOTH


async def test_a_withdrawal_counts_whose_page_is_gone_before_its_turn(house: Slow) -> None:
    await house.stuck()
    say_decision(house.customer, "withdrawn", "camera")
    house.customer.connection.close("moved")  # type: ignore[arg-type]
    await house.told()
    await house.free()
    assert house.passes(house.call.customer_id) == {"microphone"}
    async with house.store.read() as tx:
        decided = {
            one.scope: one.decision
            for one in await tx.latest_consents(house.id)
            if one.participant_id == house.call.customer_id
        }
    assert decided["camera"] == "withdrawn"  # type: ignore[index]


async def test_a_withdrawal_that_finds_the_session_busy_shuts_all_the_same(house: Slow) -> None:
    await house.stuck()
    while house.session_now.actor.post(_nothing):
        pass
    say_decision(house.customer, "withdrawn", "camera")
    await house.told()
    assert house.passes(house.call.customer_id) == {"microphone"}
    assert house.customer.bye == "internal"
    await house.free()
    assert house.passes(house.call.customer_id) == {"microphone"}


async def _nothing() -> None:
    pass


@pytest.mark.parametrize("act", ["hold", "remove", "leave"])
async def test_a_hold_and_a_removal_do_not_wait_for_the_store(house: Slow, act: str) -> None:
    customer = house.call.customer_id
    await house.stuck()
    if act == "hold":
        house.agent.post("participant.hold", participant=customer, held=True)
    elif act == "remove":
        house.agent.post("participant.remove", participant=customer)
    else:
        house.customer.post("leave")
    await house.told()
    assert house.circle(customer) == (f"hold:{customer}" if act == "hold" else f"out:{customer}")
    assert house.passes(customer) == (BOTH if act == "hold" else frozenset())
    await house.free()
    if act == "hold":
        assert house.circle(customer) == f"hold:{customer}"
        assert (await house.participant(customer)).held_at is not None
    else:
        assert house.customer.bye == ("removed" if act == "remove" else "left")
        assert (house.id, customer) not in house.media.gates


async def test_a_mute_does_not_wait_for_the_store(house: Slow) -> None:
    await house.stuck()
    house.agent.post("participant.mute", participant=house.call.customer_id, muted=True)
    await house.told()
    assert house.passes(house.call.customer_id) == {"camera"}
    house.agent.post("participant.mute", participant=house.call.customer_id, muted=False)
    await house.free()
    assert house.passes(house.call.customer_id) == BOTH


async def test_the_end_does_not_wait_for_the_store(house: Slow) -> None:
    await house.stuck()
    house.agent.post("session.end", reason="done")
    await house.told()
    for one in (house.call.customer_id, house.call.agent_id):
        assert house.passes(one) == frozenset()
        assert house.circle(one) == f"out:{one}"
    await house.free()
    assert house.customer.bye == "session_ended"
    assert house.media.gates == {}


async def test_an_end_that_cannot_be_stored_is_taken_back(house: Slow) -> None:
    await house.stuck()
    house.store.broken = True
    seq = house.agent.post("session.end", reason="done")
    await house.told()
    assert house.passes(house.call.customer_id) == frozenset()
    await house.free()
    assert house.agent.errors()[seq] == "internal"
    for one in (house.call.customer_id, house.call.agent_id):
        assert (house.passes(one), house.circle(one)) == (BOTH, "")


@pytest.mark.parametrize("type", ["participant.hold", "participant.mute", "participant.remove", "session.end", "recording.set"])
async def test_who_may_not_say_it_shuts_nothing(house: Slow, type: str) -> None:
    _, page = await house.enter(house.id, Role.EXPERT)
    fields: dict[str, dict[str, Any]] = {
        "participant.hold": {"participant": house.call.customer_id, "held": True},
        "participant.mute": {"participant": house.call.customer_id, "muted": True},
        "participant.remove": {"participant": house.call.customer_id},
        "session.end": {"reason": "x"},
        "recording.set": {"state": "off"},
    }
    await house.stuck()
    begun = len(house.media.calls)
    seq = page.post(type, **fields[type])
    await house.told()
    assert len(house.media.calls) == begun
    await house.free()
    assert page.errors()[seq] == "not_allowed"
    assert house.passes(house.call.customer_id) == BOTH


async def test_nobody_shuts_whom_they_do_not_know_or_themselves(house: Slow) -> None:
    await house.stuck()
    begun = len(house.media.calls)
    for participant in (house.call.agent_id, "PA_nobody"):
        house.agent.post("participant.hold", participant=participant, held=True)
        house.agent.post("participant.mute", participant=participant, muted=True)
        house.agent.post("participant.remove", participant=participant)
    await house.told()
    assert len(house.media.calls) == begun
    await house.free()
    assert len(house.agent.errors()) == 6


async def test_a_removal_over_rest_does_not_wait_for_the_store(house: Slow) -> None:
    await house.stuck()
    removing = asyncio.create_task(house.live.remove_participant(house.id, house.call.customer_id, "SK_1"))
    await _turn(house, removing)
    assert house.passes(house.call.customer_id) == frozenset()
    await house.free()
    await removing
    assert house.customer.bye == "removed"


async def test_who_came_by_a_withdrawn_invitation_is_out_before_its_turn(house: Slow) -> None:
    guest, token = await house.place(house.id, Role.EXPERT)
    async with house.store.begin() as tx:
        place = await tx.get_participant(guest)
        await tx.save_participant(replaced(place, identity="invitation:IN_1#1"))
    page = await house.connect(token)
    assert await decide(page, "given", "camera") is None
    assert house.passes(guest) == {"camera"}
    await house.stuck()
    revoking = asyncio.create_task(house.live.invitation_revoked(house.id, InvitationId("IN_1"), "ST_1"))
    await _turn(house, revoking)
    assert house.passes(guest) == frozenset()
    assert house.passes(house.call.customer_id) == BOTH
    await house.free()
    await revoking
    assert page.bye == "revoked"


async def test_an_account_that_is_disabled_is_out_before_its_turn(house: Slow) -> None:
    member = house.session_now.members[house.call.agent_id]
    member.participant = replaced(member.participant, identity="staff:ST_1")
    await house.stuck()
    disabling = asyncio.create_task(house.live.staff_disabled(StaffId("ST_1"), "ST_2"))
    await house.live._desks.actor.settle()
    await _turn(house, disabling)
    assert house.passes(house.call.agent_id) == frozenset()
    assert house.passes(house.call.customer_id) == BOTH
    await house.free()
    await disabling
    assert house.agent.bye == "removed"


async def _turn(house: Slow, task: "asyncio.Task[Any]") -> None:
    """Until the task has asked the session."""
    while not house.session_now.narrowing._said:
        assert not task.done()
        await asyncio.sleep(0)
    await house.told()


async def test_an_end_over_rest_does_not_wait_for_the_store(house: Slow) -> None:
    await house.stuck()
    ending = asyncio.create_task(house.live.end_session(house.id, "done", "SK_1"))
    await _turn(house, ending)
    assert house.passes(house.call.customer_id) == frozenset()
    await house.free()
    assert (await ending).ended_at is not None


def test_no_role_may_send_less_than_another() -> None:
    """Else a role that changes would have to narrow at once, too."""
    roles = (Role.EXPERT, Role.AGENT, Role.SUPERVISOR)
    assert len({session_grants(role, kind) & set(PUBLISH.values()) for role in roles for kind in SessionKind}) == 1


async def test_who_listens_from_now_on_is_heard_by_nobody_at_once(house: Slow) -> None:
    supervisor, page = await house.enter(house.id, Role.SUPERVISOR)
    assert await page.error("supervise", mode="join") is None
    for scope in ("camera", "microphone"):
        assert await decide(page, "given", scope) is None
    assert house.passes(supervisor) == BOTH
    await house.stuck()
    page.post("supervise", mode="listen")
    await house.told()
    assert house.passes(supervisor) == frozenset()
    await house.free()
    assert house.passes(supervisor) == frozenset()


async def test_nobody_whispers_across_a_hold_that_waits(house: Slow) -> None:
    supervisor, page = await house.enter(house.id, Role.SUPERVISOR)
    assert await decide(page, "given", "microphone") is None
    assert await page.error("supervise", mode="whisper", to=house.call.agent_id) is None
    assert house.passes(supervisor) == {"microphone"}
    _, second = await house.enter(house.id, Role.AGENT)
    await house.stuck()
    second.post("participant.hold", participant=house.call.agent_id, held=True)
    await house.told()
    assert house.passes(supervisor) == frozenset()
    await house.free()
    assert house.passes(supervisor) == frozenset()
    assert page.got("whispers")[-1]["to"] is None


async def test_a_hold_lasts_over_a_page_that_is_loaded_again(house: Slow) -> None:
    token = house.token(house.id, house.call.customer_id, Role.CUSTOMER)
    await house.stuck()
    coming = asyncio.create_task(house.connect(token))
    house.agent.post("participant.hold", participant=house.call.customer_id, held=True)
    await house.told()
    await house.free()
    await coming
    assert house.circle(house.call.customer_id) == f"hold:{house.call.customer_id}"


async def test_a_tap_ends_and_none_is_opened(house: Slow) -> None:
    assert await decide(house.customer, "given", "face") is None
    assert await house.customer.error("media.offer", sdp=OFFER) is None
    taps = house.session_now.needs.taps
    looking = taps.open(house.id, house.call.customer_id, Source.CAMERA, nonce=bytes(16), actor="AI_1")
    tap: Any = await looking.__aenter__()
    await house.stuck()
    say_decision(house.customer, "given", "face")
    say_decision(house.customer, "withdrawn", "face")
    assert tap.ended == "withdrawn"
    assert not house.live._shown(house.id, house.call.customer_id)
    await house.free()
    await looking.__aexit__(None, None, None)
    with pytest.raises(Exception, match="has not agreed"):
        async with taps.open(house.id, house.call.customer_id, Source.CAMERA, nonce=bytes(16), actor="AI_1"):
            pass


# ---------------------------------------------------------------- the recording


async def test_a_recording_does_not_wait_for_the_store_to_pause(house: Slow) -> None:
    recording = await house.call.recorded()
    await house.stuck()
    await agreed_not(house.customer)
    await house.told()
    assert house.whom(house.id) == set()
    assert house.media.recordings[house.id].recording == recording
    await house.free()
    assert (state(house.customer), house.whom(house.id)) == ("paused", set())
    assert (await house.actions())[-1] == "recording.paused"


async def agreed_not(page: Page) -> None:
    page.post("consent.set", scope="recording", decision="withdrawn", wording="recording-1", language="en")


@pytest.mark.parametrize("wanted", ["paused", "off"])
async def test_staff_who_pause_do_not_wait_for_the_store(house: Slow, wanted: str) -> None:
    await house.call.recorded()
    await house.stuck()
    house.agent.post("recording.set", state=wanted)
    await house.told()
    assert house.whom(house.id) == set()
    await house.free()
    assert state(house.customer) == wanted


async def test_agreed_and_taken_back_at_once_records_nobody(house: Slow) -> None:
    assert await house.agent.error("recording.set", state="on") is None
    assert await agree(house.agent) is None
    await house.stuck()
    house.customer.post("consent.set", scope="recording", decision="given", wording="recording-1", language="en")
    await agreed_not(house.customer)
    assert house.call.customer_id not in _missing(house)
    await house.free()
    assert "set_recording" not in {name for name, _, _ in house.media.calls}
    assert await house.recordings() == []


def _missing(house: Slow) -> list[str]:
    missing: list[str] = now(house.agent)["missing"]
    house.session_now.recording._tell()
    return [one for one in missing if one in now(house.agent)["missing"]]


async def test_a_note_is_not_recorded_of_who_says_no_while_it_is_written_down(house: Slow) -> None:
    recording = await house.call.recorded()
    house.store.open.clear()
    house.store.waiting.clear()
    house.agent.post("checkpoint.mark", item="identity", done=True, note="looks tired")
    await house.store.waiting.wait()
    say_decision(house.agent, "withdrawn", "recording")
    await house.free()
    [ticked] = [event for event in house.recorder.said[recording] if event["type"] == "checkpoint"]
    assert (ticked["key"], ticked["note"]) == ("identity", "")


async def test_a_recorder_that_hangs_delays_nobody(house: Slow) -> None:
    await house.call.recorded()
    recorder = HungRecorder()
    hung, house.recorder.pause = house.recorder.pause, recorder.pause  # type: ignore[method-assign]
    recorder.open.clear()
    house.agent.post("recording.set", state="paused")
    await recorder.waiting.wait()
    say_decision(house.customer, "withdrawn", "camera")
    async with asyncio.timeout(60):
        await house.session_now.actor.settle()
    assert house.passes(house.call.customer_id) == {"microphone"}
    assert house.whom(house.id) == set()
    house.recorder.pause = hung  # type: ignore[method-assign]
    recorder.open.set()
    await house.live.settle()
    assert house.passes(house.call.customer_id) == {"microphone"}


async def test_a_recorder_that_does_not_answer_is_not_waited_for_each_time(house: Slow) -> None:
    recording = await house.call.recorded()

    def asked() -> int:
        return house.media.calls.count(("recorder.pause", recording, ""))

    house.recorder.lose()
    assert await house.agent.error("recording.set", state="paused") is None
    for scope in ("camera", "microphone"):
        assert await decide(house.customer, "withdrawn", scope) is None
    assert asked() == 1
    await house.advance(6, house.customer, house.agent)
    assert await decide(house.customer, "given", "camera") is None
    assert asked() == 2
    house.recorder.come_back()
    await house.advance(6, house.customer, house.agent)
    assert await decide(house.customer, "given", "microphone") is None
    assert asked() == 3


async def test_a_gate_is_shut_before_the_recorder_is_asked(house: Slow) -> None:
    """Also in its turn: the relay first, whoever else must be told."""
    await house.call.recorded()
    recorder = HungRecorder()
    house.recorder.pause = recorder.pause  # type: ignore[method-assign]
    recorder.open.clear()
    member = house.session_now.members[house.call.customer_id]
    member.participant = replaced(member.participant, held_at=house.clock.now())
    following = asyncio.create_task(house.session_now.apply_gate(member))
    await recorder.waiting.wait()
    assert house.circle(member.id) == f"hold:{member.id}"
    recorder.open.set()
    await following


# ---------------------------------------------------------------- whatever is said, in whatever order

steps = st.one_of(
    st.tuples(st.just("camera"), st.booleans()),
    st.tuples(st.just("hold"), st.booleans()),
    st.tuples(st.just("mute"), st.booleans()),
    st.tuples(st.just("wait"), st.just(True)),
    st.tuples(st.just("store"), st.booleans()),
)


async def play(said: list[tuple[str, bool]]) -> None:
    """At every moment the customer sends no more than the newest words allow; at the end exactly that."""
    house = await Slow(SlowStore()).begin()
    customer = house.call.customer_id
    opened = {"camera": True, "hold": True, "mute": True}  # by the newest words; of hold and mute: that there is none
    try:
        for what, yes in [*said, ("wait", True)]:
            if what == "wait":
                await house.free()
            elif what == "store":
                if yes and house.store.open.is_set():
                    await house.stuck()
                elif not yes:
                    house.store.open.set()
            else:
                if what == "camera":
                    say_decision(house.customer, "given" if yes else "withdrawn", "camera")
                elif what == "hold":
                    house.agent.post("participant.hold", participant=customer, held=not yes)
                else:
                    house.agent.post("participant.mute", participant=customer, muted=not yes)
                opened[what] = yes
            await house.session_now.narrowing.settle()
            for name, source in (("camera", "camera"), ("mute", "microphone")):
                assert opened[name] or source not in house.passes(customer), name
            assert opened["hold"] or house.circle(customer) == f"hold:{customer}"
            if what == "wait":
                wanted = {source for name, source in (("camera", "camera"), ("mute", "microphone")) if opened[name]}
                assert house.passes(customer) == wanted
                assert house.circle(customer) == ("" if opened["hold"] else f"hold:{customer}")
                assert house.session_now.narrowing._said == []
    finally:
        house.store.open.set()
        await house.close()


@settings(max_examples=100, deadline=None)
@given(st.lists(steps, max_size=12))
def test_what_was_said_last_is_never_exceeded(said: list[tuple[str, bool]]) -> None:
    asyncio.run(play(said))

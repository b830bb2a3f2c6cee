"""Nobody is recorded before the record says so, and nothing is told in the events of those who are not recorded."""

from typing import Any

from server.domain.ids import RecordingId
from server.domain.model import Role
from server.live.ports import RecordingState
from tests.support.fake_media import FakeMedia
from tests.support.recorded import Call, Studio, agree
from tests.support.signalling import BrittleStore


class Reading(FakeMedia):
    """Notes who the relay was told to record while the record of the recording did not name them."""

    store: BrittleStore

    def __init__(self) -> None:
        super().__init__()
        self.unwritten: set[str] = set()

    async def set_recording(self, room: str, recording: str, zero_mono_us: int, whom: Any, state: RecordingState) -> None:
        await super().set_recording(room, recording, zero_mono_us, whom, state)
        async with self.store.read() as tx:
            record = await tx.get_recording(RecordingId(recording))
        assert record is not None
        self.unwritten |= set(whom) - set(record.participants)


class ReadStudio(Studio):
    media_class = Reading


async def test_whoever_is_recorded_stands_in_the_record_before_their_first_packet() -> None:
    house = ReadStudio()
    assert isinstance(house.media, Reading)
    house.media.store = house.store
    call = await Call(house, await house.session()).begin()
    await call.recorded()
    expert_id, expert = await house.enter(call.session, Role.EXPERT)
    await agree(expert)
    assert house.whom(call.session) == {call.customer_id, call.agent_id, expert_id}
    assert house.media.unwritten == set()
    await house.close()


async def test_the_screen_of_somebody_who_is_not_recorded_is_in_no_event() -> None:
    house = Studio()
    call = await Call(house, await house.session()).begin()
    expert_id, expert = await house.enter(call.session, Role.EXPERT)
    recording = await call.recorded()

    async def shows(on: bool) -> list[tuple[str, bool]]:
        await expert.say("track.state", source="screen", on=on)
        told = house.recorder.said[recording]
        return [(event["participant"], event["on"]) for event in told if event["type"] == "screen"]

    await expert.say("consent.set", scope="screen", decision="given", wording="screen-1", language="en")
    assert await shows(True) == []
    assert await shows(False) == []
    assert await agree(expert) is None
    assert await shows(True) == [(expert_id, True)]
    await house.close()

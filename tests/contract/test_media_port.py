"""What every media plane must do, asked of the fake and of the real client with a real worker process."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from media.client import MediaClient
from media.control import Configure
from media.errors import MediaRefusedError
from media.supervisor import SupervisorConfig
from server.api.media import counters
from server.live.ports import MediaPort, MediaRefused
from tests.support.fake_media import OFFER, FakeMedia

ROOM, ALICE, BOB = "SE_room", "PA_alice", "PA_bob"


@dataclass
class Plane:
    port: MediaPort
    refused: type[Exception]


class Silent:
    """Hears everything, minds nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.fixture(params=["fake", "real"])
async def plane(request: pytest.FixtureRequest) -> AsyncIterator[Plane]:
    if request.param == "fake":
        yield Plane(FakeMedia(), MediaRefused)
        return
    client = MediaClient(SupervisorConfig(worker=Configure(bind=("127.0.0.1",), recorder="/nowhere")))
    client.listen(Silent())
    await client.start()
    try:
        yield Plane(client, MediaRefusedError)
    finally:
        await client.close()


async def test_an_offer_is_answered(plane: Plane) -> None:
    answer = await plane.port.connect(ROOM, ALICE, OFFER)
    lines = answer.split("\r\n")
    assert lines[0] == "v=0"
    assert "a=ice-lite" in lines
    assert "a=group:BUNDLE 0 1 2 3" in lines
    assert lines.count("a=recvonly") == lines.count("a=sendonly") == 2


async def test_the_same_participant_may_connect_again(plane: Plane) -> None:
    await plane.port.connect(ROOM, ALICE, OFFER)
    again = OFFER.replace("ice-ufrag:abcd", "ice-ufrag:efgh")
    assert (await plane.port.connect(ROOM, ALICE, again)).startswith("v=0")


@pytest.mark.parametrize(
    ("offer", "code"),
    [("", "not_sdp"), (OFFER.replace("actpass", "passive"), "bad_setup"), (OFFER.replace("a=rtcp-mux\r\n", ""), "no_rtcp_mux")],
)
async def test_a_bad_offer_is_refused_and_harms_nothing(plane: Plane, offer: str, code: str) -> None:
    with pytest.raises(plane.refused) as caught:
        await plane.port.connect(ROOM, ALICE, offer)
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert (await plane.port.connect(ROOM, ALICE, OFFER)).startswith("v=0")


async def test_gates_before_and_after_connecting(plane: Plane) -> None:
    await plane.port.set_gates(ROOM, ALICE, frozenset({"microphone"}))
    await plane.port.connect(ROOM, ALICE, OFFER)
    await plane.port.set_gates(ROOM, ALICE, frozenset({"microphone", "camera"}))
    await plane.port.set_gates(ROOM, ALICE, frozenset())
    await plane.port.set_gates(ROOM, BOB, frozenset({"screen"}))
    await plane.port.set_gates(ROOM, ALICE, frozenset({"microphone"}), "apart", frozenset({BOB}))


async def test_how_much_one_wants_to_receive_before_and_after_connecting(plane: Plane) -> None:
    await plane.port.set_receive(ROOM, ALICE, 0, {})
    await plane.port.connect(ROOM, ALICE, OFFER)
    await plane.port.set_receive(ROOM, ALICE, 12, {"3": 360})


async def test_what_is_recorded_before_and_after_connecting(plane: Plane) -> None:
    await plane.port.set_recording(ROOM, "RE_1", 1, {ALICE: frozenset({"microphone"})}, "on")
    await plane.port.connect(ROOM, ALICE, OFFER)
    await plane.port.set_recording(ROOM, "RE_1", 1, {ALICE: frozenset({"microphone", "camera"}), BOB: frozenset()}, "paused")
    for _ in range(2):
        await plane.port.set_recording(ROOM, "RE_1", 1, {}, "off")
    await plane.port.set_recording("SE_unknown", "RE_2", 1, {}, "off")


async def test_leaving_twice_is_no_error(plane: Plane) -> None:
    await plane.port.connect(ROOM, ALICE, OFFER)
    for _ in range(2):
        await plane.port.disconnect(ROOM, ALICE)
    await plane.port.disconnect("SE_unknown", ALICE)
    for _ in range(2):
        await plane.port.close_room(ROOM)


async def test_a_room_can_be_used_again_after_it_was_closed(plane: Plane) -> None:
    await plane.port.connect(ROOM, ALICE, OFFER)
    await plane.port.close_room(ROOM)
    assert (await plane.port.connect(ROOM, ALICE, OFFER)).startswith("v=0")


async def test_stats_name_the_participants(plane: Plane) -> None:
    await plane.port.connect(ROOM, ALICE, OFFER)
    await plane.port.connect(ROOM, BOB, OFFER)
    assert await participants(plane) == {ALICE, BOB}
    await plane.port.disconnect(ROOM, BOB)
    assert await participants(plane) == {ALICE}
    assert await plane.port.stats("SE_unknown") == {}


async def test_the_counters_can_be_read_by_the_api(plane: Plane) -> None:
    assert counters(await plane.port.stats(ROOM)).participants == []
    await plane.port.connect(ROOM, ALICE, OFFER)
    assert [one.participant for one in counters(await plane.port.stats(ROOM)).participants] == [ALICE]


async def participants(plane: Plane) -> set[str]:
    stats = await plane.port.stats(ROOM)
    names = stats["participants"]
    assert isinstance(names, dict)
    return set(names)

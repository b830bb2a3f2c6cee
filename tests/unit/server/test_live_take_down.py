"""A media connection that is to be taken down is taken down, however often the relay does not answer."""

from collections.abc import AsyncIterator

import pytest

from server.domain.model import Role
from server.live.room import MOST_TRIES
from tests.support.fake_media import OFFER
from tests.support.signalling import House


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


def tried(house: House, name: str) -> int:
    return sum(call[0] == name for call in house.media.calls)


async def test_it_is_tried_again_until_the_relay_confirms(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    assert await customer.error("media.offer", sdp=OFFER) is None
    house.media.down = True
    assert await agent.error("participant.remove", participant=id) is None
    assert customer.bye == "removed"
    assert (session, id) in house.media.offers
    await house.advance(12, agent)
    assert 3 <= tried(house, "disconnect") <= 8  # at once, whoever needs it; then after 1, 2, 4 … s
    house.media.down = False
    await house.advance(10, agent)
    assert (session, id) not in house.media.offers
    done = tried(house, "disconnect")
    await house.advance(60, agent)
    assert tried(house, "disconnect") == done


async def test_a_session_nobody_is_in_is_kept_until_then(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    assert await customer.error("media.offer", sdp=OFFER) is None
    house.media.down = True
    await customer.say("leave")
    await house.advance(3)
    assert house.live.stats()["sessions"] == 1
    assert (session, id) in house.media.offers
    house.media.down = False
    await house.advance(40)
    assert (session, id) not in house.media.offers
    assert house.live.stats()["sessions"] == 0


async def test_an_ended_session_too(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    assert await customer.error("media.offer", sdp=OFFER) is None
    house.media.down = True
    await customer.say("session.end")
    assert customer.bye == "session_ended"
    assert (session, id) in house.media.offers
    house.media.down = False
    await house.advance(4)
    assert house.media.offers == {}
    assert house.live.stats()["sessions"] == 0


async def test_a_worker_that_died_took_it_down(house: House) -> None:
    session = await house.session()
    _, customer = await house.enter(session)
    assert await customer.error("media.offer", sdp=OFFER) is None
    house.media.down = True
    await customer.say("leave")
    house.media.lose(session)
    done = tried(house, "close_room")
    await house.advance(60)
    assert tried(house, "close_room") == done
    assert house.live.stats()["sessions"] == 0


async def test_nobody_connects_anew_before_it_and_then_stays(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    for scope in ("camera", "microphone"):
        await customer.say("consent.set", scope=scope, decision="given", wording="x", language="zh")
    assert await customer.error("media.offer", sdp=OFFER) is None
    house.media.down = True
    await customer.say("consent.set", scope="camera", decision="withdrawn", wording="x", language="zh")
    assert house.media.gates[session, id] == {"camera", "microphone"}  # the relay has not heard of it
    assert await customer.error("media.offer", sdp=OFFER) == "media_unavailable"
    house.media.down = False
    before = len(house.media.calls)
    assert await customer.error("media.offer", sdp=OFFER) is None
    assert [call[0] for call in house.media.calls[before:]] == ["disconnect", "set_gates", "connect"]
    assert house.media.gates[session, id] == {"microphone"}  # said anew, because the relay has forgotten them
    await house.advance(60, customer, agent)
    assert (session, id) in house.media.offers
    assert house.media.gates[session, id] == {"microphone"}


async def test_it_is_given_up_in_the_end(house: House) -> None:
    session = await house.session()
    _, customer = await house.enter(session)
    assert await customer.error("media.offer", sdp=OFFER) is None
    house.media.down = True
    await customer.say("session.end")
    await house.advance(MOST_TRIES * 31)
    assert tried(house, "close_room") == MOST_TRIES
    assert house.live.stats()["sessions"] == 0


async def test_what_is_forwarded_is_said_anew_once_it_is_confirmed(house: House) -> None:
    """The relay then knows nothing of them: neither their gates nor that they are on hold."""
    session = await house.session()
    id, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    await customer.say("consent.set", scope="microphone", decision="given", wording="x", language="zh")
    assert await customer.error("media.offer", sdp=OFFER) is None
    house.media.down = True
    assert await agent.error("participant.hold", participant=id, held=True) is None
    house.media.down = False
    house.live.tick()  # the gates are tried again, and the disconnecting after them
    await house.live.settle()
    await house.advance(5, customer, agent)
    assert tried(house, "disconnect") >= 2
    assert house.media.circles[session, id]
    assert house.media.gates[session, id] == {"microphone"}
    assert await customer.error("media.offer", sdp=OFFER) is None
    assert house.media.circles[session, id]


async def test_an_offer_that_finishes_it_tells_the_relay_before_it_connects(house: House) -> None:
    session = await house.session()
    id, customer = await house.enter(session)
    _, agent = await house.enter(session, Role.AGENT)
    assert await customer.error("media.offer", sdp=OFFER) is None
    house.media.down = True
    assert await agent.error("participant.hold", participant=id, held=True) is None
    house.media.down = False
    house.media.calls.clear()
    assert await customer.error("media.offer", sdp=OFFER) is None
    assert [call[0] for call in house.media.calls] == ["disconnect", "set_gates", "connect"]
    assert house.media.circles[session, id]


async def test_a_room_that_is_closed_late_is_forgotten_by_the_relay_and_told_anew(house: House) -> None:
    session = await house.session()
    id, token = await house.place(session)
    customer = await house.connect(token)
    await customer.say("consent.set", scope="microphone", decision="given", wording="x", language="zh")
    assert await customer.error("media.offer", sdp=OFFER) is None
    customer.cut()
    house.media.down = True
    await house.advance(house.live.settings.connection.keep_s + 2)  # lost: the room is to be closed
    assert tried(house, "close_room") >= 1
    again = await house.connect(token)
    house.media.down = False
    await house.advance(60, again)
    assert house.media.gates[session, id] == {"microphone"}
    assert await again.error("media.offer", sdp=OFFER) is None
    assert house.media.gates[session, id] == {"microphone"}

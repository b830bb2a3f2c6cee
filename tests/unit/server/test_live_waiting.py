"""The waiting list: customers without an appointment, the desks that take them, and what either may see."""

from collections.abc import AsyncIterator

import pytest

from server.domain.ids import LoginId
from server.domain.model import Role, SessionStatus
from tests.support.fake_media import OFFER
from tests.support.signalling import House, replaced


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


async def test_waiting_is_told_taken_and_opened(house: House) -> None:
    first, second = await house.session(SessionStatus.WAITING), await house.session(SessionStatus.WAITING)
    _, page = await house.enter(first)
    _, later = await house.enter(second)
    assert page.got("queue.position")[-1] == {"type": "queue.position", "position": 1, "estimated_wait_s": None}
    assert later.got("queue.position")[-1]["position"] == 2
    staff, token = await house.staff()
    desk = await house.connect(token)
    _, other_token = await house.staff()
    rival = await house.connect(other_token)
    assert desk.welcome["snapshot"] is None
    assert [entry["session"] for entry in desk.got("waiting.list")[-1]["entries"]] == [first, second]
    assert all(entry["connected"] for entry in desk.got("waiting.list")[-1]["entries"])
    house.clock.seconds += 5
    assert await desk.error("waiting.take", session=first) is None
    assert await rival.error("waiting.take", session=first) == "conflict"
    taken = desk.got("waiting.taken")[-1]
    assert rival.got("waiting.taken") == []
    assert page.got("session.changed")[-1]["session"]["status"] == "open"
    assert later.got("queue.position")[-1]["position"] == 1
    assert [entry["session"] for entry in rival.got("waiting.list")[-1]["entries"]] == [second]
    agent = await house.connect(taken["token"])
    assert agent.snapshot["session"]["id"] == first
    assert house.verifier.verify(taken["token"], now=house.clock.now()).session == first
    assert (await house.sessions.get(first)).taken_by == staff


async def test_the_desk_sees_nothing_of_a_session(house: House) -> None:
    session = await house.session(SessionStatus.WAITING)
    _, page = await house.enter(session)
    _, token = await house.staff()
    desk = await house.connect(token)
    await page.say("chat.send", client_id="1", text="private")
    await page.say("track.state", source="camera", on=True)
    assert {frame["body"]["type"] for frame in desk.frames if frame["t"] == "msg"} == {"waiting.list", "sessions.inside"}
    for type, fields in {
        "chat.send": {"client_id": "1", "text": "x"},
        "leave": {},
        "session.end": {},
        "media.offer": {"sdp": OFFER},
    }.items():
        assert await desk.error(type, **fields) == "not_allowed"
    assert await desk.error("waiting.take", session="SE_X") == "not_found"
    assert await desk.error("waiting.take") == "invalid"


async def test_staff_who_may_not_take(house: House) -> None:
    session = await house.session(SessionStatus.WAITING)
    _, token = await house.staff(Role.EXPERT)
    desk = await house.connect(token)
    assert desk.got("waiting.list") == []
    assert await desk.error("waiting.take", session=session) == "not_allowed"


async def test_a_desk_resumes_and_is_renewed(house: House) -> None:
    staff, token = await house.staff()
    desk = await house.connect(token)
    desk.cut()
    await house.session(SessionStatus.WAITING)
    house.live.waiting_changed()
    again = await house.connect(token, desk.resume())
    assert again.welcome["resumed"] is True
    assert len(again.got("waiting.list")[-1]["entries"]) == 1
    assert (await house.connect(token, {"key": "x", "ack": 0})).bye == "resume_unknown"
    await house.advance(1700, again)
    assert len(again.got("token.renewed")) == 1
    async with house.store.begin() as tx:
        account = await tx.get_staff(staff)
        assert account is not None
        await tx.save_staff(replaced(account, disabled_at=house.clock.now()))
    await house.advance(1810, again)
    assert again.bye == "unauthorised"
    assert (await house.connect(token)).bye == "token_expired"
    assert (await house.connect(await house.sign_in(staff))).bye == "unauthorised"


async def test_a_login_ends_however_often_its_token_was_renewed(house: House) -> None:
    staff, token = await house.staff(login_s=4000)
    desk = await house.connect(token)
    await house.advance(1700, desk)
    await house.advance(2000, desk)
    renewed = desk.got("token.renewed")
    assert [house.verifier.verify(one["token"], now=house.clock.now()).login for one in renewed[-1:]] != [""]
    assert len(renewed) == 2
    assert desk.bye is None
    await house.advance(310, desk)
    assert desk.bye == "token_expired"
    assert len(desk.got("token.renewed")) == 2
    assert (await house.connect(renewed[-1]["token"])).bye in ("token_expired", "unauthorised")
    assert (await house.connect(await house.sign_in(staff))).bye is None


async def test_signing_out_ends_the_desks_of_that_login_alone(house: House) -> None:
    staff, token = await house.staff()
    other_token = await house.sign_in(staff)
    first, second, other = [await house.connect(one) for one in (token, token, other_token)]
    login = LoginId(house.verifier.verify(token, now=house.clock.now()).login)
    async with house.store.begin() as tx:
        record = await tx.get_login(login)
        await tx.save_login(replaced(record, ended_at=house.clock.now()))
    await house.live.login_ended(login)
    assert [page.bye for page in (first, second, other)] == ["left", "left", None]
    assert (await house.connect(token)).bye == "unauthorised"
    assert (await house.connect(token, first.resume())).bye == "unauthorised"


async def test_a_login_that_another_server_ended_is_not_renewed(house: House) -> None:
    _, token = await house.staff()
    desk = await house.connect(token)
    login = LoginId(house.verifier.verify(token, now=house.clock.now()).login)
    async with house.store.begin() as tx:
        await tx.save_login(replaced(await tx.get_login(login), ended_at=house.clock.now()))
    await house.advance(1700, desk)
    assert desk.bye == "unauthorised"


async def test_too_many_desks_of_one_account(house: House) -> None:
    _, token = await house.staff()
    pages = [await house.connect(token) for _ in range(6)]
    assert [page.bye for page in pages] == ["moved", None, None, None, None, None]


async def test_a_customer_who_stops_waiting(house: House) -> None:
    session = await house.session(SessionStatus.WAITING)
    _, page = await house.enter(session)
    _, token = await house.staff()
    desk = await house.connect(token)
    await page.say("leave")
    assert page.bye == "left"
    assert (await house.sessions.get(session)).status is SessionStatus.ENDED
    assert desk.got("waiting.list")[-1]["entries"] == []


async def test_a_waiting_customer_whose_page_is_gone(house: House) -> None:
    session = await house.session(SessionStatus.WAITING)
    id, page = await house.enter(session)
    _, token = await house.staff()
    desk = await house.connect(token)
    page.cut()
    await house.live.settle()
    assert [entry["connected"] for entry in desk.got("waiting.list")[-1]["entries"]] == [False]
    await house.advance(100, desk)
    again = await house.connect(house.token(session, id, Role.CUSTOMER))
    assert again.got("queue.position")[-1]["position"] == 1
    again.cut()
    await house.advance(700, desk)
    assert (await house.sessions.get(session)).status is SessionStatus.ENDED
    assert desk.got("waiting.list")[-1]["entries"] == []


async def test_a_waiting_customer_whose_page_never_came(house: House) -> None:
    session = await house.session(SessionStatus.WAITING)
    house.live.waiting_changed()
    await house.advance(610)
    assert (await house.sessions.get(session)).status is SessionStatus.ENDED


async def test_the_estimate_is_told_anew(house: House) -> None:
    earlier = await house.session(SessionStatus.WAITING)
    house.clock.seconds += 60
    staff, _ = await house.staff()
    await house.sessions.take(earlier, staff)
    _, page = await house.enter(await house.session(SessionStatus.WAITING))
    await house.advance(31, page)
    told = [body["estimated_wait_s"] for body in page.got("queue.position")]
    assert told == [60, 45, 30]

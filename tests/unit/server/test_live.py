"""Live sessions: coming, going, staying through a cut, and what everybody is told."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.domain import ids
from server.domain.ids import ParticipantId, SessionId
from server.domain.model import LeaveReason, ParticipantState, Role
from server.errors import DependencyError, Gone, NotFound
from server.live.settings import LiveSettings
from server.signalling.messages import CLOSE_NUMBERS, CloseCode
from server.signalling.protocol import Limits
from tests.support.fake_media import OFFER
from tests.support.signalling import House, Page, replaced


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


def states(page: Page, participant: str) -> list[str]:
    return [
        body["participant"]["state"] for body in page.got("participant.changed") if body["participant"]["id"] == participant
    ]


# ---------------------------------------------------------------- coming


async def test_join(house: House) -> None:
    session = await house.session()
    customer, page = await house.enter(session)
    agent, other = await house.enter(session, Role.AGENT)
    assert page.snapshot["you"]["id"] == customer
    assert page.snapshot["participants"] == []
    assert [view["id"] for view in other.snapshot["participants"]] == [customer]
    assert states(page, agent) == ["joined"]
    assert page.snapshot["session"]["reason"] == ""  # for those with session.read
    assert other.snapshot["session"]["reason"] == "loan"
    assert "chat" in page.snapshot["grants"]
    stored = await house.participant(customer)
    assert stored.state is ParticipantState.JOINED
    assert stored.joined_at == house.clock.now()
    assert (await house.audit()).count(("participant.joined", customer)) == 1
    assert house.live.connected(session) == {customer, agent}
    assert house.live.stats()["participants"] == 2


async def test_no_place_no_entry(house: House) -> None:
    session, other = await house.session(), await house.session()
    id, _ = await house.place(session)
    for token in (
        "x",
        house.token(other, id, Role.CUSTOMER),  # a place of another session
        house.token(session, id, Role.AGENT),  # another role than the place's
        house.token(session, ParticipantId(house.make_id(ids.PARTICIPANT)), Role.CUSTOMER),
        house.token(SessionId(house.make_id(ids.SESSION)), id, Role.CUSTOMER),
    ):
        page = await house.connect(token)
        assert page.bye == "unauthorised"
        assert page.number == 4401
    assert house.live.connected(session) == frozenset()


async def test_expired_token(house: House) -> None:
    session = await house.session()
    _, token = await house.place(session)
    house.clock.seconds += 3600
    assert (await house.connect(token)).bye == "token_expired"


async def test_a_session_that_has_ended(house: House) -> None:
    session = await house.session()
    _, token = await house.place(session)
    await house.live.end_session(session, "done", "AK_1")
    assert (await house.connect(token)).bye == "session_ended"


async def test_the_store_is_down(house: House) -> None:
    session = await house.session()
    id, token = await house.place(session)
    with house.broken_store():
        page = await house.connect(token)
    assert page.bye == "internal"
    assert house.live.connected(session) == frozenset()
    assert (await house.participant(id)).state is ParticipantState.JOINING
    assert (await house.connect(token)).bye is None


async def test_a_full_session() -> None:
    house = House(LiveSettings(members=1))
    session = await house.session()
    await house.enter(session)
    _, page = await house.enter(session, Role.AGENT)
    assert page.bye == "too_many"
    await house.close()


async def test_a_full_server() -> None:
    house = House(LiveSettings(sessions=1))
    await house.enter(await house.session())
    _, page = await house.enter(await house.session())
    assert page.bye == "too_many"
    await house.close()


async def test_no_hello_in_time(house: House) -> None:
    page = Page(house, house.live.new_connection())
    await house.advance(6)
    assert page.bye == "timeout"
    assert house.live.stats()["greeting"] == 0


async def test_gone_before_it_was_greeted_keeps_the_place(house: House) -> None:
    session = await house.session()
    id, token = await house.place(session)
    page = Page(house, house.live.new_connection())
    greeting = asyncio.create_task(house.greet(page, token))
    await asyncio.sleep(0)
    page.cut()
    await greeting
    assert house.live.states(session) == {id: ParticipantState.DISCONNECTED}
    await house.advance(25)
    assert (await house.participant(id)).leave_reason is LeaveReason.LOST


# ---------------------------------------------------------------- cut, resume, reload


@pytest.mark.campaign(15)
@pytest.mark.parametrize("cut_s", [1, 5, 10, 15, 19])
async def test_a_cut_loses_nothing(house: House, cut_s: int) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    customer = page.snapshot["you"]["id"]
    agent, other = await house.enter(session, Role.AGENT)
    await other.say("chat.send", client_id="1", text="one")
    page.cut()
    assert states(other, customer)[-1] == "disconnected"
    await other.say("chat.send", client_id="2", text="two")
    await house.advance(cut_s, other)
    token = house.token(session, customer, Role.CUSTOMER)
    again = await house.connect(token, page.resume())
    assert again.welcome["resumed"] is True
    assert [body["message"]["text"] for body in again.got("chat.message")] == ["two"]
    assert states(other, customer)[-1] == "joined"
    assert other.got("participant.left") == []
    again.seq = page.seq
    await again.say("chat.send", client_id="3", text="three")
    assert [body["message"]["text"] for body in other.got("chat.message")] == ["one", "two", "three"]
    assert (await house.audit()).count(("participant.joined", customer)) == 1
    assert agent in house.live.connected(session)


async def test_a_message_in_hand_when_the_socket_is_taken_over(house: House) -> None:
    """It is handled once, and the resumed page, which says it again, is not heard twice."""
    session = await house.session()
    id, page = await house.enter(session)
    page.post("chat.send", client_id="1", text="one")
    again = Page(house, house.live.new_connection())
    await house.greet(again, house.token(session, id, Role.CUSTOMER), page.resume())
    assert page.bye == "moved"
    again.post("chat.send", client_id="1", text="one")
    await house.live.settle()
    assert len({body["message"]["number"] for body in again.got("chat.message")}) == 1
    assert again.seq == 1


async def test_lost_after_twenty_seconds_and_back_with_the_same_token(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    page.cut()
    await house.advance(19, other)
    assert other.got("participant.left") == []
    await house.advance(2, other)
    assert other.got("participant.left")[-1] == {"type": "participant.left", "participant": id, "reason": "lost"}
    assert (await house.participant(id)).leave_reason is LeaveReason.LOST
    assert ("disconnect", session, id) in house.media.calls
    token = house.token(session, id, Role.CUSTOMER)
    assert (await house.connect(token, page.resume())).bye == "resume_unknown"
    assert (await house.connect(token)).bye is None
    stored = await house.participant(id)
    assert (stored.state, stored.left_at, stored.leave_reason) == (ParticipantState.JOINED, None, None)


async def test_a_loss_that_cannot_be_stored_is_tried_again(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    page.cut()
    with house.broken_store():
        await house.advance(25)
        assert house.live.connected(session) == {id}
    await house.advance(1)
    assert (await house.participant(id)).leave_reason is LeaveReason.LOST


async def test_a_silent_page_is_noticed_within_ten_seconds(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    await house.advance(10, other)
    assert states(other, id)[-1] == "disconnected"
    assert page.bye == "timeout"
    assert page.number == 4408


async def test_reload_is_a_quick_snapshot(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    await page.say("media.offer", sdp=OFFER)
    await page.say("track.state", source="camera", on=True)
    await page.say("chat.send", client_id="1", text="one")
    again = await house.connect(house.token(session, id, Role.CUSTOMER))
    assert page.bye == "moved"
    assert page.number == 4409
    assert [message["text"] for message in again.snapshot["chat"]] == ["one"]
    assert not any(track["on"] for track in again.snapshot["you"]["tracks"])
    assert other.got("participant.left") == []
    await again.say("media.offer", sdp=OFFER)
    assert len(again.got("media.answer")) == 1
    assert (await house.audit()).count(("participant.joined", id)) == 1


@pytest.mark.parametrize("resume", [{"key": "wrong", "ack": 0}, {"key": "", "ack": 0}])
async def test_a_wrong_resume_key(house: House, resume: dict[str, object]) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    if resume["key"] == "":
        resume = {**page.resume(), "ack": 99}
    again = await house.connect(house.token(session, id, Role.CUSTOMER), resume)
    assert again.bye == "resume_unknown"
    assert page.bye is None


async def test_anothers_key_does_not_resume(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    thief, token = await house.place(session, Role.EXPERT)
    page.cut()
    assert (await house.connect(token, page.resume())).bye == "resume_unknown"
    await house.connect(token)
    assert (await house.connect(token, page.resume())).bye == "resume_unknown"
    assert thief in house.live.connected(session)


async def test_a_client_that_does_not_acknowledge() -> None:
    house = House(LiveSettings(connection=Limits(unacknowledged=5)))
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    for n in range(6):
        await other.say("chat.send", client_id=str(n), text="x")
    assert page.bye == "too_slow"
    assert other.bye is None
    assert len(other.got("chat.message")) == 6
    assert house.live.states(session)[id] is ParticipantState.DISCONNECTED
    again = await house.connect(house.token(session, id, Role.CUSTOMER))
    assert len(again.snapshot["chat"]) == 6
    await house.close()


async def test_a_flood_ends_the_flooder_only(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    for _ in range(300):
        page.post("track.state", source="camera", on=True)
    await house.live.settle()
    assert page.bye == "too_many"
    assert page.number == CLOSE_NUMBERS[CloseCode.TOO_MANY]
    assert await other.error("chat.send", client_id="1", text="still here") is None


async def test_connecting_over_and_over_is_limited(house: House) -> None:
    session = await house.session()
    id, token = await house.place(session)
    _, witness = await house.enter(session, Role.AGENT)
    byes = [(await house.connect(token)).bye for _ in range(25)]
    assert byes.count("too_many") == 5
    assert witness.bye is None
    await house.advance(4, witness)
    assert (await house.connect(token)).bye is None
    assert house.live.states(session)[id] is ParticipantState.JOINED


async def test_after_a_restart_places_are_kept_for_a_while(house: House) -> None:
    session = await house.session()
    id, token = await house.place(session)
    stored = await house.participant(id)
    async with house.store.begin() as tx:
        await tx.save_participant(replaced(stored, state=ParticipantState.JOINED, joined_at=house.clock.now()))
    await house.live.recover()
    assert house.live.states(session) == {id: ParticipantState.DISCONNECTED}
    page = await house.connect(token)
    assert page.welcome["resumed"] is False
    assert house.live.states(session) == {id: ParticipantState.JOINED}
    page.cut()
    await house.advance(25)
    assert (await house.participant(id)).leave_reason is LeaveReason.LOST


@pytest.mark.parametrize("inside", [1, 2])
async def test_a_start_with_more_sessions_than_may_be_live(house: House, inside: int) -> None:
    sessions = [await house.session() for _ in range(4)]
    for session in sessions[1 : 1 + inside]:
        await house.enter(session)
    after = House(LiveSettings(sessions=1), store=house.store)
    await after.live.recover()
    assert [bool(after.live.connected(session)) for session in sessions].count(True) == 1
    assert after.live.stats()["sessions"] == 1
    await after.close()


# ---------------------------------------------------------------- going


async def test_leave(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    await page.say("leave")
    assert (page.bye, page.number) == ("left", 1000)
    assert other.got("participant.left")[-1]["reason"] == "left"
    assert (await house.participant(id)).leave_reason is LeaveReason.LEFT
    assert ("participant.left", id) in await house.audit()
    assert (await house.connect(house.token(session, id, Role.CUSTOMER))).bye == "unauthorised"


async def test_leaving_that_cannot_be_stored_is_refused(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    with house.broken_store():
        assert await page.error("leave") == "internal"
    assert house.live.connected(session) == {id}


async def test_remove(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    agent, other = await house.enter(session, Role.AGENT)
    token = house.token(session, id, Role.CUSTOMER)
    assert await page.error("participant.remove", participant=agent) == "not_allowed"
    assert await other.error("participant.remove", participant=agent) == "invalid"
    assert await other.error("participant.remove", participant="PA_NOBODY") == "not_found"
    assert await other.error("participant.remove", participant=id) is None
    assert (page.bye, page.number) == ("removed", 4403)
    assert other.got("participant.left")[-1]["reason"] == "removed"
    assert ("disconnect", session, id) in house.media.calls
    assert ("participant.removed", id) in await house.audit()
    assert (await house.connect(token)).bye == "unauthorised"
    assert (await house.connect(token, page.resume())).bye == "unauthorised"
    with pytest.raises(Gone):
        await house.live.remove_participant(session, id, "AK_1")


async def test_remove_somebody_who_has_not_come_yet(house: House) -> None:
    session, other = await house.session(), await house.session()
    id, token = await house.place(session)
    with pytest.raises(NotFound):
        await house.live.remove_participant(other, id, "AK_1")
    await house.live.remove_participant(session, id, "AK_1")
    assert (await house.connect(token)).bye == "unauthorised"


async def test_end(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, other = await house.enter(session, Role.AGENT)
    _, expert = await house.enter(session, Role.EXPERT)
    assert await expert.error("session.end") == "not_allowed"
    await other.say("session.end", reason="done")
    for one in (page, other, expert):
        assert (one.bye, one.number) == ("session_ended", 4410)
        assert one.got("session.changed")[-1]["session"]["status"] == "ended"
    assert ("close_room", session, "") in house.media.calls
    assert (await house.participant(id)).leave_reason is LeaveReason.ENDED
    again = await house.live.end_session(session, "other reason", "AK_1")
    assert again.end_reason == "done"


async def test_end_of_a_session_that_is_not_there(house: House) -> None:
    with pytest.raises(NotFound):
        await house.live.end_session(SessionId(house.make_id(ids.SESSION)), "", "AK_1")
    await house.advance(1)
    assert house.live.stats()["sessions"] == 0


async def test_an_end_that_cannot_be_stored_changes_nothing(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    with house.broken_store():
        assert await page.error("session.end") == "internal"
        with pytest.raises(DependencyError):
            await house.live.end_session(session, "", "AK_1")
    assert page.bye is None


async def test_leaving_what_the_record_says_was_left(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    stored = await house.participant(id)
    async with house.store.begin() as tx:
        await tx.save_participant(replaced(stored, state=ParticipantState.LEFT, leave_reason=LeaveReason.LEFT))
    assert await page.error("leave") is None
    assert page.bye == "left"
    assert house.live.connected(session) == frozenset()


async def test_nothing_is_left_when_everybody_has_gone(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    await page.say("media.offer", sdp=OFFER)
    await page.say("leave")
    await house.advance(1)
    assert house.live.stats()["sessions"] == 0
    assert house.media.offers == {}


async def test_the_server_goes_away(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    _, desk_token = await house.staff()
    desk = await house.connect(desk_token)
    early = Page(house, house.live.new_connection())
    await house.live.close()
    assert page.bye == desk.bye == early.bye == "going_away"
    assert (await house.participant(id)).state is ParticipantState.JOINED
    late = Page(house, house.live.new_connection())
    await house.greet(late, house.token(session, id, Role.CUSTOMER))
    assert late.bye == "going_away"


# ---------------------------------------------------------------- tokens


async def test_the_token_is_renewed_before_it_ends(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    await house.advance(800, page)
    renewed = page.got("token.renewed")
    assert len(renewed) == 1
    claims = house.verifier.verify(renewed[0]["token"], now=house.clock.now())
    assert (claims.session, claims.subject) == (session, id)
    await house.advance(200, page)
    assert page.bye is None


async def test_a_token_that_cannot_be_renewed_ends_the_connection(house: House) -> None:
    session = await house.session()
    id, page = await house.enter(session)
    stored = await house.participant(id)
    async with house.store.begin() as tx:  # as another node would record it
        await tx.save_participant(replaced(stored, state=ParticipantState.LEFT, leave_reason=LeaveReason.REMOVED))
    await house.advance(910, page)
    assert page.bye == "token_expired"


# ---------------------------------------------------------------- races


async def test_two_hellos_at_once_leave_one_connection(house: House) -> None:
    session = await house.session()
    id, token = await house.place(session)
    pages = [Page(house, house.live.new_connection()) for _ in range(5)]
    await asyncio.gather(*(house.greet(page, token) for page in pages))
    await house.live.settle()
    assert sorted(page.bye or "" for page in pages) == ["", "moved", "moved", "moved", "moved"]
    assert house.live.states(session) == {id: ParticipantState.JOINED}
    assert (await house.audit()).count(("participant.joined", id)) == 1


@pytest.mark.campaign(7)
async def test_a_hundred_racing_hellos() -> None:
    house = House(LiveSettings(members=60))
    session = await house.session()
    places = [await house.place(session) for _ in range(50)]
    pages = [(id, token, Page(house, house.live.new_connection())) for id, token in places for _ in range(2)]
    await asyncio.gather(*(house.greet(page, token) for _, token, page in pages))
    await house.live.settle()
    assert house.live.connected(session) == {id for id, _ in places}
    open_pages = [page for _, _, page in pages if page.bye is None]
    assert len(open_pages) == 50
    assert {page.snapshot["you"]["id"] for page in open_pages} == {id for id, _ in places}
    await house.close()


async def test_remove_while_joining(house: House) -> None:
    for first_joins in (True, False):
        session = await house.session()
        id, token = await house.place(session)
        page = Page(house, house.live.new_connection())
        work = [house.greet(page, token), house.live.remove_participant(session, id, "AK_1")]
        await asyncio.gather(*(work if first_joins else reversed(work)))
        await house.live.settle()
        assert house.live.connected(session) == frozenset()
        assert page.bye == ("removed" if first_joins else "unauthorised")
        assert (await house.participant(id)).leave_reason is LeaveReason.REMOVED


async def test_end_while_offering_and_joining(house: House) -> None:
    session = await house.session()
    _, page = await house.enter(session)
    _, token = await house.place(session, Role.AGENT)
    late = Page(house, house.live.new_connection())
    page.post("media.offer", sdp=OFFER)
    await asyncio.gather(house.live.end_session(session, "", "AK_1"), house.greet(late, token))
    await house.live.settle()
    assert page.bye == late.bye == "session_ended"
    assert house.media.offers == {}
    assert house.live.connected(session) == frozenset()

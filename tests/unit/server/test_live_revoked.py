"""Rights that end: removal, a disabled account, a login that was ended, an invitation that was withdrawn. The relay first."""

from collections.abc import AsyncIterator

import pytest

from server.api.bodies import CreateInvitation, RedeemInvitation
from server.domain.ids import LoginId
from server.domain.model import LeaveReason, Role
from server.services.invitations import Invitations
from tests.support.colleagues import Branch, Inside, give, left
from tests.support.fake_media import OFFER
from tests.support.signalling import replaced


@pytest.fixture
async def house() -> AsyncIterator[Branch]:
    async with Branch() as house:
        yield house


async def test_ending_a_login_ends_the_places_entered_by_it(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    elsewhere = await house.session(created_by=ann.id)
    await agent.page.say("media.offer", sdp=OFFER)
    other = Inside(*await house.comes(elsewhere, ann))
    await house.live.login_ended(ann.login)
    for one in (agent, other):
        assert one.page.bye == "revoked"
        assert (await house.participant(one.id)).leave_reason is LeaveReason.REVOKED
    assert house.media.offers == {}
    assert left(customer.page) == {agent.id: "revoked"}
    assert customer.page.bye is None
    token = house.token(session, agent.id, Role.AGENT)
    assert (await house.connect(token)).bye == "unauthorised"


async def test_another_login_of_the_same_account_goes_on(house: Branch) -> None:
    session, ann, _agent, _customer = await house.served()
    first = ann.login
    token = await house.sign_in(ann.id)
    claims = house.verifier.verify(token, now=house.clock.now())
    again = await house.entries.enter(session, ann.id, LoginId(claims.login))
    page = await house.connect(again.token)
    await house.live.login_ended(first)
    assert page.bye is None


async def test_a_place_that_was_entered_and_not_come_to_ends_too(house: Branch) -> None:
    ann = await house.colleague()
    session = await house.session(created_by=ann.id)
    entry = await house.entries.enter(session, ann.id, ann.login)
    async with house.store.begin() as tx:
        login = await tx.get_login(ann.login)
        assert login is not None
        await tx.save_login(replaced(login, ended_at=house.clock.now()))
    await house.live.login_ended(ann.login)
    assert (await house.connect(entry.token)).bye == "unauthorised"


async def test_withdrawing_an_invitation_takes_the_places_away(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    service = Invitations(house.store, house.clock, house.make_id, code_key=bytes(32), public_url="http://localhost")
    made = await service.create(session, CreateInvitation(role=Role.EXPERT, uses_allowed=5), ann.id)
    other = await service.create(session, CreateInvitation(role=Role.EXPERT, uses_allowed=5), ann.id)
    secret = made.link.rpartition("/")[2]
    places = [await house.entries.redeem(RedeemInvitation(secret=secret, name="e")) for _ in range(2)]
    spared = await house.entries.redeem(RedeemInvitation(secret=other.link.rpartition("/")[2], name="e"))
    page, kept = await house.connect(places[0].token), await house.connect(spared.token)
    await give(page, "camera")
    await agent.page.say("session.waiting_room", on=True)
    waits = await house.entries.redeem(RedeemInvitation(secret=secret, name="w"))
    waiting = await house.connect(waits.token)
    await service.revoke(session, made.id, ann.id)
    await house.live.invitation_revoked(session, made.id, ann.id)
    assert page.bye == waiting.bye == "revoked"
    assert kept.bye is None
    assert house.gates(session, places[0].participant) == set()
    assert (await house.connect(places[1].token)).bye == "unauthorised"  # who had not come yet
    assert left(customer.page) == {places[0].participant: "revoked"}
    await house.live.invitation_revoked(session, made.id, ann.id)  # again changes nothing


async def test_sent_away_is_shut_before_it_is_written_down(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    with house.broken_store():
        assert await agent.page.error("participant.remove", participant=customer.id) == "internal"
        assert house.gates(session, customer.id) == set()
        assert house.circle(session, customer.id) != ""
        assert await customer.page.error("chat.send", client_id="1", text="x") == "not_allowed"
        await house.advance(3, agent.page, customer.page)
        assert customer.page.bye is None
    await house.advance(1.2, agent.page, customer.page)  # written down as soon as that can be
    assert customer.page.bye == "removed"
    assert left(agent.page) == {customer.id: "removed"}


async def test_one_session_that_is_slow_holds_up_no_other(house: Branch) -> None:
    ann = await house.colleague()
    sessions = [await house.session(created_by=ann.id) for _ in range(3)]
    pages = [(await house.comes(session, ann))[1] for session in sessions]
    await house.live.staff_disabled(ann.id, "ST_BOSS")
    assert [page.bye for page in pages] == ["removed"] * 3
    assert ann.desk.bye == "unauthorised"

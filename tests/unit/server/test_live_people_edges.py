"""Where one thing happens in the middle of another: who comes in during a talk of two, who was inside before, what ends in time."""

from collections.abc import AsyncIterator

import pytest

from server.domain.ids import SessionId
from server.domain.model import Role, SessionStatus
from tests.support.colleagues import Branch, Colleague, Inside, give, left, states, view_of
from tests.unit.server.test_live_waiting_room import invite, redeem


@pytest.fixture
async def house() -> AsyncIterator[Branch]:
    async with Branch() as house:
        yield house


async def test_who_is_let_in_while_two_talk_first_is_on_hold_as_everybody(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    ben = await house.colleague()
    secret = await invite(house, session, Role.EXPERT)
    await agent.page.say("session.waiting_room", on=True)
    entry = await redeem(house, secret)
    page = await house.connect(entry.token)
    await give(page, "microphone")
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    assert await agent.page.error("participant.admit", participant=entry.participant, admitted=True) is None
    assert page.got("admitted")[-1]["snapshot"]["you"]["on_hold"] is True
    circles = {house.circle(session, one) for one in (entry.participant, customer.id, agent.id)}
    assert len(circles) == 3  # across neither the talk nor the customer's hold
    assert view_of(agent.page, entry.participant)["on_hold"] is True
    await agent.page.say("handover.cancel")
    assert {house.circle(session, one) for one in (entry.participant, customer.id)} == {""}


async def joined(house: Branch, session: SessionId) -> tuple[Colleague, Inside]:
    """A supervisor who takes part, with a desk."""
    boss = await house.colleague(Role.SUPERVISOR)
    inside = Inside(*await house.comes(session, boss))
    await inside.page.say("supervise", mode="join")
    return boss, inside


@pytest.mark.parametrize("how", ["cancelled", "customer_left"])
async def test_a_colleague_who_was_inside_before_stays_when_it_comes_to_nothing(house: Branch, how: str) -> None:
    session, _ann, agent, customer = await house.served()
    boss, inside = await joined(house, session)
    await agent.page.say("handover.offer", to=boss.id, warm=True)
    assert await boss.desk.error("handover.answer", session=session, accepted=True) is None
    if how == "cancelled":
        assert await agent.page.error("handover.cancel") is None
    else:
        await customer.page.say("leave")
        await house.advance(1, agent.page, inside.page, boss.desk)
    assert states(agent.page)[-1] == "cancelled"
    assert inside.page.bye is None
    assert left(agent.page).get(inside.id) is None
    assert house.circle(session, inside.id) == ""


async def test_a_whisper_to_whoever_hands_over_ends_with_the_switch(house: Branch) -> None:
    session, _ann, agent, _customer = await house.served()
    boss, ben = await house.colleague(Role.SUPERVISOR), await house.colleague()
    listens = Inside(*await house.comes(session, boss))
    await give(listens.page, "microphone")
    await agent.page.say("handover.offer", to=ben.id)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    page = await house.connect(ben.desk.got("handover.taken")[-1]["token"])
    await give(page, "microphone", "camera")
    await listens.page.say("supervise", mode="whisper", to=agent.id)
    assert house.gates(session, listens.id) == {"microphone"}
    house.media.peer(session, page.snapshot["you"]["id"], "connected")
    house.media.track(session, page.snapshot["you"]["id"], "camera", True)
    await house.live.settle()
    assert states(listens.page)[-1] == "done"
    assert agent.page.bye is None  # their picture stands until it is replaced
    assert house.gates(session, listens.id) == set()
    assert agent.page.got("whispers")[-1]["to"] is None
    assert listens.page.got("whispers")[-1]["to"] is None


async def test_taking_over_withdraws_what_is_offered_at_desks(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    ben = await house.colleague()
    _boss, lead = await joined(house, session)
    await agent.page.say("handover.offer", to=ben.id)
    assert ben.desk.got("handover.withdrawn") == []
    assert await lead.page.error("supervise", mode="take_over") is None
    assert [body["session"] for body in ben.desk.got("handover.withdrawn")] == [session]
    assert states(agent.page) == ["offered", "cancelled", "done"]
    assert await ben.desk.error("handover.answer", session=session, accepted=True) == "conflict"
    await house.advance(1, lead.page, customer.page, ben.desk)  # the agent is gone
    assert await lead.page.error("handover.offer", to=ben.id) is None  # and a new one may begin
    assert states(customer.page) == ["done"]


@pytest.mark.parametrize("joins", [False, True])
async def test_who_was_put_on_hold_takes_nothing_over(house: Branch, joins: bool) -> None:
    session, _ann, agent, customer = await house.served()
    boss = await house.colleague(Role.SUPERVISOR)
    lead = Inside(*await house.comes(session, boss))
    if joins:
        await lead.page.say("supervise", mode="join")
    await agent.page.say("participant.hold", participant=lead.id, held=True)
    assert await lead.page.error("supervise", mode="take_over") == "conflict"
    assert (house.media.replaced, agent.page.bye, states(customer.page)) == ([], None, [])


async def test_what_is_offered_for_a_lost_agent_ends_with_their_place(house: Branch) -> None:
    _session, _ann, agent, customer = await house.served()
    ben = await house.colleague()
    agent.page.cut()
    await house.advance(20, customer.page, ben.desk)
    [offered] = ben.desk.got("handover.offered")
    assert offered["expires_at"] == customer.page.got("agent.lost")[-1]["until"]


async def test_nothing_is_offered_for_a_lost_agent_whose_time_is_over(house: Branch) -> None:
    """A colleague accepted late and did not come: the customer waits again, before everybody."""
    session, _ann, agent, customer = await house.served()
    ben, cat = await house.colleague(), await house.colleague()
    agent.page.cut()
    await house.advance(55, customer.page, ben.desk, cat.desk)
    assert await ben.desk.error("handover.answer", session=session, accepted=True) is None
    before = len(cat.desk.got("handover.offered"))
    await house.advance(40, customer.page, ben.desk, cat.desk)
    assert len(cat.desk.got("handover.offered")) == before
    assert (await house.sessions.get(session)).status is SessionStatus.WAITING


async def test_a_picture_that_may_not_be_seen_is_not_switched_to(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    page = await house.connect(ben.desk.got("handover.taken")[-1]["token"])
    colleague = page.snapshot["you"]["id"]
    house.media.peer(session, colleague, "connected")
    house.media.track(session, colleague, "camera", True)  # it comes, and nobody has agreed to it
    await house.live.settle()
    assert states(customer.page)[-1] == "here"
    await house.advance(2, agent.page, customer.page, page)
    assert house.media.replaced == []
    await give(page, "camera")
    await house.advance(0.1, agent.page, customer.page, page)
    assert house.media.replaced == [(session, agent.id, colleague)]


async def test_an_answer_after_its_time_is_too_late_also_before_a_tick(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id)
    house.clock.seconds += 30
    assert await ben.desk.error("handover.answer", session=session, accepted=True) == "conflict"
    assert states(customer.page) == []
    assert ben.desk.got("handover.taken") == []


async def test_who_whispers_and_accepts_the_customer_whispers_no_more(house: Branch) -> None:
    session, _ann, agent, _customer = await house.served()
    boss = await house.colleague(Role.SUPERVISOR)
    one = Inside(*await house.comes(session, boss))
    await give(one.page, "microphone")
    await one.page.say("supervise", mode="whisper", to=agent.id)
    assert house.media.only[session, one.id] == {agent.id}
    await agent.page.say("handover.offer", to=boss.id)
    assert await boss.desk.error("handover.answer", session=session, accepted=True) is None
    assert house.media.only[session, one.id] is None
    for page in (agent.page, one.page):
        assert page.got("whispers")[-1] == {"type": "whispers", "by": one.id, "to": None}


@pytest.mark.parametrize("how", ["accepts", "takes over"])
async def test_who_leads_by_the_record_is_not_made_a_listener_later(house: Branch, how: str) -> None:
    session, _ann, agent, customer = await house.served()
    boss, one = await joined(house, session)
    with house.broken_store():
        assert await one.page.error("supervise", mode="listen") == "internal"
    if how == "accepts":
        await agent.page.say("handover.offer", to=boss.id)
        assert await boss.desk.error("handover.answer", session=session, accepted=True) is None
    else:
        assert await one.page.error("supervise", mode="take_over") is None
    await house.advance(3, agent.page, customer.page, one.page, boss.desk)
    assert (await house.participant(one.id)).listens_at is None

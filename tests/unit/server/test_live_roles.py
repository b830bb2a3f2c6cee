"""Changing somebody's role in a session, and taking over: who may, of whom, and that rights end before anybody is told."""

from collections.abc import AsyncIterator

import pytest

from server.domain.grants import Grant
from server.domain.model import LeaveReason, Role
from tests.support.colleagues import Branch, Inside, give, left, states, view_of


@pytest.fixture
async def house() -> AsyncIterator[Branch]:
    async with Branch() as house:
        yield house


async def test_an_expert_becomes_an_agent_and_an_expert_again(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    expert = Inside(*await house.enter(session, Role.EXPERT))
    assert await expert.page.error("participant.hold", participant=customer.id, held=True) == "not_allowed"
    assert await agent.page.error("participant.role", participant=expert.id, role="agent") is None
    assert "participant.hold" in expert.page.got("grants")[-1]["grants"]
    claims = house.verifier.verify(expert.page.got("token.renewed")[-1]["token"], now=house.clock.now())
    assert (claims.role, Grant.PARTICIPANT_HOLD in claims.grants) == (Role.AGENT, True)
    assert view_of(customer.page, expert.id)["role"] == "agent"
    assert await expert.page.error("participant.hold", participant=customer.id, held=True) is None
    assert await agent.page.error("participant.role", participant=expert.id, role="expert") is None
    assert await expert.page.error("participant.hold", participant=customer.id, held=False) == "not_allowed"
    assert (await house.participant(expert.id)).role is Role.EXPERT
    assert [subject for action, subject in await house.audit() if action == "participant.role_changed"] == [expert.id] * 2
    assert await agent.page.error("participant.role", participant=expert.id, role="expert") is None  # nothing new
    assert len(expert.page.got("grants")) == 2


async def test_the_old_token_is_good_for_what_both_roles_may(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    second = Inside(*await house.enter(session, Role.AGENT))
    old = house.token(session, second.id, Role.AGENT)
    assert await agent.page.error("participant.role", participant=second.id, role="expert") is None
    page = await house.connect(old)
    assert "participant.hold" not in page.snapshot["grants"]
    assert await page.error("participant.remove", participant=customer.id) == "not_allowed"
    await house.advance(0.2, page, agent.page, customer.page)
    assert page.got("token.renewed")  # at once
    third = Inside(*await house.enter(session, Role.EXPERT))
    old = house.token(session, third.id, Role.EXPERT)
    await agent.page.say("participant.role", participant=third.id, role="agent")
    page = await house.connect(old)
    assert "participant.hold" not in page.snapshot["grants"]
    await house.advance(0.2, page, agent.page, customer.page)
    page = await house.connect(page.got("token.renewed")[-1]["token"])
    assert "participant.hold" in page.snapshot["grants"]


async def test_what_is_taken_away_is_shut_before_it_is_told(house: Branch) -> None:
    """Grants of today's roles differ in nothing that is forwarded: a token with fewer stands for such a role."""
    session, _ann, agent, customer = await house.served()
    expert = Inside(*await house.enter(session, Role.EXPERT))
    await give(expert.page, "camera")
    house.media.calls.clear()
    with house.broken_store():
        assert await agent.page.error("participant.role", participant=expert.id, role="agent") == "internal"
    assert (await house.participant(expert.id)).role is Role.EXPERT
    assert expert.page.got("grants") == []
    second = Inside(*await house.enter(session, Role.AGENT))
    with house.broken_store():
        assert await agent.page.error("participant.role", participant=second.id, role="expert") == "internal"
    assert await second.page.error("participant.remove", participant=customer.id) == "not_allowed"  # tight it stays


async def test_what_is_refused(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    expert = Inside(*await house.enter(session, Role.EXPERT))
    boss = await house.colleague(Role.SUPERVISOR)
    listens = Inside(*await house.comes(session, boss))
    for who, role, code in (
        (customer.id, "agent", "invalid"),
        (expert.id, "customer", "invalid"),
        (expert.id, "service", "invalid"),
        (expert.id, "king", "invalid"),
        (expert.id, "supervisor", "not_allowed"),
        (listens.id, "agent", "not_allowed"),
        (agent.id, "expert", "not_found"),
        ("PA_NOBODY", "expert", "not_found"),
    ):
        assert await agent.page.error("participant.role", participant=who, role=role) == code, (who, role)
    for page in (customer.page, expert.page):
        assert await page.error("participant.role", participant=agent.id, role="expert") == "not_allowed"
    assert await listens.page.error("participant.role", participant=expert.id, role="supervisor") == "invalid"  # no staff
    assert await listens.page.error("participant.role", participant=agent.id, role="expert") == "conflict"  # leads
    other = await house.colleague(Role.SUPERVISOR)
    second = Inside(*await house.comes(session, other))
    assert await listens.page.error("participant.role", participant=second.id, role="agent") == "conflict"  # listens
    await second.page.say("supervise", mode="join")
    assert await listens.page.error("participant.role", participant=second.id, role="agent") is None
    assert await second.page.error("supervise", mode="listen") == "not_allowed"
    assert await listens.page.error("participant.role", participant=second.id, role="supervisor") is None


async def test_a_supervisor_takes_over(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    boss = await house.colleague(Role.SUPERVISOR)
    lead = Inside(*await house.comes(session, boss))
    await give(lead.page, "microphone", "camera")
    assert house.gates(session, lead.id) == set()
    await lead.page.say("supervise", mode="whisper", to=agent.id)
    assert await lead.page.error("supervise", mode="take_over") is None
    assert house.gates(session, lead.id) == {"microphone", "camera"}
    assert house.media.only[session, lead.id] is None
    assert house.gates(session, agent.id) == {"camera"}
    assert house.media.replaced == [(session, agent.id, lead.id)]
    assert view_of(customer.page, lead.id)["listens"] is False
    assert states(customer.page) == ["done"]
    await house.advance(1, lead.page, customer.page, agent.page)
    assert agent.page.bye == "taken_over"
    assert left(customer.page) == {agent.id: "taken_over"}
    assert (await house.participant(agent.id)).leave_reason is LeaveReason.TAKEN_OVER
    assert (await house.sessions.get(session)).taken_by == boss.id
    assert [subject for action, subject in await house.audit() if action == "supervision.changed"][-1] == lead.id
    assert (await house.connect(house.token(session, agent.id, Role.AGENT))).bye == "unauthorised"
    assert await lead.page.error("supervise", mode="take_over") == "conflict"


async def test_taking_over_ends_a_hand_over(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    boss, ben = await house.colleague(Role.SUPERVISOR), await house.colleague()
    lead = Inside(*await house.comes(session, boss))
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    page = await house.connect(ben.desk.got("handover.taken")[-1]["token"])
    assert house.circle(session, customer.id) != ""
    assert await lead.page.error("supervise", mode="take_over") is None
    assert page.bye == "left"
    assert house.circle(session, customer.id) == ""
    assert states(customer.page) == ["accepted", "cancelled", "done"]
    assert (await house.sessions.get(session)).taken_by == boss.id


async def test_who_may_not_take_over(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    boss = await house.colleague(Role.SUPERVISOR)
    lead = Inside(*await house.comes(session, boss))
    assert await agent.page.error("supervise", mode="take_over") == "not_allowed"
    assert await customer.page.error("supervise", mode="take_over") == "not_allowed"
    await agent.page.say("participant.hold", participant=lead.id, held=True)
    assert await lead.page.error("supervise", mode="take_over") == "conflict"
    await agent.page.say("participant.hold", participant=lead.id, held=False)
    with house.broken_store():
        assert await lead.page.error("supervise", mode="take_over") == "internal"
    assert house.gates(session, agent.id) == {"microphone", "camera"}
    assert house.media.replaced == []
    assert agent.page.bye is None
    await agent.page.say("leave")
    assert await lead.page.error("supervise", mode="take_over") == "conflict"  # nobody leads

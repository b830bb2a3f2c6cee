"""An agent whose connection is gone: who is told, who may take over, who wins, and when the customer waits again."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from server.domain.model import LeaveReason, Role, SessionStatus
from server.live.settings import LiveSettings
from tests.support.colleagues import Branch, Inside, give, left, states


@pytest.fixture
async def house() -> AsyncIterator[Branch]:
    async with Branch() as house:
        yield house


async def test_the_others_are_told_and_the_agent_comes_back(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    agent.page.cut()
    await house.advance(2.5, customer.page)
    assert customer.page.got("agent.lost") == []
    await house.advance(1, customer.page)
    told = customer.page.got("agent.lost")
    assert len(told) == 1
    assert told[0]["since"] < told[0]["until"]
    again = await house.connect(house.token(session, customer.id, Role.CUSTOMER))
    assert again.got("agent.lost") == told  # on a new page, too
    await house.advance(50, again)
    assert left(again) == {}
    _, page = await house.comes(session, ann)
    await house.advance(0.2, again, page)
    assert again.got("agent.back") == [{"type": "agent.back"}]
    assert page.got("agent.lost") == []
    await house.advance(70, again, page)
    assert (await house.sessions.get(session)).status is SessionStatus.OPEN


async def test_a_resumed_connection_is_back_as_well(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    agent.page.cut()
    await house.advance(5, customer.page)
    resumed = await house.connect(house.token(session, agent.id, Role.AGENT), agent.page.resume())
    await house.advance(0.2, customer.page, resumed)
    assert customer.page.got("agent.back")


async def test_colleagues_are_asked_and_the_first_takes_over(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    ben, boss = await house.colleague(), await house.colleague(Role.SUPERVISOR)
    agent.page.cut()
    await house.advance(14, customer.page, ben.desk, boss.desk)
    assert ben.desk.got("handover.offered") == []
    await house.advance(2, customer.page, ben.desk, boss.desk)
    for one in (ben, boss):
        offered = one.desk.got("handover.offered")[-1]
        assert (offered["lost"], offered["from_name"], offered["session"]["context"]) == (True, "李雷", "")
    assert states(customer.page) == []
    cat = await house.colleague()
    assert cat.desk.got("handover.offered")  # who comes to a desk later
    assert await cat.desk.error("handover.answer", session=session, accepted=False) is None
    await house.advance(2, customer.page, ben.desk, boss.desk, cat.desk)
    assert len(cat.desk.got("handover.offered")) == 1
    assert await boss.desk.error("handover.answer", session=session, accepted=True) is None
    assert ben.desk.got("handover.withdrawn")
    page = await house.connect(boss.desk.got("handover.taken")[-1]["token"])
    successor = page.snapshot["you"]["id"]
    assert page.snapshot["you"]["listens"] is False
    await give(page, "microphone")
    house.media.peer(session, successor, "connected")
    await house.advance(4, customer.page, page, ben.desk, boss.desk)
    assert states(customer.page) == ["accepted", "here", "done"]
    assert house.media.replaced == [(session, agent.id, successor)]
    assert left(customer.page) == {agent.id: "handed_over"}
    await house.advance(60, customer.page, page, ben.desk, boss.desk)
    record = await house.sessions.get(session)
    assert (record.status, record.taken_by) == (SessionStatus.OPEN, boss.id)
    assert (await house.connect(house.token(session, agent.id, Role.AGENT))).bye == "unauthorised"


async def test_back_before_anybody_has_accepted(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    ben = await house.colleague()
    agent.page.cut()
    await house.advance(16, customer.page, ben.desk)
    # both in one moment: the agent's hello first
    page = await house.connect(house.token(session, agent.id, Role.AGENT), agent.page.resume())
    assert await ben.desk.error("handover.answer", session=session, accepted=True) == "conflict"
    await house.advance(0.2, customer.page, page, ben.desk)
    assert ben.desk.got("handover.withdrawn")
    assert customer.page.got("agent.back")
    assert (await house.sessions.get(session)).handover_to is None


async def test_back_after_somebody_has_accepted(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    ben = await house.colleague()
    agent.page.cut()
    await house.advance(16, customer.page, ben.desk)
    assert await ben.desk.error("handover.answer", session=session, accepted=True) is None
    page = await house.connect(house.token(session, agent.id, Role.AGENT), agent.page.resume())
    await house.advance(0.2, customer.page, page, ben.desk)
    assert states(page)[-1] == "accepted"
    successor = await house.connect(ben.desk.got("handover.taken")[-1]["token"])
    await house.advance(10, customer.page, page, successor, ben.desk)
    assert page.bye == "handed_over"
    assert (await house.sessions.get(session)).taken_by == ben.id


async def test_nobody_comes_and_the_customer_waits_at_the_front(house: Branch) -> None:
    waiting = await house.session(SessionStatus.WAITING)
    await house.enter(waiting)
    session, _ann, agent, customer = await house.served()
    expert = Inside(*await house.enter(session, Role.EXPERT))
    ben = await house.colleague()
    agent.page.cut()
    await house.advance(61, customer.page, expert.page, ben.desk)
    assert left(customer.page) == {agent.id: "lost"}
    assert (await house.participant(agent.id)).leave_reason is LeaveReason.LOST
    record = await house.sessions.get(session)
    assert (record.status, record.taken_by) == (SessionStatus.WAITING, None)
    assert house.gates(session, customer.id) == set()
    assert customer.page.got("session.changed")[-1]["session"]["status"] == "waiting"
    await house.advance(1, customer.page, expert.page, ben.desk)
    assert [entry["session"] for entry in ben.desk.got("waiting.list")[-1]["entries"]] == [session, waiting]
    assert customer.page.got("queue.position")[-1]["position"] == 1
    assert ben.desk.got("handover.withdrawn")
    assert await ben.desk.error("handover.answer", session=session, accepted=True) == "conflict"
    assert ("session.requeued", session) in await house.audit()
    assert await ben.desk.error("waiting.take", session=session) is None
    page = await house.connect(ben.desk.got("waiting.taken")[-1]["token"])
    assert house.gates(session, customer.id) == {"microphone", "camera"}
    assert page.snapshot["session"]["status"] == "open"
    lost = await house.connect(house.token(session, agent.id, Role.AGENT))
    assert lost.bye == "unauthorised"  # somebody else has the customer


async def test_the_agent_comes_back_while_the_customer_waits_again(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    agent.page.cut()
    await house.advance(62, customer.page)
    assert (await house.sessions.get(session)).status is SessionStatus.WAITING
    page = await house.connect(house.token(session, agent.id, Role.AGENT))
    assert page.bye is None
    record = await house.sessions.get(session)
    assert (record.status, record.taken_by) == (SessionStatus.OPEN, ann.id)
    assert house.gates(session, customer.id) == {"microphone", "camera"}


async def test_the_agent_comes_back_by_the_desk(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    agent.page.cut()
    await house.advance(62, customer.page)
    await house.comes(session, ann)
    assert (await house.sessions.get(session)).taken_by == ann.id


async def test_a_colleague_inside_leads(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    second = Inside(*await house.enter(session, Role.AGENT))
    ben = await house.colleague()
    agent.page.cut()
    await house.advance(30, customer.page, second.page, ben.desk)
    assert second.page.got("agent.lost")
    assert ben.desk.got("handover.offered") == []
    await house.advance(35, customer.page, second.page, ben.desk)
    assert left(customer.page) == {agent.id: "lost"}
    assert customer.page.got("agent.back")
    assert (await house.sessions.get(session)).status is SessionStatus.OPEN
    assert await second.page.error("handover.offer", to=ben.id) is None


async def test_a_supervisor_who_listens_is_no_colleague_who_helps(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    boss = await house.colleague(Role.SUPERVISOR)
    _, page = await house.comes(session, boss)
    ben = await house.colleague()
    agent.page.cut()
    await house.advance(17, customer.page, page, ben.desk)
    assert ben.desk.got("handover.offered")
    await house.advance(60, customer.page, page, ben.desk)
    assert (await house.sessions.get(session)).status is SessionStatus.WAITING


async def test_without_a_customer_nobody_is_asked(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    ben = await house.colleague()
    agent.page.cut()
    await house.advance(10, customer.page, ben.desk)
    await customer.page.say("leave")
    await house.advance(25, ben.desk)
    assert ben.desk.got("handover.offered") == []
    assert (await house.participant(agent.id)).leave_reason is LeaveReason.LOST
    assert (await house.sessions.get(session)).status is SessionStatus.OPEN


async def test_a_store_that_does_not_answer_puts_everything_off(house: Branch) -> None:
    session, _ann, agent, customer = await house.served()
    ben = await house.colleague()
    agent.page.cut()
    with house.broken_store():
        await house.advance(30, customer.page, ben.desk)
        assert ben.desk.got("handover.offered") == []
    await house.advance(1, customer.page, ben.desk)
    assert ben.desk.got("handover.offered")
    with house.broken_store():
        await house.advance(40, customer.page, ben.desk)
    assert (await house.sessions.get(session)).status is SessionStatus.OPEN
    await house.advance(2, customer.page, ben.desk)
    assert (await house.sessions.get(session)).status is SessionStatus.WAITING


async def test_how_long_the_place_is_kept_is_configured() -> None:
    async with Branch(LiveSettings(agent_keep_s=30)) as house:
        _session, _ann, agent, customer = await house.served()
        agent.page.cut()
        await house.advance(29, customer.page)
        assert left(customer.page) == {}
        told = customer.page.got("agent.lost")[0]
        assert datetime.fromisoformat(told["until"]) - datetime.fromisoformat(told["since"]) == timedelta(seconds=30)
        await house.advance(2, customer.page)
        assert left(customer.page) == {agent.id: "lost"}

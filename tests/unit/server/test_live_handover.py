"""Giving the customer to a colleague: who may, who is asked, who is told what, and that nothing hangs when somebody goes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.domain.model import LeaveReason, Role, SessionStatus
from tests.support.colleagues import Branch, Inside, give, left, states, view_of


@pytest.fixture
async def house() -> AsyncIterator[Branch]:
    async with Branch() as house:
        yield house


async def test_a_cold_hand_over(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    ben = await house.colleague()
    assert await agent.page.error("handover.offer", to=ben.id, warm=False, note="wants a loan") is None
    offered = ben.desk.got("handover.offered")[-1]
    assert (offered["session"]["id"], offered["session"]["customer_reference"]) == (session, "C-1")
    assert (offered["from_name"], offered["note"], offered["warm"], offered["lost"]) == ("李雷", "wants a loan", False, False)
    assert ann.desk.got("handover.offered") == []
    assert states(agent.page) == ["offered"]
    assert states(customer.page) == []

    assert await ben.desk.error("handover.answer", session=session, accepted=True) is None
    taken = ben.desk.got("handover.taken")[-1]
    assert taken["session"]["context"] == "summary"
    assert states(customer.page) == ["accepted"]
    page = await house.connect(taken["token"])
    successor = Inside(page.snapshot["you"]["id"], page)
    await give(successor.page, "microphone", "camera")
    assert states(successor.page) == ["accepted"]
    assert house.media.replaced == []
    house.media.peer(session, successor.id, "connected")
    await house.live.settle()
    assert states(customer.page)[-1] == "here"
    assert house.media.replaced == []  # the picture before is shown until the one after flows
    house.media.track(session, successor.id, "camera", True)
    await house.live.settle()
    assert states(customer.page) == ["accepted", "here", "done"]
    assert customer.page.got("handover")[-1] == {
        "type": "handover", "state": "done", "warm": False, "from": agent.id, "to": successor.id, "to_name": "李雷",
    }  # fmt: skip
    assert house.media.replaced == [(session, agent.id, successor.id)]
    assert house.gates(session, agent.id) == {"camera"}  # the picture alone, until it is replaced
    assert house.media.only[session, agent.id] == {customer.id, successor.id}
    assert house.circle(session, agent.id) != ""  # and nobody is heard any more
    assert await agent.page.error("chat.send", client_id="1", text="x") == "not_allowed"
    await house.advance(1, agent.page, customer.page, successor.page, ben.desk)
    assert agent.page.bye == "handed_over"
    assert left(customer.page) == {agent.id: "handed_over"}
    assert customer.page.bye is None
    assert house.gates(session, agent.id) == set()
    record = await house.sessions.get(session)
    assert (record.taken_by, record.handover_to, record.consults_at) == (ben.id, None, None)
    assert (await house.participant(agent.id)).leave_reason is LeaveReason.HANDED_OVER
    assert [subject for action, subject in await house.audit() if action == "handover.changed"] == [
        session, successor.id, successor.id,
    ]  # fmt: skip
    again = await house.connect(house.token(session, agent.id, Role.AGENT))
    assert again.bye == "unauthorised"


async def test_without_a_picture_it_is_done_all_the_same(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    page = await house.connect(ben.desk.got("handover.taken")[-1]["token"])
    await house.advance(4, agent.page, customer.page, page, ben.desk)
    assert states(customer.page) == ["accepted"]
    await house.advance(1, agent.page, customer.page, page, ben.desk)
    assert states(customer.page) == ["accepted", "here"]
    await house.advance(3, agent.page, customer.page, page, ben.desk)
    assert states(customer.page)[-1] == "done"


async def test_a_warm_hand_over(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    expert = Inside(*await house.enter(session, Role.EXPERT))
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    assert house.circle(session, customer.id) == ""
    await ben.desk.say("handover.answer", session=session, accepted=True)
    circles = {house.circle(session, one.id) for one in (customer, expert)}
    assert len(circles) == 2
    assert "" not in circles
    assert view_of(customer.page, customer.id)["on_hold"] is True
    page = await house.connect(ben.desk.got("handover.taken")[-1]["token"])
    successor = page.snapshot["you"]["id"]
    assert page.snapshot["you"]["on_hold"] is False
    late = Inside(*await house.enter(session, Role.EXPERT))
    assert house.circle(session, late.id) != ""
    assert late.page.snapshot["you"]["on_hold"] is True
    assert await agent.page.error("handover.complete") == "conflict"  # not here yet
    house.media.peer(session, successor, "connected")
    await house.live.settle()
    assert states(agent.page) == ["offered", "accepted", "here"]
    await house.advance(60, agent.page, customer.page, expert.page, late.page, page, ben.desk)
    assert house.media.replaced == []
    assert await customer.page.error("handover.complete") == "not_allowed"
    assert await page.error("handover.complete") == "not_allowed"
    assert await agent.page.error("handover.complete") is None
    assert house.media.replaced == [(session, agent.id, successor)]
    assert states(agent.page)[-1] == states(customer.page)[-1] == states(page)[-1] == "done"
    assert agent.page.bye == "handed_over"
    assert {house.circle(session, one.id) for one in (customer, expert, late)} == {""}
    assert view_of(customer.page, customer.id)["on_hold"] is False
    assert (await house.sessions.get(session)).taken_by == ben.id


async def test_somebody_on_hold_stays_there_when_the_two_have_talked(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("participant.hold", participant=customer.id, held=True)
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    await agent.page.say("handover.cancel")
    assert house.circle(session, customer.id) != ""
    assert await agent.page.error("participant.hold", participant=customer.id, held=False) is None
    assert house.circle(session, customer.id) == ""


async def test_a_warm_one_that_came_to_nothing(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    page = await house.connect(ben.desk.got("handover.taken")[-1]["token"])
    house.media.peer(session, page.snapshot["you"]["id"], "connected")
    await house.live.settle()
    house.media.calls.clear()
    assert await agent.page.error("handover.cancel") is None
    gone = house.media.calls.index(("disconnect", session, page.snapshot["you"]["id"]))
    back = max(at for at, call in enumerate(house.media.calls) if call == ("set_gates", session, customer.id))
    assert gone < back  # the colleague is out before the customer hears anything
    assert page.bye == "left"
    assert house.circle(session, customer.id) == ""
    assert states(customer.page)[-1] == "cancelled"
    assert (await house.sessions.get(session)).handover_to is None
    assert await agent.page.error("handover.offer", to=ben.id) is None  # and once more


@pytest.mark.parametrize("who", ["nobody", "customer", "agent"])
async def test_a_colleague_who_goes_in_the_middle(house: Branch, who: str) -> None:
    session, _, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    page = await house.connect(ben.desk.got("handover.taken")[-1]["token"])
    successor = page.snapshot["you"]["id"]
    house.media.peer(session, successor, "connected")
    await house.live.settle()
    if who == "nobody":
        await page.say("leave")
        assert states(agent.page)[-1] == "cancelled"
        assert house.circle(session, customer.id) == ""
    elif who == "customer":
        await customer.page.say("leave")
        assert states(agent.page)[-1] == "cancelled"
        assert page.bye == "left"
    else:
        await agent.page.say("leave")  # the colleague is here: they lead
        assert states(customer.page)[-1] == "done"
        assert house.circle(session, customer.id) == ""
        assert (await house.sessions.get(session)).taken_by == ben.id
    assert (await house.sessions.get(session)).consults_at is None


async def test_nobody_hangs_on_hold_when_whoever_hands_over_is_lost(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    page = await house.connect(ben.desk.got("handover.taken")[-1]["token"])
    house.media.peer(session, page.snapshot["you"]["id"], "connected")
    await house.live.settle()
    agent.page.cut()
    await house.advance(14, customer.page, page, ben.desk)
    assert house.circle(session, customer.id) != ""
    await house.advance(2, customer.page, page, ben.desk)
    assert house.circle(session, customer.id) == ""
    assert states(customer.page)[-1] == "done"


async def test_declined_expired_and_taken_back(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id)
    assert await ben.desk.error("handover.answer", session=session, accepted=False) is None
    assert states(agent.page) == ["offered", "declined"]
    await agent.page.say("handover.offer", to=ben.id)
    await house.advance(31, agent.page, customer.page, ben.desk)
    assert states(agent.page)[-1] == "expired"
    assert ben.desk.got("handover.withdrawn") == [{"type": "handover.withdrawn", "session": session}]
    assert await ben.desk.error("handover.answer", session=session, accepted=True) == "conflict"
    await agent.page.say("handover.offer", to=ben.id)
    assert await agent.page.error("handover.cancel") is None
    assert states(agent.page)[-1] == "cancelled"
    assert await ben.desk.error("handover.answer", session=session, accepted=True) == "conflict"
    assert states(customer.page) == []  # for the customer nothing has happened
    assert await agent.page.error("handover.cancel") == "conflict"


async def test_who_accepted_and_does_not_come(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    token = ben.desk.got("handover.taken")[-1]["token"]
    await house.advance(31, agent.page, customer.page, ben.desk)
    assert states(agent.page)[-1] == states(customer.page)[-1] == "expired"
    assert house.circle(session, customer.id) == ""
    assert (await house.connect(token)).bye == "unauthorised"


async def test_any_agent_who_is_free_and_the_first_wins(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    ben, cat = await house.colleague(), await house.colleague()
    busy = await house.colleague()
    elsewhere = await house.session(created_by=busy.id)
    await house.comes(elsewhere, busy)
    boss = await house.colleague(Role.SUPERVISOR)
    assert {one.id: one.busy for one in house.live.staff_available()} == {
        ann.id: True, ben.id: False, cat.id: False, busy.id: True, boss.id: False,
    }  # fmt: skip
    await agent.page.say("handover.offer", note="x")
    late = await house.colleague()
    for one in (ben, cat, late):
        view = one.desk.got("handover.offered")[-1]["session"]
        assert (view["reason"], view["customer_reference"], view["context"]) == ("loan", "", "")
    for one in (ann, busy, boss):
        assert one.desk.got("handover.offered") == []
        assert await one.desk.error("handover.answer", session=session, accepted=True) == "conflict"
    ben.desk.post("handover.answer", session=session, accepted=True)
    seq = cat.desk.post("handover.answer", session=session, accepted=True)
    await house.live.settle()
    assert cat.desk.errors() == {seq: "conflict"}
    assert len(ben.desk.got("handover.taken")) == 1
    assert late.desk.got("handover.withdrawn")
    assert await ben.desk.error("handover.answer", session=session, accepted=True) == "conflict"  # once
    assert customer.page.got("handover")[-1]["to_name"] == "李雷"


async def test_everybody_declines(house: Branch) -> None:
    session, _, agent, _ = await house.served()
    ben, cat = await house.colleague(), await house.colleague()
    await agent.page.say("handover.offer")
    await ben.desk.say("handover.answer", session=session, accepted=False)
    assert states(agent.page) == ["offered"]
    await cat.desk.say("handover.answer", session=session, accepted=False)
    assert states(agent.page) == ["offered", "declined"]


async def test_what_is_refused(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    assert await agent.page.error("handover.offer") == "not_found"  # nobody is there
    ben = await house.colleague()
    second = Inside(*await house.enter(session, Role.AGENT))
    expert = Inside(*await house.enter(session, Role.EXPERT))
    assert await second.page.error("handover.offer", to=ben.id) == "not_allowed"  # somebody else leads
    assert await customer.page.error("handover.offer", to=ben.id) == "not_allowed"
    assert await expert.page.error("handover.offer", to=ben.id) == "not_allowed"
    assert await agent.page.error("handover.offer", to=ann.id) == "invalid"
    assert await agent.page.error("handover.offer", to="ST_NOBODY") == "not_found"
    assert await agent.page.error("handover.offer", to=ben.id, note="x" * 501) == "invalid"
    assert await agent.page.error("handover.offer", to=ben.id) is None
    assert await agent.page.error("handover.offer", to=ben.id) == "conflict"
    assert await second.page.error("handover.cancel") == "not_allowed"
    assert await second.page.error("handover.complete") == "conflict"
    assert await ben.desk.error("handover.answer", session="SE_X", accepted=True) == "conflict"
    assert await agent.page.error("handover.answer", session=session, accepted=True) == "not_allowed"
    assert await ben.desk.error("handover.offer", to=ann.id) == "not_allowed"
    await customer.page.say("leave")
    assert states(agent.page)[-1] == "cancelled"
    assert await agent.page.error("handover.offer", to=ben.id) == "conflict"  # no customer


async def test_a_removed_colleague_cannot_come_by_it(house: Branch) -> None:
    session, _ann, agent, _ = await house.served()
    boss = await house.colleague(Role.SUPERVISOR)
    id, page = await house.comes(session, boss)
    await agent.page.say("participant.remove", participant=id)
    assert page.bye == "removed"
    await agent.page.say("handover.offer", to=boss.id)
    assert await boss.desk.error("handover.answer", session=session, accepted=True) == "not_allowed"


async def test_what_cannot_be_stored_is_not_done(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    ben = await house.colleague()
    with house.broken_store():
        assert await agent.page.error("handover.offer", to=ben.id, warm=True) == "internal"
    assert ben.desk.got("handover.offered") == []
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    with house.broken_store():
        assert await ben.desk.error("handover.answer", session=session, accepted=True) == "internal"
        await house.advance(1, agent.page, customer.page, ben.desk)
    assert house.circle(session, customer.id) == ""
    assert await ben.desk.error("handover.answer", session=session, accepted=True) is None
    page = await house.connect(ben.desk.got("handover.taken")[-1]["token"])
    house.media.peer(session, page.snapshot["you"]["id"], "connected")
    await house.live.settle()
    with house.broken_store():
        assert await agent.page.error("handover.complete") == "internal"
        assert house.circle(session, customer.id) != ""
        assert agent.page.bye is None
        assert await page.error("leave") == "internal"
        await house.advance(31, agent.page, customer.page, ben.desk)
        assert house.circle(session, customer.id) != ""  # the record says that they are on hold: so they are
    await house.advance(2, agent.page, customer.page, ben.desk)
    assert house.circle(session, customer.id) == ""
    assert states(agent.page)[-1] == "cancelled"


async def test_the_session_ends_while_it_is_offered(house: Branch) -> None:
    session, _, agent, _ = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id)
    await agent.page.say("session.end")
    assert ben.desk.got("handover.withdrawn") == [{"type": "handover.withdrawn", "session": session}]
    assert await ben.desk.error("handover.answer", session=session, accepted=True) == "conflict"


async def test_new_pages_are_told_how_it_stands(house: Branch) -> None:
    session, ann, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id)
    desk = await house.connect(ben.token)
    assert desk.got("handover.offered")[-1]["session"]["id"] == session
    _, page = await house.comes(session, ann)
    assert states(page) == ["offered"]
    await ben.desk.say("handover.answer", session=session, accepted=True)
    assert desk.got("handover.withdrawn")
    assert ben.desk.got("handover.withdrawn") == []
    again = await house.connect(house.token(session, customer.id, Role.CUSTOMER))
    assert states(again) == ["accepted"]


@pytest.mark.parametrize("warm", [False, True])
async def test_a_restart_in_the_middle(house: Branch, warm: bool) -> None:
    session, ann, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id, warm=warm)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    token = ben.desk.got("handover.taken")[-1]["token"]
    await house.connect(token)
    async with Branch(store=house.store) as after:
        await after.live.recover()
        back = await after.connect(after.token(session, customer.id, Role.CUSTOMER))
        await give(back, "microphone")
        assert back.snapshot["you"]["on_hold"] is warm
        assert (after.circle(session, customer.id) != "") is warm
        _, lead = await after.comes(session, ann)
        page = await after.connect(token)
        successor = page.snapshot["you"]["id"]
        assert states(back) == ["accepted"]
        after.media.peer(session, successor, "connected")
        after.media.track(session, successor, "camera", True)
        await give(page, "camera")
        await after.live.settle()
        if warm:
            assert await lead.error("handover.complete") is None
        await after.advance(5, back, lead, page)
        assert states(back)[-1] == "done"
        assert after.circle(session, customer.id) == ""
        assert lead.bye == "handed_over"


async def test_a_restart_after_which_nobody_of_the_two_comes_back(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    async with Branch(store=house.store) as after:
        await after.live.recover()
        back = await after.connect(after.token(session, customer.id, Role.CUSTOMER))
        assert back.snapshot["you"]["on_hold"] is True
        await after.advance(35, back)
        assert after.circle(session, customer.id) == ""
        assert view_of(back, customer.id)["on_hold"] is False
        await after.advance(60, back)
        assert back.got("session.changed")[-1]["session"]["status"] == "waiting"


async def test_nobody_whispers_across_the_talk_of_the_two(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    boss, ben = await house.colleague(Role.SUPERVISOR), await house.colleague()
    listens = Inside(*await house.comes(session, boss))
    await give(listens.page, "microphone")
    await listens.page.say("supervise", mode="whisper", to=agent.id)
    assert house.media.only[session, listens.id] == {agent.id}
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    assert house.gates(session, listens.id) == set()
    assert house.circle(session, listens.id) not in ("", house.circle(session, customer.id))
    assert agent.page.got("whispers")[-1]["to"] is None
    assert await listens.page.error("supervise", mode="whisper", to=agent.id) == "conflict"
    await listens.page.say("supervise", mode="join")
    assert house.circle(session, listens.id) != ""  # joining in is no way round the hold
    await listens.page.say("supervise", mode="listen")
    await agent.page.say("handover.cancel")
    assert await listens.page.error("supervise", mode="whisper", to=agent.id) is None
    assert house.media.only[session, listens.id] == {agent.id}


async def test_a_worker_lost_in_the_middle_has_everybody_where_they_were(house: Branch) -> None:
    session, _, agent, customer = await house.served()
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id, warm=True)
    await ben.desk.say("handover.answer", session=session, accepted=True)
    house.media.lose(session)
    await house.advance(2, agent.page, customer.page, ben.desk)
    assert house.circle(session, customer.id) != ""
    assert house.circle(session, agent.id) == ""


@pytest.mark.parametrize("signed_out", [False, True])
async def test_a_slow_session_holds_up_no_desk(house: Branch, signed_out: bool) -> None:
    session, ann, agent, _customer = await house.served()
    waiting = await house.session(SessionStatus.WAITING)
    ben = await house.colleague()
    await agent.page.say("handover.offer", to=ben.id)
    goes_on = asyncio.Event()

    async def slow() -> None:
        await goes_on.wait()

    assert house.live._sessions[session].actor.post(slow)
    ben.desk.post("handover.answer", session=session, accepted=True)
    ann.desk.post("waiting.take", session=waiting)
    async with asyncio.timeout(60):
        await house.live._desks.actor.settle()
    assert ann.desk.got("waiting.taken")[-1]["session"]["id"] == waiting
    assert ben.desk.got("handover.taken") == []
    if signed_out:
        await house.live._desks.sign_out(ben.login)
    goes_on.set()
    await house.live.settle()
    assert states(agent.page) == (["offered"] if signed_out else ["offered", "accepted"])
    assert bool(ben.desk.got("handover.taken")) is not signed_out

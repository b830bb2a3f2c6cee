"""How it ends where a customer is verified by themselves: by time, by anybody, in the middle, and over a restart."""

from datetime import timedelta
from typing import Any

import pytest

from server.domain.ids import CaseId, SessionId
from server.domain.model import Role, SessionStatus
from server.errors import Gone, TooMany
from server.transactions.case import CaseState
from tests.scenario.test_self_service import Alone, alone, drawn
from tests.support.live_person import Scene
from tests.support.performer import Person
from tests.support.signalling import House

__all__ = ["alone", "drawn"]


async def test_the_session_ends_two_minutes_after_its_case(alone: Alone) -> None:
    await alone.begin(alone.customer[1])
    await alone.play()
    await alone.later(119)
    assert (await alone.record()).status is SessionStatus.OPEN
    await alone.later(2)
    assert ((await alone.record()).status, (await alone.record()).end_reason) == (SessionStatus.ENDED, "over")
    assert alone.customer[1].bye == "session_ended"
    assert await alone.state() is CaseState.ACCEPTED
    with pytest.raises(Gone):
        await alone.redeem()


async def test_a_case_that_is_reviewed_keeps_its_session_for_who_stays(alone: Alone) -> None:
    alone.place.refer_risk()
    await alone.begin(alone.customer[1])
    assert (await alone.play())["outcome"] == "refer"
    await alone.later(300)
    assert (await alone.record()).status is SessionStatus.OPEN
    await alone.customer[1].say("leave")
    await alone.later(100)
    assert (await alone.record()).status is SessionStatus.OPEN
    await alone.later(30)
    assert (await alone.record()).status is SessionStatus.ENDED
    assert await alone.state() is CaseState.REVIEW, "that goes on without them"


async def test_a_session_with_an_open_case_goes_on_though_nobody_is_there(alone: Alone) -> None:
    await alone.customer[1].say("leave")
    await alone.later(600)
    assert (await alone.record()).status is SessionStatus.OPEN
    await alone.later(301)
    assert await alone.state() is CaseState.EXPIRED
    await alone.later(121)
    assert (await alone.record()).status is SessionStatus.ENDED


async def test_an_agent_who_is_there_ends_it_themselves(alone: Alone) -> None:
    desk = await alone.desk()
    await alone.customer[1].say("verification.agent", reason="help")
    agent = await alone.take(desk)
    await alone.place.verifications.cancel(alone.place.bank, alone.case)
    await alone.later(500)
    assert (await alone.record()).status is SessionStatus.OPEN
    await agent.say("leave")
    await alone.later(130)
    assert (await alone.record()).status is SessionStatus.ENDED


async def test_who_waits_for_a_person_is_not_sent_away(alone: Alone) -> None:
    await alone.desk()
    await alone.place.verifications.cancel(alone.place.bank, alone.case)
    await alone.customer[1].say("verification.agent", reason="help")
    await alone.later(500)
    assert (await alone.record()).status is SessionStatus.WAITING


@pytest.mark.campaign(6)
async def test_ending_the_session_takes_its_open_case_back(alone: Alone) -> None:
    await alone.begin(alone.customer[1])
    await alone.until(lambda: alone.house.media.taps)
    await alone.customer[1].say("session.end", reason="")
    assert await alone.state() is CaseState.CANCELLED
    await alone.until(lambda: not alone.house.media.taps)
    async with alone.house.store.read() as tx:
        failures = await alone.place.verifications.cases.failures(tx, "C-1")
    assert failures is not None
    assert failures.count == 1, "who sees that it goes badly gains nothing"
    order = [action for action, _ in await alone.house.audit()]
    assert order.index("verification.ended") < order.index("session.ended")


async def test_ending_the_session_leaves_a_review_alone(alone: Alone) -> None:
    alone.place.refer_risk()
    await alone.begin(alone.customer[1])
    await alone.play()
    await alone.customer[1].say("session.end", reason="")
    assert await alone.state() is CaseState.REVIEW


async def test_ending_an_ordinary_session_takes_no_case_back(alone: Alone) -> None:
    plain = await alone.house.session()
    case: CaseId = await alone.place.ready(customer="C-1", session=plain)
    await alone.house.live.end_session(plain, "", "ST_X")
    assert (await alone.place.case(case)).state is CaseState.OPEN


async def test_a_case_that_the_bank_takes_back_in_the_middle(alone: Alone) -> None:
    await alone.begin(alone.customer[1])
    await alone.until(lambda: alone.house.media.taps)
    await alone.place.verifications.cancel(alone.place.bank, alone.case)
    await alone.until(lambda: len(alone.told()) == 2)
    await alone.look()
    assert alone.briefs()[0]["state"] == "cancelled"
    assert alone.house.media.taps == []


async def test_a_page_that_is_closed_in_the_middle_uses_the_attempt_up(alone: Alone) -> None:
    await alone.begin(alone.customer[1])
    await alone.until(lambda: alone.house.media.taps)
    await alone.customer[1].say("leave")

    async def over() -> bool:
        return (await alone.place.case(alone.case)).attempt is None

    await alone.until(over)
    assert (await alone.place.case(alone.case)).attempts_used == 1
    alone.customer = await alone.come()
    assert (alone.briefs()[0]["attempts_left"], alone.briefs()[0]["state"]) == (2, "open")


async def test_after_a_restart_everything_is_as_it_was(alone: Alone) -> None:
    await alone.house.close()
    house = House(store=alone.house.store)
    house.clock.seconds = alone.house.clock.seconds
    alone.house, alone.place.clock = house, house.clock
    alone.scene = Scene(Person())
    alone.bind()
    await house.live.recover()
    page = await house.connect(house.token(alone.session, alone.customer[0], Role.CUSTOMER))
    assert alone.briefs(page)[0]["case"] == alone.case
    await alone.place.verifications.cancel(alone.place.bank, alone.case)
    await alone.later(121)
    assert page.bye == "session_ended"


async def test_what_fails_while_sessions_are_ended_keeps_no_other(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    first = alone.session
    await alone.place.verifications.cancel(alone.place.bank, alone.case)
    await alone.asked_with_link()
    second = alone.session
    await alone.place.verifications.cancel(alone.place.bank, alone.case)
    end = alone.house.live.end_over

    async def end_over(session: SessionId, before: Any) -> None:
        if session == min(first, second):
            raise TooMany("full")
        await end(session, before)

    monkeypatch.setattr(alone.house.live, "end_over", end_over)
    await alone.later(121)
    states = {one: (await alone.house.sessions.get(one)).status for one in (first, second)}
    assert states == {min(first, second): SessionStatus.OPEN, max(first, second): SessionStatus.ENDED}


async def test_a_session_is_looked_at_again_before_it_is_ended(alone: Alone) -> None:
    """Between being found and being ended somebody may have asked for a person."""
    await alone.desk()
    await alone.place.verifications.cancel(alone.place.bank, alone.case)
    alone.house.clock.seconds += 121
    await alone.customer[1].say("verification.agent", reason="help")
    await alone.house.live.end_over(alone.session, alone.house.clock.now() - timedelta(seconds=1))
    assert (await alone.record()).status is SessionStatus.WAITING

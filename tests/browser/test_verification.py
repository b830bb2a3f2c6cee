"""A customer's face is checked in a real Chromium, in a conversation with an agent: their camera's picture is coded, relayed, tapped and looked at by the pack
``open``, what is asked is drawn anew each time, and the bank's system gets a signed decision.

Quiet: a person has five seconds for an answer, and pictures of which fewer than six a second come to be looked at are no evidence."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from playwright.async_api import Browser

from server.demo_bank.products import PASSWORD
from server.transactions.token import DecisionRefused, verify_decision
from tests.support.bank import Refused
from tests.support.canvas_camera import Actor, Footage, cues, footage
from tests.support.checking import House, meeting
from tests.support.machine import quick_or_skip
from tests.support.tries import TRIES

pytestmark = [pytest.mark.browser, pytest.mark.quiet, pytest.mark.asyncio(loop_scope="session")]


async def test_who_does_what_is_asked_is_accepted_and_the_decision_holds_for_these_details_alone(
    browser: Browser, bank_house: House, film: Footage
) -> None:
    asker = bank_house.asker
    async with meeting(browser, bank_house, Actor(film)) as here:
        await here.begin()
        await here.seen(await here.over(), "accept")
        await here.customer.sees(here.customer.say("verify.over.accept.title"))
        await here.agent.sees(here.agent.say("staff.verify.accept"))
        asked = await cues(here.customer)
        assert [one["number"] for one in asked] == [0, 1, 2]
        assert len({one["action"] for one in asked}) == 3
        await here.customer.press("verify.done")
        await here.customer.in_call()
    claims = await asker.verified(here.case)
    assert (claims.accepted, claims.case, claims.assurance, claims.reasons) == (True, here.case.id, "live", ())
    token, keys = (await asker.found(here.case))["result"], await asker.bank.call("GET", "/verifications/keys")
    for details, audience in (({**here.case.details, "card_last4": "9999"}, asker.audience), (here.case.details, "AK_OTHER")):
        with pytest.raises(DecisionRefused):
            verify_decision(token, keys, details=details, audience=audience, now=datetime.now(UTC))
    await asker.redeem(here.case)
    with pytest.raises(Refused, match="already_redeemed"):
        await asker.redeem(here.case)


async def test_a_recording_of_the_customer_is_not_accepted(browser: Browser, bank_house: House, film: Footage) -> None:
    """The same person and the same movements, in an order of its own, without the light of this screen."""
    async with meeting(browser, bank_house, Actor(film).recorded()) as here:
        await here.begin()
        outcome = await here.over()
        assert outcome != "accept", await here.told()
        await here.seen(outcome, "reject")
        found = await bank_house.asker.found(here.case)
        assert (found["result"], found["attempts_used"]) == (None, 1)
        wrong = {"action_missed", "action_other", "action_before_asked"} & set(found["verdict"]["reasons"])
        quick_or_skip(bool(wrong), found)  # a busy engine looks at too few pictures to say what is wrong with them
        await here.customer.sees(here.customer.say("verify.over.reject.title"))


async def test_somebody_else_s_portrait_is_not_matched(browser: Browser, bank_house: House, film: Footage) -> None:
    """Whoever answers everything is still not the customer."""
    other = replace(film, portrait=footage("lp_d13").portrait)
    async with meeting(browser, bank_house, Actor(other)) as here:
        await here.begin()
        outcome = await here.over()
        assert outcome != "accept", await here.told()
        found = await bank_house.asker.found(here.case)
        await here.seen(outcome, "reject")
    assert (found["state"], found["result"]) == ("open", None)
    assert "no_match" in found["verdict"]["reasons"], found


async def test_who_cannot_do_two_things_is_referred_and_approved_by_somebody_who_was_not_there(
    browser: Browser, bank_house: House, film: Footage
) -> None:
    asker = bank_house.asker
    async with meeting(browser, bank_house, Actor(film, declines=2)) as here:
        await here.begin()
        for count in (1, 2):
            await here.cannot(count)
        await here.seen(await here.over(), "refer")
        await here.customer.sees(here.customer.say("verify.over.refer.title"))
    found = await asker.found(here.case)
    assert (found["state"], found["result"], found["verdict"]["reasons"]) == ("review", None, ["action_replaced"])
    path, words = f"/verifications/{here.case.id}/review", {"decision": "approve", "reason": "The same person as in the branch"}
    with pytest.raises(Refused, match="not_allowed"):
        await bank_house.staff.call("POST", path, words)
    reviewer = await bank_house.supervisor()
    [waiting] = [one for one in (await reviewer.call("GET", "/reviews"))["reviews"] if one["id"] == here.case.id]
    assert waiting["why_not"] is None, waiting
    await reviewer.call("POST", path, words)
    claims = await asker.verified(here.case)
    assert (claims.accepted, "approved_in_review" in claims.reasons) == (True, True)


@pytest.mark.parametrize("wanted", ["accept", "reject", "refer"])
async def test_it_is_not_always_too_late_here(wanted: str) -> None:
    """What skips for want of time must not skip for good: each outcome for itself."""
    TRIES.came_once(PASSWORD, wanted, alone=False)

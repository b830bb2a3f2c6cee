"""The demo's bank and its four transactions in a real Chromium: ordered, shown before the camera, decided, verified, redeemed and carried out.

Quiet, as ``test_verification.py``."""

import re

import pytest
from playwright.async_api import Browser, expect

from server.demo_bank.products import LOSS, PASSWORD, PHONE, USHIELD
from tests.support.browser import APPEARS_MS, Seat
from tests.support.canvas_camera import Actor, Footage, before
from tests.support.checking import House, came_to
from tests.support.demo_customer import DemoCustomer, agree_and_begin, bank_word
from tests.support.machine import quick_or_skip
from tests.support.reviewing import approves, case_is, declines_and_is_identified, desk, opens_review, waiting
from tests.support.tries import TRIES

DRAWN = "() => [...document.querySelectorAll('img[alt^=\"The customer, \"]')].every((one) => one.naturalWidth > 100)"
"""Every picture of a review is one, not a frame with words; how many there are was seen before."""

NUMBERS = "() => window.__tp.checks.filter(({ state }) => state === 'over').map(({ number }) => number)"

pytestmark = [pytest.mark.browser, pytest.mark.quiet, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(("type", "name"), [(PASSWORD, "Sarah Miller"), (LOSS, "Li Hua"), (PHONE, "Chen Ming")])
async def test_what_was_ordered_is_carried_out_once_the_customer_was_seen(
    browser: Browser, bank_house: House, film: Footage, type: str, name: str
) -> None:
    seat = await Seat.take(browser)
    try:
        await before(seat, Actor(film))
        customer = DemoCustomer(seat, bank_house.bank_url)
        await customer.sign_in(name)
        await customer.enrol()
        await customer.order(type)
        await agree_and_begin(seat)
        await came_to(seat, bank_house, type, "accept")
        await seat.sees(seat.say("self.result.accepted"))
        await seat.page.get_by_role("link", name=seat.say("self.back")).click()
        await customer.sees(f"done_{type}", phone="150****4477")
        await expect(seat.page.get_by_text(bank_word("claim_signature_good"))).to_be_visible()
        await expect(seat.page.get_by_text(bank_word("assurance_live"))).to_be_visible()
    finally:
        await seat.leave()


async def test_whose_picture_stops_for_a_moment_is_told_so_and_accepted_at_the_next_try(
    browser: Browser, bank_house: House, film: Footage
) -> None:
    seat = await Seat.take(browser)
    try:
        await before(seat, Actor(film, pauses_s=2.0))
        customer = DemoCustomer(seat, bank_house.bank_url)
        await customer.sign_in("Chen Ming")
        await customer.enrol_if_need_be()
        await customer.order(LOSS)
        await agree_and_begin(seat)
        await came_to(seat, bank_house, LOSS, "accept", pauses=True)
        assert len(set(await seat.evaluate(NUMBERS))) >= 2, "the first try came to something all the same"
        await seat.sees(seat.say("self.result.accepted"))
    finally:
        await seat.leave()


@pytest.mark.deadline(300)
async def test_a_u_shield_takes_an_identity_card_as_well(browser: Browser, bank_house: House, film: Footage) -> None:
    seat = await Seat.take(browser)
    try:
        await before(seat, Actor(film).with_card())
        customer = DemoCustomer(seat, bank_house.bank_url)
        await customer.sign_in("Li Hua")
        await customer.enrol_if_need_be()
        await customer.order(USHIELD)
        await agree_and_begin(seat, scopes=("self_face", "self_document", "self_camera"))
        await came_to(seat, bank_house, USHIELD, "accept", within_ms=200_000)
        await seat.page.get_by_role("link", name=seat.say("self.back")).click()
        await customer.sees(f"done_{USHIELD}")
    finally:
        await seat.leave()


async def test_who_wants_no_coloured_light_is_looked_at_by_two_colleagues_in_the_workbench(
    browser: Browser, bank_house: House, film: Footage
) -> None:
    seat = await Seat.take(browser)
    try:
        await before(seat, Actor(film))
        customer = DemoCustomer(seat, bank_house.bank_url)
        await customer.sign_in("Sarah Miller")
        await customer.enrol_if_need_be()
        await customer.order(PHONE)
        await agree_and_begin(seat, light=False)
        await came_to(seat, bank_house, PHONE, "refer", light=False)
        await seat.sees(seat.say("self.result.review"))
        await seat.page.get_by_role("link", name=seat.say("self.back")).click()
        await customer.sees("at_review")
        case = await waiting(bank_house, PHONE)
        quick_or_skip(case["reasons"] == ["light_declined"], f"{PHONE}: {case['reasons']}")
        for account, then in (
            (bank_house.server.agent, "reviews.done.second_review"),
            (bank_house.server.supervisor, "reviews.done.accepted"),
        ):
            async with desk(browser, bank_house, account) as colleague:
                await opens_review(colleague, case["customer"])
                picture = colleague.page.get_by_role("img", name=re.compile("^The customer, "))
                await expect(picture.first).to_be_visible(timeout=APPEARS_MS)
                await colleague.page.wait_for_function(DRAWN, timeout=APPEARS_MS)
                of_the_branch = colleague.page.get_by_role("img", name=colleague.say("reviews.picture.large.reference"))
                await expect(of_the_branch).to_be_visible(timeout=APPEARS_MS)
                await approves(colleague, "The same person as at the branch, who cannot bear flashing light.", then)
        await customer.sees(f"done_{PHONE}", phone="150****4477")
        await expect(seat.page.get_by_text(bank_word("reason_approved_in_review")).first).to_be_visible()
    finally:
        await seat.leave()


async def test_who_wants_no_check_of_the_face_is_identified_by_an_agent(
    browser: Browser, bank_house: House, film: Footage
) -> None:
    seat = await Seat.take(browser)
    try:
        await before(seat, Actor(film))
        customer = DemoCustomer(seat, bank_house.bank_url)
        await customer.sign_in("Sarah Miller")
        await customer.enrol_if_need_be()
        order = await customer.order(PASSWORD)
        async with desk(browser, bank_house, bank_house.server.agent) as agent:
            await expect(agent.page.get_by_role("heading", name=agent.say("waiting.title"))).to_be_visible(timeout=APPEARS_MS)
            await declines_and_is_identified(seat, agent)
            case = await waiting(bank_house, PASSWORD)
            assert case["reasons"] == ["identified_by_agent"]
            async with desk(browser, bank_house, bank_house.server.supervisor) as colleague:
                await opens_review(colleague, case["customer"])
                await colleague.sees(colleague.say("reviews.proof.document_seen"))
                await approves(colleague, "Two proofs, both written down.", "reviews.done.accepted")
            await case_is(agent, "accepted")
        customer.seat.page = await seat.context.new_page()
        await seat.page.goto(order)
        await customer.sees(f"done_{PASSWORD}")
        await expect(seat.page.get_by_text(bank_word("assurance_agent"))).to_be_visible()
    finally:
        await seat.leave()


@pytest.mark.parametrize(
    ("type", "wanted"), [*((type, "accept") for type in (PASSWORD, LOSS, PHONE, USHIELD)), (PHONE, "refer")]
)
async def test_it_is_not_always_too_late_here(type: str, wanted: str) -> None:
    """What skips for want of time must not skip for good: each type for itself, and each outcome."""
    TRIES.came_once(type, wanted, alone=True)

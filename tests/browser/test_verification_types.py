"""What ``test_verification.py`` and ``test_verification_bank.py`` show for one type of transaction, for the others, in the demo's bank: a recording, what is referred,
and who wants no check of their face. Of the long form; quiet, as those are. Each has a server of its own: a card is blocked once."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from server.demo import COLLEAGUE, kept_passwords
from server.demo_bank.products import LOSS, PASSWORD, PHONE, USHIELD
from tests.support import asking
from tests.support.browser import Seat
from tests.support.canvas_camera import Actor, Footage, before
from tests.support.checking import House, came_to, house
from tests.support.demo_customer import DemoCustomer, agree_and_begin, bank_word
from tests.support.reviewing import approves, declines_and_is_identified, desk, opens_review, waiting
from tests.support.server_process import ServerProcess
from tests.support.tries import TRIES

pytestmark = [
    pytest.mark.browser,
    pytest.mark.quiet,
    pytest.mark.deadline(420),
    pytest.mark.asyncio(loop_scope="session"),
]

OTHERS = [LOSS, PHONE, USHIELD]
ALONE = [PASSWORD, LOSS, USHIELD]
REVIEWERS = {PASSWORD: 1, LOSS: 1, PHONE: 2, USHIELD: 2}
WITHIN_MS = 200_000


@pytest_asyncio.fixture(loop_scope="session")
async def own_house(tmp_path: Path, film: Footage) -> AsyncIterator[House]:
    del film  # skips first, where there is none
    with ServerProcess(tmp_path, **asking.settings(tmp_path)) as running:
        async with house(running) as made:
            yield made


async def ordered(seat: Seat, place: House, type: str, actor: Actor) -> tuple[DemoCustomer, str]:
    """By a customer who is enrolled; the address of the order's own page."""
    await before(seat, actor)
    customer = DemoCustomer(seat, place.bank_url)
    await customer.sign_in("Chen Ming")
    await customer.enrol()
    return customer, await customer.order(type)


async def begins(seat: Seat, type: str) -> None:
    await agree_and_begin(
        seat, scopes=("self_face", "self_document", "self_camera") if type == USHIELD else ("self_face", "self_camera")
    )


def stored(place: House) -> tuple[str, str, str]:
    """(whose, its state, the decision) of the only case there is."""
    with closing(sqlite3.connect(f"file:{place.server.data}/tongping.db?mode=ro", uri=True)) as db:
        [(customer, state, result)] = db.execute("SELECT customer, state, result FROM verification_cases")
        return str(customer), str(state), str(result)


async def reviewed(browser: Browser, place: House, type: str, by: list[tuple[str, str]]) -> list[str]:
    """Approved by as many as its policy asks for; why it was referred."""
    case = await waiting(place, type)
    for left, account in reversed([*enumerate(by[: REVIEWERS[type]])]):
        async with desk(browser, place, account) as colleague:
            await opens_review(colleague, case["customer"])
            then = "reviews.done.second_review" if left else "reviews.done.accepted"
            await approves(colleague, "The same person as at the branch.", then)
    reasons: list[str] = case["reasons"]
    return reasons


@pytest.mark.parametrize("type", OTHERS)
async def test_a_recording_of_the_customer_changes_nothing(
    browser: Browser, own_house: House, film: Footage, type: str
) -> None:
    seat = await Seat.take(browser)
    try:
        actor = Actor(film).with_card() if type == USHIELD else Actor(film)
        await ordered(seat, own_house, type, actor.recorded())
        await begins(seat, type)
        await came_to(seat, own_house, type, "reject", within_ms=WITHIN_MS)
        assert stored(own_house)[1:] == ("open", "")
        reasons = json.loads(own_house.last_attempt().splitlines()[1])
        assert reasons, "nothing speaks against it"
    finally:
        await seat.leave()


@pytest.mark.parametrize("type", ALONE)
async def test_who_is_watched_is_approved_in_the_workbench(
    browser: Browser, own_house: House, film: Footage, type: str
) -> None:
    """Whatever their face shows: the risk refers them."""
    seat = await Seat.take(browser)
    try:
        customer, _ = await ordered(seat, own_house, type, Actor(film).with_card() if type == USHIELD else Actor(film))
        entry = {"list": "watch", "kind": "customer", "identifier": stored(own_house)[0], "reason": "look"}
        await (await own_house.supervisor()).call("POST", "/risk/lists", entry)
        await begins(seat, type)
        await came_to(seat, own_house, type, "refer", within_ms=WITHIN_MS)
        await seat.sees(seat.say("self.result.review"))
        assert stored(own_house)[1:] == ("review", "")
        await seat.page.get_by_role("link", name=seat.say("self.back")).click()
        await customer.sees("at_review")
        server = own_house.server
        assert "risk_referred" in await reviewed(browser, own_house, type, [server.supervisor, server.agent])
        await customer.sees(f"done_{type}")
        await expect(seat.page.get_by_text(bank_word("reason_approved_in_review")).first).to_be_visible()
    finally:
        await seat.leave()


@pytest.mark.parametrize("type", OTHERS)
async def test_who_wants_no_check_of_the_face_is_identified_by_an_agent(
    browser: Browser, own_house: House, film: Footage, type: str
) -> None:
    seat = await Seat.take(browser)
    try:
        customer, order = await ordered(seat, own_house, type, Actor(film))
        server = own_house.server
        async with desk(browser, own_house, server.agent) as agent:
            await declines_and_is_identified(seat, agent)
            colleague = (COLLEAGUE, kept_passwords(server.data)[COLLEAGUE])
            reasons = await reviewed(browser, own_house, type, [server.supervisor, colleague])
            assert reasons == ["identified_by_agent"]
        customer.seat.page = await seat.context.new_page()
        await seat.page.goto(order)
        await customer.sees(f"done_{type}", **({"phone": "150****4477"} if type == PHONE else {}))
        await expect(seat.page.get_by_text(bank_word("assurance_agent"))).to_be_visible()
    finally:
        await seat.leave()


@pytest.mark.parametrize(("type", "wanted"), [*((type, "reject") for type in OTHERS), *((type, "refer") for type in ALONE)])
async def test_it_is_not_always_too_late_here(type: str, wanted: str) -> None:
    """What skips for want of time must not skip for good: each type for itself, and each outcome."""
    TRIES.came_once(type, wanted, alone=True)

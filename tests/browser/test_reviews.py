"""From the conversation to the decision without a face: an agent says by what they know the customer, a colleague decides it at the workbench, and the bank's
system gets it signed."""

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.scenario.test_campaign_19 import house
from tests.support.bank import Bank
from tests.support.browser import Seat
from tests.support.call import agent_enters
from tests.support.reviewing import case_is
from tests.support.server_process import ServerProcess
from tests.support.watching import APPEARS_MS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NOTE = "Passport seen, the photograph fits; knew their last payment"


@dataclass
class Core:
    """The bank's system, with a key."""

    bank: Bank
    case: str

    async def found(self) -> dict[str, Any]:
        case: dict[str, Any] = await self.bank.call("GET", f"/verifications/{self.case}")
        return case


@dataclass
class Office:
    agent: Seat
    colleague: Seat
    core: Core
    server: ServerProcess

    async def identified(self) -> None:
        """The agent vouches for the customer in the panel beside the conversation."""
        agent = self.agent
        await agent.press("staff.identify.open")
        for proof in ("document_seen", "questions_answered"):
            await agent.page.get_by_label(agent.say(f"reviews.proof.{proof}")).check()
        await agent.fill("staff.identify.note", NOTE)
        await agent.press("staff.identify.go")
        await case_is(agent, "review")


@pytest_asyncio.fixture(loop_scope="session")
async def office(browser: Browser, bank: Bank, server: ServerProcess) -> AsyncIterator[Office]:
    mark = secrets.token_hex(3)
    opened = await bank.open(customer=f"Lin {mark}", reference=f"cif-{mark}")
    agent, colleague = await Seat.take(browser), await Seat.take(browser)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        system = Bank(http, server.url)
        await system.sign_in(*server.supervisor)
        system.use((await system.call("POST", "/keys", {"name": f"core {mark}", "verifications": True}))["secret"])
        try:
            await agent.sign_in(server.agent_url, *server.agent)
            await agent_enters(agent, session_of=f"Lin {mark}")
            case = await system.call(
                "POST",
                "/verifications",
                {
                    "type": "debit_card_password_change",
                    "customer": f"cif-{mark}",
                    "details": {"card_last4": "2207", "request_reference": f"R-{mark}"},
                    "consent": f"consents/{mark}",
                    "session": opened.id,
                },
            )
            await expect(agent.page.locator(f'[data-case="{case["id"]}"]')).to_be_visible(timeout=APPEARS_MS)
            await colleague.sign_in(server.agent_url, *server.supervisor)
            yield Office(agent, colleague, Core(system, case["id"]), server)
        finally:
            await agent.leave()
            await colleague.leave()
            await bank.call("POST", f"/sessions/{opened.id}/end", {"reason": "test"})


async def pick(seat: Seat, core: Core) -> None:
    """The case in the queue of the workbench."""
    customer = (await core.found())["customer"]
    rail = seat.page.get_by_role("navigation", name=seat.say("rail.label"))
    await rail.get_by_role("button", name=seat.say("rail.verifications")).click()
    await seat.page.get_by_role("button", name=customer).click()


async def test_a_colleague_approves_whom_an_agent_has_identified(office: Office) -> None:
    colleague, core = office.colleague, office.core
    await office.identified()
    await pick(colleague, core)
    for words in (NOTE, "2207", colleague.say("reviews.proof.document_seen")):
        await colleague.sees(words)
    await colleague.press("reviews.approve")  # without a reason
    await colleague.sees(colleague.say("reviews.reason.missing"))
    assert (await core.found())["state"] == "review"
    await colleague.fill("reviews.reason", "The agent's words fit what we have")
    await colleague.press("reviews.approve")
    await colleague.sees(colleague.say("reviews.done.accepted"))
    found = await core.found()
    assert (found["state"], found["verdict"]["assurance"], bool(found["result"])) == ("accepted", "agent", True)
    await case_is(office.agent, "accepted")


NO_POLLING = "const later = setTimeout; window.setTimeout = (run, ms, ...more) => (ms === 30000 ? 0 : later(run, ms, ...more));"


async def test_a_reviewer_with_the_queue_open_learns_of_a_case_at_once_and_by_whom(office: Office, browser: Browser) -> None:
    """Told over the desk's connection: in this page nothing asks by the clock."""
    core = office.core
    watcher = await Seat.take(browser)
    await watcher.page.add_init_script(NO_POLLING)
    try:
        await watcher.sign_in(office.server.agent_url, *office.server.supervisor)
        rail = watcher.page.get_by_role("navigation", name=watcher.say("rail.label"))
        await rail.get_by_role("button", name=watcher.say("rail.verifications")).click()
        customer = (await core.found())["customer"]
        task = watcher.page.get_by_role("button", name=customer)
        await expect(watcher.page.get_by_role("heading", name=watcher.say("reviews.title"))).to_be_visible(timeout=APPEARS_MS)
        await expect(task).to_have_count(0)
        await office.identified()
        await expect(task).to_be_visible(timeout=APPEARS_MS)
        badge = rail.get_by_role("button", name=re.compile(rf"^{re.escape(watcher.say('rail.verifications'))} \(\d+\+?\)$"))
        await expect(badge).to_be_visible()
        await task.click()
        await expect(watcher.page.locator("[aria-labelledby=review-identified]")).to_contain_text(
            re.compile(r"By .+ \(ST_[A-Z2-7]{26}\)")
        )
        await pick(office.colleague, core)
        await office.colleague.fill("reviews.reason", "Not what we know")
        await office.colleague.press("reviews.decline")
        await office.colleague.sees(office.colleague.say("reviews.done.rejected"))
        await watcher.sees(watcher.say("reviews.meanwhile"))
        await watcher.page.mouse.move(900, 300)  # nothing moves under the pointer
        await expect(task).to_have_count(0, timeout=APPEARS_MS)
    finally:
        await watcher.leave()


async def test_two_who_decide_at_once_learn_who_was_faster(office: Office, browser: Browser) -> None:
    """The second one's words are not lost without a word: the page says that they were not sent."""
    core = office.core
    await office.identified()
    slow = await Seat.take(browser)
    slow.expects("409")
    try:
        await slow.sign_in(office.server.agent_url, *office.server.supervisor)
        await pick(slow, core)
        await slow.fill("reviews.reason", "Not sure of it")
        await pick(office.colleague, core)
        await office.colleague.fill("reviews.reason", "No such payment")
        await office.colleague.press("reviews.decline")
        await office.colleague.sees(office.colleague.say("reviews.done.rejected"))
        await slow.sees(slow.say("reviews.meanwhile"))
        await expect(slow.button("reviews.approve")).to_be_disabled()
        assert (await core.found())["state"] == "rejected"
    finally:
        await slow.leave()


async def test_whoever_was_in_the_conversation_sees_it_and_does_not_decide(office: Office) -> None:
    agent = office.agent
    await office.identified()
    await agent.press("bar.end")
    await agent.confirm("end.yes")
    await agent.press("understood")
    await pick(agent, office.core)
    await agent.sees(agent.say("reviews.own_session"))
    await agent.sees(NOTE)
    await expect(agent.page.get_by_label(agent.say("reviews.reason"))).to_have_count(0)


DRAWN = "all => all.length > 0 && all.every(one => one.complete && one.naturalWidth > 0 && one.src.startsWith('blob:'))"


@pytest.mark.parametrize("reference", ["portrait", "enrolment"])
async def test_kept_pictures_are_seen_beside_the_reference_and_gone_from_the_page_afterwards(
    browser: Browser, tmp_path: Path, reference: str
) -> None:
    async with house(tmp_path) as there:
        id, _ = await (there.referred() if reference == "portrait" else there.referred_by_template())
        seat = await Seat.take(browser)
        asked: list[str] = []
        seat.page.on("request", lambda request: asked.append(request.url))
        try:
            await seat.sign_in(f"{there.here.url}/agent", "supervisor", there.here.server.first_passwords["supervisor"])
            rail = seat.page.get_by_role("navigation", name=seat.say("rail.label"))
            await rail.get_by_role("button", name=seat.say("rail.verifications")).click()
            await seat.page.locator(".task").click()
            shots = seat.page.locator(".shot img")
            await expect(shots).to_have_count(10)
            await expect(seat.page.locator(".beside img")).to_have_count(2)
            assert await seat.page.locator(".shot img, .beside img").evaluate_all(DRAWN)
            await seat.page.locator(".shot[aria-pressed=true]").press("End")
            await expect(seat.page.locator(".shot").last).to_be_focused()
            pictures = [url for url in asked if f"/reviews/{id}/" in url]
            assert len(pictures) == 11, pictures
            assert not any("?" in url or "eyJ" in url for url in pictures), pictures
            looks = await there.audit("evidence.read")
            assert len([one for one in looks if one["details"].get("picture")]) == 11
            await seat.fill("reviews.reason", "The same person")
            await seat.press("reviews.approve")
            await seat.sees(seat.say("reviews.done.accepted"))
            await seat.press("reviews.list.back")
            await expect(seat.page.locator("img")).to_have_count(0)
        finally:
            await seat.leave()


async def test_a_long_queue_is_loaded_page_by_page_and_narrowed(browser: Browser, tmp_path: Path) -> None:
    """Pages of one here: the page asks for fifty."""
    async with house(tmp_path) as there:
        for number in range(3):
            await there.referred(customer=f"cif-{number}")
        seat = await Seat.take(browser)
        await seat.page.route(
            "**/api/v1/reviews?*", lambda route: route.continue_(url=route.request.url.replace("limit=50", "limit=1"))
        )
        try:
            await seat.sign_in(f"{there.here.url}/agent", "supervisor", there.here.server.first_passwords["supervisor"])
            rail = seat.page.get_by_role("navigation", name=seat.say("rail.label"))
            name = re.compile(rf"^{re.escape(seat.say('rail.verifications'))} \(1\+\)$")
            await rail.get_by_role("button", name=name).click()
            tasks = seat.page.locator("ul.tasks button")
            await expect(seat.button("reviews.more.behind", n=2)).to_be_visible(timeout=APPEARS_MS)
            await there.referred(customer="cif-3")  # behind what is loaded: shown by number, and said
            await expect(seat.button("reviews.more.behind", n=3)).to_be_visible(timeout=APPEARS_MS)
            said = seat.page.locator(".hidden-text[aria-live=polite]")
            await expect(said).to_contain_text(seat.say("reviews.said.behind", n=4))
            await expect(tasks).to_have_count(1)
            for count in (1, 2, 3, 4):
                await expect(tasks).to_have_count(count)
                await expect(seat.button("reviews.more.behind", n=4 - count)).to_have_count(0 if count == 4 else 1)
                if count < 4:
                    await seat.press("reviews.more.behind", n=4 - count)
            assert [await task.locator(".small").inner_text() for task in await tasks.all()] == [f"cif-{n}" for n in range(4)]
            await seat.press("reviews.filter.others")
            await seat.sees(seat.say("reviews.empty.found"))
            await seat.press("reviews.filter.none")
            await expect(tasks).to_have_count(4)
            await tasks.last.click()
            await expect(seat.page.locator(".shot img")).to_have_count(10)
            await seat.fill("reviews.reason", "The same person")
            await seat.press("reviews.approve")
            await seat.sees(seat.say("reviews.done.accepted"))
            assert {one["details"]["count"] for one in await there.audit("reviews.listed")} <= {"1", "2", "3", "4"}
        finally:
            await seat.leave()


async def test_evidence_that_was_changed_is_not_shown_as_if_it_were_whole(browser: Browser, tmp_path: Path) -> None:
    async with house(tmp_path) as there:
        _, attempt = await there.referred()
        for kept in there.of(attempt).iterdir():
            kept.write_bytes(b"0" * kept.stat().st_size)
        seat = await Seat.take(browser)
        try:
            await seat.sign_in(f"{there.here.url}/agent", "supervisor", there.here.server.first_passwords["supervisor"])
            rail = seat.page.get_by_role("navigation", name=seat.say("rail.label"))
            await rail.get_by_role("button", name=seat.say("rail.verifications")).click()
            await seat.page.locator(".task").click()
            await seat.sees(seat.say("reviews.pictures.lost"))
            await expect(seat.page.locator(".shot")).to_have_count(0)
        finally:
            await seat.leave()

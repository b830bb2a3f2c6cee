"""A customer who is verified by themselves, from the bank's link to the door of the check: what they agree to, what a reload, Back, another link and the bank do
to it. The check itself is in ``test_verification.py``."""

import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.asking import DETAILS
from tests.support.bank import Bank
from tests.support.browser import PHONE, Seat
from tests.support.server_process import ServerProcess
from tests.support.watching import APPEARS_MS

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TYPE = "debit_card_password_change"
RETURN = "https://app.bank.example/orders/81"
HEARD = """(() => {
    window.__asked = [];
    const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = (wanted) => (window.__asked.push(Object.keys(wanted)), get(wanted));
})()"""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    origin = "https://app.bank.example"
    with ServerProcess(tmp_path_factory.mktemp("own"), TONGPING_TRANSACTIONS_RETURN_ORIGINS=origin) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def system(asked: ServerProcess) -> AsyncIterator[Bank]:
    """The bank's, with a key of its own."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        bank = Bank(http, asked.url)
        await bank.sign_in(*asked.supervisor)
        bank.use((await bank.call("POST", "/keys", {"name": "core", "verifications": True}))["secret"])
        yield bank


async def case(system: Bank, **fields: Any) -> dict[str, Any]:
    """One with a link."""
    customer = f"c-{secrets.token_hex(3)}"
    body = {"type": TYPE, "customer": customer, "details": DETAILS[TYPE], "consent": f"consents/{customer}", **fields}
    made: dict[str, Any] = await system.call(
        "POST", "/verifications", {"link": {"language": "en", "return_url": RETURN}, **body}
    )
    return made


@asynccontextmanager
async def telephone(browser: Browser, *, language: str = "en") -> AsyncIterator[Seat]:
    seat = await Seat.take(browser, language=language, viewport=PHONE)
    await seat.context.add_init_script(HEARD)
    try:
        yield seat
    except BaseException:
        await seat.context.close()
        raise
    await seat.leave()


async def heading(seat: Seat, key: str) -> None:
    await expect(seat.page.get_by_role("heading", level=1, name=seat.say(key))).to_be_visible(timeout=APPEARS_MS)


async def start(seat: Seat, made: dict[str, Any]) -> None:
    await seat.page.goto(made["links"]["customer"])
    await heading(seat, "self.arrive.title")
    await seat.press("start")
    await heading(seat, "consent.self_face.title")


async def back_leads_to_the_bank(seat: Seat) -> None:
    await expect(seat.page.get_by_role("link", name=seat.say("self.back"))).to_have_attribute("href", RETURN)


async def test_the_way_to_the_check_is_kept_over_reloads_and_asks_for_no_microphone(browser: Browser, system: Bank) -> None:
    async with telephone(browser) as customer:
        await start(customer, await case(system))
        await customer.page.reload()
        await heading(customer, "consent.self_face.title")
        await customer.press("consent.yes")
        await heading(customer, "consent.self_camera.title")
        await customer.page.reload()
        await heading(customer, "consent.self_camera.title")
        await customer.press("consent.yes")
        await heading(customer, "self.ready.title")
        await customer.page.reload()
        await heading(customer, "self.ready.title")
        await customer.press_label("中文")
        await expect(customer.page.get_by_role("heading", name="您的脸在椭圆框里吗？")).to_be_visible(timeout=APPEARS_MS)
        await expect(customer.page.get_by_role("button", name="开始", exact=True)).to_have_attribute("aria-busy", "false")
        assert await customer.evaluate("() => window.__asked.flat()") == ["video"]


async def test_who_does_not_agree_is_offered_a_person_and_may_change_their_mind(browser: Browser, system: Bank) -> None:
    async with telephone(browser) as customer:
        await start(customer, await case(system))
        await customer.press("consent.no")
        await heading(customer, "self.declined.title")
        await customer.page.reload()
        await heading(customer, "self.declined.title")
        await customer.press("self.person.yes")
        await customer.sees(customer.say("self.person.nobody"))
        await customer.press("self.declined.again")
        await heading(customer, "consent.self_face.title")


async def test_back_asks_and_who_leaves_can_come_again_by_the_link(browser: Browser, system: Bank) -> None:
    async with telephone(browser) as customer:
        await start(customer, await case(system))
        await customer.page.go_back()
        await customer.confirm("self.leave.no")
        await heading(customer, "consent.self_face.title")
        await customer.page.go_back()
        await customer.confirm("leave.yes")
        await heading(customer, "self.left.title")
        await back_leads_to_the_bank(customer)
        await customer.press("retry")
        await heading(customer, "self.arrive.title")


async def test_the_next_link_in_the_same_tab_is_another_check_and_a_link_is_open_once(browser: Browser, system: Bank) -> None:
    first, second = await case(system), await case(system)
    async with telephone(browser) as customer, telephone(browser) as other:
        other.expects("409")
        await start(customer, first)
        await customer.press("consent.yes")
        await heading(customer, "consent.self_camera.title")
        await start(customer, second)
        await other.page.goto(second["links"]["customer"])
        await other.press("start")
        await other.sees(other.say("problem.link_in_use"))


async def test_what_the_bank_does_shows_on_the_page_at_once_and_after_a_reload(browser: Browser, system: Bank) -> None:
    made = await case(system)
    async with telephone(browser) as customer:
        await start(customer, made)
        await customer.press("consent.yes")
        await heading(customer, "consent.self_camera.title")
        await customer.press("consent.yes")
        await customer.press("self.ready.go")
        await customer.sees(customer.say("self.problem.reference_missing"))
        await system.call("POST", f"/verifications/{made['id']}/cancel")
        await heading(customer, "self.result.cancelled")
        await back_leads_to_the_bank(customer)
        await customer.page.reload()
        await heading(customer, "self.result.cancelled")
        await expect(customer.page.get_by_role("button", name=re.compile("Start|Begin"))).to_have_count(0)


async def test_a_person_is_asked_for_waited_for_and_met_with_the_questions_of_every_conversation(
    browser: Browser, system: Bank, asked: ServerProcess
) -> None:
    agent = await Seat.take(browser)
    async with telephone(browser) as customer:
        await agent.sign_in(asked.agent_url, *asked.agent)
        await agent.sees(agent.say("waiting.title"))
        await start(customer, await case(system))
        await customer.press("consent.yes")
        await heading(customer, "consent.self_camera.title")
        await customer.press("consent.yes")
        await heading(customer, "self.ready.title")
        await customer.press("self.person")
        await customer.confirm("self.person.yes")
        await heading(customer, "wait.title")
        await customer.press("self.wait.alone")
        await heading(customer, "consent.self_camera.title")
        await customer.press("self.person")
        await customer.confirm("self.person.yes")
        await heading(customer, "wait.title")
        await agent.page.get_by_role("button", name=re.compile(f"^{agent.say('waiting.take')}")).first.click()
        await heading(customer, "consents.title")
        await customer.press("consent.no")
        await customer.press("consent.yes")
        await customer.in_call()
        await expect(customer.page.get_by_role("button", name=customer.say("bar.camera.off")).first).to_be_visible(
            timeout=APPEARS_MS
        )
    await agent.leave()

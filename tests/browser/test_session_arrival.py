"""Every way in, and out: made by the agent, by typed code, by link in one click, from the waiting list; removed, ended."""

import pytest
from playwright.async_api import Browser, expect

from tests.support.bank import Bank
from tests.support.browser import Seat, all_leave
from tests.support.call import agent_enters
from tests.support.server_process import ServerProcess

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CLICKS = """() => {
    window.clicks = 0;
    addEventListener("click", () => (window.clicks += 1), true);
}"""


async def test_a_session_from_the_agents_form_to_its_end(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    customer, agent, expert = [await Seat.take(browser) for _ in range(3)]
    try:
        await agent.sign_in(server.agent_url, *server.agent)
        await agent.press("create.title")
        await agent.fill("create.name", "Typed Code Tan")
        await agent.fill("create.context", "Card blocked; wants a new one.")
        await agent.press("create.go")
        link = await agent.shown("invitation.link", role=agent.say("role.customer"))
        code = (await agent.shown("invitation.code")).replace(" ", "")
        assert link.startswith(f"{server.url}/j/")
        assert len(code) == 6
        await agent.press("ready.enter")
        await agent.press("join.start")
        await agent.in_call()

        await customer.page.goto(server.url)
        await customer.fill("arrive.code", code)
        await customer.press("arrive.code.go")
        await customer.check_and_agree()
        await customer.receives("agent", "camera")
        await agent.receives("customer", "camera")

        await agent.press("invite.title")
        await agent.fill("invite.name", "Dr One Click")
        await agent.press("invite.go")
        link = await agent.shown("invitation.link", role=agent.say("role.expert"))
        await agent.press("done")
        await expert.page.goto(link)
        await expert.sees("Card blocked; wants a new one.")
        await expert.page.evaluate(CLICKS)
        await expert.press("join.go")
        await expert.in_call()
        assert await expert.page.evaluate("window.clicks") == 1
        await expert.receives("customer", "camera")
        await customer.receives("expert", "camera")

        await agent.open_people()
        await agent.press("remove.label", name="Dr One Click")
        await agent.confirm("remove.yes")
        await expert.sees(expert.say("ended.removed"))
        await expect(customer.page.get_by_label(customer.say("tile.video", name="Dr One Click"))).to_have_count(0)
        assert (await agent.flow("customer", "camera", over_s=1)).packets > 0

        session = next(
            one["id"]
            for one in (await bank.call("GET", "/sessions?status=open"))["sessions"]
            if one["customer_name"] == "Typed Code Tan"
        )
        await agent.press("bar.end")
        await agent.confirm("end.yes")
        await customer.sees(customer.say("ended.session_ended"))
        assert (await bank.call("GET", f"/sessions/{session}"))["status"] == "ended"
    finally:
        await all_leave(customer, agent, expert)


async def test_a_waiting_customer_is_taken(browser: Browser, server: ServerProcess) -> None:
    customer, agent = await Seat.take(browser), await Seat.take(browser)
    try:
        await customer.page.goto(server.url)
        await customer.press("arrive.nocode.go")
        await customer.page.get_by_label(customer.say("reason.card")).check()
        await customer.fill("walkin.name", "Wang Walk-in")
        await customer.press("walkin.go")
        await customer.press("check.skip")
        await customer.press("consent.yes")
        await customer.press("consent.yes")
        await customer.sees(customer.say("wait.title"))
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, take="Wang Walk-in")
        await customer.in_call()
        await customer.receives("agent", "camera")
        await agent.receives("customer", "camera")
    finally:
        await all_leave(customer, agent)

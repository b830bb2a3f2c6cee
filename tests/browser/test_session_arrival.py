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


async def test_a_session_from_the_agents_form_to_its_end(whole_browser: Browser, bank: Bank, server: ServerProcess) -> None:
    customer, agent, expert = [await Seat.take(whole_browser) for _ in range(3)]
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


async def test_back_asks_first_and_a_reload_keeps_the_place(browser: Browser, bank: Bank) -> None:
    opened = await bank.open(customer="Back Bao")
    customer = await Seat.take(browser)
    question = customer.page.get_by_role("alertdialog")
    try:
        await customer.page.goto(opened.customer_link)
        await customer.press("start")
        await expect(customer.button("check.before.go")).to_be_visible()
        await customer.page.go_back()
        await customer.confirm("end.no")
        await expect(question).to_have_count(0)
        await customer.press("check.skip")
        await customer.press("consent.no")
        await customer.press("consent.no")
        await customer.in_call()

        await customer.page.go_back()
        await expect(question.get_by_role("heading")).to_have_text(customer.say("leave.title.customer"))
        await customer.confirm("end.no")
        await customer.in_call()
        await customer.page.reload()
        await customer.in_call()
        await customer.page.go_back()
        await customer.confirm("leave.yes")
        await customer.sees(customer.say("ended.left"))
        await customer.page.wait_for_function("history.state === null")
    finally:
        await all_leave(customer)


async def test_who_enters_again_is_asked_again(browser: Browser, bank: Bank, server: ServerProcess) -> None:
    await bank.open(customer="Twice Tang")
    agent = await Seat.take(browser)
    try:
        await agent.sign_in(server.agent_url, *server.agent)
        await agent_enters(agent, session_of="Twice Tang")
        await expect(agent.button("bar.mic.off")).to_be_visible()
        await agent.page.reload()
        await expect(agent.button("bar.mic.off")).to_be_visible()  # a reload asks nothing: what was on is on again
        await agent.press("bar.end")
        await agent.press("end.only_me")
        await agent_enters(agent, session_of="Twice Tang")
        await expect(agent.button("bar.mic.off")).to_be_visible()
        await expect(agent.button("bar.camera.off")).to_be_visible()
    finally:
        await all_leave(agent)


async def test_a_link_that_was_cut_short_says_so(browser: Browser, server: ServerProcess) -> None:
    customer = await Seat.take(browser)
    try:
        await customer.page.goto(f"{server.url}/j/garbage")
        await expect(customer.page.get_by_role("alert")).to_contain_text(customer.say("arrive.bad_link.title"))
        await expect(customer.page.get_by_label(customer.say("arrive.code"))).to_be_visible()
        await customer.page.goto(server.url)
        await expect(customer.page.get_by_label(customer.say("arrive.code"))).to_be_visible()
        await expect(customer.page.get_by_text(customer.say("arrive.bad_link.title"))).to_have_count(0)
    finally:
        await all_leave(customer)


@pytest.mark.parametrize("missing", ["both", "camera"])
async def test_what_is_not_there_is_not_asked_for(browser: Browser, bank: Bank, missing: str) -> None:
    opened = await bank.open(customer="No Devices Ning")
    customer = await Seat.take(browser)
    await customer.page.add_init_script(
        """(() => {
            const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wanted) => {
                if (wanted.video || MISSING === "both") throw new DOMException("", "NotFoundError");
                return real(wanted);
            };
        })()""".replace("MISSING", repr(missing))
    )
    try:
        await customer.page.goto(opened.customer_link)
        await customer.press("start")
        await customer.press("check.before.go")
        if missing == "both":
            await customer.press("check.go.text")
        else:
            await customer.press("check.go.voice")
            await expect(customer.page.get_by_role("heading", name=customer.say("consent.microphone.title"))).to_be_visible()
            await customer.press("consent.yes")
        await customer.in_call()
        await customer.give_file("nothing.txt", "text/plain", b"")
        await customer.sees(customer.say("problem.empty"))
    finally:
        await all_leave(customer)

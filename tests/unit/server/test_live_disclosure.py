"""Who is told of a supervisor who listens: everybody, staff, nobody; and that nothing else tells the others."""

import pytest

from server.domain.model import Role
from server.live.settings import LiveSettings
from server.services.disclosure import Disclosed, tells
from tests.support.colleagues import Branch, Inside, give, left, view_of


def test_by_role() -> None:
    assert {how: {role.value for role in Role if tells(how, role)} for how in Disclosed} == {
        Disclosed.EVERYBODY: {"customer", "agent", "expert", "supervisor", "service"},
        Disclosed.STAFF: {"agent", "supervisor", "service"},
        Disclosed.NOBODY: {"supervisor", "service"},
    }


@pytest.mark.parametrize("disclosed", Disclosed)
async def test_everything_a_page_is_told(disclosed: Disclosed) -> None:
    async with Branch(LiveSettings(disclosed=disclosed)) as house:
        session, _ann, agent, customer = await house.served()
        expert = Inside(*await house.enter(session, Role.EXPERT))
        boss, other = await house.colleague(Role.SUPERVISOR), await house.colleague(Role.SUPERVISOR)
        hidden = Inside(*await house.comes(session, boss))
        await give(hidden.page, "microphone", "camera")
        await hidden.page.say("track.state", source="microphone", on=True)
        await agent.page.say("chat.send", client_id="1", text="x")
        await hidden.page.say("chat.read", message=hidden.page.got("chat.message")[-1]["message"]["id"])
        await hidden.page.say("quality.report", level="good", rtt_ms=1, loss_permille=0, down_kbps=1, up_kbps=1)
        house.media.peer(session, hidden.id, "connected")
        second = Inside(*await house.comes(session, other))
        again = {role: await house.enter(session, role) for role in (Role.CUSTOMER, Role.AGENT, Role.EXPERT)}
        await hidden.page.say("leave")
        pages = {
            Role.CUSTOMER: [customer.page],
            Role.AGENT: [agent.page],
            Role.EXPERT: [expert.page],
            Role.SUPERVISOR: [second.page],
        }
        for role, (_, page) in again.items():
            pages[role].append(page)
        for role, told in pages.items():
            for page in told:
                assert (hidden.id in str(page.frames)) is tells(disclosed, role), role


@pytest.mark.parametrize(
    ("disclosed", "shown"), [(Disclosed.EVERYBODY, True), (Disclosed.STAFF, True), (Disclosed.NOBODY, False)]
)
async def test_the_desk_of_the_agent(disclosed: Disclosed, shown: bool) -> None:
    async with Branch(LiveSettings(disclosed=disclosed)) as house:
        session, ann, agent, customer = await house.served()
        boss = await house.colleague(Role.SUPERVISOR)
        _, page = await house.comes(session, boss)
        await house.advance(2, agent.page, customer.page, page, ann.desk, boss.desk)
        people = ann.desk.got("sessions.inside")[-1]["entries"][0]["people"]
        assert ("supervisor" in {one["role"] for one in people}) is shown
        people = boss.desk.got("sessions.inside")[-1]["entries"][0]["people"]
        assert "supervisor" in {one["role"] for one in people}


async def test_joining_in_shows_and_listening_again_hides() -> None:
    async with Branch(LiveSettings(disclosed=Disclosed.NOBODY)) as house:
        session, _ann, agent, customer = await house.served()
        boss = await house.colleague(Role.SUPERVISOR)
        hidden = Inside(*await house.comes(session, boss))
        await hidden.page.say("supervise", mode="join")
        assert view_of(customer.page, hidden.id)["listens"] is False
        await hidden.page.say("supervise", mode="listen")
        assert left(customer.page) == left(agent.page) == {hidden.id: "left"}
        before = len(customer.page.frames), len(agent.page.frames)
        await hidden.page.say("track.state", source="camera", on=True)
        await hidden.page.say("leave")
        assert (len(customer.page.frames), len(agent.page.frames)) == before


async def test_a_whisper_tells_its_hearer_alone() -> None:
    async with Branch(LiveSettings(disclosed=Disclosed.NOBODY)) as house:
        session, _ann, agent, customer = await house.served()
        boss = await house.colleague(Role.SUPERVISOR)
        hidden = Inside(*await house.comes(session, boss))
        await give(hidden.page, "microphone")
        assert await hidden.page.error("supervise", mode="whisper", to=agent.id) is None
        assert agent.page.got("whispers")[-1]["by"] == hidden.id
        assert view_of(agent.page, hidden.id)["listens"] is True
        assert hidden.id not in str(customer.page.frames)


@pytest.mark.parametrize("disclosed", [Disclosed.STAFF, Disclosed.NOBODY])
async def test_who_is_hidden_says_nothing_that_would_show(disclosed: Disclosed) -> None:
    async with Branch(LiveSettings(disclosed=disclosed)) as house:
        session, _ann, _agent, customer = await house.served()
        boss = await house.colleague(Role.SUPERVISOR)
        hidden = Inside(*await house.comes(session, boss))
        assert await hidden.page.error("chat.send", client_id="1", text="x") == "not_allowed"
        assert await hidden.page.error("ask", participant=customer.id, source="camera") == "not_allowed"
        await hidden.page.say("supervise", mode="join")
        assert await hidden.page.error("chat.send", client_id="1", text="x") is None

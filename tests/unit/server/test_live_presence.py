"""Who is inside, as the desks are told: an agent hears of a customer who came by a link and sits there alone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from server.domain import ids
from server.domain.ids import StaffId
from server.domain.model import Role, SessionStatus
from tests.support.signalling import House, Page


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.close()


def inside(desk: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = desk.got("sessions.inside")[-1]["entries"]
    return found


def alone(desk: Page) -> list[str]:
    return [entry["session"] for entry in inside(desk) if entry["alone_since"] is not None]


async def desk_of(house: House, role: Role = Role.AGENT) -> tuple[StaffId, Page]:
    staff, token = await house.staff(role)
    return staff, await house.connect(token)


async def test_an_invited_customer_is_told_to_the_agent_whose_session_it_is(house: House) -> None:
    staff, desk = await desk_of(house)
    _, other = await desk_of(house)
    session = await house.session(created_by=staff)
    assert inside(desk) == []
    came_at = house.clock.now()
    _, customer = await house.enter(session)
    await house.advance(1, desk, other, customer)
    (entry,) = inside(desk)
    assert (entry["session"], entry["customer_name"], entry["customer_reference"]) == (session, "王芳", "C-1")
    assert entry["reason"] == "loan"
    assert entry["alone_since"].startswith(came_at.strftime("%Y-%m-%dT%H:%M:%S"))
    assert entry["people"] == [{"role": "customer", "name": "customer", "connected": True}]
    assert inside(other) == []
    _, agent = await house.enter(session, Role.AGENT)
    await house.advance(2, desk, customer, agent)
    assert alone(desk) == []
    assert [one["role"] for one in inside(desk)[0]["people"]] == ["customer", "agent"]
    await agent.say("leave")
    await house.advance(2, desk, customer)
    assert alone(desk) == [session]
    await customer.say("leave")
    await house.advance(2, desk)
    assert inside(desk) == []


async def test_an_expert_does_not_lead(house: House) -> None:
    staff, desk = await desk_of(house)
    session = await house.session(created_by=staff)
    _, expert = await house.enter(session, Role.EXPERT)
    await house.advance(2, desk, expert)
    assert [entry["session"] for entry in inside(desk)] == [session]
    assert alone(desk) == []
    _, customer = await house.enter(session)
    await house.advance(2, desk, expert, customer)
    assert alone(desk) == [session]


async def test_a_cut_rings_nobody_twice(house: House) -> None:
    staff, desk = await desk_of(house)
    session = await house.session(created_by=staff)
    id, customer = await house.enter(session)
    await house.advance(2, desk, customer)
    since = inside(desk)[0]["alone_since"]
    customer.cut()
    await house.advance(5, desk)
    (entry,) = inside(desk)
    assert entry["people"][0]["connected"] is False
    assert entry["alone_since"] == since
    again = await house.connect(house.token(session, id, Role.CUSTOMER), customer.resume())
    await house.advance(2, desk, again)
    assert inside(desk)[0]["alone_since"] == since
    again.cut()
    await house.advance(25, desk)
    assert inside(desk) == []


async def test_a_session_of_the_banks_system_is_told_to_all_without_the_reference(house: House) -> None:
    _, desk = await desk_of(house)
    _, supervisor = await desk_of(house, Role.SUPERVISOR)
    _, expert = await desk_of(house, Role.EXPERT)
    session = await house.session(created_by=house.make_id(ids.API_KEY))
    _, customer = await house.enter(session)
    await house.advance(2, desk, supervisor, expert, customer)
    assert alone(desk) == alone(supervisor) == [session]
    assert inside(desk)[0]["customer_reference"] == ""
    assert inside(supervisor)[0]["customer_reference"] == "C-1"
    assert expert.got("sessions.inside") == []


async def test_a_supervisor_sees_everybodys_and_is_not_called_to_them(house: House) -> None:
    staff, _ = await desk_of(house)
    _, supervisor = await desk_of(house, Role.SUPERVISOR)
    session = await house.session(created_by=staff)
    _, customer = await house.enter(session)
    await house.advance(2, supervisor, customer)
    assert [entry["session"] for entry in inside(supervisor)] == [session]
    assert alone(supervisor) == []


async def test_whoever_takes_a_customer_is_not_called_on_the_way_in(house: House) -> None:
    _, desk = await desk_of(house)
    session = await house.session(SessionStatus.WAITING)
    _, customer = await house.enter(session)
    await house.advance(2, desk, customer)
    assert inside(desk) == []  # who waits is in the waiting list
    assert await desk.error("waiting.take", session=session) is None
    await house.advance(9, desk, customer)
    assert [entry["session"] for entry in inside(desk)] == [session]
    assert alone(desk) == []
    await house.advance(3, desk, customer)  # and never came
    assert alone(desk) == [session]


async def test_many_changes_make_one_message_and_those_alone_stand_first(house: House) -> None:
    staff, desk = await desk_of(house)
    led = await house.session(created_by=staff)
    await house.enter(led, Role.AGENT)
    for _ in range(3):
        await house.enter(await house.session(created_by=staff))
        house.clock.seconds += 1
    before = len(desk.got("sessions.inside"))
    await house.advance(1, desk)
    assert len(desk.got("sessions.inside")) == before + 1
    entries = inside(desk)
    assert [entry["alone_since"] is None for entry in entries] == [False, False, False, True]
    assert entries[-1]["session"] == led
    assert [entry["alone_since"] for entry in entries[:3]] == sorted(entry["alone_since"] for entry in entries[:3])
    await house.live.end_session(led, "", staff)
    await house.advance(2, desk)
    assert led not in [entry["session"] for entry in inside(desk)]
    again = await house.connect((await house.staff())[1])
    assert inside(again) == []


async def test_after_a_restart_people_come_back_to_where_they_were(house: House) -> None:
    staff, _ = await desk_of(house)
    session = await house.session(created_by=staff)
    _, customer = await house.enter(session)
    customer.cut()
    await house.live.recover()
    _, desk = await desk_of(house, Role.SUPERVISOR)
    assert [one["connected"] for one in inside(desk)[0]["people"]] == [False]

"""Who is next: live pictures, and the others in their turn."""

import asyncio

import pytest

from verification.engine.crew import LIVE_IN_A_ROW, Job, Line
from verification.engine.messages import Embed
from verification.engine.process import Allowance


def jobs(count: int, first: int = 0) -> list[Job]:
    loop = asyncio.get_running_loop()
    return [Job(Embed(first + number, (1,)), (b"x",), Allowance(1, 1), loop.create_future()) for number in range(count)]


def taken(line: Line) -> list[int]:
    return [line.next().request.request for _ in range(len(line))]


async def test_live_pictures_go_before_the_others_and_each_in_its_order() -> None:
    line = Line()
    for job in jobs(2, 100):
        line.join(job, live=False)
    for job in jobs(3):
        line.join(job, live=True)
    assert (line.of(live=True), line.of(live=False)) == (3, 2)
    assert taken(line) == [0, 1, 2, 100, 101]


async def test_live_pictures_without_end_keep_nobody_out() -> None:
    line = Line()
    for job in jobs(3 * LIVE_IN_A_ROW):
        line.join(job, live=True)
    for job in jobs(2, 100):
        line.join(job, live=False)
    order = taken(line)
    assert (order.index(100), order.index(101)) == (LIVE_IN_A_ROW, 2 * LIVE_IN_A_ROW + 1)


async def test_who_leaves_is_not_called_and_nobody_is_called_where_nobody_waits() -> None:
    line = Line()
    first, second = jobs(2)
    line.join(first, live=True)
    line.join(second, live=False)
    line.leave(first)
    line.leave(first)
    assert taken(line) == [1]
    with pytest.raises(IndexError):
        line.next()

"""So much in a turn of the loop, the rest in the order in which it came."""

import asyncio
from itertools import pairwise

from server.live.cobrowse.turns import Turns


async def test_a_flood_leaves_the_others_their_turns() -> None:
    turns, most = Turns(3), 3
    taken: list[int] = []

    async def said(number: int) -> None:
        await turns.take()
        taken.append(number)

    tasks = [asyncio.create_task(said(number)) for number in range(14)]
    seen = [0]
    while len(taken) < 13:
        await asyncio.sleep(0)
        seen.append(len(taken))
        if len(seen) == 3:
            tasks[7].cancel()
    assert max(after - before for before, after in pairwise(seen)) <= 2 * most
    assert taken == [number for number in range(14) if number != 7]
    await asyncio.gather(*tasks, return_exceptions=True)
    assert tasks[7].cancelled()
    for _ in range(4):
        await asyncio.sleep(0)
    assert turns._left == most
    assert not turns._renews

"""Images on their way to whoever draws them: one share has not all places, and what nobody wants any more costs nothing."""

import asyncio

from server.clock import SystemClock
from server.cobrowse.orders import Draw
from server.cobrowse.share import Outputs
from server.live.cobrowse.drawing import MOST_WAITING_BYTES, Drawing


class Share:
    """What is told of ``server.cobrowse.share``. ``wanted``: numbers that it waits for; None: all."""

    def __init__(self, id: str, wanted: set[int] | None = None) -> None:
        self.id = id
        self.wanted = wanted
        self.told: dict[int, bytes | None] = {}

    def awaits(self, number: int) -> bool:
        return self.wanted is None or number in self.wanted

    def drawn(self, number: int, made: bytes | None, now: float) -> Outputs:
        self.told[number] = made
        return []


class Desk:
    """One who draws when told to."""

    def __init__(self) -> None:
        self.drawing = Drawing(SystemClock(), lambda: 0)
        self.drawing.draw = self.draw
        self.at_work: dict[bytes, asyncio.Future[bytes | None]] = {}

    async def draw(self, data: bytes) -> bytes | None:
        found: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self.at_work[data[:8]] = found
        return await found

    def order(self, share: Share, number: int, data: bytes = b"") -> None:
        self.drawing.order(Draw(number=number, data=data or f"{share.id}{number}".encode()), share, lambda _: None)  # type: ignore[arg-type]

    async def until_idle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def drawn(self, data: bytes) -> None:
        self.at_work.pop(data).set_result(b"made")
        await self.until_idle()


async def test_of_one_share_one_is_drawn_at_a_time() -> None:
    desk, greedy, other = Desk(), Share("A"), Share("B")
    for number in (1, 2, 3):
        desk.order(greedy, number)
    desk.order(other, 1)
    await desk.until_idle()
    assert set(desk.at_work) == {b"A1", b"B1"}
    await desk.drawn(b"A1")
    assert greedy.told == {1: b"made"}
    assert set(desk.at_work) == {b"A2", b"B1"}
    await desk.drawing.close()


async def test_what_nobody_wants_any_more_is_not_drawn() -> None:
    desk, share = Desk(), Share("A", {1, 3})
    for number in (1, 2, 3):
        desk.order(share, number)
    await desk.until_idle()
    await desk.drawn(b"A1")
    assert set(desk.at_work) == {b"A3"}
    assert share.told == {1: b"made", 2: None}
    await desk.drawing.close()


async def test_no_more_of_one_share_waits_than_so_much() -> None:
    desk, greedy, other = Desk(), Share("A"), Share("B")
    half = MOST_WAITING_BYTES // 2
    for number in (1, 2, 3):
        desk.order(greedy, number, b"%08d" % number + b"x" * (half - 8))
    desk.order(other, 1)
    await desk.until_idle()
    assert greedy.told == {3: None}
    await desk.drawn(b"00000001")
    await desk.drawn(b"00000002")
    await desk.drawn(b"B1")
    desk.order(greedy, 4)
    await desk.until_idle()
    await desk.drawn(b"A4")
    assert greedy.told[4] == b"made"

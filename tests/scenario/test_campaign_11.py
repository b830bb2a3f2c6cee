"""Campaign 11 as a stream: verification workers are killed, stopped, broken by a picture and lied for at moments of no choosing, while others ask them all the time.

Nobody matches who is somebody else, no question is without an end, and another worker is there within 5 s. What each kind of harm does alone: ``test_verification_engine``.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.engine_pools import BACK_S, engine, until
from tests.support.machine import quick_or_skip
from tests.support.tiny_engine import ALICE, BOB, Trap, draw, install
from verification.engine.pool import EnginePool
from verification.errors import EngineBusy, EngineLost, VerificationError

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
HARMS = int(os.environ.get("TESTS_HARMS", "300" if LONG else "8"))
"""In the suite each kind once."""
SEED = 11
ASKING = 3
PICTURES = {
    "hang": Trap.HANG,
    "crash": Trap.CRASH,
    "bloat": Trap.BLOAT,
    "spawn": Trap.SPAWN,
    "fail": Trap.FAIL,
}
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "abort": signal.SIGABRT}


class Load:
    """Who asks all the time. ``answers``: by what was asked and said; ``lost``: questions that failed."""

    def __init__(self, pool: EnginePool) -> None:
        self._pool = pool
        self._alice, self._bob = draw(ALICE), draw(BOB)
        self.answers: Counter[tuple[str, bool]] = Counter()
        self.lost = 0
        self.over = False
        self._more = asyncio.Event()

    async def ask(self, number: int) -> None:
        same = bool(number % 2)
        while not self.over:
            same = not same
            try:
                asked = self._pool.compare(self._alice, self._alice if same else self._bob)
                found = (await asyncio.wait_for(asked, 60)).comparison.match
            except (EngineLost, EngineBusy):
                self.lost += 1
                await self._pool.wait_ready()
            else:
                self.answers["same" if same else "other", found] += 1
            self._more.set()

    async def answered(self, count: int) -> None:
        """So many more."""
        wanted = self.answers.total() + count
        async with asyncio.timeout(120):
            while self.answers.total() < wanted:
                self._more.clear()
                await self._more.wait()


async def harm(pool: EnginePool, how: str) -> None:
    """To one worker; returns when it was done to it, and never with an answer that says who somebody is."""
    if how in SIGNALS:
        os.kill(pool.pids()[0], SIGNALS[how])
        return
    picture = draw(PICTURES[how].value)
    with pytest.raises(VerificationError):
        await pool.compare(picture, picture)


@pytest.mark.quiet
@pytest.mark.campaign(11)
async def test_whatever_happens_to_workers_nobody_is_somebody_else(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    install(tmp_path)
    back: list[float] = []
    done: Counter[str] = Counter()
    async with engine(tmp_path, work_s=1.5, stall_s=4.0, pong_timeout_s=1.0, deadline_s=60.0, backoff_max_s=0.5) as pool:
        load = Load(pool)
        asking = [asyncio.create_task(load.ask(number)) for number in range(ASKING)]
        for number in range(HARMS):
            how = (*PICTURES, *SIGNALS)[number % 8] if number < 8 else chance.choice((*PICTURES, *SIGNALS))
            await load.answered(chance.randint(1, 6))
            restarts = pool.counts.restarts
            await harm(pool, how)
            if how != "fail":  # a mistake of ours in a worker, which says so and goes on
                await until(pool, lambda before=restarts: pool.counts.restarts > before)
            noticed = time.monotonic()
            async with asyncio.timeout(60):
                await pool.wait_ready()
            back.append(time.monotonic() - noticed)
            done[how] += 1
        await load.answered(4)
        load.over = True
        await asyncio.gather(*asking)
        counts = pool.counts
    told = (
        f"{HARMS} harms {dict(done)}; answers {dict(load.answers)}, {load.lost} lost; "
        f"{counts.restarts} workers anew, the last back after {max(back):.1f} s at most, {sorted(back)[len(back) // 2]:.2f} s in the middle"
    )
    print(told)
    assert load.answers["other", True] == 0, "somebody else matched"
    assert load.answers["same", False] == 0
    assert load.answers["same", True] > HARMS // 2
    assert load.answers["other", False] > HARMS // 2
    assert counts.restarts >= HARMS - done["fail"], "one harm was none"
    quick_or_skip(max(back) <= BACK_S, told)

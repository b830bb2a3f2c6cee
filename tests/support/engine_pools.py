"""Pools of real worker processes on the tiny pack, and processes that say what they like in the place of a worker."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.tiny_engine import ALICE, BOB, COMMAND, draw
from verification.engine.crew import Crew
from verification.engine.pool import EngineConfig, EnginePool

BACK_S = 5.0


@asynccontextmanager
async def engine(models: Path, **changes: Any) -> AsyncIterator[EnginePool]:
    values: dict[str, Any] = {
        "pack": "traps",
        "models_dir": models,
        "command": COMMAND,
        "work_s": 20.0,
        "stall_s": 40.0,
        "deadline_s": 60.0,
    }
    async with EnginePool(EngineConfig(**(values | changes))) as pool:
        yield pool


async def until(pool: Crew, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not condition():
            pool._changed.clear()
            await pool._changed.wait()


async def at_work(pool: EnginePool, count: int = 1) -> None:
    await until(pool, lambda: pool.counts.working >= count)


def there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def works_again(pool: EnginePool) -> float:
    """And not for nothing. How many seconds that took."""
    began = time.monotonic()
    async with asyncio.timeout(60):
        await pool.wait_ready()
    took_s = time.monotonic() - began
    assert (await pool.compare(draw(ALICE), draw(ALICE))).comparison.match
    assert not (await pool.compare(draw(ALICE), draw(BOB))).comparison.match
    return took_s


def script(body: str, before: str = "pass", info: str = "INFO") -> tuple[str, ...]:
    """A process in the place of a worker: ``before`` it is asked anything, ``body`` after that. ``say`` sends; ``asked`` is the request's number."""
    text = "\n".join(
        [
            "import socket, sys, os",
            "from dataclasses import replace",
            "from tests.support.engine_samples import *",
            "from verification.engine.messages import *",
            "from verification.ports import Compared, Matched",
            "stream = socket.socket(fileno=int(sys.argv[1]))",
            "say = lambda message: stream.send(encode(message))",
            "def hear():",
            "    while True:",
            "        data = socket.recv_fds(stream, 200_000, 1)[0]",
            "        if not data: sys.exit()",
            "        message = decode_for_worker(data)",
            "        if not isinstance(message, Ping): return message",
            "        say(Pong(message.request))",
            "hear()",
            f"say(Ready({info}))",
            before,
            "asked = hear().request",
            body,
            "hear()",
        ]
    )
    return (sys.executable, "-c", text)

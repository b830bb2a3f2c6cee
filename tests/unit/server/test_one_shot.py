"""One process for one job: however it ends, whoever started it knows, and nothing of it is left."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from server.one_shot import AT_ONCE, NICER, WHOLE, Busy, OneShot

MOST = 1000
KILLED = (-9, b"")
MUCH = bytes(1 << 20)
"""More than a pipe holds."""


def one(*command: str, longest_s: float = 300.0) -> OneShot:
    return OneShot("test", command, most_bytes=MOST, longest_s=longest_s)


def shell(script: str, *, longest_s: float = 300.0) -> OneShot:
    return one("sh", "-c", script, longest_s=longest_s)


async def test_one_that_ends_by_itself() -> None:
    assert await one("cat").run(b"words") == (0, b"words")
    assert await shell("cat; exit 3").run(b"words") == (3, b"words")
    assert await shell("kill -15 $$").run(b"") == (-15, b"")


async def test_one_that_says_too_much_is_killed() -> None:
    assert await one("head", "-c", str(MOST), "/dev/zero").run(b"") == (0, bytes(MOST))
    assert await one("cat", "/dev/zero").run(b"") == KILLED
    assert await one("head", "-c", str(MOST + 1), "/dev/zero").run(b"") == KILLED


@pytest.mark.parametrize("script", ["exec sleep 300", "exec sleep 300 >&-", "exec sleep 300 <&-", "echo words; exec sleep 300"])
async def test_one_that_hangs_is_killed_at_its_deadline(script: str) -> None:
    status, _ = await shell(script, longest_s=0.1).run(MUCH)
    assert status == -9


async def test_one_that_is_not_there() -> None:
    process = one("/nowhere")
    for _ in range(AT_ONCE + 1):  # nor does it keep a place
        with pytest.raises(FileNotFoundError):
            await process.run(b"", wait_s=0)


@pytest.mark.parametrize("script", ["exec <&-; echo enough", "head -c 1 >&-; echo enough"])
async def test_one_that_does_not_read_to_the_end(script: str) -> None:
    assert await shell(script).run(MUCH) == (0, b"enough\n")


async def test_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    pipe = tmp_path / "pid"
    os.mkfifo(pipe)
    waiting = asyncio.create_task(shell(f"echo $$ > {pipe}; exec sleep 300").run(MUCH))
    pid = int(await asyncio.to_thread(pipe.read_text))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_so_many_at_once() -> None:
    process = shell("read word; exec $word")
    first = [asyncio.create_task(process.run(b"sleep 300\n")) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await process.run(b"true\n", wait_s=0)
    last = asyncio.create_task(process.run(b"true\n"))
    await asyncio.sleep(0)
    first[0].cancel()
    assert await last == (0, b"")
    first[1].cancel()
    assert [type(ended) for ended in await asyncio.gather(*first, return_exceptions=True)] == [asyncio.CancelledError] * AT_ONCE


async def test_it_is_told_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGPING_SECRET", "canary")
    _, told = await shell("env | cut -d= -f1").run(b"")
    assert b"PATH" in told.split()
    assert b"TONGPING" not in told


async def test_its_priority_is_lower_when_it_has_its_job() -> None:
    code = "import os, sys; sys.stdin.read(); print(os.getpriority(os.PRIO_PROCESS, 0))"
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert await one(sys.executable, "-S", "-c", code).run(b"") == (0, b"%d\n" % min(ours + NICER, 19))


def test_what_does_not_hold_it_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    process = one("true")
    process.held([*WHOLE, "user"])
    assert caplog.records == []
    for _ in range(2):
        process.held(WHOLE - {"calls"})
    assert [(record.message, vars(record)["kind"], vars(record)["missing"]) for record in caplog.records] == [
        ("process is not wholly confined", "test", ["calls"])
    ]

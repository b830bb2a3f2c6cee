"""The actor: one thing at a time, bounded, and nobody waits for ever."""

import asyncio

import pytest

from server.live.actor import Actor, Busy


async def test_commands_run_in_order_one_at_a_time() -> None:
    actor = Actor("test")
    log: list[str] = []

    async def work(name: str) -> str:
        log.append(f"{name} begins")
        await asyncio.sleep(0)
        log.append(f"{name} ends")
        return name

    results = await asyncio.gather(*(actor.call(lambda name=name: work(name)) for name in "abc"))
    assert results == ["a", "b", "c"]
    assert log == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]
    await actor.close(1.0)


async def test_a_failing_command_fails_its_caller_only(caplog: pytest.LogCaptureFixture) -> None:
    actor = Actor("test")

    async def fail() -> None:
        raise ValueError("no")

    async def work() -> int:
        return 1

    with pytest.raises(ValueError, match="no"):
        await actor.call(fail)
    assert actor.post(fail)
    assert await actor.call(work) == 1
    assert "command failed" in caplog.text
    await actor.close(1.0)


async def test_a_cancelled_caller_does_not_stop_its_command() -> None:
    actor = Actor("test")
    go, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go.wait()
        done.set()

    async def fail() -> None:
        raise ValueError("nobody hears this")

    callers = [asyncio.create_task(actor.call(command)) for command in (work, fail)]
    await asyncio.sleep(0)
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)
    go.set()
    await actor.settle()
    assert done.is_set()
    await actor.close(1.0)


async def test_a_full_inbox_refuses() -> None:
    actor = Actor("test", inbox=1)
    go = asyncio.Event()

    async def work() -> None:
        await go.wait()

    assert actor.post(work)
    assert not actor.post(work)
    with pytest.raises(Busy):
        await actor.call(work)
    go.set()
    await actor.close(1.0)


async def test_closing_lets_work_end_then_refuses() -> None:
    actor = Actor("test")
    done: list[int] = []

    async def work() -> None:
        done.append(1)

    actor.post(work)
    actor.post(work)
    await actor.close(1.0)
    assert done == [1, 1]
    assert not actor.post(work)
    with pytest.raises(Busy):
        await actor.call(work)


async def test_closing_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    actor = Actor("test")
    never = asyncio.Event()

    async def hang() -> None:
        await never.wait()

    caller = asyncio.create_task(actor.call(hang))
    await asyncio.sleep(0)
    await actor.close(0.0)
    with pytest.raises(Busy):
        await caller
    assert "work left" in caplog.text


async def test_closing_one_that_never_worked() -> None:
    actor = Actor("test")
    await actor.close(1.0)
    assert actor.idle

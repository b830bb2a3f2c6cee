"""Somebody joins while others are seen already: the relay has the picture ready, and says when it did what."""

import asyncio

from tests.support.media_lab import LabClient, colour_of, lab_worker, loopback, near, shows

RED = (120, 90, 200)


async def test_a_newcomer_sees_who_is_there_and_the_relay_tells_the_steps() -> None:
    with loopback():
        async with lab_worker() as worker:
            one = LabClient("one", send=("video",), colour=RED)
            others = [LabClient(f"viewer {number}", send=()) for number in range(3)]
            try:
                await worker.gates("one", "camera")
                await worker.connect(one)
                for viewer in others:
                    await worker.connect(viewer)
                    video = await worker.event(shows(viewer.name, "one", "camera"))
                    assert near(colour_of(await viewer.frame(video)), RED)
                told = await worker.until(
                    lambda stats: all("picture" in stats["participants"][viewer.name]["steps"] for viewer in others)
                )
                for viewer in others:
                    steps = told["participants"][viewer.name]["steps"]
                    order = [steps[name] for name in ("checked", "dtls", "connected", "slot", "picture")]
                    assert order == sorted(order)
                    assert steps["key"] <= steps["picture"]
                    assert steps["key_asked"] >= 0
            finally:
                await asyncio.gather(*(client.close() for client in (one, *others)))


async def test_nobody_sees_what_was_shown_before_they_were_let_in() -> None:
    """A gate that was shut in between leaves nothing behind to be sent."""
    with loopback():
        async with lab_worker() as worker:
            one, two = LabClient("one", send=("video",), colour=RED), LabClient("two", send=())
            try:
                await worker.gates("one", "camera")
                await worker.connect(one)
                await worker.event(lambda e: e if getattr(e, "flowing", False) else None)
                await worker.gates("one")
                await worker.connect(two)
                told = (await worker.stats())["participants"]["two"]
                assert "slot" not in told["steps"]
                assert told["slots"] == {}
            finally:
                await asyncio.gather(one.close(), two.close())

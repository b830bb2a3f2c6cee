"""Real worker process, real aiortc clients on loopback: what the relay is for, end to end."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from media import control
from tests.support.media_lab import LabClient, LabWorker, colour_of, lab_worker, loopback, loudness, near, shows


@pytest.fixture
async def worker() -> AsyncIterator[LabWorker]:
    with loopback():
        async with lab_worker() as running:
            yield running


async def test_two_people_see_and_hear_each_other(worker: LabWorker) -> None:
    one, two = LabClient("one", colour=(40, 90, 200)), LabClient("two", colour=(200, 40, 40))
    try:
        for client in (one, two):
            await worker.gates(client.name, "microphone", "camera")
            await worker.connect(client)
        for viewer, shown, colour in ((one, two, (200, 40, 40)), (two, one, (40, 90, 200))):
            video = await worker.event(shows(viewer.name, shown.name, "camera"))
            audio = await worker.event(shows(viewer.name, shown.name, "microphone"))
            picture = await viewer.frame(video)
            assert (picture.width, picture.height) == (320, 240)
            assert near(colour_of(picture), colour)
            assert max([loudness(await viewer.frame(audio)) for _ in range(20)]) > 1000
    finally:
        await asyncio.gather(one.close(), two.close())

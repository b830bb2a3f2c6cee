"""Who hears whom through the real worker: circles, and a voice for one person alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from media import control
from tests.support.media_lab import LabClient, LabWorker, lab_worker, loopback, shows


@pytest.fixture
async def worker() -> AsyncIterator[LabWorker]:
    with loopback():
        async with lab_worker() as running:
            yield running


async def gates(
    worker: LabWorker, participant: str, *sources: str, circle: str = "", only: tuple[str, ...] | None = None
) -> None:
    assert isinstance(await worker.ask(control.SetGates, "room", participant, sources, circle, only), control.Done)


def empty(participant: str) -> Any:
    """An event test: nothing is shown to this participant."""
    return lambda e: isinstance(e, control.Slots) and e.participant == participant and all(s.source is None for s in e.slots)


async def test_in_another_circle_nothing_arrives_and_back_again_it_does(worker: LabWorker) -> None:
    one, two = LabClient("one"), LabClient("two", send=())
    try:
        await gates(worker, "two", circle="hold:two")  # known before they connect: not one packet slips through
        await gates(worker, "one", "camera", "microphone", "pointer")
        for client in (one, two):
            await worker.connect(client)
        await worker.until(lambda s: s["participants"]["one"]["published"]["camera"][0]["packets"] > 30)
        assert (await worker.stats(None))["forwards"] == 0
        async with asyncio.timeout(60):
            await asyncio.gather(one.opened.wait(), two.opened.wait())
        one.channel.send("unseen")
        await worker.until(lambda s: s["pointer_relayed"] == 1)
        await gates(worker, "two")
        await two.frame(await worker.event(shows("two", "one", "camera")))
        one.channel.send("seen")
        assert '"data":"seen"' in await asyncio.wait_for(two.messages.get(), 60)
        mark = len(worker.events)
        await gates(worker, "two", circle="hold:two")
        forwards = (await worker.stats(None))["forwards"]
        got = (await worker.stats())["participants"]["one"]["published"]["camera"][0]["packets"]
        await worker.until(lambda s: s["participants"]["one"]["published"]["camera"][0]["packets"] > got + 30)
        assert (await worker.stats(None))["forwards"] == forwards
        await worker.event(empty("two"), mark)
    finally:
        await asyncio.gather(one.close(), two.close())


async def test_a_voice_for_one_person_reaches_nobody_else_in_whatever_circle_they_are(worker: LabWorker) -> None:
    whispers, hears, other = LabClient("whispers", send=("audio",)), LabClient("hears", send=()), LabClient("other", send=())
    people = (whispers, hears, other)
    try:
        await gates(worker, "whispers", "microphone", only=("hears",))
        await gates(worker, "hears", circle="apart")
        for client in people:
            await worker.connect(client)
        await worker.event(shows("hears", "whispers", "microphone"))
        before = (await worker.stats())["participants"]["whispers"]["published"]["microphone"][0]["packets"]
        await worker.until(lambda s: s["participants"]["whispers"]["published"]["microphone"][0]["packets"] > before + 50)
        assert not [event for event in worker.events if shows("other", "whispers", "microphone")(event)]
        await gates(worker, "whispers", "microphone")
        await worker.event(shows("other", "whispers", "microphone"))
    finally:
        await asyncio.gather(*(client.close() for client in people))

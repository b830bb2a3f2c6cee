"""A hand-over through the real worker, over real ICE, DTLS and SRTP: one unbroken stream in the same slot, with either forwarder."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest

from media import control
from media.relay.succession import WAIT_S
from media.wire.payload import vp8
from media.wire.rtp import RtpReader
from tests.support.layered import IDS, Layered
from tests.support.machine import quick_or_skip
from tests.support.media_lab import LabClient, LabWorker, colour_of, lab_worker, loopback, loudness, near, shows

FRAME_S = 1 / 30
DEADLINE_S = 90.0
GAP_S = 0.3
CAMERAS = {"anna": 300, "ben": 500, "chen": 700}
"""Filler in each packet: by its length a packet's sender is told."""


class Viewer(Layered):
    """``seen``: (when, SSRC, number, time, whose, whether it begins a key frame) of each picture's packet."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots=slots)
        self.clock = time.monotonic
        self.seen: list[tuple[float, int, int, int, str, bool]] = []
        self._own = RtpReader(IDS)

    async def _rtp(self, data: bytes, arrival_time_ms: int) -> None:
        reader = self._own
        assert reader.parse(data, len(data))
        known = len(self.got)
        await super()._rtp(data, arrival_time_ms)
        if len(self.got) > known:
            size = len(self.got[-1][2])
            whose = min(CAMERAS, key=lambda name: abs(CAMERAS[name] - size))
            key = vp8(self.got[-1][2], 0, size)[1]
            self.seen.append((time.monotonic(), reader.ssrc, reader.seq, reader.ts, whose, key))


class Meeting:
    """People in one room, whose frames go out at their pace all the time."""

    def __init__(self, worker: LabWorker) -> None:
        self.worker = worker
        self.cameras: dict[str, Layered] = {}
        self.viewer = Viewer(2)
        self.live: set[str] = set()
        self.stood_s = 0.0
        """The longest that the worker or this process stood still, each beat of whose is a heartbeat."""

    async def enter(self, name: str, person: Layered) -> None:
        await self.worker.gates(name, "camera")
        reply = await self.worker.ask(control.Connect, "room", name, await person.offer())
        assert isinstance(reply, control.Connected), reply
        await person.join(reply.answer)
        await self.worker.state(name, "connected")

    async def camera(self, name: str) -> None:
        size = CAMERAS[name]
        person = Layered({"h": (360, 2, size), "f": (720, 3, size)})
        person.clock = time.monotonic
        self.cameras[name] = person
        await self.enter(name, person)
        self.live = self.live | {name}

    async def beat(self) -> None:
        await self.worker.event(lambda e: isinstance(e, control.Heartbeat) or None, len(self.worker.events))

    async def send(self) -> None:
        start = beat_at = time.monotonic()
        frames = 0
        while True:
            await self.beat()
            now = time.monotonic()
            self.stood_s, beat_at = max(self.stood_s, now - beat_at), now
            while frames * FRAME_S < time.monotonic() - start:
                for name in self.live:
                    await self.cameras[name].send_frame()
                frames += 1
            await self.viewer.feedback()

    async def run(self, until: Callable[[], bool]) -> None:
        began = time.monotonic()
        while not until():
            await self.beat()
            if time.monotonic() - began > DEADLINE_S:
                raise AssertionError(f"not within {DEADLINE_S:.0f} s: {await self.worker.stats()}")

    def sees(self, whose: str, count: int = 30) -> Callable[[], bool]:
        """So many of the newest packets are of this camera."""
        return lambda: [one[4] for one in self.viewer.seen[-count:]] == [whose] * count

    async def replace(self, old: str, new: str) -> None:
        assert isinstance(await self.worker.ask(control.Replace, "room", old, new), control.Done)

    async def leave(self, name: str) -> None:
        self.live = self.live - {name}
        await self.worker.ask(control.Disconnect, "room", name)
        await self.cameras.pop(name).close()

    def switch(self, old: str, new: str) -> tuple[list[Any], list[Any]]:
        """What came of the old and of the new camera in the slot in which the switch was."""
        first = next(i for i, one in enumerate(self.viewer.seen) if one[4] == new)
        ssrc = self.viewer.seen[first][1]
        inside = [one for one in self.viewer.seen if one[1] == ssrc]
        at = inside.index(self.viewer.seen[first])
        return [one for one in inside[:at] if one[4] == old], inside[at:]


@pytest.fixture(params=["compiled", "python"])
async def meeting(request: pytest.FixtureRequest) -> AsyncIterator[Meeting]:
    with loopback():
        async with lab_worker(heartbeat_interval_s=0.02, native=request.param == "compiled") as worker:
            made = Meeting(worker)
            sending = None
            try:
                await made.enter("viewer", made.viewer)
                sending = asyncio.create_task(made.send())
                yield made
            finally:
                if sending is not None:
                    sending.cancel()
                    await asyncio.wait([sending])
                for person in (made.viewer, *made.cameras.values()):
                    await person.close()


def unbroken(before: list[Any], after: list[Any], stood_s: float) -> None:
    """Numbers go on by one, times forward by no more than passed and a second, and the new picture begins with a key frame.

    ``stood_s``: what came may have been sent so much earlier.
    """
    assert after[0][5]
    stream = before[-20:] + after[:20]
    assert {one[1] for one in stream} == {stream[0][1]}
    numbers = sorted({(one[2] - stream[0][2] + 0x8000 & 0xFFFF) - 0x8000 for one in stream})
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    for one, other in pairwise(sorted(stream, key=lambda each: (each[2] - stream[0][2]) & 0xFFFF)):
        assert (other[3] - one[3]) & 0xFFFFFFFF < 90_000 * (1 + stood_s + max(0.0, other[0] - one[0]))


def while_held(since: float) -> None:
    """The slot of somebody who left is held for ``WAIT_S``: later than that nothing can be said of it."""
    took_s = time.monotonic() - since
    quick_or_skip(took_s < WAIT_S, f"{took_s:.1f} s")


async def test_the_picture_goes_over_in_its_slot_without_a_gap(meeting: Meeting) -> None:
    for name in ("anna", "chen"):
        await meeting.camera(name)
    await meeting.run(lambda: {"anna", "chen"} <= {one[4] for one in meeting.viewer.seen[-20:]})
    mid = await meeting.worker.event(shows("viewer", "anna", "camera"))
    await meeting.replace("anna", "ben")  # before he is there
    mark = len(meeting.worker.events)
    await meeting.camera("ben")
    await meeting.run(lambda: "ben" in {one[4] for one in meeting.viewer.seen[-20:]})
    assert await meeting.worker.event(shows("viewer", "ben", "camera"), mark) == mid
    count = len(meeting.viewer.seen)
    await meeting.run(lambda: len(meeting.viewer.seen) > count + 100)
    before, after = meeting.switch("anna", "ben")
    arrivals = [one[0] for one in before[-30:] + after]
    unbroken(before, after, meeting.stood_s)
    assert "anna" not in {one[4] for one in after}  # not shown twice, nor again
    assert "anna" not in {one[4] for one in meeting.viewer.seen[count:]}
    assert "chen" in {one[4] for one in meeting.viewer.seen[count:]}
    longest_s = max(late - early for early, late in pairwise(arrivals))
    quick_or_skip(longest_s < GAP_S, f"no picture for {longest_s:.2f} s")


async def test_somebody_already_shown_moves_into_the_slot_and_the_old_one_may_leave_at_once(meeting: Meeting) -> None:
    for name in ("anna", "ben"):
        await meeting.camera(name)
    await meeting.run(lambda: {"anna", "ben"} <= {one[4] for one in meeting.viewer.seen[-20:]})
    mid = await meeting.worker.event(shows("viewer", "anna", "camera"))
    mark = len(meeting.worker.events)
    asked_at = time.monotonic()
    await meeting.replace("anna", "ben")
    await meeting.leave("anna")
    shown = shows("viewer", "ben", "camera")
    await meeting.worker.event(lambda event: shown(event) == mid or None, mark)  # what was said before may come after the mark
    [ssrc] = {one[1] for one in meeting.viewer.seen[-20:] if one[4] == "anna"}
    await meeting.run(lambda: any(one[1] == ssrc and one[4] == "ben" for one in meeting.viewer.seen))
    count = len(meeting.viewer.seen)
    await meeting.run(lambda: len(meeting.viewer.seen) > count + 40)
    inside = [one for one in meeting.viewer.seen if one[1] == ssrc]
    first = next(i for i, one in enumerate(inside) if one[4] == "ben")
    unbroken(inside[:first], inside[first:], meeting.stood_s)
    gap_s, after_s = inside[first][0] - inside[first - 1][0], inside[first][0] - asked_at
    quick_or_skip(max(gap_s, after_s) < GAP_S, (gap_s, after_s))


async def test_the_slot_of_somebody_who_crashed_waits_for_the_successor(meeting: Meeting) -> None:
    await meeting.camera("anna")
    await meeting.run(meeting.sees("anna"))
    mid = await meeting.worker.event(shows("viewer", "anna", "camera"))
    ssrc = meeting.viewer.seen[-1][1]
    await meeting.leave("anna")
    left_at = time.monotonic()
    await meeting.replace("anna", "ben")
    await meeting.camera("chen")
    await meeting.run(meeting.sees("chen"))
    chens = await meeting.worker.event(shows("viewer", "chen", "camera"))
    while_held(left_at)
    assert chens != mid
    await meeting.camera("ben")
    await meeting.run(lambda: "ben" in {one[4] for one in meeting.viewer.seen})
    while_held(left_at)
    assert await meeting.worker.event(shows("viewer", "ben", "camera")) == mid
    count = len(meeting.viewer.seen)
    await meeting.run(lambda: len(meeting.viewer.seen) > count + 60)
    inside = [one for one in meeting.viewer.seen if one[1] == ssrc]
    first = next(i for i, one in enumerate(inside) if one[4] == "ben")
    unbroken(inside[:first], [one for one in inside[first:] if one[4] == "ben"], meeting.stood_s)


async def test_who_never_sends_is_not_waited_for_longer(meeting: Meeting) -> None:
    await meeting.camera("anna")
    await meeting.run(meeting.sees("anna"))
    mid = await meeting.worker.event(shows("viewer", "anna", "camera"))
    await meeting.replace("anna", "ben")
    await meeting.leave("anna")
    left_at = time.monotonic()
    await meeting.camera("chen")
    await meeting.run(meeting.sees("chen"))
    chens = await meeting.worker.event(shows("viewer", "chen", "camera"))
    while_held(left_at)
    assert chens != mid
    await meeting.run(lambda: time.monotonic() - left_at > WAIT_S + 0.2)
    mark = len(meeting.worker.events)
    await meeting.camera("ben")
    await meeting.run(lambda: "ben" in {one[4] for one in meeting.viewer.seen[-20:]})
    assert await meeting.worker.event(shows("viewer", "ben", "camera"), mark) == mid  # free again, for anybody


async def test_voice_and_picture_go_over_as_they_are_decoded() -> None:
    """Two agents as browsers are, with an encoder each; the customer decodes."""
    green, violet = (120, 60, 60), (120, 200, 200)
    with loopback():
        async with lab_worker() as worker:
            anna, ben = LabClient("anna", colour=green), LabClient("ben", colour=violet)
            customer = LabClient("customer", send=())
            try:
                for client in (customer, anna):
                    await worker.gates(client.name, "camera", "microphone")
                    await worker.connect(client)
                mids = {source: await worker.event(shows("customer", "anna", source)) for source in ("camera", "microphone")}
                assert near(colour_of(await customer.frame(mids["camera"])), green)
                await worker.ask(control.Replace, "room", "anna", "ben")
                mark = len(worker.events)
                await worker.gates("ben", "camera", "microphone")
                await worker.connect(ben)
                for source, mid in mids.items():
                    assert await worker.event(shows("customer", "ben", source), mark) == mid
                decoded = [(time.monotonic(), green)]
                async with asyncio.timeout(DEADLINE_S):
                    while not near(decoded[-1][1], violet):
                        colour = colour_of(await customer.frame(mids["camera"]))
                        decoded.append((time.monotonic(), colour))
                    while loudness(await customer.frame(mids["microphone"])) < 1000:
                        pass
                stats = await worker.stats()
                of = {slot["source"]: slot["participant"] for slot in stats["participants"]["customer"]["slots"].values()}
                assert of == {"camera": "ben", "microphone": "ben"}
                longest_s = max(late - early for (early, _), (late, _) in pairwise(decoded))
                quick_or_skip(longest_s < 1.0, longest_s)  # with two encoders and a decoder beside it
            finally:
                await asyncio.gather(anna.close(), ben.close(), customer.close())

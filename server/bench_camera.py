"""What a benchmark's live attempts look at in place of a customer: a camera, an engine's answers with a played person over them, a page. A part of the
composition root, as ``bench_live.py``."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from server.bench_person import Person
from server.services.verification_live import FPS
from server.transactions.case import Attempt
from server.transactions.cues import Cue, Instruction
from verification.bench.pictures import HEIGHT, WIDTH
from verification.ports import Analysis, EngineCounts, EnginePort, PackInfo, Still

WAY_S = 0.15
"""From the camera to the relay."""


@dataclass(frozen=True, slots=True)
class Shown:
    """``server.live.ports.TapPicture``."""

    index: int
    rtp_time: int
    received_at: float
    sha256: bytes
    pixels: memoryview
    nonce: bytes
    width: int = WIDTH
    height: int = HEIGHT
    lost: int = 0


class Camera:
    """``server.live.ports.OpenTap``. ``waited``: seconds from each picture's coming to its having been looked at. ``at``: when the last one came."""

    def __init__(self, portraits: Sequence[bytes]) -> None:
        self._portraits = [(memoryview(one), hashlib.sha256(one).digest()) for one in portraits]
        self.frames = 0
        self.at = 0.0
        self.waited: list[float] = []

    def end(self, reason: str) -> None:
        raise RuntimeError(reason)

    @asynccontextmanager
    async def tap(self, nonce: bytes) -> AsyncIterator["Camera"]:
        self._nonce = nonce
        yield self

    async def __aiter__(self) -> AsyncIterator[Shown]:
        began = time.monotonic()
        while True:
            due = began + self.frames / FPS
            await asyncio.sleep(due - time.monotonic())
            self.at = due
            pixels, digest = self._portraits[self.frames % len(self._portraits)]
            yield Shown(self.frames, round(self.frames * 90_000 / FPS), self.at, digest, pixels, self._nonce)
            self.waited.append(time.monotonic() - self.at)
            self.frames += 1


class Cameras:
    """What ``Taps`` needs of a ``MediaPort``."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera

    def open_tap(self, room: str, participant: str, source: str, *, nonce: bytes, **bounds: Any) -> Any:
        del room, participant, source, bounds
        return self._camera.tap(nonce)


class Overlaid:
    """The part of ``EnginePort`` that a live attempt needs: ``engine``'s answers, and over them how the person moves."""

    def __init__(self, engine: "EnginePort | Measured", camera: Camera, person: Person) -> None:
        self._engine, self._camera, self._person = engine, camera, person

    @property
    def pack(self) -> PackInfo:
        return self._engine.pack

    @property
    def counts(self) -> EngineCounts:
        return EngineCounts(ready=1)

    @property
    def counts_of(self) -> Mapping[str, EngineCounts]:
        return {}

    async def still(self, image: memoryview | bytes, width: int = 0, height: int = 0) -> Still:
        return await self._engine.still(image, width, height)

    async def analyse(self, pixels: memoryview | bytes, width: int, height: int, **asked: Any) -> Analysis:
        at = self._camera.at - WAY_S
        seen = await self._engine.analyse(pixels, width, height, **asked)
        pose = self._person.pose(at)
        if pose is None or seen.faces != 1:
            return Analysis(width, height, 0, thumbnail=seen.thumbnail)
        return replace(seen, yaw=pose.yaw, pitch=pose.pitch, roll=0.0, eyes=pose.eyes, mouth=pose.mouth, scale=pose.scale)


@dataclass(slots=True)
class Measured:
    """The same for many attempts at once: what the engine said of one picture, after as much time as a core of its own would take."""

    pack: PackInfo
    answer: Analysis
    kept: Still
    took_s: float

    async def still(self, image: memoryview | bytes, width: int = 0, height: int = 0) -> Still:
        del image, width, height
        await asyncio.sleep(self.took_s)
        return self.kept

    async def analyse(self, pixels: memoryview | bytes, width: int, height: int, **asked: Any) -> Analysis:
        del pixels, width, height, asked
        await asyncio.sleep(self.took_s)
        return self.answer


class Page:
    """``server/services/verification_live.py: Page``. ``actions``: how many are asked for; ``first``: when each cue came first."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self.actions = 0
        self.first: dict[Cue, float] = {}

    def begins(self, attempt: Attempt, *, warning: bool) -> None:
        del attempt, warning

    def show(self, instruction: Instruction) -> None:
        self.actions = max(self.actions, instruction.of)
        self.first.setdefault(instruction.cue, time.monotonic())
        self._person.told((instruction,), time.monotonic() + WAY_S)

    def with_agent(self) -> bool:
        return False

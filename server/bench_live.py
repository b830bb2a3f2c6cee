"""How many live attempts one core looks at in time, and how long one takes from its begin to the decision on disk. A part of the composition root.

Each attempt is a real one in real time: ``LiveAttempts.play`` with the real challenge, policy of three actions, store, vault and signature. A camera of ten
pictures a second shows portraits, as the relay's tap would hand them over; what a portrait cannot do (turn, nod, come closer) is a played person's
(``bench_person``), laid over what the engine said of the picture. So the engine is asked for all that it is asked for in a real attempt:

- ``attempts_per_core`` plays more and more of them at once on one worker with one thread: the most with which the wait, from a picture's coming to its
  having been looked at, is ``IN_TIME_S`` or less at the 95th percentile;
- ``open_to_decision`` plays many at once, with the engine's answer as it was and after its processor time, as if each had a core of its own.

The tap's decoder, a process of its own for each attempt, is not measured.
"""

import asyncio
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import cast

import msgspec

from server import faces
from server.api.bodies_verifications import CreateVerification, SetPortrait
from server.app import make_id
from server.bench_camera import Camera, Cameras, Measured, Overlaid, Page
from server.bench_person import Person
from server.bench_service import Service, opened
from server.challenges import PAD_EVERY
from server.config import Config, load
from server.domain import ids
from server.domain.ids import CaseId, ConsentId, ParticipantId, SessionId
from server.domain.model import (
    Consent,
    ConsentDecision,
    ConsentScope,
    Language,
    Participant,
    ParticipantState,
    Role,
    Session,
    SessionKind,
    SessionStatus,
)
from server.live.ports import MediaPort
from server.live.taps import Taps
from server.services.verification_live import FPS, LiveAttempts
from server.transactions.cues import Cue
from server.transactions.policy import Check
from verification.bench.pictures import HEIGHT, WIDTH, of_folder, of_one_portrait
from verification.challenge.policy import ChallengePolicy, Light, Limits
from verification.challenge.script import different
from verification.engine.pool import EngineConfig, EnginePool
from verification.errors import VerificationError
from verification.images import read
from verification.models.store import ModelStore
from verification.ports import EnginePort

USUAL, FEW = "bench_usual", "bench_few"
"""Types: without colours more actions are asked for, as in the shipped policies; or as many as with them."""
POLICY = """
type = "{type}"
title = {{ zh = "基准", en = "Benchmark" }}
assurance = ["match", "pad", "challenge"]
fmr = 1e-4
attempts = 3
attempt_s = 120
expires_s = 900
reviewers = 1
review_s = 3600
retention_days = 1

[challenge]
actions = {actions}
actions_without_light = {without_light}
"""
IN_TIME_S = 0.5
FULL = 0.9
"""As much of a core can be used before pictures wait for long."""
PORTRAITS = 12
APART_S = 0.2
"""Between two begins, where it is measured how long each takes."""
LOOKS = 20
"""By which it is measured what a picture costs."""
PARTS = ("begin", "settle", "actions", "colours", "decision")


class NoFigures(Exception):
    """Nothing can be measured here; says why."""


@dataclass(slots=True)
class Played:
    """Of attempts that were played at once. Seconds. ``actions``: how many were asked for at most; ``faults``: attempts for which the engine was too late;
    ``unplayed``: such as asked for something that the person did not do; ``parts``: what the time of each went
    into: until something is shown, until they look straight, the actions with their rests, what is left of the colours, the evidence and the decision."""

    took: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    actions: int = 0
    faults: int = 0
    unplayed: list[str] = field(default_factory=list)
    parts: list[tuple[float, ...]] = field(default_factory=list)


class Bench:
    """``config``: names the folder of the packs. ``portraits``: of 640 × 480, rows of red, green, blue; ``jpeg``: one of them as a file."""

    def __init__(self, service: Service, config: Config, portraits: Sequence[bytes], jpeg: bytes) -> None:
        self._service, self._config, self._portraits, self._jpeg = service, config, portraits, jpeg
        self._number = 0

    async def together(
        self, count: int, engine: "EnginePort | Measured", *, light: bool = True, type: str = USUAL, spread_s: float = 1 / FPS
    ) -> Played:
        """So many at once, whose begins are spread over that time. Raises NoFigures: one was not played to its end."""
        made = [await self._ready(type) for _ in range(count)]
        played = Played()
        async with asyncio.TaskGroup() as tasks:
            for number, one in enumerate(made):
                tasks.create_task(self._play(one, engine, played, spread_s * number / count, light=light))
        if played.unplayed:
            raise NoFigures(f"a live attempt was not played to its end: {played.unplayed[0]}")
        return played

    async def _ready(self, type: str) -> tuple[CaseId, SessionId, ParticipantId]:
        """A customer with a portrait and a session, who agreed to be looked at."""
        service, now = self._service, self._service.clock.now()
        self._number += 1
        session = Session(
            id=SessionId(make_id(ids.SESSION)), kind=SessionKind.VERIFICATION, status=SessionStatus.OPEN, language=Language.EN,
            customer_reference=f"c-{self._number}", customer_name="", reason="", context="", created_at=now, created_by="",
        )  # fmt: skip
        person = Participant(
            id=ParticipantId(make_id(ids.PARTICIPANT)), session_id=session.id, identity="walk-in", role=Role.CUSTOMER, name="",
            state=ParticipantState.JOINED, created_at=now,
        )  # fmt: skip
        agreed = Consent(
            id=ConsentId(make_id(ids.CONSENT)), session_id=session.id, participant_id=person.id, scope=ConsentScope.FACE,
            decision=ConsentDecision.GIVEN, wording="bench", language=Language.EN, decided_at=now,
        )  # fmt: skip
        async with service.store.begin() as tx:
            await tx.add_session(session)
            await tx.add_participant(person)
            await tx.add_consent(agreed)
        asked = CreateVerification(
            type=type, customer=session.customer_reference, details=msgspec.Raw(b"{}"), consent="bench", session=session.id
        )
        case = await service.verifications.create(service.who, asked)
        await service.verifications.set_portrait(service.who, CaseId(case.id), SetPortrait(image=self._jpeg))
        return CaseId(case.id), session.id, person.id

    async def _play(
        self, ready: tuple[CaseId, SessionId, ParticipantId], engine: "EnginePort | Measured", played: Played, after_s: float, *, light: bool
    ) -> None:  # fmt: skip
        case, session, participant = ready
        service = self._service
        camera, person = Camera(self._portraits), Person(random.Random(case))  # noqa: S311 - how quickly they react
        looks = faces.FaceWorkers(self._config, cast("EnginePort", Overlaid(engine, camera, person)))
        taps = Taps(service.store, cast("MediaPort", Cameras(camera)), service.clock, 5.0, lambda session, participant: True)
        attempts = LiveAttempts(service.verifications.attempts, looks.challenges, taps)
        page = Page(person)
        await asyncio.sleep(after_s)
        begun = time.monotonic()
        done, _ = await attempts.play(case, session, participant, participant, page, light=light)
        over = time.monotonic()
        played.took.append(over - begun)
        moments = [begun, *(page.first.get(cue, camera.at) for cue in (Cue.SETTLE, Cue.ASK, Cue.HOLD_ON)), camera.at, over]
        played.parts.append(tuple(after - before for before, after in pairwise(moments)))
        played.waited += camera.waited
        played.actions = max(played.actions, page.actions)
        checked = done.checked
        if checked is None or checked.fault is not None:
            played.faults += 1
        elif [one.score for one in checked.checks if one.name is Check.CHALLENGE] != [1.0]:
            played.unplayed.append(str(checked))


async def measure(
    folder: Path, models: Path, *, pack: str, pictures: Path | None, most: int, people: int, actions: int
) -> dict[str, object]:
    """``most``: attempts at once that are tried; ``people``: at once for the time from begin to decision, each way. Raises NoFigures."""
    jpegs = await asyncio.to_thread(of_folder, pictures, PORTRAITS) if pictures is not None else of_one_portrait(PORTRAITS)
    try:
        await asyncio.to_thread(ModelStore(models).manifest, pack)
        pool = EnginePool(EngineConfig(workers=1, threads=1, pack=pack, models_dir=models))
        await pool.start()
    except VerificationError as error:
        raise NoFigures(f"the pack {pack} cannot be used: {error.detail or error.code}") from error
    try:
        good = await _good(pool, jpegs)
        policies = folder / "policies"
        policies.mkdir()
        for type, without_light in ((USUAL, ChallengePolicy().actions_without_light), (FEW, actions)):
            text = POLICY.format(type=type, actions=actions, without_light=without_light)
            (policies / f"{type}.toml").write_text(text, encoding="utf-8")
        config = load(environment={}, overrides={"data_dir": str(folder), "models_dir": str(models)})
        async with opened(folder, faces.FaceWorkers(config, pool), policies=policies) as service:
            bench = Bench(service, config, [pixels for pixels, _ in good], good[0][1])
            measured, took = await _one(pool, good[0][0])
            found: dict[str, object] = {
                "live_pack": pack,
                "live_picture_ms": round(took * 1000, 1),
                "live_picture_cpu_ms": round(measured.took_s * 1000, 1),
            }
            if most:
                found |= await attempts_per_core(bench, pool, most, measured.took_s)
            if people:
                found |= await open_to_decision(bench, measured, people, actions)
            return found
    finally:
        await pool.close()


async def _good(pool: EnginePool, jpegs: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Pixels and files of those in which the engine sees one face with which an attempt could begin."""
    good = []
    for jpeg in jpegs:
        pixels = read(jpeg).tobytes()
        seen = await pool.analyse(pixels, WIDTH, HEIGHT, template=True)
        if seen.faces == 1 and seen.template and Limits().good(seen.quality):
            good.append((pixels, jpeg))
    if not good:
        raise NoFigures("there is no portrait to look at: --pictures DIR names a folder with some")
    return good


async def _one(pool: EnginePool, pixels: bytes) -> tuple[Measured, float]:
    """What it says of one picture, and the median of the seconds that it takes."""
    first = await pool.analyse(pixels, WIDTH, HEIGHT, template=True)
    took, before = [], pool.counts.work_cpu_s
    for number in range(LOOKS):
        begun = time.perf_counter()
        answer = await pool.analyse(pixels, WIDTH, HEIGHT, reference=first.template, pad=number % PAD_EVERY == 0)
        took.append(time.perf_counter() - begun)
    cpu_s = (pool.counts.work_cpu_s - before) / LOOKS
    kept = await pool.still(pixels, WIDTH, HEIGHT)
    return Measured(pool.pack, replace(answer, template=first.template, pad=first.pad), kept, cpu_s), at(took, 50)


async def attempts_per_core(bench: Bench, pool: EnginePool, most: int, cpu_s: float) -> dict[str, object]:
    """From what one needs it is guessed where the limit is; then one more or one less at a time. ``cpu_s``: processor time of a picture."""
    levels: dict[int, dict[str, float]] = {}

    async def in_time(count: int) -> bool:
        before, server = pool.counts, time.process_time()
        played = await bench.together(count, pool, light=True)
        after, seconds = pool.counts, sum(played.took)
        levels[count] = {
            "faults": played.faults,
            "wait_p95_s": round(at(played.waited, 95), 3),
            "took_p50_s": round(at(played.took, 50), 2),
            "worker_share": round((after.work_wall_s - before.work_wall_s) / seconds, 3),
            "worker_cpu_share": round((after.work_cpu_s - before.work_cpu_s) / seconds, 3),
            "server_cpu_share": round((time.process_time() - server) / seconds, 3),
            "load": round(os.getloadavg()[0], 1),
        }
        return not played.faults and levels[count]["wait_p95_s"] <= IN_TIME_S

    carried = 1 if await in_time(1) else 0
    if carried and most > 1:
        guess = min(most, max(2, int(FULL / max(0.01, levels[1]["worker_share"]))))
        if await in_time(guess):
            carried = guess
            while carried < most and await in_time(carried + 1):
                carried += 1
        else:
            while guess - 1 > carried:
                guess -= 1
                if await in_time(guess):
                    carried = guess
    one = levels[max(1, carried)]
    share = one["worker_cpu_share"] if carried else cpu_s * FPS  # who is late leaves pictures out
    return {
        "live_attempts_per_core": carried,
        "live_attempts_per_core_by_cpu": int(FULL / share),
        "live_wait_p95_s": one["wait_p95_s"],
        "live_levels": {str(count): level for count, level in sorted(levels.items())},
    }


async def open_to_decision(bench: Bench, engine: Measured, people: int, actions: int) -> dict[str, object]:
    """With colours; without them with as many actions, where this pack sees enough different ones for that; without them as the shipped policies have it. All
    at once."""
    ways = [("", True, USUAL), ("_without_light", False, USUAL)]
    few = ChallengePolicy(actions_without_light=actions, strong=min(2, actions), light=Light.NONE)
    if different(engine.pack.abilities, few) >= few.scripts:
        ways.append(("_few_without_light", False, FEW))
    together = (
        bench.together(people, engine, light=light, type=type, spread_s=APART_S * people * len(ways)) for _, light, type in ways
    )
    all = await asyncio.gather(*together)
    found: dict[str, object] = {}
    for (name, _, _), played in zip(ways, all, strict=True):
        found[f"open_to_decision{name}_p50_s"] = round(at(played.took, 50), 2)
        found[f"open_to_decision{name}_p95_s"] = round(at(played.took, 95), 2)
        found[f"open_to_decision{name}_actions"] = played.actions
        parts = (round(at(part, 50), 2) for part in zip(*played.parts, strict=True))
        found[f"open_to_decision{name}_parts_s"] = dict(zip(PARTS, parts, strict=True))
    return found


def at(found: Sequence[float], percentile: int) -> float:
    """By nearest rank."""
    ordered = sorted(found)
    return ordered[max(0, -(-len(ordered) * percentile // 100) - 1)]

"""How long a decision takes: from the last score to the signed result on disk; how many live attempts a core looks at; how long one takes.

The real service on a database on disk (SQLite, ``synchronous=FULL``), with the shipped policies, rules and model of risk, and a store that already has cases.
First scores are played in, and no model looks at anything:

- ``risk_p99_ms``: assessments of risk, as each of them says of itself;
- ``decision_p50_ms``, ``decision_p99_ms``: from ``finish_attempt`` to its return, one after the other: the risk, the decision, the signature, one transaction
  with the audit, fsync; ``decision_cpu_ms``: its processor time, which says more where others use the machine;
- ``seal_p50_ms``, ``seal_p99_ms``: what a decision waits for before that: the evidence of an attempt, 16 pictures of 40 kB, sealed in the vault, on disk;
- ``cases_in_flight``: of ``--cases`` that have begun an attempt, how many the store had under way when the last one had, and all of them after that until they end, at
  random times within ``--seconds``; ``in_flight_p99_ms``: their decisions.

Then live attempts are played, with the pack that is installed (``bench_live``): ``live_attempts_per_core``, ``open_to_decision_p50_s`` (an attempt opens when its customer
presses begin, with the page open, the camera on and consent given) and what goes with them.
``left_out`` says why, where there is none.
"""

import argparse
import asyncio
import json
import logging
import os
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from server.api.bodies_verifications import CreateVerification, Signals
from server.app import make_id
from server.bench_service import opened
from server.clock import SystemClock
from server.domain import ids
from server.domain.ids import CaseId, TemplateId
from server.domain.model import FaceTemplate
from server.services.principal import Principal
from server.services.verifications import Verifications
from server.store.ports import Store
from server.transactions.case import Attempt, CaseState
from server.transactions.decision import AttemptKind, CheckedAttempt, CheckOutcome, CheckResult
from server.transactions.material import MAX_PICTURES, Material, Picture, PictureKind, Shown
from server.transactions.policy import Check

TYPE = "debit_card_password_change"
EVIDENCE = "ef" * 32
DETAILS = msgspec.Raw(b'{"card_last4":"4417","request_reference":"bench"}')
PASSED = CheckedAttempt(
    assurance=AttemptKind.LIVE,
    checks=tuple(CheckResult(name=name, outcome=CheckOutcome.PASS, score=0.9) for name in (Check.MATCH, Check.PAD, Check.CHALLENGE)),
    match_score=0.7,
    match_threshold=0.4,
    pack_name="bench",
    pack_hash="ab" * 32,
    script_hash="cd" * 32,
    frames=60,
)  # fmt: skip

SEALED = 100
PICTURE_BYTES = 40_000
MATERIAL = Material(
    pictures=tuple(
        Picture(shown=Shown(name=f"action-{number}", kind=PictureKind.ACTION), jpeg=os.urandom(PICTURE_BYTES))
        for number in range(MAX_PICTURES)
    )
)
"""As much as is ever kept of an attempt."""


class Bench:
    """``assessed``: milliseconds of each assessment of risk; ``used``: of processor time of each decision."""

    def __init__(self, verifications: Verifications, store: Store, who: Principal) -> None:
        self._verifications = verifications
        self._store = store
        self._who = who
        self.assessed: list[float] = []
        self.used: list[float] = []

    async def begun(self, number: int) -> Attempt:
        """A case of a customer of its own, with an attempt under way."""
        customer = f"c-{number}"
        template = FaceTemplate(
            id=TemplateId(make_id(ids.TEMPLATE)), subject=customer, consent="bench", pack_hash="ab" * 32, key=b"", sealed=b"",
            created_at=SystemClock().now(), created_by=self._who.actor,
        )  # fmt: skip
        async with self._store.begin() as tx:
            await tx.add_template(template)
        signals = Signals(
            device=f"device-{number}", address=f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", channel="app"
        )
        asked = CreateVerification(
            type=TYPE, customer=customer, details=DETAILS, consent="bench", template=template.id, signals=signals
        )
        case = await self._verifications.create(self._who, asked)
        return await self._verifications.attempts.begin_attempt(CaseId(case.id), AttemptKind.LIVE, self._who.actor)

    async def decided(self, attempt: Attempt) -> float:
        """Milliseconds."""
        begun, used = time.perf_counter(), time.process_time()
        _, done, case = await self._verifications.attempts.finish_attempt(attempt, PASSED, self._who.actor, evidence=EVIDENCE)
        took = (time.perf_counter() - begun) * 1000
        self.used.append((time.process_time() - used) * 1000)
        if case.state not in (CaseState.ACCEPTED, CaseState.REVIEW, CaseState.OPEN) or done.risk is None:
            raise RuntimeError(f"a decision went wrong: {case.state}")
        self.assessed.append(done.risk.took_ms)
        return took

    async def sealed(self, attempt: Attempt) -> float:
        """Milliseconds that its evidence takes."""
        begun = time.perf_counter()
        checked, digest = await self._verifications.evidence.keep(attempt, PASSED, MATERIAL)
        took = (time.perf_counter() - begun) * 1000
        if checked.fault is not None or not digest:
            raise RuntimeError("the evidence could not be kept")
        return took

    async def under_way(self, attempts: Sequence[Attempt]) -> int:
        """Of these, as it is stored, and within their time."""
        now = SystemClock().now()
        async with self._store.read() as tx:
            cases = [await tx.get_case(one.case_id) for one in attempts if now < one.until]
        return sum(case is not None and case.state is CaseState.CHECKING for case in cases)

    async def in_flight(self, cases: int, seconds: float, first: int) -> tuple[int, list[float]]:
        """How many there were at once, and the milliseconds of each decision."""
        attempts = [await self.begun(first + number) for number in range(cases)]
        at_once = await self.under_way(attempts)
        drawn = random.Random(7)  # noqa: S311 - when they end, and the same each time

        async def one(attempt: Attempt, after_s: float) -> float:
            await asyncio.sleep(after_s)
            return await self.decided(attempt)

        return at_once, list(await asyncio.gather(*(one(attempt, drawn.uniform(0, seconds)) for attempt in attempts)))


async def measure(folder: Path, *, decisions: int, cases: int, seconds: float) -> dict[str, object]:
    async with opened(folder) as service:
        bench = Bench(service.verifications, service.store, service.who)
        for number in range(20):
            await bench.decided(await bench.begun(number))
        bench.assessed.clear()
        bench.used.clear()
        alone = [await bench.decided(await bench.begun(100 + number)) for number in range(decisions)]
        cpu = bench.used.copy()
        sealed = [await bench.sealed(await bench.begun(50_000 + number)) for number in range(min(decisions, SEALED))]
        at_once, together = await bench.in_flight(cases, seconds, 100_000)
    return {
        "decisions": decisions,
        "risk_p50_ms": _at(bench.assessed, 50),
        "risk_p99_ms": _at(bench.assessed, 99),
        "decision_p50_ms": _at(alone, 50),
        "decision_p99_ms": _at(alone, 99),
        "decision_cpu_ms": _at(cpu, 50),
        "seal_p50_ms": _at(sealed, 50),
        "seal_p99_ms": _at(sealed, 99),
        "cases_in_flight": at_once,
        "in_flight_p50_ms": _at(together, 50),
        "in_flight_p99_ms": _at(together, 99),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def _at(found: list[float], percentile: int) -> float:
    """Milliseconds, by nearest rank."""
    ordered = sorted(found)
    return round(ordered[max(0, -(-len(ordered) * percentile // 100) - 1)], 2)


async def live(folder: Path, asked: argparse.Namespace) -> dict[str, object]:
    """Of live attempts, as far as that can be measured here."""
    from server.cli_models import models_folder

    if not asked.attempts and not asked.people:
        return {}
    try:
        from server import bench_live

        return await bench_live.measure(
            folder, asked.models_dir or await asyncio.to_thread(models_folder, None), pack=asked.pack, pictures=asked.pictures,
            most=asked.attempts, people=asked.people, actions=asked.actions,
        )  # fmt: skip
    except ImportError:
        why = "the packages of face checks are not installed: make verification"
    except bench_live.NoFigures as error:
        why = str(error)
    return {"live_attempts_per_core": None, "open_to_decision_p50_s": None, "left_out": [f"live attempts: {why}"]}


async def _all(asked: argparse.Namespace) -> dict[str, object]:
    with tempfile.TemporaryDirectory(dir=asked.folder) as first, tempfile.TemporaryDirectory(dir=asked.folder) as second:
        found = await measure(Path(first), decisions=asked.decisions, cases=asked.cases, seconds=asked.seconds)
        return found | await live(Path(second), asked)


def main(arguments: Sequence[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="tongping bench decisions", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--decisions", type=int, default=500, help="one after the other")
    parser.add_argument("--cases", type=int, default=200, help="under way at once")
    parser.add_argument("--seconds", type=float, default=10.0, help="within which those end")
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured; a temporary one otherwise")
    parser.add_argument("--attempts", type=int, default=12, help="live ones that are tried at once on one core; 0: none")
    parser.add_argument("--people", type=int, default=12, help="whose way from begin to decision is measured; 0: nobody's")
    parser.add_argument("--actions", type=int, default=3, help="that are asked of them, 1 to 3")
    parser.add_argument("--pack", default="base", help="an installed model pack")
    parser.add_argument("--models-dir", type=Path, help="where packs are installed, if not where the server looks")
    parser.add_argument("--pictures", type=Path, help="folder of portraits; one in the public domain otherwise")
    asked = parser.parse_args(arguments)
    if min(asked.decisions, asked.cases) < 1 or asked.seconds <= 0:
        parser.error("at least one of each, and more than no time")
    if not 0 <= asked.attempts <= 32 or not 0 <= asked.people <= 50 or not 1 <= asked.actions <= 3:
        parser.error("--attempts is 0 to 32, --people 0 to 50, --actions 1 to 3")
    logging.getLogger("server").setLevel(logging.ERROR)  # that a busy engine is too late is what is looked for
    found = asyncio.run(_all(asked))
    if asked.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:44} {value}")
    sys.stdout.flush()
    return 0

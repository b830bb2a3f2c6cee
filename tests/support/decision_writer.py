"""A process that is killed while it decides: for each line of its input it forks one that takes transactions through all their steps, until somebody kills it.

``python -m tests.support.decision_writer``. Input: ``ROUND INSTRUCTIONS SYNCS FOLDER`` a line. With INSTRUCTIONS > 0 it kills itself (SIGKILL) when SQLite has run that
many virtual-machine instructions in writing; with SYNCS > 0 at that call of ``fsync`` for the evidence's files, before it is made. Output, a line each: ``writer PID``; then, each only
after the service has answered, ``created CASE``, ``decided CASE SHA256-OF-THE-TOKEN``, ``redeemed CASE``, ``erased CASE``, and ``erasing CASE`` before that is asked for; then ``over STATUS`` (-9 when it was killed).
"""

import asyncio
import contextlib
import hashlib
import os
import secrets
import signal
import sys
import tempfile
from pathlib import Path

import msgspec

from server import evidence, faces, risk, transacting
from server.api.bodies_verifications import CreateVerification
from server.app import make_id
from server.auth import keys
from server.bench_decisions import DETAILS, PASSED, TYPE
from server.clock import SystemClock
from server.config import load
from server.domain import ids
from server.domain.grants import Grant
from server.domain.ids import CaseId, TemplateId
from server.domain.model import FaceTemplate, Role
from server.errors import StoreUnavailable
from server.services.principal import Principal, PrincipalKind
from server.services.verifications import Verifications
from server.store import checkpoints
from server.store.ports import Store
from server.store.sql import open_store
from server.transactions.decision import AttemptKind
from server.transactions.material import Material, Picture, PictureKind, Shown
from server.webhooks.http import HttpPost
from server.webhooks.service import Webhooks
from tests.support.store_writer import COMMITS, arm, say

WRITERS = 3
MOST = 300
"""Cases of a process that nobody kills."""
PICTURES = tuple(
    Picture(shown=Shown(name=f"last-{number}", kind=PictureKind.LAST), jpeg=b"\xff\xd8" + bytes([number]) * 900)
    for number in range(2)
)
CALM = "model_weight = 0.0\n"
"""The shipped rules look at the hour."""


async def composed(folder: Path, store: Store) -> tuple[Verifications, HttpPost]:
    """The real services on ``folder``."""
    rules = folder / "policies" / "rules"
    rules.mkdir(parents=True, exist_ok=True)
    (rules / "default.toml").write_text(CALM, encoding="utf-8")
    config = load(
        environment={},
        overrides={
            "data_dir": str(folder), "verification.enabled": False, "transactions.policies_dir": str(folder / "policies"),
            "transactions.cases_per_min": 100_000,
        },
    )  # fmt: skip
    clock = SystemClock()
    own = keys.load_or_create(folder)
    assessed = await risk.opened(config, store, clock, make_id)
    post = HttpPost(1.0)
    webhooks = Webhooks(
        store, clock, make_id, post, own.webhooks.signing_key, origins=(), keep_days=1, chance=secrets.SystemRandom().random
    )
    made = transacting.verifications(
        config, store, clock, make_id, own, "https://crash.example", assessed.policies, assessed, faces.FaceWorkers(config), webhooks,
        faces.RingSeal(faces.template_keys(config)), evidence.DiskEvidence(evidence.open_vault(config)),
    )  # fmt: skip
    return made, post


def bank() -> Principal:
    return Principal(PrincipalKind.SERVICE, "AK_" + "B" * 26, Role.SERVICE, frozenset({Grant.VERIFICATION_CREATE}))


async def one_case(made: Verifications, store: Store, customer: str, *, erase: bool) -> None:
    who = bank()
    template = FaceTemplate(
        id=TemplateId(make_id(ids.TEMPLATE)), subject=customer, consent="crash", pack_hash="ab" * 32, key=b"", sealed=b"",
        created_at=SystemClock().now(), created_by=who.actor,
    )  # fmt: skip
    async with store.begin() as tx:
        await tx.add_template(template)
    id = CaseId(
        (
            await made.create(
                who, CreateVerification(type=TYPE, customer=customer, details=DETAILS, consent="crash", template=template.id)
            )
        ).id
    )
    say(f"created {id}")
    attempt = await made.attempts.begin_attempt(id, AttemptKind.LIVE, who.actor)
    checked, digest = await made.evidence.keep(attempt, PASSED, Material(pictures=PICTURES))
    _, _, case = await made.attempts.finish_attempt(attempt, checked, who.actor, evidence=digest)
    if not case.result:
        raise RuntimeError(f"not decided: {case.state}")
    say(f"decided {id} {hashlib.sha256(case.result.encode()).hexdigest()}")
    await made.redeem(who, id, case.result)
    say(f"redeemed {id}")
    if erase:
        say(f"erasing {id}")
        await made.evidence.erase(msgspec.structs.replace(case))
        say(f"erased {id}")


def kill_at(syncs: int) -> None:
    """At that call of ``fsync`` in this process; SQLite has its own."""
    real, left = os.fsync, [syncs]

    def counted(descriptor: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        real(descriptor)

    os.fsync = counted


async def write(folder: Path, round: int, instructions: int, syncs: int) -> None:
    store = await open_store(f"sqlite:///{folder}/tongping.db")
    made, post = await composed(folder, store)
    await made.evidence.sweep()
    if instructions:
        await store.writer.dispose()
        arm(store, instructions)
    if syncs:
        kill_at(syncs)

    async def writer(number: int) -> None:
        for at in range(MOST):
            with contextlib.suppress(StoreUnavailable):  # a disk that others keep busy: refused, and so not acknowledged
                await one_case(made, store, f"c-{round}-{number}-{at}", erase=at % 3 == 2)

    await asyncio.gather(*(writer(number) for number in range(WRITERS)))
    await post.close()
    await store.close()


async def warm() -> None:
    """What every one of them would load for itself is here before the first begins."""
    with tempfile.TemporaryDirectory() as folder:
        store = await open_store(f"sqlite:///{folder}/tongping.db")
        _, post = await composed(Path(folder), store)
        await post.close()
        await store.close()


def main() -> None:
    checkpoints.EVERY = COMMITS
    asyncio.run(warm())
    for line in sys.stdin:
        round, instructions, syncs = (int(word) for word in line.split()[:3])
        folder = Path(line.rstrip("\n").split(" ", 3)[3])
        writer = os.fork()
        if writer == 0:
            say(f"writer {os.getpid()}")
            asyncio.run(write(folder, round, instructions, syncs))
            os._exit(0)
        _, status = os.waitpid(writer, 0)
        say(f"over {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()

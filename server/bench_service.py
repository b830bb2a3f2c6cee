"""The service that decides transactions, on a database and a vault on disk, for benchmarks. A part of the composition root, without what serves the network."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from server import evidence, faces, heap, risk, transacting
from server.app import make_id
from server.auth import keys
from server.clock import Clock, SystemClock
from server.config import load
from server.domain import ids
from server.domain.grants import Grant
from server.domain.model import Role
from server.services.face_ports import FaceEngine
from server.services.principal import Principal, PrincipalKind
from server.services.verifications import Verifications
from server.store.ports import Store
from server.store.sql import open_store
from server.webhooks.http import HttpPost
from server.webhooks.service import Webhooks


@dataclass(frozen=True, slots=True)
class Service:
    """``who``: one of the bank's systems, which asks."""

    verifications: Verifications
    store: Store
    clock: Clock
    who: Principal


@asynccontextmanager
async def opened(folder: Path, engine: FaceEngine | None = None, *, policies: Path | None = None) -> AsyncIterator[Service]:
    """In ``folder``, with the shipped policies, rules and model of risk. ``policies``: a folder of others beside them. Without ``engine`` no face is looked
    at."""
    overrides: dict[str, object] = {
        "data_dir": str(folder), "verification.enabled": False, "transactions.cases_per_min": 1_000_000,
        "transactions.policies_dir": str(policies or ""),
    }  # fmt: skip
    config, clock = load(environment={}, overrides=overrides), SystemClock()
    store = await open_store(f"sqlite:///{folder}/tongping.db")
    try:
        own = await asyncio.to_thread(keys.load_or_create, folder)
        ring = await asyncio.to_thread(faces.template_keys, config)
        assessed = await risk.opened(config, store, clock, make_id)
        vault = evidence.DiskEvidence(evidence.open_vault(config))
        post = HttpPost(1.0)
        webhooks = Webhooks(
            store, clock, make_id, post, own.webhooks.signing_key, origins=(), keep_days=1, chance=secrets.SystemRandom().random
        )
        verifications = transacting.verifications(
            config, store, clock, make_id, own, "https://bench.example", assessed.policies, assessed,
            engine or faces.FaceWorkers(config), webhooks, faces.RingSeal(ring), vault,
        )  # fmt: skip
        who = Principal(PrincipalKind.SERVICE, make_id(ids.API_KEY), Role.SERVICE, frozenset({Grant.VERIFICATION_CREATE}))
        heap.settled()  # as the server does
        try:
            yield Service(verifications, store, clock, who)
        finally:
            vault.close()
            await post.close()
    finally:
        await store.close()

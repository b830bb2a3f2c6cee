"""The risk of transactions, put together from the configuration: files, key, time zone, what is stored, metrics. A part of the composition root."""

import asyncio
import logging
import zoneinfo
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from server import faces
from server.auth import keys as auth_keys
from server.clock import Clock
from server.config import Config
from server.errors import ConfigError
from server.services.ports import MakeId
from server.services.risk import Risk
from server.store.ports import Store
from server.telemetry import Metrics
from server.transactions.policy_files import Policies
from server.transactions.risk.lists import Identifiers

log = logging.getLogger(__name__)


async def opened(config: Config, store: Store, clock: Clock, make_id: MakeId) -> Risk:
    """Ready to assess. Raises ConfigError (a policy, rules or a model that cannot be meant, no such time zone), StoreUnavailable."""
    folder = Path(config.transactions.policies_dir) if config.transactions.policies_dir else None
    policies = await asyncio.to_thread(Policies, folder, stored_later=True, pack=partial(faces.pack_says, config))
    _say(policies.misfits)
    key = await asyncio.to_thread(auth_keys.identifier_key, config.data_dir, config.secret, config.secret_previous)
    risk = Risk(store, clock, make_id, policies, Identifiers(key), zone(config.transactions.time_zone))
    await risk.load()
    return risk


async def look_at_pack(policies: Policies) -> None:
    """What a pack that came, or went, since the last look cannot answer: in the log once, in ``/readyz`` for as long as it is so."""
    _say(await asyncio.to_thread(policies.look_at_pack))


def _say(misfits: Iterable[str]) -> None:
    for wrong in misfits:
        log.error("a policy asks what the model pack cannot answer: its attempts are refused", extra={"detail": wrong})


def zone(name: str) -> zoneinfo.ZoneInfo:
    """Raises ConfigError."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"transactions.time_zone: there is no time zone {name!r} on this machine") from None


def measure(metrics: Metrics, risk: Risk) -> None:
    def levels() -> list[tuple[str, float]]:
        return [(level.value, number) for level, number in risk.levels.items()]

    metrics.table("tongping_risk_assessments", "Assessments of risk since the start", "level", levels, counts=True)
    for name, about, read in _GAUGES:
        metrics.gauge(f"tongping_risk_{name}", about, lambda read=read: read(risk))  # type: ignore[misc]


_GAUGES: tuple[tuple[str, str, Callable[[Risk], float]], ...] = (
    ("ready", "Whether risk can be assessed", lambda risk: float(risk.ready)),
    ("faults", "Assessments that failed since the start: each was referred to a person", lambda risk: float(risk.faults)),
    ("entries", "Entries of the block, watch and allow lists", lambda risk: float(len(risk.lists))),
    ("forgotten", "Counters that were dropped since the start because there were too many", lambda risk: float(risk.forgotten)),
)

"""The risk of transactions as a service: what the engine needs of the store, what is remembered of attempts, and who changes lists and rules.

An assessment never raises and is never low by accident: while lists, rules or counters are not whole it is ``risk_unavailable``, which refers.
"""

import contextlib
import logging
from datetime import datetime, timedelta, tzinfo

import msgspec

from server.clock import Clock
from server.services.ports import MakeId
from server.services.risk_generation import Generation
from server.services.risk_lists import RiskLists
from server.services.risk_rules import RiskRules
from server.services.verification_ports import Noted
from server.store.ports import Store, Transaction
from server.transactions.policy import Policy
from server.transactions.policy_files import Policies
from server.transactions.risk.devices import MOST as MOST_DEVICES
from server.transactions.risk.devices import Answer, KnownDevices
from server.transactions.risk.engine import Asked, RiskEngine, Whom
from server.transactions.risk.lists import (
    IdentifierInvalid,
    IdentifierKind,
    Identifiers,
)
from server.transactions.risk.records import RiskDevice, RiskEvent
from server.transactions.risk.result import RiskLevel, RiskResult, unavailable
from server.transactions.risk.rules import RulesInvalid

log = logging.getLogger(__name__)
PAGE = 10_000
REMEMBERED = timedelta(hours=25)
"""Events: the longest window is a day."""
DEVICES_KEPT = timedelta(days=400)
"""After that a device is a new one again."""


class Risk:
    """``zone``: of the bank's clocks. Call ``load()`` before the first assessment; until then all are unavailable."""

    def __init__(
        self, store: Store, clock: Clock, make_id: MakeId, policies: Policies, identifiers: Identifiers, zone: tzinfo
    ) -> None:
        self._store = store
        self._clock = clock
        self._zone = zone
        self.policies = policies
        self._engine = RiskEngine(
            identifiers, policies.now.rules, policies.now.model, clock=clock.monotonic, on_fault=self._failed
        )
        self._generation = Generation()
        self.lists = RiskLists(store, clock, make_id, self._engine, self._generation)
        self.rules = RiskRules(store, clock, policies, self._engine, self._generation)
        self._newest = 0
        """The newest event that was counted."""
        self._devices = KnownDevices(MOST_DEVICES)
        self._devices_unread = False
        self._loaded = False
        self.levels = dict.fromkeys(RiskLevel, 0)
        self.faults = 0

    async def load(self) -> None:
        """Lists, rules in place of files, and what happened in the last day. Raises StoreUnavailable."""
        async with self._store.read() as tx:
            await self._learn(tx)
            await self._read_devices(tx)
        self._loaded = True

    async def _read_devices(self, tx: Transaction) -> None:
        """All of them: none is in doubt then."""
        devices = KnownDevices(MOST_DEVICES)
        for device in reversed(await tx.list_risk_devices(MOST_DEVICES)):
            devices.put(device)
        devices.whole = len(devices) < MOST_DEVICES
        self._devices, self._devices_unread = devices, False

    async def _learn(self, tx: Transaction) -> None:
        """What was changed and what happened since the last time, by this server or by another on the same database. Raises StoreUnavailable,
        RulesInvalid."""
        since = self._clock.now() - REMEMBERED
        while events := await tx.list_risk_events(after=self._newest, since=since, limit=PAGE):
            for event in events:
                if event.number > self._newest:
                    self._newest = event.number
                    self._count(event)
            if len(events) < PAGE:
                break
        generation = await tx.risk_generation()
        if generation != self._generation.known:
            await self.lists.load(tx)
            await self.rules.load(tx)
            if (
                self._generation.known is not None
            ):  # devices may have been erased: the store is asked, until they are read again
                self._devices, self._devices_unread = KnownDevices(MOST_DEVICES), True
            self._generation.known = generation

    # ---- assessments

    @property
    def ready(self) -> bool:
        """Whether assessments can be made; else each is unavailable."""
        return self._loaded and self.rules.whole and not self._engine.lists.foreign

    def customer_digest(self, customer: str) -> bytes:
        """As devices and events have it."""
        return self._engine.identifiers.digest(IdentifierKind.CUSTOMER, customer)

    def customer_erased(self, digest: bytes) -> None:
        """Nothing is known of their devices: the store has forgotten them. Other servers see that by its generation."""
        self._devices.drop(digest)

    @property
    def forgotten(self) -> int:
        return self._engine.velocity.forgotten

    async def assess(self, tx: Transaction, asked: Asked, policy: Policy, now: datetime) -> RiskResult:
        """Never raises. ``tx``: the one that decides; what is so in it counts, whichever server wrote it. ``took_ms``: with what the store was asked."""
        begun = self._clock.monotonic()
        result = unavailable()
        if self._loaded:
            try:
                await self._learn(tx)
                known = await self._known(tx, asked)
            except Exception as error:
                self._failed(error)
            else:
                if self.ready:
                    result = self._engine.assess(known, policy, now.astimezone(self._zone))
        self.levels[result.level] += 1
        return msgspec.structs.replace(result, took_ms=(self._clock.monotonic() - begun) * 1000)

    async def _known(self, tx: Transaction, asked: Asked) -> Asked:
        """With what is stored of the device."""
        digests = self._engine.digests(asked)
        customer, device = digests[IdentifierKind.CUSTOMER], digests.get(IdentifierKind.DEVICE)
        if device is None:
            return msgspec.structs.replace(asked, device_since=None)
        since = self._devices.since(customer, device)
        if since is Answer.DOUBTFUL:
            found = await tx.get_risk_device(customer, device)
            if found is not None:
                self._devices.put(found)
            else:
                self._devices.none(customer, device)
            since = Answer.UNKNOWN if found is None else found.first_at
        return msgspec.structs.replace(asked, device_since=None if isinstance(since, Answer) else since)

    async def noted(self, tx: Transaction, whom: Whom, what: Noted, now: datetime) -> None:
        """What is remembered of it is in ``tx``. Counters have it from the next assessment on."""
        try:
            digests = self._engine.digests(whom)
            customer = digests[IdentifierKind.CUSTOMER]
        except (IdentifierInvalid, KeyError) as error:
            self._failed(error)
            return
        device, address = digests.get(IdentifierKind.DEVICE), digests.get(IdentifierKind.ADDRESS)
        voids = what in (Noted.PASSED, Noted.VOIDED)
        event = RiskEvent(at=now, failed=what is Noted.FAILED, voids=voids, customer=customer, device=device, address=address)
        await tx.add_risk_event(event)
        if what is Noted.PASSED and device is not None:
            since = self._devices.since(customer, device)
            if since is Answer.DOUBTFUL:
                before = await tx.get_risk_device(customer, device)
                since = before.first_at if before is not None else Answer.UNKNOWN
            first = now if isinstance(since, Answer) else since
            await tx.put_risk_device(RiskDevice(customer=customer, device=device, first_at=first, last_at=now))

    def _count(self, event: RiskEvent) -> None:
        kinds = {
            IdentifierKind.CUSTOMER: event.customer,
            IdentifierKind.DEVICE: event.device,
            IdentifierKind.ADDRESS: event.address,
        }
        known = {kind: digest for kind, digest in kinds.items() if digest is not None}
        if event.voids:
            if event.device is not None:  # they may have passed on it
                self._devices.doubt(event.customer, event.device)
            self._engine.void(event.customer)
        else:
            self._engine.note(known, event.at.timestamp(), failed=event.failed)

    def _failed(self, error: Exception) -> None:
        self.faults += 1
        log.warning("a risk could not be assessed", extra={"error": type(error).__name__})

    async def tidy(self) -> None:
        """Forget what no rule can ask for any more. Raises StoreUnavailable."""
        now = self._clock.now()
        await self.lists.tidy()
        async with self._store.begin() as tx:
            with contextlib.suppress(RulesInvalid):  # then assessments say so
                await self._learn(tx)  # before it is gone: who has not decided for a day has seen nothing of other servers
            await tx.forget_risk_events(now - REMEMBERED)
            await tx.forget_risk_devices(now - DEVICES_KEPT)
            if self._devices_unread:
                await self._read_devices(tx)
        self._devices.forget(now - DEVICES_KEPT)
        self._engine.velocity.forget_before((now - REMEMBERED).timestamp())
        self._engine.failings.forget_before((now - REMEMBERED).timestamp())

"""Risk as a service: what is remembered of attempts, over a restart too, and that nothing is low while something is missing."""

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from server import risk as risk_parts
from server.api.bodies_risk import AddRiskEntry, CheckRisk, FindRiskEntries
from server.audit.events import AuditAction
from server.domain import ids
from server.domain.ids import RiskEntryId
from server.errors import ConfigError, Conflict, Invalid, NotFound, StoreUnavailable
from server.services import risk_lists, risk_rules
from server.services.risk import Risk
from server.services.risk_rules import PoliciesInvalid
from server.services.verification_ports import Noted
from server.store.memory import MemoryStore
from server.store.memory_risk import RiskTables
from server.telemetry import Metrics
from server.transactions.policy_files import Policies, UnknownType
from server.transactions.risk.engine import Asked, Whom
from server.transactions.risk.lists import IdentifierInvalid, IdentifierKind, Identifiers, ListName
from server.transactions.risk.records import StoredRules
from server.transactions.risk.result import UNAVAILABLE, RiskLevel, RiskResult
from server.transactions.risk.rules import RulesInvalid
from tests.support.server import config

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)  # in Shanghai
PASSWORD = "debit_card_password_change"
ASKED = Asked(type=PASSWORD, customer="c-1", device="d-1", address="192.0.2.1")
RULES = "[[rule]]\nname = 'all'\nwhen = 'true'\naction = 'refer'\nreason = { zh = '因', en = 'why' }\n"


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


def whom(asked: Asked) -> Whom:
    return Whom(customer=asked.customer, device=asked.device, address=asked.address)


def told(*, passed: bool = False, failed: bool = False) -> list[Noted]:
    return [Noted.BEGUN] + [Noted.FAILED] * failed + [Noted.PASSED] * passed


class Bank:
    def __init__(self, folder: Path | None = None, key: bytes = bytes(32)) -> None:
        self.store = MemoryStore()
        self.clock = Hand()
        self._ids = count()
        self.policies = Policies(folder)
        self.risk = self.another(key)

    def another(self, key: bytes = bytes(32), policies: Policies | None = None) -> Risk:
        """The same store after a restart."""

        def make_id(prefix: str) -> str:
            return ids.make_id(prefix, next(self._ids).to_bytes(16, "big"))

        return Risk(self.store, self.clock, make_id, policies or self.policies, Identifiers(key), ZoneInfo("Asia/Shanghai"))

    async def assess(self, asked: Asked = ASKED, risk: Risk | None = None) -> RiskResult:
        async with self.store.read() as tx:
            return await (risk or self.risk).assess(tx, asked, self.policies.current(PASSWORD), self.clock.now())

    async def attempt(self, asked: Asked = ASKED, *, passed: bool = False, failed: bool = False) -> None:
        async with self.store.begin() as tx:
            for what in told(passed=passed, failed=failed):
                await self.risk.noted(tx, whom(asked), what, self.clock.now())

    async def audit(self) -> list[tuple[AuditAction, str]]:
        async with self.store.read() as tx:
            return [(entry.event.action, entry.event.actor) for entry in await tx.list_audit(after=0, limit=100)]


@pytest.fixture
async def bank() -> Bank:
    made = Bank()
    await made.risk.load()
    return made


def broken(monkeypatch: pytest.MonkeyPatch, read: str) -> None:
    """The store cannot answer this any more."""

    async def fails(*_: object, **__: object) -> None:
        raise StoreUnavailable("The disk is gone.")

    monkeypatch.setattr(RiskTables, read, fails)


def codes(result: RiskResult) -> list[str]:
    return [reason.code for reason in result.reasons]


# ---- assessments


async def test_a_device_becomes_known_when_somebody_passes_on_it(bank: Bank) -> None:
    assert "model_new_device" in codes(await bank.assess())
    await bank.attempt(passed=True)
    assert "model_new_device" not in codes(await bank.assess())
    assert "model_young_device" in codes(await bank.assess())
    assert "model_new_device" in codes(await bank.assess(msgspec.structs.replace(ASKED, customer="c-2")))
    bank.clock.at += timedelta(days=31)
    await bank.attempt(passed=True)
    assert "known_device" in codes(await bank.assess())
    assert "model_new_device" in codes(await bank.assess(msgspec.structs.replace(ASKED, device="", device_since=NOON)))


async def test_a_device_is_known_after_a_restart_and_only_when_it_was_stored(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails() -> None:
        async with bank.store.begin() as tx:
            await bank.risk.noted(tx, whom(ASKED), Noted.PASSED, NOON)
            raise RuntimeError("rolled back")

    with pytest.raises(RuntimeError, match="rolled back"):
        await fails()
    assert "model_new_device" in codes(await bank.assess())
    await bank.attempt(passed=True)
    again = bank.another()
    await again.load()
    broken(monkeypatch, "get_risk_device")  # the store is not asked for devices that are in memory
    known = codes(await bank.assess(risk=again))
    assert "model_new_device" not in known
    assert UNAVAILABLE not in known
    assert "model_new_device" in codes(await bank.assess(msgspec.structs.replace(ASKED, device="d-2"), risk=again))


async def test_failures_and_attempts_are_counted_over_a_restart(bank: Bank) -> None:
    for _ in range(5):
        await bank.attempt(failed=True)
    assert (await bank.assess()).level is RiskLevel.REJECT
    again = bank.another()
    await again.load()
    result = await bank.assess(risk=again)
    assert {"too_many_failures", "customer_in_a_hurry"} <= set(codes(result))
    bank.clock.at += timedelta(hours=25)
    later = bank.another()
    await later.load()
    assert (await bank.assess(risk=later)).level is RiskLevel.LOW


async def test_what_is_void_counts_for_no_rule_any_more_and_other_customers_failures_do(bank: Bank) -> None:
    """A supervisor unlocks, or they pass: the customer, and what their failures were on device and address."""
    other = msgspec.structs.replace(ASKED, customer="c-2")
    for end in (Noted.VOIDED, Noted.PASSED):
        for _ in range(5):
            await bank.attempt(failed=True)
        for _ in range(3):
            await bank.attempt(other, failed=True)
        bank.clock.at += timedelta(hours=2)
        assert "too_many_failures" in codes(await bank.assess())
        assert "too_many_failures" in codes(await bank.assess(other)), "eight on this device"
        async with bank.store.begin() as tx:
            await bank.risk.noted(tx, Whom(customer="c-1"), end, bank.clock.at)
        again = bank.another()
        await again.load()
        for risk in (bank.risk, again):
            assert "too_many_failures" not in codes(await bank.assess(risk=risk))
            assert "too_many_failures" not in codes(await bank.assess(other, risk))
        await bank.attempt(failed=True)
        assert "too_many_failures" not in codes(await bank.assess())
        for _ in range(2):
            await bank.attempt(other, failed=True)
        assert "too_many_failures" in codes(await bank.assess(other))
        for one in ("c-1", "c-2"):
            async with bank.store.begin() as tx:
                await bank.risk.noted(tx, Whom(customer=one), Noted.VOIDED, bank.clock.at)


async def test_attempts_count_from_when_they_begin(bank: Bank) -> None:
    """Four run, none of them has ended: a fifth is in a hurry, and so is one of them when it ends."""
    for _ in range(4):
        await bank.attempt()
    assert "customer_in_a_hurry" in codes(await bank.assess())
    counted = msgspec.structs.replace(ASKED, counted=True)
    assert "customer_in_a_hurry" not in codes(await bank.assess(counted))
    await bank.attempt()
    assert "customer_in_a_hurry" in codes(await bank.assess(counted))


@pytest.mark.parametrize("read", ["risk_generation", "list_risk_events", "get_risk_device"])
async def test_before_it_is_loaded_and_when_the_store_is_gone_nothing_is_low(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    fresh = bank.another()
    assert not fresh.ready
    assert codes(await bank.assess(risk=fresh)) == [UNAVAILABLE]
    await bank.attempt(passed=True)  # whether that was stored is asked for once
    broken(monkeypatch, read)
    result = await bank.assess()
    assert (result.level, codes(result)) == (RiskLevel.REFER, [UNAVAILABLE])
    assert bank.risk.faults == 1
    assert bank.risk.levels[RiskLevel.REFER] == 1


async def test_an_attempt_of_whom_nobody_can_tell_is_not_remembered(bank: Bank) -> None:
    await bank.attempt(msgspec.structs.replace(ASKED, customer=""))
    await bank.attempt(msgspec.structs.replace(ASKED, address="not an address"))
    assert bank.risk.faults == 2
    async with bank.store.read() as tx:
        assert await tx.list_risk_events(after=0, since=NOON - timedelta(days=1), limit=10) == []
    assert codes(await bank.assess(msgspec.structs.replace(ASKED, address="not an address"))) == [UNAVAILABLE]


async def test_what_no_rule_can_ask_for_is_forgotten(bank: Bank) -> None:
    await bank.attempt(passed=True, failed=True)
    await bank.risk.lists.add(entry(expires=timedelta(hours=1)), "ST_X")
    bank.clock.at += timedelta(hours=24)
    await bank.risk.tidy()
    async with bank.store.read() as tx:
        assert len(await tx.list_risk_events(after=0, since=NOON, limit=10)) == 3
    assert len(bank.risk.lists) == 1
    bank.clock.at += timedelta(hours=2)
    await bank.risk.tidy()
    async with bank.store.read() as tx:
        assert await tx.list_risk_events(after=0, since=NOON, limit=10) == []
        assert await tx.count_risk_entries() == 0
    assert len(bank.risk.lists) == 0
    assert "model_new_device" not in codes(await bank.assess())
    bank.clock.at += timedelta(days=400)
    await bank.risk.tidy()
    assert "model_new_device" in codes(await bank.assess())


# ---- lists


def entry(
    list: ListName = ListName.BLOCK,
    kind: IdentifierKind = IdentifierKind.CUSTOMER,
    value: str = "c-1",
    expires: timedelta | None = None,
) -> AddRiskEntry:
    return AddRiskEntry(
        list=list, kind=kind, identifier=value, reason="stolen", expires_at=None if expires is None else NOON + expires
    )


async def test_an_entry_works_at_once_until_it_expires_or_is_removed(bank: Bank) -> None:
    made = await bank.risk.lists.add(entry(expires=timedelta(hours=1)), "ST_X")
    assert codes(await bank.assess())[0] == "listed_block_customer"
    with pytest.raises(Conflict):
        await bank.risk.lists.add(entry(), "ST_X")
    again = bank.another()
    await again.load()
    assert (await bank.assess(risk=again)).level is RiskLevel.REJECT
    bank.clock.at += timedelta(hours=1)
    assert (await bank.assess()).level is RiskLevel.LOW
    found = await bank.risk.lists.find(FindRiskEntries(kind=IdentifierKind.CUSTOMER, identifier="c-1"), "ST_Y")
    assert [(one.id, one.expired) for one in found.entries] == [(made.id, True)]
    second = await bank.risk.lists.add(entry(), "ST_X")  # in place of the one that expired
    assert (len(bank.risk.lists), (await bank.assess()).level) == (1, RiskLevel.REJECT)
    await bank.risk.lists.remove(second.id, "ST_X")
    assert (await bank.assess()).level is RiskLevel.LOW
    with pytest.raises(NotFound):
        await bank.risk.lists.remove(second.id, "ST_X")
    assert await bank.audit() == [
        (AuditAction.RISK_ENTRY_ADDED, "ST_X"), (AuditAction.RISK_LISTS_READ, "ST_Y"), (AuditAction.RISK_ENTRY_ADDED, "ST_X"),
        (AuditAction.RISK_ENTRY_REMOVED, "ST_X"),
    ]  # fmt: skip


async def test_no_identifier_is_in_the_store_or_the_audit(bank: Bank) -> None:
    await bank.risk.lists.add(entry(kind=IdentifierKind.PHONE, value="+86 138 0013 8000"), "ST_X")
    await bank.risk.lists.find(FindRiskEntries(kind=IdentifierKind.PHONE, identifier="+86 138 0013 8000"), "ST_X")
    await bank.attempt(
        Asked(type=PASSWORD, customer="canary-customer", device="canary-device", address="198.51.100.77"), failed=True
    )
    async with bank.store.read() as tx:
        kept = repr((tx._look(), await tx.list_audit(after=0, limit=10)))  # type: ignore[attr-defined]
    for word in ("13800138000", "canary", "198.51.100.77"):
        assert word not in kept


async def test_what_is_no_entry_is_refused(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    for asked in (
        entry(kind=IdentifierKind.ADDRESS, value="example"),
        entry(expires=timedelta(0)),
        entry(expires=-timedelta(days=1)),
    ):
        with pytest.raises(Invalid):
            await bank.risk.lists.add(asked, "ST_X")
    with pytest.raises(Invalid):
        await bank.risk.lists.find(FindRiskEntries(kind=IdentifierKind.PHONE, identifier="x"), "ST_X")
    monkeypatch.setattr(risk_lists, "MOST_ENTRIES", 1)
    await bank.risk.lists.add(entry(), "ST_X")
    with pytest.raises(Conflict, match="full"):
        await bank.risk.lists.add(entry(value="c-2"), "ST_X")


async def test_entries_in_pages(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        await bank.risk.lists.add(entry(value=f"c-{number}"), "ST_X")
        bank.clock.at += timedelta(seconds=1)
    first = await bank.risk.lists.page(limit=3, cursor=None, actor="ST_X")
    rest = await bank.risk.lists.page(limit=3, cursor=first.next, actor="ST_X")
    assert (len(first.entries), len(rest.entries), rest.next) == (3, 2, None)
    async with bank.store.read() as tx:
        read = [one.event for one in await tx.list_audit(after=5, limit=10)]
    assert [(one.action, one.actor, one.details) for one in read] == [
        (AuditAction.RISK_LISTS_READ, "ST_X", {"how": "list", "count": count}) for count in ("3", "2")
    ]
    monkeypatch.setattr(risk_lists, "PAGE", 2)
    again = bank.another()
    await again.load()
    assert len(again.lists) == 5


async def test_lists_of_another_key_make_everything_unavailable(bank: Bank) -> None:
    made = await bank.risk.lists.add(entry(value="somebody else"), "ST_X")
    other = bank.another(b"\1" * 32)
    await other.load()
    assert not other.ready
    assert codes(await bank.assess(risk=other)) == [UNAVAILABLE]
    await other.lists.remove(RiskEntryId(made.id), "ST_X")
    assert other.ready
    assert (await bank.assess(risk=other)).level is RiskLevel.LOW


# ---- rules and files


async def test_rules_are_replaced_and_go_back_to_the_file(bank: Bank) -> None:
    before = bank.risk.rules.all()
    view = await bank.risk.rules.put("default", RULES, "ST_X")
    assert (view.stored, view.rules, view.text) == (True, 1, RULES)
    assert (await bank.assess()).level is RiskLevel.REFER
    again = bank.another(policies=Policies())
    await again.load()
    assert (await bank.assess(risk=again)).rules_hash == view.hash
    await bank.risk.rules.drop("default", "ST_X")
    assert bank.risk.rules.all() == before
    assert (await bank.assess()).level is RiskLevel.LOW
    with pytest.raises(NotFound):
        await bank.risk.rules.drop("default", "ST_X")
    assert [action for action, _ in await bank.audit()] == [AuditAction.RISK_RULES_REPLACED, AuditAction.RISK_RULES_REMOVED]


async def test_rules_that_cannot_be_meant_change_nothing(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Invalid, match=r"rule 1 \(all\): when"):
        await bank.risk.rules.put("default", RULES.replace("true", "tru"), "ST_X")
    with pytest.raises(Invalid, match="name"):
        await bank.risk.rules.put("Not A Name", RULES, "ST_X")
    monkeypatch.setattr(risk_rules, "MOST_RULES", 1)
    await bank.risk.rules.put("a", RULES, "ST_X")
    with pytest.raises(Conflict):
        await bank.risk.rules.put("b", RULES, "ST_X")
    await bank.risk.rules.put("a", RULES, "ST_X")
    assert [one.name for one in bank.risk.rules.all().rules] == ["a", "default"]


async def test_stored_rules_that_this_version_cannot_read(bank: Bank) -> None:
    async with bank.store.begin() as tx:
        await tx.put_risk_rules(StoredRules(name="default", text="of another time", created_at=NOON, created_by=""))
    again = bank.another(policies=Policies())
    await again.load()
    assert not again.ready
    assert codes(await bank.assess(risk=again)) == [UNAVAILABLE]
    await again.rules.put("default", RULES, "ST_X")
    assert again.ready


async def test_a_policy_keeps_the_rules_that_it_asks_for(tmp_path: Path) -> None:
    policy = 'type = "limit_change"\ntitle = { zh = "a", en = "b" }\nassurance = ["match"]\n[risk]\nrules = "own"\n'
    bank = Bank(tmp_path)
    await bank.risk.load()
    await bank.risk.rules.put("own", RULES, "ST_X")
    (tmp_path / "limit.toml").write_text(policy, encoding="utf-8")
    assert "limit_change" in (await bank.risk.rules.reload("ST_X")).policies
    with pytest.raises(Conflict, match="no file"):
        await bank.risk.rules.drop("own", "ST_X")
    assert (await bank.risk.rules.check(CheckRisk(type="limit_change"))).level is RiskLevel.REFER


OWN = 'type = "limit_change"\ntitle = { zh = "a", en = "b" }\nassurance = ["match"]\n[risk]\nrules = "own"\n'


async def test_a_policy_whose_rules_are_in_the_store_alone_over_a_restart(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    await bank.risk.load()
    await bank.risk.rules.put("own", RULES, "ST_X")
    (tmp_path / "limit.toml").write_text(OWN, encoding="utf-8")
    await bank.risk.rules.reload("ST_X")
    with pytest.raises(RulesInvalid, match="no rules called 'own'"):
        Policies(tmp_path)
    settings = config(tmp_path / "data", transactions__policies_dir=str(tmp_path))

    async def restarted() -> Risk:
        return await risk_parts.opened(settings, bank.store, bank.clock, lambda prefix: prefix)

    again = await restarted()
    assert again.ready
    assert (await again.rules.check(CheckRisk(type="limit_change"))).level is RiskLevel.REFER
    async with bank.store.begin() as tx:
        await tx.put_risk_rules(StoredRules(name="own", text="of another time", created_at=NOON, created_by=""))
    unreadable = await restarted()
    assert not unreadable.ready
    with pytest.raises(Conflict, match="cannot read"):
        await unreadable.rules.check(CheckRisk(type="limit_change"))
    await unreadable.rules.put("own", RULES, "ST_X")
    assert unreadable.ready
    async with bank.store.begin() as tx:
        await tx.drop_risk_rules("own")
    with pytest.raises(ConfigError, match="no rules called 'own'"):
        await restarted()


async def test_a_reload_is_all_or_nothing(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    await bank.risk.load()
    before = bank.risk.rules.all()
    (tmp_path / "bad.toml").write_text("type = 3", encoding="utf-8")
    with pytest.raises(PoliciesInvalid, match=r"bad\.toml"):
        await bank.risk.rules.reload("ST_X")
    assert bank.risk.rules.all() == before
    assert await bank.audit() == []
    (tmp_path / "bad.toml").unlink()
    (tmp_path / "model.toml").write_text("intercept = 3.0", encoding="utf-8")
    after = await bank.risk.rules.reload("ST_X")
    assert after.model_hash != before.model_hash
    assert (await bank.assess()).level is RiskLevel.REJECT
    assert await bank.audit() == [(AuditAction.POLICIES_RELOADED, "ST_X")]


async def test_what_cannot_be_written_down_is_not_in_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = Bank(tmp_path)
    await bank.risk.load()
    before = bank.risk.rules.all()
    (tmp_path / "model.toml").write_text("intercept = 3.0", encoding="utf-8")

    async def fails(*_: object) -> None:
        raise StoreUnavailable("The disk is gone.")

    with monkeypatch.context() as patched:
        patched.setattr("server.store.memory.MemoryTransaction.append_audit", fails)
        with pytest.raises(StoreUnavailable):
            await bank.risk.rules.reload("ST_X")
    assert bank.risk.rules.all() == before
    assert (await bank.assess()).level is RiskLevel.LOW
    assert (await bank.risk.rules.reload("ST_X")).model_hash != before.model_hash


async def test_facts_are_tried(bank: Bank) -> None:
    night = CheckRisk(type=PASSWORD, facts={"hour": 2.0, "listed_watch": True, "currency": "CNY"})
    tried = await bank.risk.rules.check(night)
    assert tried.level is RiskLevel.REFER
    assert tried.reasons[0].code == "listed_watch"
    own = await bank.risk.rules.check(msgspec.structs.replace(night, text=RULES))
    assert [one.code for one in own.reasons][:2] == ["listed_watch", "all"]
    with pytest.raises(Invalid, match="there is no fact 'colour'"):
        await bank.risk.rules.check(CheckRisk(type=PASSWORD, facts={"colour": True}))
    with pytest.raises(Invalid, match="text: "):
        await bank.risk.rules.check(CheckRisk(type=PASSWORD, text="["))
    with pytest.raises(UnknownType):
        await bank.risk.rules.check(CheckRisk(type="nothing_known"))


# ---- put together


async def test_it_is_put_together_from_the_configuration(tmp_path: Path) -> None:
    store, clock = MemoryStore(), Hand()
    made = await risk_parts.opened(config(tmp_path), store, clock, lambda prefix: ids.make_id(prefix, bytes(16)))
    assert made.ready
    await made.lists.add(entry(), "ST_X")
    again = await risk_parts.opened(config(tmp_path), store, clock, lambda prefix: ids.make_id(prefix, bytes(16)))
    assert again.ready  # the same key
    other = await risk_parts.opened(config(tmp_path, secret="s" * 32), store, clock, lambda prefix: "")
    assert not other.ready
    metrics = Metrics()
    risk_parts.measure(metrics, other)
    said = metrics.render().decode()
    for line in ("tongping_risk_ready 0.0", "tongping_risk_entries 1.0", 'tongping_risk_assessments_total{level="low"} 0.0'):
        assert line in said


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        ({"transactions__time_zone": "Mars/Olympus"}, "no time zone 'Mars/Olympus'"),
        ({"transactions__time_zone": "../../etc/passwd"}, "time_zone"),
        ({"transactions__policies_dir": "/nowhere/at/all"}, "is not a folder"),
    ],
)
async def test_what_is_configured_wrongly_stops_the_start(tmp_path: Path, overrides: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await risk_parts.opened(config(tmp_path, **overrides), MemoryStore(), Hand(), lambda prefix: "")
    assert why in caught.value.detail


async def test_a_key_that_is_broken_or_open_to_others_stops_the_start(tmp_path: Path) -> None:
    await risk_parts.opened(config(tmp_path), MemoryStore(), Hand(), lambda prefix: "")
    key = tmp_path / "data" / "secrets" / "risk-identifiers.key"
    assert len(key.read_bytes()) == 32
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="may be read by others"):
        await risk_parts.opened(config(tmp_path), MemoryStore(), Hand(), lambda prefix: "")
    key.chmod(0o600)
    key.write_bytes(b"short")
    with pytest.raises(ConfigError, match="32 bytes"):
        await risk_parts.opened(config(tmp_path), MemoryStore(), Hand(), lambda prefix: "")


def test_an_identifier_that_is_none_says_so() -> None:
    with pytest.raises(IdentifierInvalid, match="phone"):
        Identifiers(bytes(32)).digest(IdentifierKind.PHONE, "none")

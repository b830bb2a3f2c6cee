"""Several servers on one database: what one of them was told or saw, the others decide by, from the next decision on."""

from datetime import UTC, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest

from server.api.bodies_risk import AddRiskEntry
from server.domain import ids
from server.domain.ids import RiskEntryId
from server.errors import NotFound
from server.services.risk import Risk
from server.services.verification_ports import Noted
from server.store.ports import Store
from server.transactions.policy_files import Policies
from server.transactions.risk.engine import Asked, Whom
from server.transactions.risk.lists import IdentifierKind, Identifiers, ListName
from server.transactions.risk.result import UNAVAILABLE, RiskLevel, RiskResult

NOON = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
PASSWORD = "debit_card_password_change"
ASKED = Asked(type=PASSWORD, customer="c-1", device="d-1", address="192.0.2.1")
WHOM = Whom(customer="c-1", device="d-1", address="192.0.2.1")
RULES = "[[rule]]\nname = 'all'\nwhen = 'true'\naction = 'refer'\nreason = { zh = '因', en = 'why' }\n"
BLOCK = AddRiskEntry(list=ListName.BLOCK, kind=IdentifierKind.CUSTOMER, identifier="c-1", reason="stolen", expires_at=None)


class Clock:
    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return NOON.timestamp()


class Servers:
    """``a`` and ``b``, with files of their own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._ids = count()
        self.a, self.b = self.one(), self.one()

    def one(self, key: bytes = bytes(32)) -> Risk:
        def make_id(prefix: str) -> str:
            return ids.make_id(prefix, next(self._ids).to_bytes(16, "big"))

        return Risk(self.store, Clock(), make_id, Policies(), Identifiers(key), ZoneInfo("Asia/Shanghai"))

    async def assess(self, risk: Risk, asked: Asked = ASKED) -> RiskResult:
        async with self.store.begin() as tx:
            return await risk.assess(tx, asked, risk.policies.current(PASSWORD), NOON)

    async def attempt(self, risk: Risk, *, passed: bool = False, failed: bool = False, at: datetime = NOON) -> None:
        async with self.store.begin() as tx:
            for what in [Noted.BEGUN] + [Noted.FAILED] * failed + [Noted.PASSED] * passed:
                await risk.noted(tx, WHOM, what, at)


@pytest.fixture
async def servers(store: Store) -> Servers:
    made = Servers(store)
    await made.a.load()
    await made.b.load()
    return made


def codes(result: RiskResult) -> list[str]:
    return [reason.code for reason in result.reasons]


async def test_an_entry_of_one_server_holds_at_the_other(servers: Servers) -> None:
    assert (await servers.assess(servers.b)).level is RiskLevel.LOW
    made = await servers.a.lists.add(BLOCK, "ST_X")
    for server in (servers.a, servers.b):
        assert codes(await servers.assess(server))[0] == "listed_block_customer"
    await servers.b.lists.remove(RiskEntryId(made.id), "ST_X")
    for server in (servers.a, servers.b):
        assert (await servers.assess(server)).level is RiskLevel.LOW
        assert len(server.lists) == 0


async def test_a_server_that_changes_lists_which_it_has_not_read_anew(servers: Servers) -> None:
    """Its own change is not all that it does not know of."""
    await servers.a.lists.add(BLOCK, "ST_X")
    await servers.b.lists.add(
        AddRiskEntry(list=ListName.WATCH, kind=IdentifierKind.DEVICE, identifier="d-1", reason="odd", expires_at=None), "ST_X"
    )
    for server in (servers.b, servers.a):
        assert codes(await servers.assess(server))[:2] == ["listed_block_customer", "listed_watch_device"]
        assert len(server.lists) == 2


async def test_rules_of_one_server_hold_at_the_other(servers: Servers) -> None:
    view = await servers.a.rules.put("default", RULES, "ST_X")
    for server in (servers.a, servers.b):
        result = await servers.assess(server)
        assert (result.level, result.rules_hash) == (RiskLevel.REFER, view.hash)
    await servers.b.rules.drop("default", "ST_X")
    for server in (servers.a, servers.b):
        assert (await servers.assess(server)).level is RiskLevel.LOW
    with pytest.raises(NotFound):
        await servers.a.rules.drop("default", "ST_X")


async def test_files_that_are_read_again_do_not_bring_old_rules_back(servers: Servers) -> None:
    view = await servers.a.rules.put("default", RULES, "ST_X")
    await servers.assess(servers.b)
    await servers.b.rules.reload("ST_X")
    assert (await servers.assess(servers.b)).rules_hash == view.hash


async def test_failures_at_one_server_count_at_the_other_and_once(servers: Servers) -> None:
    for at in range(4):
        await servers.attempt(servers.a if at % 2 else servers.b, failed=True)
        for server in (servers.a, servers.b):
            assert "too_many_failures" not in codes(await servers.assess(server))
    await servers.attempt(servers.a, failed=True)
    for server in (servers.b, servers.a):
        result = await servers.assess(server)
        assert result.level is RiskLevel.REJECT
        assert "too_many_failures" in codes(result)


async def test_what_is_void_at_one_server_is_void_at_the_other(servers: Servers) -> None:
    for _ in range(5):
        await servers.attempt(servers.a, failed=True)
    assert (await servers.assess(servers.b)).level is RiskLevel.REJECT
    async with servers.store.begin() as tx:
        await servers.a.noted(tx, Whom(customer="c-1"), Noted.VOIDED, NOON)
    for server in (servers.b, servers.a):
        assert "too_many_failures" not in codes(await servers.assess(server))


async def test_a_device_that_becomes_known_at_one_server_is_known_at_the_other(servers: Servers) -> None:
    assert "model_new_device" in codes(await servers.assess(servers.b))
    await servers.attempt(servers.a, passed=True, at=NOON - timedelta(days=1, hours=-1))
    assert "model_new_device" not in codes(await servers.assess(servers.b))


async def test_what_was_undone_is_counted_nowhere(servers: Servers) -> None:
    async def undone() -> None:
        async with servers.store.begin() as tx:
            for _ in range(5):
                await servers.a.noted(tx, WHOM, Noted.FAILED, NOON)
            await servers.a.noted(tx, WHOM, Noted.PASSED, NOON)
            raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        await undone()
    for server in (servers.a, servers.b):
        result = await servers.assess(server)
        assert result.level is RiskLevel.LOW
        assert "model_new_device" in codes(result)


async def test_a_server_with_another_key_decides_nothing_from_then_on(servers: Servers) -> None:
    other = servers.one(b"\1" * 32)
    await other.load()
    assert other.ready
    await servers.a.lists.add(BLOCK, "ST_X")
    assert codes(await servers.assess(other)) == [UNAVAILABLE]
    assert not other.ready

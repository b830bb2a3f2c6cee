"""What facts, lists, rules and the model come to; and that an error is never low."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.ids import RiskEntryId
from server.transactions.policy import Policy
from server.transactions.policy_files import Policies
from server.transactions.risk.engine import MOST_REASONS, Asked, RiskEngine
from server.transactions.risk.facts import Facts
from server.transactions.risk.lists import IdentifierKind, Identifiers, ListEntry, ListIndex, ListName
from server.transactions.risk.model import LogisticModel, ModelScore, RiskModel, Share
from server.transactions.risk.result import UNAVAILABLE, RiskLevel, RiskResult
from server.transactions.risk.rules import Reason, RuleSet, read_rules

SHANGHAI = timezone(timedelta(hours=8))
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=SHANGHAI)
OURS = Identifiers(bytes(32))
SHIPPED = Policies()
PASSWORD = SHIPPED.current("debit_card_password_change")
ASKED = Asked(type=PASSWORD.type, customer="c-1", device="d-1", address="192.0.2.1")


class Fixed:
    """A model that says what it is told to."""

    hash = "fixed"

    def __init__(self, probability: float, shares: tuple[Share, ...] = ()) -> None:
        self.said = ModelScore(probability, 0.0, shares)

    def score(self, facts: Facts) -> ModelScore:
        return self.said


def engine(
    rules: str | None = None, model: RiskModel | None = None, lists: tuple[tuple[ListName, IdentifierKind, str], ...] = ()
) -> RiskEngine:
    sets: Mapping[str, RuleSet] = SHIPPED.now.rules if rules is None else {"default": read_rules(rules, name="default")}
    ticks = count()
    made = RiskEngine(OURS, sets, model or SHIPPED.now.model, clock=lambda: next(ticks) * 0.001)
    made.lists = ListIndex(
        [
            ListEntry(id=RiskEntryId("RL"), list=list, kind=kind, digest=OURS.digest(kind, value), key=OURS.name, reason="x", created_at=NOON, created_by="")
            for list, kind, value in lists
        ],
        key=OURS.name,
    )  # fmt: skip
    return made


def rule(name: str, what: str, when: str = "true") -> str:
    return f"[[rule]]\nname = '{name}'\nwhen = '{when}'\n{what}\nreason = {{ zh = '因', en = 'why' }}\n"


def codes(result: RiskResult) -> list[str]:
    return [reason.code for reason in result.reasons]


def test_somebody_known_at_noon_is_low() -> None:
    asked = Asked(type=PASSWORD.type, customer="c-1", device="d-1", device_since=NOON - timedelta(days=90))
    result = engine().assess(asked, PASSWORD, NOON)
    assert result.level is RiskLevel.LOW
    assert result.score < 0.1
    assert result.took_ms == pytest.approx(1.0)
    assert (len(result.rules_hash), len(result.model_hash)) == (64, 64)
    assert codes(result)[0] == "known_device"


def test_everything_against_it_at_night_says_why() -> None:
    night = NOON.replace(hour=2)
    phone = SHIPPED.current("reserved_phone_change")
    asked = Asked(
        type=phone.type, customer="c-1", device="d-9", address="192.0.2.1", amount="90000.00", customer_age_group="80_plus"
    )
    made = engine()
    for _ in range(6):
        made.note(made.digests(asked), night.timestamp() - 60)
    result = made.assess(asked, phone, night)
    assert result.level is RiskLevel.REJECT
    assert {
        "protect_the_very_old",
        "customer_in_a_hurry",
        "night_on_new_device",
        "large_amount_on_new_device",
        "model_new_device",
    } <= set(codes(result))
    assert all(reason.zh and reason.en for reason in result.reasons)
    weights = [abs(reason.contribution) for reason in result.reasons if reason.contribution]
    assert weights == sorted(weights, reverse=True)


def test_failures_are_counted_for_each_and_end_it() -> None:
    made = engine()
    for number in range(5):
        assert "too_many_failures" not in codes(made.assess(ASKED, PASSWORD, NOON))
        made.note(made.digests(ASKED), NOON.timestamp() - number, failed=True)
    assert made.assess(ASKED, PASSWORD, NOON).level is RiskLevel.REJECT
    later = NOON + timedelta(hours=25)
    assert "too_many_failures" not in codes(made.assess(ASKED, PASSWORD, later))
    other = Asked(type=PASSWORD.type, customer="c-2")
    assert made.assess(other, PASSWORD, NOON).level is RiskLevel.LOW


BLOCK, WATCH, ALLOW = ((name, IdentifierKind.CUSTOMER, "c-1") for name in (ListName.BLOCK, ListName.WATCH, ListName.ALLOW))
REJECTS, REFERS, ALLOWS = (rule(f"r_{action}", f"action = '{action}'") for action in ("reject", "refer", "allow"))


@pytest.mark.parametrize(
    ("lists", "rules", "probability", "level"),
    [
        ((), "", 0.1, "low"),
        ((), "", 0.5, "refer"),
        ((), "", 0.85, "reject"),
        ((BLOCK,), "", 0.0, "reject"),
        ((BLOCK, ALLOW), ALLOWS, 0.0, "reject"),
        ((ALLOW,), REJECTS, 0.0, "reject"),
        ((WATCH,), "", 0.0, "refer"),
        ((WATCH, ALLOW), "", 0.0, "refer"),
        ((WATCH,), "", 0.9, "reject"),
        ((), REFERS, 0.0, "refer"),
        ((ALLOW,), REFERS, 0.0, "refer"),
        ((), REFERS + REJECTS + ALLOWS, 0.0, "reject"),
        ((ALLOW,), "", 1.0, "low"),
        ((), ALLOWS, 1.0, "low"),
        ((), rule("s", "score = 0.4"), 0.1, "refer"),
        ((), rule("s", "score = -1.0"), 0.9, "low"),
        ((), "model_weight = 0.5", 0.9, "low"),
    ],
)
def test_the_order_of_what_decides(
    lists: tuple[tuple[ListName, IdentifierKind, str], ...], rules: str, probability: float, level: str
) -> None:
    result = engine(rules, Fixed(probability), lists).assess(ASKED, PASSWORD, NOON)
    assert result.level == level
    assert 0 <= result.score <= 1


def test_who_is_listed_is_said_and_is_a_fact() -> None:
    lists = ((ListName.WATCH, IdentifierKind.DEVICE, "d-1"),)
    result = engine(rule("seen", "score = 0.1", "listed_watch and not listed_block"), Fixed(0.0), lists).assess(
        ASKED, PASSWORD, NOON
    )
    assert codes(result) == ["listed_watch_device", "seen"]
    assert "device" in result.reasons[0].en.lower()


def test_so_many_reasons_and_no_more() -> None:
    rules = "".join(rule(f"r{n}", f"score = {n / 100}") for n in range(1, 40))
    result = engine(rules, Fixed(0.0)).assess(ASKED, PASSWORD, NOON)
    assert len(result.reasons) == MOST_REASONS
    assert codes(result)[0] == "r39"


@pytest.mark.parametrize(
    "asked",
    [
        Asked(type="x", customer="c-1", amount="nan"),
        Asked(type="x", customer="c-1", amount="-5"),
        Asked(type="x", customer="c-1", amount="1e9"),
        Asked(type="x", customer="c-1", address="not an address"),
        Asked(type="x", customer="c" * 500),
        Asked(type="x", customer="c-1", device_since=datetime(2026, 1, 1)),
    ],
)
def test_what_cannot_be_assessed_is_referred(asked: Asked) -> None:
    result = engine().assess(asked, PASSWORD, NOON)
    assert (result.level, codes(result)) == (RiskLevel.REFER, [UNAVAILABLE])


class Broken:
    hash = "broken"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def score(self, facts: Facts) -> ModelScore:
        if self.error is not None:
            raise self.error
        return ModelScore(0.0, 0.0, (Share("x", Reason(zh="因", en="why"), float("nan")),))


@pytest.mark.parametrize(
    "model", [Broken(ZeroDivisionError()), Broken(KeyError("x")), Broken(), Fixed(float("nan")), Fixed(-0.1), Fixed(1.1)]
)
def test_a_model_that_fails_or_lies_is_referred_and_told(model: RiskModel) -> None:
    seen: list[Exception] = []
    made = RiskEngine(OURS, SHIPPED.now.rules, model, clock=lambda: 0.0, on_fault=seen.append)
    assert made.assess(ASKED, PASSWORD, NOON).level is RiskLevel.REFER
    assert len(seen) == 1


def test_rules_that_are_gone_and_lists_of_another_key_are_referred() -> None:
    assert codes(RiskEngine(OURS, {}, SHIPPED.now.model, clock=lambda: 0.0).assess(ASKED, PASSWORD, NOON)) == [UNAVAILABLE]
    made = engine(lists=(BLOCK,))
    made.identifiers = Identifiers(b"\1" * 32)
    made.lists = ListIndex(
        [ListEntry(id=RiskEntryId("RL"), list=ListName.BLOCK, kind=IdentifierKind.CUSTOMER, digest=bytes(32), key="old", reason="x", created_at=NOON, created_by="")],
        key=made.identifiers.name,
    )  # fmt: skip
    assert codes(made.assess(ASKED, PASSWORD, NOON)) == [UNAVAILABLE]


TEXTS = st.text(max_size=8) | st.none()


@given(
    st.builds(
        Asked,
        type=st.text(max_size=10),
        customer=st.text(max_size=10),
        device=st.text(max_size=10),
        address=st.text(max_size=10) | st.ip_addresses().map(str),
        phone=st.text(max_size=10),
        amount=TEXTS | st.from_regex(r"[0-9]{1,15}\.[0-9]{2}", fullmatch=True),
        attempt=st.integers() | st.none(),
        customer_since_days=st.integers() | st.none(),
        channel=TEXTS,
        device_since=st.datetimes(timezones=st.just(SHANGHAI)) | st.none(),
    )
)
def test_never_raises(asked: Asked) -> None:
    result = engine().assess(asked, PASSWORD, NOON)
    assert result.level in set(RiskLevel)
    if UNAVAILABLE in codes(result):
        assert result.level is RiskLevel.REFER


def test_the_default_model_grows_with_what_is_bad() -> None:
    model: LogisticModel = SHIPPED.now.model
    policy: Policy = PASSWORD
    made = engine("", model)
    quiet = made.assess(
        Asked(type=policy.type, customer="c", device="d", device_since=NOON - timedelta(days=90)), policy, NOON
    ).score
    new = made.assess(Asked(type=policy.type, customer="c", device="d"), policy, NOON).score
    large = made.assess(Asked(type=policy.type, customer="c", device="d", amount="500000"), policy, NOON).score
    clip = made.assess(Asked(type=policy.type, customer="c", device="d", amount="500000", assurance="clip"), policy, NOON).score
    assert quiet < new < large < clip < 0.85


def test_an_assessment_costs_little() -> None:
    """Processor time, not the clock: others may have the machine."""
    made = engine()
    for number in range(3000):
        asked = Asked(type=PASSWORD.type, customer=f"c-{number}", device=f"d-{number}", address=f"192.0.2.{number % 250}")
        made.note(made.digests(asked), NOON.timestamp() - number, failed=number % 7 == 0)
    costs = []
    for number in range(500):
        asked = Asked(type=PASSWORD.type, customer=f"c-{number}", device=f"d-{number}", address="192.0.2.1", amount="5000.00")
        begun = time.thread_time()
        made.assess(asked, PASSWORD, NOON)
        costs.append(time.thread_time() - begun)
    assert sorted(costs)[495] <= 0.005

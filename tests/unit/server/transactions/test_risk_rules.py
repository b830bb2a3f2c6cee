"""Rules, the model and lists: what is refused, what fires, what is remembered of an identifier."""

import math
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.ids import RiskEntryId
from server.transactions.risk.expression import parts, read_expression
from server.transactions.risk.facts import make_facts
from server.transactions.risk.lists import (
    IdentifierInvalid,
    IdentifierKind,
    Identifiers,
    ListEntry,
    ListIndex,
    ListName,
    normalised,
)
from server.transactions.risk.model import read_model
from server.transactions.risk.rules import Action, RulesInvalid, RulesTooCostly, read_rules

WORDS = 'reason = { zh = "因", en = "why" }\n'
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def rule(name: str = "large", when: str = "amount > 10", what: str = "score = 0.5", more: str = "") -> str:
    return f"[[rule]]\nname = '{name}'\nwhen = '{when}'\n{what}\n{WORDS}{more}\n"


def feature(name: str = "large", value: str = "amount", coefficient: float = 1.0) -> str:
    return f"[[feature]]\nname = '{name}'\nvalue = '{value}'\ncoefficient = {coefficient}\n{WORDS}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rule = [", "bank: not valid TOML"),
        (rule(when="amount >"), "bank: rule 1 (large): when: character 9: a literal is expected"),
        (rule() + rule(), "rule 2 (large): the name is there twice"),
        (rule(what=""), "rule 1 (large): score or action"),
        (rule(what="score = 0.1\naction = 'refer'"), "score or action"),
        (rule(what="score = 2.0"), "rule 1: score: Expected `float` <= 1.0"),
        (rule(what="score = nan"), "rule 1: score"),
        (rule(what="action = 'accept'"), "rule 1: action: Invalid enum value 'accept'"),
        (rule(name="Large One"), "rule 1: name"),
        (rule(more="wen = 3"), "bank: rule 1: Object contains unknown field `wen`"),
        ("model_weight = 1.5", "model_weight"),
        ("".join(rule(name=f"r{n}") for n in range(201)), "more than 200 rules"),
        ("#" * (256 * 1024 + 1), "more than"),
    ],
)
def test_rules_that_cannot_be_meant(text: str, why: str) -> None:
    with pytest.raises(RulesInvalid) as caught:
        read_rules(text, name="bank")
    assert why in caught.value.detail


def test_which_rules_fire() -> None:
    rules = read_rules(
        rule("large")
        + rule("small", "amount <= 10")
        + rule("other", more='types = ["limit_change"]')
        + rule("always", "true", "action = 'refer'"),
        name="bank",
    )
    facts = make_facts({"amount": 11, "type": "card_loss_report"})
    assert [one.name for one in rules.firing(facts)] == ["large", "always"]
    assert [one.name for one in rules.firing(make_facts({"amount": 11, "type": "limit_change"}))] == [
        "large",
        "other",
        "always",
    ]
    assert rules.rules[-1].action is Action.REFER
    assert read_rules("", name="none").firing(facts) == ()


def test_the_hash_of_rules_is_of_their_meaning() -> None:
    plain = read_rules(rule(), name="a")
    assert read_rules("# words\n" + rule(), name="b").hash == plain.hash
    assert read_rules(rule(when="amount > 11"), name="a").hash != plain.hash
    assert read_rules("model_weight = 0.5\n" + rule(), name="a").hash != plain.hash


# ---- model


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "missing required field `intercept`"),
        ("intercept = nan", "intercept"),
        ("intercept = 0.0\n" + feature(value="currency"), "feature 1 (large): value: character 1: it is a text"),
        ("intercept = 0.0\n" + feature() + feature(), "feature 2 (large): the name is there twice"),
        ("intercept = 0.0\n" + feature(coefficient=30.0), "coefficient"),
        ("intercept = 0.0\n" + "".join(feature(f"f{n}") for n in range(65)), "more than 64"),
    ],
)
def test_a_model_that_cannot_be_meant(text: str, why: str) -> None:
    with pytest.raises(RulesInvalid) as caught:
        read_model(text, name="model.toml")
    assert why in caught.value.detail


def test_a_logistic_regression() -> None:
    model = read_model("intercept = -1.0\n" + feature("a", "amount", 0.5) + feature("b", "with_agent", -1.0), name="m")
    scored = model.score(make_facts({"amount": 4, "with_agent": True}))
    assert scored.probability == pytest.approx(1 / (1 + math.exp(0.0)))
    assert scored.base == pytest.approx(1 / (1 + math.exp(1.0)))
    assert [share.code for share in scored.shares] == ["a", "b"]
    assert scored.shares[0].share > 0 > scored.shares[1].share
    assert scored.shares[0].share == pytest.approx(-2 * scored.shares[1].share)
    assert model.score(make_facts({})).shares == ()


@given(st.floats(-20, 20), st.lists(st.tuples(st.floats(-20, 20), st.floats(-1e15, 1e15)), max_size=8))
def test_shares_add_up_and_stay_finite(intercept: float, parts: list[tuple[float, float]]) -> None:
    text = f"intercept = {float(intercept)!r}\n" + "".join(
        feature(f"f{n}", f"{'-' if value < 0 else ''}{int(abs(value)) % 10**15}", float(coefficient))
        for n, (coefficient, value) in enumerate(parts)
    )
    scored = read_model(text, name="m").score(make_facts({}))
    assert 0 <= scored.probability <= 1
    assert scored.base + sum(share.share for share in scored.shares) == pytest.approx(scored.probability, abs=1e-6)


# ---- lists

OURS = Identifiers(bytes(range(32)))


def entry(
    list: ListName, kind: IdentifierKind, value: str, expires_at: datetime | None = None, key: str = OURS.name
) -> ListEntry:
    digest = OURS.digest(kind, value)
    return ListEntry(
        id=RiskEntryId("RL_x"),
        list=list,
        kind=kind,
        digest=digest,
        key=key,
        reason="stolen",
        created_at=NOW,
        created_by="ST_x",
        expires_at=expires_at,
    )


def test_nothing_of_an_identifier_is_in_its_digest() -> None:
    one = OURS.digest(IdentifierKind.CUSTOMER, "c-1")
    assert len(one) == 32
    assert one == OURS.digest(IdentifierKind.CUSTOMER, "c-1")
    assert len({one, OURS.digest(IdentifierKind.DEVICE, "c-1"), OURS.digest(IdentifierKind.CUSTOMER, "C-1"), Identifiers(bytes(32)).digest(IdentifierKind.CUSTOMER, "c-1")}) == 4  # fmt: skip
    assert OURS.name != Identifiers(bytes(32)).name
    with pytest.raises(ValueError, match="32 bytes"):
        Identifiers(b"short")


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (IdentifierKind.ADDRESS, "192.0.2.1", "::ffff:192.0.2.1"),
        (IdentifierKind.ADDRESS, "2001:db8::1", "2001:0db8:0:0:ffff::2"),
        (IdentifierKind.PHONE, "+86 138-0013-8000", "+8613800138000"),
    ],
)
def test_equal_identifiers_are_one(kind: IdentifierKind, one: str, other: str) -> None:
    assert normalised(kind, one) == normalised(kind, other)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (IdentifierKind.CUSTOMER, ""),
        (IdentifierKind.CUSTOMER, "x" * 201),
        (IdentifierKind.CUSTOMER, "a\nb"),
        (IdentifierKind.ADDRESS, "bank.example"),
        (IdentifierKind.ADDRESS, "192.0.2.0/24"),
        (IdentifierKind.PHONE, "hello"),
        (IdentifierKind.PHONE, "++86"),
        (IdentifierKind.PHONE, "12"),
        (IdentifierKind.PHONE, "١٢٣٤٥"),
    ],
)
def test_what_is_no_identifier_is_refused_unquoted(kind: IdentifierKind, value: str) -> None:
    with pytest.raises(IdentifierInvalid) as caught:
        OURS.digest(kind, value)
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize(
    "other", ["+8613800138000", "8613800138000", "008613800138000", "+86 138-0013 8000", "(86)13800138000"]
)
def test_a_block_list_is_not_passed_by_another_spelling_of_a_number(other: str) -> None:
    digests = Identifiers(bytes(32))
    assert digests.digest(IdentifierKind.PHONE, other) == digests.digest(IdentifierKind.PHONE, "13800138000")
    assert digests.digest(IdentifierKind.PHONE, "+44 1380 013800") == digests.digest(IdentifierKind.PHONE, "00441380013800")
    assert digests.digest(IdentifierKind.PHONE, other) != digests.digest(IdentifierKind.PHONE, "13800138001")


@pytest.mark.parametrize("abroad", ["+1 312 555 1234", "0013125551234"])
def test_a_number_abroad_is_no_mobile_number_of_the_mainland(abroad: str) -> None:
    digests = Identifiers(bytes(32))
    assert digests.digest(IdentifierKind.PHONE, abroad) != digests.digest(IdentifierKind.PHONE, "13125551234")
    assert digests.digest(IdentifierKind.PHONE, abroad) == digests.digest(IdentifierKind.PHONE, "+13125551234")


def test_what_all_expressions_cost_together_is_bounded() -> None:
    """They are evaluated while every other decision waits."""
    when = " or ".join(["velocity_customer_24h > 1"] * 34)
    assert len(read_rules("".join(rule(f"a{number}", when) for number in range(24)), name="r").rules) == 24
    with pytest.raises(RulesInvalid, match="24000 characters together"):
        read_rules("".join(rule(f"a{number}", when) for number in range(25)), name="r")
    short = "+".join(["1"] * 100) + ">0"  # 201 parts in 201 characters

    def of(count: int) -> str:
        return "".join(rule(f"a{number}", short) for number in range(count))

    assert len(read_rules(of(14), name="r").rules) == 14
    with pytest.raises(RulesTooCostly, match="3015 parts together, and 3000") as caught:
        read_rules(of(15), name="r")
    assert caught.value.code == "rules_too_costly"
    assert len(read_rules(of(15), name="r", most_parts=None).rules) == 15


@pytest.mark.parametrize(
    ("when", "count"),
    [
        ("true", 1), ("new_device and not listed_block", 4), ("amount + 1 - 2 > -3", 8), ("known(amount)", 1), ("hour in [1, 2, 3]", 2),
        ("max(amount, 1, 2) == 1", 6),
    ],
)  # fmt: skip
def test_of_how_many_parts_an_expression_is(when: str, count: int) -> None:
    assert parts(read_expression(when)) == count


def test_hits_and_expiry() -> None:
    index = ListIndex(
        [
            entry(ListName.BLOCK, IdentifierKind.DEVICE, "d", NOW + timedelta(hours=1)),
            entry(ListName.WATCH, IdentifierKind.DEVICE, "d"),
            entry(ListName.WATCH, IdentifierKind.DEVICE, "d"),
            entry(ListName.ALLOW, IdentifierKind.CUSTOMER, "c"),
        ],
        key=OURS.name,
    )
    digests = {kind: OURS.digest(kind, value) for kind, value in ((IdentifierKind.DEVICE, "d"), (IdentifierKind.CUSTOMER, "e"))}
    assert {hit.list for hit in index.hits(digests, NOW)} == {ListName.BLOCK, ListName.WATCH}
    assert [hit.list for hit in index.hits(digests, NOW + timedelta(hours=1))] == [ListName.WATCH]
    assert index.foreign == 0
    assert ListIndex([entry(ListName.BLOCK, IdentifierKind.DEVICE, "d", key="other")], key=OURS.name).foreign == 1


def test_an_index_follows_what_is_entered_and_removed() -> None:
    index = ListIndex(key=OURS.name)
    kept, gone = entry(ListName.BLOCK, IdentifierKind.DEVICE, "d"), msgspec.structs.replace(
        entry(ListName.WATCH, IdentifierKind.DEVICE, "d", NOW, key="other"), id=RiskEntryId("RL_y")
    )  # fmt: skip
    digests = {IdentifierKind.DEVICE: kept.digest}
    index.add(kept)
    index.add(gone)
    assert (len(index), index.foreign) == (2, 1)
    index.forget(NOW)
    assert len(index) == 2
    index.forget(NOW + timedelta(seconds=1))
    index.remove(gone)
    assert (len(index), index.foreign) == (1, 0)
    assert [hit.list for hit in index.hits(digests, NOW)] == [ListName.BLOCK]
    index.remove(kept)
    assert (len(index), index.hits(digests, NOW)) == (0, ())

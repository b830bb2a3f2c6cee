"""The language of rules: what is refused and where, and that what is taken has the value that a second evaluator gives it."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.transactions.risk.evaluation import Program, compiled
from server.transactions.risk.expression import FUNCTIONS, MAX_CHARS, ExpressionInvalid, Node, read_expression
from server.transactions.risk.facts import FACTS, LIMIT, FactInvalid, Facts, Kind, bounded, make_facts

NIGHT = make_facts({"hour": 23, "amount": 60_000, "currency": "CNY", "new_device": False, "attempt": 2})


def value(text: str, facts: Facts = NIGHT, gives: Kind | None = Kind.TRUTH) -> Any:
    return compiled(read_expression(text, gives))(facts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hours(22, 6) and amount >= 50000 and not new_device", True),
        ("hours(6, 22)", False),
        ("hours(23, 23)", False),
        ("hours(6, 24)", True),
        ("amount > 60000 or amount < 60000", False),
        ("not amount > 60000", True),
        ("not not true", True),
        ("1 + 2 * 3 - 4 / 2 == 5", True),
        ("(1 + 2) * 3 == 9", True),
        ("10 - 3 - 2 == 5", True),
        ("12 / 3 / 2 == 2", True),
        ("-2 * -3 == 6", True),
        ("- -3 == 3", True),
        ("amount / 0 == 0", True),
        ("true or false and false", True),
        ('currency in ["USD", "CNY"]', True),
        ('currency not in ["USD", "CNY"]', False),
        ("currency == 'CNY'", True),
        ("attempt in [-1, 2]", True),
        ("new_device in [true]", False),
        ("known(amount) and not known(device_age_days)", True),
        ("count(true, false, amount > 1, new_device) == 2", True),
        ("min(3, 1, 2) == 1 and max(3, 1, 2) == 3 and abs(-4) == 4", True),
        ("between(amount, 60000, 60000)", True),
        ("between(amount, 60001, 1)", False),
        ("log10(1000) == 3 and log10(0.5) == 0 and log10(0 - 5) == 0", True),
        ("choose(new_device, 1, 2) == 2", True),
        ("new_device == false", True),
        ("(new_device or amount > 1) == true", True),
        ("999999999999999 * 999999999999999 == 999999999999999 * 2", True),
    ],
)
def test_values(text: str, expected: bool) -> None:
    assert value(text) is expected


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("", 1, "a literal is expected"),
        ("amount", 1, "it is a number, not a truth"),
        ("currency", 1, "it is a text"),
        ("amount >", 9, "a literal is expected"),
        ("amount > 3 > 2", 12, "not expected"),
        ("amount + true > 3", 10, "a number is needed here, not a truth"),
        ("amount = 3", 8, "nothing of this language"),
        ('type < "a"', 6, "a number is needed here, not a text"),
        ('amount == "a"', 11, "a number is needed"),
        ("amount and true", 1, "a truth is needed here, not a number"),
        ("true and amount", 10, "a truth is needed"),
        ("not amount", 5, "a truth is needed"),
        ("-true == true", 2, "a number is needed"),
        ("colour == 3", 1, "there is no fact 'colour'"),
        ("eval(1)", 1, "there is no function 'eval'"),
        ("amount.real > 1", 7, "nothing of this language"),
        ('__import__("os")', 1, "nothing of this language"),
        ("Amount > 1", 1, "nothing of this language"),
        ("1e5 > 3", 1, "nothing of this language"),
        ("0x10 > 3", 1, "nothing of this language"),
        ("1234567890123456 > 3", 1, "nothing of this language"),
        ("amount > 1.", 10, "nothing of this language"),
        ("lambda: 1", 7, "nothing of this language"),
        ("amount ** 2 > 1", 9, "a literal is expected"),
        ('type == "a', 9, "nothing of this language"),
        ('type == "a\\n"', 9, "nothing of this language"),
        ("(amount > 1", 12, "')' is expected"),
        ("amount > 1)", 11, "not expected"),
        ("amount in 3", 11, "'[' is expected, not '3'"),
        ("amount in []", 12, "a literal is expected"),
        ("amount in [1, 'a']", 15, "a number is needed"),
        ("amount in [attempt]", 12, "a literal is expected"),
        ("amount in [-true]", 13, "a literal is expected"),
        ("min(1) > 0", 6, "min needs 2 arguments"),
        ("abs(1, 2) > 0", 8, "takes no more"),
        ("abs() > 0", 5, "a literal is expected"),
        ("count(1) > 0", 7, "a truth is needed"),
        ("count(" + "true," * 16 + "true) > 1", 87, "takes no more"),
        ("known(1)", 7, "the name of a fact"),
        ("known(colour)", 7, "the name of a fact"),
        ("known(amount", 13, "')' is expected"),
        ("known", 1, "there is no fact 'known'"),
        ("and", 1, "a literal is expected"),
        ("amount > 1 and", 15, "a literal is expected"),
        ("not", 4, "a literal is expected"),
        ("amount not in", 14, "'[' is expected"),
        ("amount not 3", 8, "not expected"),
        ("amount > 1\0", 11, "nothing of this language"),
        ("amount > ５", 10, "nothing of this language"),
    ],
)  # fmt: skip
def test_refused_where_it_goes_wrong(text: str, at: int, why: str) -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        read_expression(text)
    assert why in caught.value.why
    assert caught.value.at == at
    assert str(caught.value).startswith(f"character {at}: ")


def test_bounds_of_length_depth_parts_and_lists() -> None:
    for text, why in (
        ("true or " * 200 + "true", "longer than"),
        ("(" * 25 + "true" + ")" * 25, "nested more"),
        ("not " * 25 + "true", "nested more"),
        ("- " * 25 + "1 > 0", "nested more"),
        ("abs(" * 25 + "1" + ")" * 25 + "> 0", "nested more"),
        ("+".join(["1"] * 260) + "> 0", "more than 256 parts"),
        ("attempt in [" + ",".join(["1"] * 101) + "]", "more than 100"),
    ):
        with pytest.raises(ExpressionInvalid, match=why):
            read_expression(text)
    assert value("(" * 24 + "true" + ")" * 24) is True
    assert value("+".join(["1"] * 250) + "== 250") is True


def test_a_feature_of_the_model_may_be_a_number_or_a_truth() -> None:
    assert value("amount / 2", gives=None) == 30_000.0
    assert value("new_device", gives=None) is False
    with pytest.raises(ExpressionInvalid, match="not a number or a truth"):
        read_expression("currency", None)


# ---- a second evaluator, written against the page and not against the code


class Expected:
    """A text and what it is worth, computed beside the language while the text is put together."""

    def __init__(self, text: str, worth: Any) -> None:
        self.text, self.worth = text, worth


GIVEN: dict[str, object] = {
    "amount": 1250.5, "hour": 5, "weekday": 7, "new_device": False, "attempt": 3, "currency": "CNY", "velocity_customer_1h": 4, "with_agent": True,
    "listed_watch": True, "failures_24h": 2, "session_kind": "video", "customer_age_group": "80_plus",
}  # fmt: skip
FILLED = make_facts(GIVEN)


def held(number: float) -> float:
    return max(-1e15, min(1e15, number))


def names(kind: Kind) -> st.SearchStrategy[Expected]:
    return st.sampled_from([n for n, about in FACTS.items() if about.kind is kind]).map(
        lambda name: Expected(name, GIVEN.get(name, FACTS[name].otherwise))
    )


LITERALS = st.integers(0, 10**15 - 1).map(lambda n: Expected(str(n), float(n))) | st.integers(0, 10**9).map(
    lambda n: Expected(f"{n // 1000}.{n % 1000:03}", float(f"{n // 1000}.{n % 1000:03}"))
)
TEXTS = names(Kind.TEXT) | st.sampled_from(["CNY", "video", "", "a b", "中"]).map(lambda t: Expected(f'"{t}"', t))


def divided(left: float, right: float) -> float:
    return 0.0 if right == 0 else left / right


def numbers(inner: st.SearchStrategy[Expected], truths: st.SearchStrategy[Expected]) -> st.SearchStrategy[Expected]:
    def calculated(parts: tuple[Expected, str, Expected]) -> Expected:
        left, op, right = parts
        worth = {
            "+": lambda: left.worth + right.worth,
            "-": lambda: left.worth - right.worth,
            "*": lambda: left.worth * right.worth,
            "/": lambda: divided(left.worth, right.worth),
        }[op]()
        return Expected(f"({left.text}) {op} ({right.text})", held(worth))

    def called(args: list[Expected], name: str) -> Expected:
        worths = [one.worth for one in args]
        return Expected(f"{name}({', '.join(one.text for one in args)})", {"min": min, "max": max}[name](worths))

    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(calculated),
        inner.map(lambda one: Expected(f"-({one.text})", -one.worth)),
        inner.map(lambda one: Expected(f"abs({one.text})", abs(one.worth))),
        inner.map(lambda one: Expected(f"log10({one.text})", math.log10(one.worth) if one.worth > 1 else 0.0)),
        st.builds(called, st.lists(inner, min_size=2, max_size=4), st.sampled_from(["min", "max"])),
        st.lists(truths, min_size=1, max_size=4).map(
            lambda all_: Expected(f"count({', '.join(one.text for one in all_)})", float(sum(one.worth for one in all_)))
        ),
        st.tuples(truths, inner, inner).map(
            lambda p: Expected(f"choose({p[0].text}, {p[1].text}, {p[2].text})", p[1].worth if p[0].worth else p[2].worth)
        ),
    )


def in_hours(first: float, last: float) -> bool:
    hour = GIVEN["hour"]
    assert isinstance(hour, int)
    return (first <= hour < last) if first <= last else not (last <= hour < first)


def truths_of(inner: st.SearchStrategy[Expected], numeric: st.SearchStrategy[Expected]) -> st.SearchStrategy[Expected]:
    import operator

    ops = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}

    def compared(parts: tuple[Expected, str, Expected]) -> Expected:
        left, op, right = parts
        return Expected(f"({left.text}) {op} ({right.text})", ops[op](left.worth, right.worth))

    def member(parts: tuple[Expected, list[str], bool]) -> Expected:
        one, among, negated = parts
        items = ", ".join(f"'{item}'" for item in among)
        return Expected(f"{one.text} {'not in' if negated else 'in'} [{items}]", (one.worth in among) != negated)

    return st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(
            lambda all_: Expected(" and ".join(f"({one.text})" for one in all_), all(one.worth for one in all_))
        ),
        st.lists(inner, min_size=2, max_size=4).map(
            lambda all_: Expected(" or ".join(f"({one.text})" for one in all_), any(one.worth for one in all_))
        ),
        inner.map(lambda one: Expected(f"not ({one.text})", not one.worth)),
        st.tuples(numeric, st.sampled_from(list(ops)), numeric).map(compared),
        st.tuples(TEXTS, st.sampled_from(["==", "!="]), TEXTS).map(compared),
        st.tuples(TEXTS, st.lists(st.sampled_from(["CNY", "USD", "video"]), min_size=1, max_size=3), st.booleans()).map(member),
        st.tuples(numeric, numeric, numeric).map(
            lambda p: Expected(f"between({p[0].text}, {p[1].text}, {p[2].text})", p[1].worth <= p[0].worth <= p[2].worth)
        ),
        st.tuples(numeric, numeric).map(
            lambda p: Expected(f"hours({p[0].text}, {p[1].text})", in_hours(p[0].worth, p[1].worth))
        ),
        st.sampled_from(list(FACTS)).map(lambda name: Expected(f"known({name})", name in GIVEN)),
    )


SIMPLE_TRUTHS = names(Kind.TRUTH) | st.booleans().map(lambda b: Expected(str(b).lower(), b))
NUMBERS_1 = numbers(LITERALS | names(Kind.NUMBER), SIMPLE_TRUTHS) | LITERALS | names(Kind.NUMBER)
TRUTHS_1 = truths_of(SIMPLE_TRUTHS, NUMBERS_1) | SIMPLE_TRUTHS
NUMBERS_2 = numbers(NUMBERS_1, TRUTHS_1)
TRUTHS_2 = truths_of(TRUTHS_1, NUMBERS_2)


def taken(text: str) -> Program | None:
    """None where it has too many parts: the only bound that these can pass."""
    try:
        return compiled(read_expression(text))
    except ExpressionInvalid as error:
        if "more than 256 parts" not in error.why:
            raise
        return None


@settings(max_examples=400)
@given(TRUTHS_2)
def test_equals_the_reference(expected: Expected) -> None:
    if len(expected.text) > MAX_CHARS:
        return
    program = taken(expected.text)
    if program is not None:
        assert program(FILLED) is expected.worth, expected.text


@settings(max_examples=300)
@given(TRUTHS_2, st.data())
def test_never_raises_whatever_the_facts(expected: Expected, data: st.DataObject) -> None:
    values = {
        Kind.NUMBER: st.floats() | st.integers(),
        Kind.TEXT: st.text(max_size=10),
        Kind.TRUTH: st.booleans(),
    }
    given_ = {
        name: data.draw(st.none() | values[FACTS[name].kind])
        for name in data.draw(st.sets(st.sampled_from(list(FACTS)), max_size=8))
    }
    program = taken(expected.text) if len(expected.text) <= MAX_CHARS else None
    if program is not None:
        assert program(make_facts(given_)) in (True, False)


def read_or_place(text: str) -> Node | int:
    try:
        return read_expression(text)
    except ExpressionInvalid as error:
        return error.at


WORDS = st.sampled_from(
    [
        *FACTS,
        *FUNCTIONS,
        "and",
        "or",
        "not",
        "in",
        "(",
        ")",
        "[",
        "]",
        ",",
        "==",
        "<",
        "+",
        "-",
        "*",
        "/",
        "1",
        "'a'",
        "true",
        "known",
    ]
)


@settings(max_examples=400)
@given(st.lists(WORDS, max_size=30).map(" ".join) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = read_or_place(text)
    if isinstance(found, int):
        assert 1 <= found <= len(text) + 1
    else:
        assert isinstance(compiled(found)(FILLED), bool)


# ---- facts


def test_facts_that_nobody_gave_have_their_value() -> None:
    empty = make_facts({"amount": None})
    assert empty.known == frozenset()
    assert empty.values == {name: about.otherwise for name, about in FACTS.items()}
    assert empty.values["new_device"] is True


@pytest.mark.parametrize(
    ("name", "given_"), [("amount", "12"), ("amount", True), ("currency", 3), ("new_device", 1), ("colour", 1)]
)
def test_facts_of_another_kind_are_refused(name: str, given_: object) -> None:
    with pytest.raises(FactInvalid, match=name):
        make_facts({name: given_})


def test_numbers_are_bounded_and_texts_cut() -> None:
    assert bounded(math.nan) == 0.0
    assert bounded(math.inf) == LIMIT
    assert bounded(-(10**400)) == -LIMIT
    assert make_facts({"currency": "x" * 200}).values["currency"] == "x" * 100

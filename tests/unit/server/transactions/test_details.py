"""The canonical form of a transaction's details: RFC 8785 where it applies, refusals where it does not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.transactions import details
from server.transactions.details import DetailsInvalid, canonical, details_hash, read_details

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LEAF = st.none() | st.booleans() | st.integers(-details.MAX_INTEGER, details.MAX_INTEGER) | TEXT
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12)
ANY = st.dictionaries(TEXT, VALUE, max_size=6)


def depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (isinstance(value, dict | list)) + max((depth(one) for one in inner), default=0)


def fits(value: dict[str, Any]) -> bool:
    return depth(value) <= details.MAX_DEPTH


def test_examples_of_the_rfc() -> None:
    """RFC 8785 §3.2.2 and §3.2.3, without the numbers that have a fraction."""
    assert canonical({"literals": [None, True, False], "string": '\u20ac$\u000f\nA\'B"\\\\"/'}) == (
        '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()
    )
    keys = {
        "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
        "\U0001f600": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis",
    }  # fmt: skip
    assert list(json.loads(canonical(keys)).values()) == [
        "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign", "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]  # fmt: skip


def test_the_hash_is_written_down() -> None:
    """So that nobody changes what has been signed."""
    assert canonical({"new_password": False, "card": "…4417", "amount": "1250.00", "limits": [1, -2]}) == (
        '{"amount":"1250.00","card":"…4417","limits":[1,-2],"new_password":false}'.encode()
    )
    assert details_hash({"card": "4417"}) == details_hash(read_details(b' {"card" : "44\\u00317"} '))
    assert details_hash({}) == "RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o"


@given(ANY.filter(fits))
def test_what_is_written_reads_back_the_same(value: dict[str, Any]) -> None:
    form = canonical(value)
    assert read_details(form) == value == json.loads(form)
    assert canonical(read_details(form)) == form
    shuffled = json.dumps(dict(reversed(value.items())), indent=1, ensure_ascii=False).encode()
    if len(shuffled) <= details.MAX_BYTES:
        assert details_hash(read_details(shuffled)) == details_hash(value)


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:0123456789.eE-truefalsn\\u \t', max_size=60).map(str.encode))
def test_any_bytes_are_details_or_refused(text: bytes) -> None:
    try:
        found = read_details(text)
    except DetailsInvalid:
        return
    assert isinstance(found, dict)
    assert read_details(canonical(found)) == found


def test_strings_are_kept_as_they_were_sent() -> None:
    composed, apart = {"name": "\u00e9"}, {"name": "e\u0301"}
    assert details_hash(composed) != details_hash(apart)
    assert details_hash({"amount": "1250"}) != details_hash({"amount": "1250.00"})
    assert details_hash({"a": 1}) != details_hash({"a": True}) != details_hash({"a": "1"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"amount": 1250.5}', 'send an amount as a string, such as "1250.00"'),
        (b'{"amount": 1e3}', "no fractions and no exponents"),
        (b'{"amount": NaN}', "no fractions"),
        (b'{"amount": -Infinity}', "no fractions"),
        (b'{"n": 9007199254740992}', "beyond 2^53"),
        (b'{"n": -' + b"9" * 400 + b"}", "beyond 2^53"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b'{"a": {"b": 1, "\\u0062": 2}}', "stands twice"),
        (b"[1]", "an object"),
        (b'"text"', "an object"),
        (b"", "not JSON, at character 0"),
        (b'{"a": 1} x', "not JSON, at character 9"),
        (b'{"a": "\x01"}', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": "\\ud800"}', "lone surrogate"),
        (b'{"\\ud800": 1}', "lone surrogate"),
        (b'{"a":' * 6 + b"{}" + b"}" * 6, "nested deeper than 6"),
        (b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}", "nested deeper than 6"),
        (b'{"a": "' + b"x" * 9000 + b'"}', "at most 8192 bytes"),
        (b'{"a": [' + b",".join([b"0"] * 257) + b"]}", "more than 256 items"),
        (json.dumps({f"k{n}": n for n in range(65)}).encode(), "more than 64 keys"),
    ],
)
def test_what_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(DetailsInvalid, match="details") as refused:
        read_details(text)
    assert why in refused.value.detail


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"a": 1.0}, "send an amount as a string"),
        ({"a": [b"bytes"]}, "details.a[0]: not JSON"),
        ({"a": {1: 2}}, "details.a: a key that is no string"),
        ({"a": {"b": 2**53}}, "details.a.b: a whole number"),
        ({"\nsecret": 2**53}, "details.…: a whole number"),
        ([("a", 1)], "an object"),
        (None, "an object"),
        ({"a": "€" * 3000}, "at most 8192 bytes"),
        ({"a": "\n" * 5000}, "at most 8192 bytes"),
    ],
)
def test_what_is_no_json(value: Any, why: str) -> None:
    with pytest.raises(DetailsInvalid) as refused:
        canonical(value)
    assert why in refused.value.detail


def test_the_bounds_themselves_fit() -> None:
    inner: dict[str, Any] = {}
    for _ in range(details.MAX_DEPTH - 1):
        inner = {"a": inner}
    assert read_details(canonical(inner)) == inner
    wide: dict[str, Any] = {f"k{n}": [0] * 4 for n in range(details.MAX_KEYS)}
    assert read_details(canonical(wide)) == wide
    largest = {"a": details.MAX_INTEGER, "b": -details.MAX_INTEGER, "c": "x" * (details.MAX_BYTES - 54)}
    assert len(canonical(largest)) <= details.MAX_BYTES

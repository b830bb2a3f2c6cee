"""Numbers of resident identity cards: the check character finds what GB 11643 says that it finds."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.documents.resident_id import (
    EARLIEST,
    PROVINCES,
    NumberRefused,
    check_character,
    from_read,
    parse,
)

KNOWN = "11010519491231002X"
"""The standard's own example (GB 11643-1999, annex)."""

days = st.integers(0, (date(2026, 1, 1) - EARLIEST).days).map(lambda n: EARLIEST + timedelta(n))


@st.composite
def numbers(draw: st.DrawFn) -> str:
    place = draw(st.sampled_from(sorted(PROVINCES))) + f"{draw(st.integers(0, 9999)):04}"
    first17 = f"{place}{draw(days):%Y%m%d}{draw(st.integers(1, 999)):03}"
    return first17 + check_character(first17)


def refusal(number: str) -> str:
    with pytest.raises(NumberRefused) as caught:
        parse(number)
    return caught.value.code


def test_the_examples_of_the_standard() -> None:
    found = parse(KNOWN)
    assert (found.birth, found.male, found.place, found.sequence) == (date(1949, 12, 31), False, "110105", 2)
    assert parse("440524188001010014".replace("1880", "1980")[:17] + check_character("44052419800101001")).male


@given(numbers())
def test_what_is_made_by_the_rules_is_read(number: str) -> None:
    found = parse(number)
    assert found.number == number
    assert f"{found.birth:%Y%m%d}" == number[6:14]
    assert found.male == (int(number[16]) % 2 == 1)


@given(numbers(), st.integers(0, 17), st.sampled_from("0123456789X"))
def test_every_single_wrong_character_is_found(number: str, place: int, character: str) -> None:
    changed = number[:place] + character + number[place + 1 :]
    if changed != number:
        with pytest.raises(NumberRefused):
            parse(changed)


@pytest.mark.parametrize("place", range(18))
@pytest.mark.parametrize("character", "0123456789X")
def test_every_single_wrong_character_of_the_example(place: int, character: str) -> None:
    changed = KNOWN[:place] + character + KNOWN[place + 1 :]
    if changed != KNOWN:
        with pytest.raises(NumberRefused):
            parse(changed)


@given(numbers(), st.integers(0, 15))
def test_every_exchange_of_neighbouring_digits_is_found(number: str, place: int) -> None:
    changed = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    if changed != number:
        assert refusal(changed) == "check"


@pytest.mark.parametrize(
    ("first17", "code"),
    [
        ("99010519491231002", "place"),
        ("11010519490231002", "birth"),
        ("11010519491331002", "birth"),
        ("11010518991231002", "birth"),
        ("11010519491231000", "sequence"),
    ],
)
def test_what_no_number_says_is_refused(first17: str, code: str) -> None:
    assert refusal(first17 + check_character(first17)) == code


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("", "length"),
        (KNOWN[:-1], "length"),
        (KNOWN + "0", "length"),
        (KNOWN.lower(), "character"),
        ("X" + KNOWN[1:], "character"),
        ("１" + KNOWN[1:], "character"),
        ("²" + KNOWN[1:], "character"),
        (KNOWN[:17] + "٣", "character"),
    ],
)
def test_what_is_no_number_is_refused(number: str, code: str) -> None:
    assert refusal(number) == code


@given(st.text(max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (parse, from_read):
        try:
            found = read(text)
        except NumberRefused:
            continue
        assert parse(found.number)


def test_letters_are_taken_for_digits_where_the_check_character_agrees() -> None:
    found = from_read("1I0IO5 1949 1231 OO2x")
    assert (found.number, found.corrected) == (KNOWN, 6)
    assert from_read(KNOWN).corrected == 0
    with pytest.raises(NumberRefused) as caught:
        from_read("1I0IO5 1949 1231 OO3x")
    assert caught.value.code == "check"

"""Machine readable zones: ICAO's own specimens, and what the check digits find."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import zones
from verification.documents import mrz
from verification.documents.mrz import ALPHABET, Format, MrzRefused, check_digit, parse

TODAY = date(2026, 11, 22)
PASSPORT = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
CARD = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")
SMALL = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
LONG = ("I<UTOD23145890<7349<<<<<<<<<<<", "3407127M9507122UTO<<<<<<<<<<<2", "STEVENSON<<PETER<JOHN<<<<<<<<<")
"""Specimens of Doc 9303 parts 4, 5 and 6, and the long number of part 5."""


def refusal(lines: tuple[str, ...] | list[str], *, correct: bool = False) -> tuple[str, str]:
    with pytest.raises(MrzRefused) as caught:
        parse(lines, correct=correct)
    return caught.value.code, caught.value.field


@pytest.mark.parametrize(("lines", "number"), [(PASSPORT, "L898902C3"), (CARD, "D23145890"), (SMALL, "D23145890")])
def test_the_specimens_of_the_standard(lines: tuple[str, ...], number: str) -> None:
    found = parse(lines)
    assert (found.surname, found.given_names, found.number) == ("ERIKSSON", "ANNA MARIA", number)
    assert (found.issuer, found.nationality, found.sex) == ("UTO", "UTO", "F")
    assert (found.birth_date(TODAY), found.expiry_date(TODAY)) == (date(1974, 8, 12), date(2012, 4, 15))
    assert found.lines == lines
    assert found.corrected == ()


def test_optional_data_and_a_number_that_is_longer() -> None:
    assert parse(PASSPORT).optional == "ZE184226B"
    assert parse(LONG).number == "D23145890734"
    assert parse(LONG).optional == ""


def test_years_of_two_digits() -> None:
    zone = zones.td3(birth="261123", expiry="761231")
    assert parse(zone).birth_date(TODAY) == date(1926, 11, 23)
    assert parse(zone).expiry_date(TODAY) == date(2076, 12, 31)
    assert parse(zones.td3(birth="261122", expiry="770101")).birth_date(TODAY) == TODAY
    assert parse(zones.td3(expiry="770101")).expiry_date(TODAY) == date(1977, 1, 1)
    assert parse(zones.td3(expiry="030101")).expiry_date(date(2099, 1, 1)) == date(2103, 1, 1)
    for birth in ("7408<<", "<<<<<<", "740231"):
        with pytest.raises(MrzRefused, match="date: birth"):
            parse(zones.td3(birth=birth)).birth_date(TODAY)


@given(zones.any_zone())
def test_what_is_made_by_the_rules_is_read(lines: tuple[str, ...]) -> None:
    for correct in (False, True):
        found = parse(lines, correct=correct)
        assert found.lines == lines
        assert found.corrected == ()


@given(zones.any_zone(), st.data())
def test_every_wrong_character_that_the_weights_tell_apart_is_found(lines: tuple[str, ...], data: st.DataObject) -> None:
    """Single changes of all characters under a check digit, or of the digits themselves, unless the values are the same modulo 10."""
    format_ = mrz.format_of(lines)
    assert format_ is not None
    place = data.draw(st.sampled_from(zones.checked_places(format_)))
    text = "".join(lines)
    values = {character: int(character, 36) % 10 for character in ALPHABET[:-1]} | {"<": 0}
    character = data.draw(st.sampled_from([other for other in ALPHABET if values[other] != values[text[place]]]))
    changed = text[:place] + character + text[place + 1 :]
    length = len(lines[0])
    with pytest.raises(MrzRefused):
        parse([changed[at : at + length] for at in range(0, len(changed), length)])


@given(zones.any_zone(), st.data())
def test_what_is_corrected_holds(lines: tuple[str, ...], data: st.DataObject) -> None:
    """Any confusion of likes: either the zone as it was, or a refusal, or another that all check digits agree with - and it is said."""
    text = list("".join(lines))
    for place in data.draw(st.lists(st.integers(0, len(text) - 1), max_size=3, unique=True)):
        text[place] = mrz._ALIKE.get(text[place], text[place])
    length = len(lines[0])
    wrong = ["".join(text)[at : at + length] for at in range(0, len(text), length)]
    try:
        found = parse(wrong, correct=True)
    except MrzRefused:
        return
    assert parse(found.lines).lines == found.lines
    assert (found.lines == tuple(wrong)) == (found.corrected == ())


@given(st.lists(st.text(ALPHABET, min_size=30, max_size=44), min_size=1, max_size=4), st.booleans())
def test_any_lines_are_read_or_refused(lines: list[str], correct: bool) -> None:
    try:
        found = parse(lines, correct=correct)
    except MrzRefused:
        return
    assert parse(found.lines)


@given(zones.any_zone(), st.data(), st.booleans())
def test_any_two_wrong_characters_are_read_or_refused(lines: tuple[str, ...], data: st.DataObject, correct: bool) -> None:
    text = list("".join(lines))
    for _ in range(2):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from(ALPHABET))
    length = len(lines[0])
    try:
        found = parse(["".join(text)[at : at + length] for at in range(0, len(text), length)], correct=correct)
    except MrzRefused:
        return
    assert parse(found.lines)


def test_digits_read_as_letters_are_put_right() -> None:
    second = "L898902C36UTO74O8I22F12O4I59ZE184226B<<<<<1O"
    assert refusal((PASSPORT[0], second)) == ("check", "birth")
    found = parse((PASSPORT[0], second), correct=True)
    assert found.lines == PASSPORT
    assert found.corrected == ("birth", "expiry", "composite")


def test_a_number_is_put_right_where_one_candidate_alone_agrees() -> None:
    wrong = (PASSPORT[0], PASSPORT[1].replace("L898902C", "L8989O2C"))
    found = parse(wrong, correct=True)
    assert found.lines == PASSPORT
    assert found.corrected == ("number",)
    digit = (PASSPORT[0], PASSPORT[1].replace("L898902C36", "L898902C3G"))
    assert parse(digit, correct=True).lines == PASSPORT


def test_what_cannot_be_proved_is_not_put_right() -> None:
    six = zones.td3(number="AB6600011")
    for_g = (six[0], six[1].replace("AB66", "ABG6"))
    assert parse(for_g, correct=True).number == "ABG600011"  # 6 and G weigh the same: nobody can tell, and nothing is changed
    twice = zones.td3(number="0AAOAAAAA")
    wrong = (twice[0], twice[1].replace("0AAOAAAAA", "OAAOAAAAA"))
    assert refusal(wrong, correct=True)[0] == "check"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ((), ("format", "")),
        (PASSPORT[:1], ("format", "")),
        ((PASSPORT[0], PASSPORT[1][:-1]), ("format", "")),
        ((PASSPORT[0].lower(), PASSPORT[1]), ("character", "")),
        (("V" + PASSPORT[0][1:], PASSPORT[1]), ("format", "kind")),
        (("P" + CARD[0][1:], *CARD[1:]), ("format", "kind")),
        ((PASSPORT[0].replace("ANNA", "4NNA"), PASSPORT[1]), ("name", "names")),
        ((PASSPORT[0][:5] + "<" + PASSPORT[0][6:], PASSPORT[1]), ("name", "names")),
        ((PASSPORT[0].replace("UTO", "<<<"), PASSPORT[1]), ("country", "issuer")),
        ((PASSPORT[0], PASSPORT[1].replace("UTO", "U1O")), ("country", "nationality")),
        ((PASSPORT[0], PASSPORT[1].replace("F", "H")), ("sex", "sex")),
        ((PASSPORT[0], PASSPORT[1].replace("ZE184226B", "ZE184226C")), ("check", "optional")),
        ((PASSPORT[0], PASSPORT[1][:-1] + "1"), ("check", "composite")),
        ((PASSPORT[0], PASSPORT[1].replace("1204159", "1204158")), ("check", "expiry")),
        (zones.td3(birth="74O812"), ("date", "birth")),
        (zones.td3(number="<<<<<<<<<"), ("character", "number")),
        (zones.td3(number="A<1<2<3<4"), ("character", "number")),
    ],
)
def test_what_is_no_zone_is_refused(lines: tuple[str, ...], code: tuple[str, str]) -> None:
    assert refusal(lines) == code


def test_sex_may_be_left_open_and_countries_may_be_short() -> None:
    found = parse(zones.td3(sex="<", issuer="D<<", nationality="D<<", optional=""))
    assert (found.sex, found.issuer, found.nationality, found.optional) == ("X", "D", "D", "")
    assert parse(zones.td3(optional="", optional_check="<")).optional == ""


def test_formats_are_told_by_their_shape() -> None:
    assert [mrz.format_of(lines) for lines in (CARD, SMALL, PASSPORT, ())] == [Format.TD1, Format.TD2, Format.TD3, None]
    assert check_digit("520727") == "3"
    assert check_digit("AB2134<<<") == "5"


@given(zones.any_zone())
def test_fields_stand_where_it_says(lines: tuple[str, ...]) -> None:
    zone = mrz.parse(lines)
    text, places = "".join(lines), mrz.places(zone.format)
    parts = {name: text[first:last] for name, (first, last) in places.items()}
    assert parts["birth"] == zone.birth + mrz.check_digit(zone.birth)
    assert parts["valid_until"] == zone.expiry + mrz.check_digit(zone.expiry)
    assert parts["nationality"].rstrip("<") == zone.nationality
    assert parts["issuer"].rstrip("<") == zone.issuer
    assert parts["surname"] == parts["given_names"]
    assert parts["surname"].startswith(zone.surname.replace(" ", "<"))
    assert zone.number.replace(" ", "<").startswith(parts["number"][:-1].rstrip("<"))

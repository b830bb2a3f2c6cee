"""Characters as they were read become the lines of a zone: fillers that were lost are found again, letters stand where letters must."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import zones
from verification.documents import mrz, zone
from verification.documents.mrz import Format
from verification.documents.reading import Line
from verification.documents.zone import Character

ALIKE = {"0": "O", "1": "I", "5": "S", "8": "B"}


def row(text: str) -> list[Character]:
    return [
        Character(
            character, 0.9, (at + 0.5) / len(text), ALIKE.get(character, character if not character.isdigit() else "D"), 0.9
        )
        for at, character in enumerate(text)
    ]


@given(zones.any_zone())
def test_what_was_read_whole(lines: tuple[str, ...]) -> None:
    characters = [row(line) for line in lines]
    format_ = zone.format_of(characters)
    assert format_ is mrz.format_of(lines)
    assert format_ is not None
    assert zone.lines(format_, characters) == (lines, (0.9,) * sum(len(line) for line in lines))


@given(zones.any_zone(), st.data())
def test_lost_fillers_are_found_where_they_stood(lines: tuple[str, ...], data: st.DataObject) -> None:
    """Out of rows of three and more, and never the one at either end of a row."""
    characters = [row(line) for line in lines]
    format_ = mrz.format_of(lines)
    assert format_ is not None
    for line, one in zip(lines, characters, strict=True):
        inside = [at for at in range(1, len(line) - 1) if line[at - 1 : at + 2] == "<<<"]
        lost = data.draw(st.sets(st.sampled_from(inside), max_size=5)) if inside else set()
        for at in sorted(lost, reverse=True):
            if len(one) > 0.8 * len(line):
                del one[at]
    found = zone.lines(format_, characters)
    assert found is not None
    assert found[0] == lines


def test_letters_alone_where_the_standard_has_letters_alone() -> None:
    lines = zones.td3()
    characters = [row(line) for line in lines]
    for place in (4, 6, 12):
        characters[0][place] = Character("0", 0.95, characters[0][place].at, "O", 0.8)
    found = zone.lines(Format.TD3, characters)
    assert found is not None
    assert "0" not in found[0][0]
    assert found[0][1] == lines[1]
    assert [place for place, sure in enumerate(found[1]) if sure == 0.8] == [4, 6, 12]


@pytest.mark.parametrize("lengths", [(), (44,), (44, 44, 44), (30, 30), (20, 20), (48, 48), (30, 30, 30, 30)])
def test_no_format(lengths: tuple[int, ...]) -> None:
    assert zone.format_of([row("<" * length) for length in lengths]) is None


def test_lines_that_no_filler_explains_are_refused() -> None:
    lines = zones.td3()
    short = [row(lines[0]), row(lines[1])]
    del short[1][2]
    assert zone.lines(Format.TD3, short) is None
    assert zone.lines(Format.TD3, [row(lines[0]), row("ABC")]) is None
    assert zone.lines(Format.TD3, [row(lines[0]), row(lines[1] + "7")]) is None
    longer = zone.lines(Format.TD3, [row(lines[0] + "<<"), row(lines[1])])
    assert longer is not None
    assert longer[0] == lines


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", True),
        ("p<utoeriksson <<anna<maria<<<<<<", True),
        ("ERIKSSON ANNA MARIA UTOPIA ZENITH", False),
        ("P<UTO", False),
        ("北京市朝阳区<<北京市朝阳区北京市朝阳区北京市朝阳区", False),
    ],
)
def test_what_looks_like_a_zone(text: str, is_one: bool) -> None:
    assert zone.looks_like_zone(Line(text, 0.9, (0, 0, 1, 1))) is is_one

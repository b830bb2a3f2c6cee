"""From characters as they were read, and where they stand, to the lines of a machine readable zone. Sans I/O.

The type is of one width, so that a gap is as many fillers as fit in it, where fillers stand beside it: readers lose some of a long row of <.
Where the standard has letters alone, letters alone are read: the reader says of each character which letter it is most like.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from verification.documents.mrz import ALPHABET, SHAPES, Format
from verification.documents.reading import Line

LEAST_LENGTH = 20
LEAST_SHARE = 0.85
"""Of a line's characters, how many are of the alphabet."""

_LETTERS_AT: dict[Format, tuple[tuple[int, int, int], ...]] = {
    Format.TD1: ((0, 0, 5), (1, 7, 8), (1, 15, 18), (2, 0, 30)),
    Format.TD2: ((0, 0, 36), (1, 10, 13), (1, 20, 21)),
    Format.TD3: ((0, 0, 44), (1, 10, 13), (1, 20, 21)),
}
"""Line, from, to."""


@dataclass(frozen=True, slots=True)
class Character:
    """``at``: its middle in the line, 0 to 1. ``letter``: the letter, or filler, that it is most like, and ``letter_sure`` how sure it is of that among
    letters; in zones only."""

    text: str
    sure: float
    at: float
    letter: str = ""
    letter_sure: float = 0.0


def looks_like_zone(line: Line) -> bool:
    """By what was read without knowing that it may be one."""
    text = "".join(line.text.upper().split())
    known = sum(character in ALPHABET for character in text)
    return len(text) >= LEAST_LENGTH and "<" in text and known >= LEAST_SHARE * len(text)


def format_of(rows: Sequence[Sequence[Character]]) -> Format | None:
    """By the number of lines and about how long they are."""
    longest = max((len(row) for row in rows), default=0)
    if len(rows) == 3:
        return Format.TD1 if 26 <= longest <= 32 else None
    if len(rows) == 2:
        return Format.TD2 if 32 <= longest <= 38 else Format.TD3 if 39 <= longest <= 46 else None
    return None


def lines(format_: Format, rows: Sequence[Sequence[Character]]) -> tuple[tuple[str, ...], tuple[float, ...]] | None:
    """The lines, and of each of their characters, all lines joined, how sure it is. None: they are not of this length, and no fillers explain it."""
    _, length = SHAPES[format_]
    whole = [_of_length(list(row), length) for row in rows]
    found = [row for row in whole if row is not None]
    if len(found) != len(rows):
        return None
    for at, begin, end in _LETTERS_AT[format_]:
        row = found[at]
        row[begin:end] = [Character(character.letter, character.letter_sure, character.at) for character in row[begin:end]]
    sure = tuple(character.sure for row in found for character in row)
    return tuple("".join(character.text for character in row) for row in found), sure


def _of_length(row: list[Character], length: int) -> list[Character] | None:
    if len(row) < 4:
        return None
    if len(row) < length:
        row = _with_fillers(row, length)
    while len(row) > length and row[-1].text == "<" == row[-2].text:
        row = row[:-1]
    return row if len(row) == length else None


def _with_fillers(row: list[Character], length: int) -> list[Character]:
    pitch = median(after.at - before.at for before, after in pairwise(row))
    found = [row[0]]
    for character in row[1:]:
        last = found[-1]
        if "<" in (last.text, character.text) and pitch > 0:
            gap = round((character.at - last.at) / pitch) - 1
            missing = max(0, min(gap, length - len(row)))
            found += [Character("<", min(last.sure, character.sure), last.at, "<", min(last.sure, character.sure))] * missing
        found.append(character)
    if row[-1].text == "<":
        found += [row[-1]] * (length - len(found))
    return found

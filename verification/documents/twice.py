"""Names that stand on a document twice: in its machine readable zone, under no check digit, and printed for people. Sans I/O.

What both readings say alike is as sure as reading can make it; where they nearly agree, one of the two was misread. Letters beyond A to Z are
written out as Doc 9303-3 section 6.A recommends, or left without their marks, as many states do.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum

from verification.documents.mrz import Mrz, places

_PLAIN = {
    "Æ": "AE",
    "Œ": "OE",
    "ẞ": "SS",
    "Þ": "TH",
    "Ø": "O",
    "Ð": "D",
    "Đ": "D",
    "Ħ": "H",
    "Ĳ": "IJ",
    "Ł": "L",
    "Ŋ": "N",
    "Ŧ": "T",
}
_WRITTEN_OUT = _PLAIN | {"Ä": "AE", "Å": "AA", "Ö": "OE", "Ø": "OE", "Ü": "UE"}
_WORD = re.compile(r"[A-Z]+")
LEAST_LETTERS = 2
"""A single letter stands anywhere."""
MOST_WORDS = 8


class Twice(StrEnum):
    SAME = "same"
    NEARLY = "nearly"
    """Closer to it than another word would be by chance."""
    NOWHERE = "nowhere"


def look(name: str, lines: Iterable[str], *, cut: bool = False) -> Twice:
    """``name``: as the zone has it, in capitals, blanks between its parts. ``lines``: what was read beside the zone. ``cut``: the zone had no room for more,
    so that the printed one may be longer."""
    wanted = "".join(_WORD.findall(name))
    if len(wanted) < LEAST_LETTERS:
        return Twice.NOWHERE
    most = 1 + len(wanted) // 6
    found = Twice.NOWHERE
    for run in {run for line in lines for words in _words(line) for run in _runs(words)}:
        if run == wanted or (cut and run.startswith(wanted)):
            return Twice.SAME
        if len(wanted) > 3 and abs(len(run) - len(wanted)) <= most and _apart(run, wanted, most) <= most:
            found = Twice.NEARLY
    return found


def in_zone(parsed: Mrz, name: str, beside: Iterable[str]) -> Twice:
    """A name of a zone. Only the one that stands last can have been cut off there, and only where nothing is left after it."""
    first, last = places(parsed.format)["surname"]
    full = not "".join(parsed.lines)[first:last].endswith("<")
    return look(name, beside, cut=full and name == (parsed.given_names or parsed.surname))


def _words(line: str) -> Iterator[list[str]]:
    """Its words in A to Z, in every way of writing them."""
    text = unicodedata.normalize("NFC", line.replace("ı", "I")).upper()  # ß becomes SS
    for way in (_WRITTEN_OUT, _PLAIN):
        plain = unicodedata.normalize("NFKD", "".join(way.get(character, character) for character in text))
        yield _WORD.findall("".join(character for character in plain if not unicodedata.combining(character)))


def _runs(words: list[str]) -> Iterator[str]:
    """Words beside one another, joined: readers lose blanks, and find some that are none."""
    for first in range(len(words)):
        for last in range(first + 1, min(len(words), first + MOST_WORDS) + 1):
            yield "".join(words[first:last])


def _apart(a: str, b: str, most: int) -> int:
    """Letters put in, left out or exchanged (Levenshtein); ``most`` + 1 where it is more."""
    row = list(range(len(b) + 1))
    for place, letter in enumerate(a, 1):
        before, row[0] = row[0], place
        for at, other in enumerate(b, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (letter != other))
        if min(row) > most:
            return most + 1
    return row[-1]

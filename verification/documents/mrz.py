"""Machine readable zones of ICAO Doc 9303 (8th edition): TD1 (part 5), TD2 (part 6), TD3 (part 4). Sans I/O.

Check digits (part 3, 4.9): weights 7, 3, 1; digits are themselves, A to Z 10 to 35, < is 0; modulo 10. Every single wrong character is
found whose value differs modulo 10 from the right one; A and K, U or 0, B and L, V or 1, and so on look the same to it. Names, sex and
countries are under no check digit. Letters that were read in place of digits, and the other way round, are put right only where a check
digit then agrees - in an alphanumeric number at one place at most, and only where one candidate alone agrees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
_VALUES = {character: value for value, character in enumerate(ALPHABET[:-1])} | {"<": 0}
_DIGIT_LIKE = {"O": "0", "Q": "0", "D": "0", "I": "1", "L": "1", "Z": "2", "S": "5", "G": "6", "B": "8"}
_ALIKE = {"O": "0", "0": "O", "I": "1", "1": "I", "S": "5", "5": "S", "Z": "2", "2": "Z", "B": "8", "8": "B"}
"""Pairs that the weights tell apart; 6 and G they do not (16 ends in 6)."""


class MrzRefused(ValueError):
    """``code``: ``format`` (not a zone), ``character``, ``check``, ``date``, ``name``, ``sex``, ``country``. ``field``: which."""

    def __init__(self, code: str, field: str = "") -> None:
        super().__init__(f"{code}: {field}" if field else code)
        self.code = code
        self.field = field


class Format(StrEnum):
    TD1 = "td1"
    TD2 = "td2"
    TD3 = "td3"


SHAPES = {Format.TD1: (3, 30), Format.TD2: (2, 36), Format.TD3: (2, 44)}
"""Lines, characters to a line."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Places in the lines joined together: (from, to). ``composite``: what the last check digit is over."""

    kind: tuple[int, int]
    issuer: tuple[int, int]
    names: tuple[int, int]
    number: tuple[int, int]
    number_check: int
    nationality: tuple[int, int]
    birth: tuple[int, int]
    sex: int
    expiry: tuple[int, int]
    optional: tuple[int, int]
    optional_check: int | None
    more: tuple[int, int]
    composite: tuple[tuple[int, int], ...]
    composite_check: int


_LAYOUTS = {
    Format.TD1: _Layout(
        (0, 2), (2, 5), (60, 90), (5, 14), 14, (45, 48), (30, 36), 37, (38, 44), (15, 30), None, (48, 59),
        ((5, 30), (30, 37), (38, 45), (48, 59)), 59,
    ),
    Format.TD2: _Layout(
        (0, 2), (2, 5), (5, 36), (36, 45), 45, (46, 49), (49, 55), 56, (57, 63), (64, 71), None, (0, 0),
        ((36, 46), (49, 56), (57, 71)), 71,
    ),
    Format.TD3: _Layout(
        (0, 2), (2, 5), (5, 44), (44, 53), 53, (54, 57), (57, 63), 64, (65, 71), (72, 86), 86, (0, 0),
        ((44, 54), (57, 64), (65, 87)), 87,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mrz:
    """A zone whose check digits are all right. Dates of two-digit years as ``birth_date`` and ``expiry_date`` say.

    ``corrected``: fields of which characters were put right.
    """

    format: Format
    kind: str
    issuer: str
    surname: str
    given_names: str
    number: str
    nationality: str
    birth: str
    sex: str
    expiry: str
    optional: str
    optional2: str
    lines: tuple[str, ...]
    corrected: tuple[str, ...] = ()

    def birth_date(self, today: date) -> date:
        """The latest such day that is not after ``today``. Raises MrzRefused(``date``): unknown parts, or no such day."""
        return _day(self.birth, "birth", 100 * (today.year // 100), latest=today)

    def expiry_date(self, today: date) -> date:
        """Within 50 years of ``today``. Raises MrzRefused(``date``)."""
        century = 100 * (today.year // 100)
        found = _day(self.expiry, "expiry", century)
        if found.year - today.year > 50:
            return _day(self.expiry, "expiry", century - 100)
        if today.year - found.year > 50:
            return _day(self.expiry, "expiry", century + 100)
        return found


def check_digit(text: str) -> str:
    """Of characters of ``ALPHABET``; KeyError for another."""
    return str(sum(_VALUES[character] * (7, 3, 1)[place % 3] for place, character in enumerate(text)) % 10)


def places(format_: Format) -> dict[str, tuple[int, int]]:
    """Where each field stands in the lines joined together: (from, to), with its check digit where it has one."""
    layout = _LAYOUTS[format_]
    return {
        "document_code": layout.kind,
        "issuer": layout.issuer,
        "surname": layout.names,
        "given_names": layout.names,
        "number": (layout.number[0], layout.number_check + 1),
        "nationality": layout.nationality,
        "birth": (layout.birth[0], layout.birth[1] + 1),
        "sex": (layout.sex, layout.sex + 1),
        "valid_until": (layout.expiry[0], layout.expiry[1] + 1),
    }


def format_of(lines: Sequence[str]) -> Format | None:
    """By the number of lines and their length alone."""
    for format_, (count, length) in SHAPES.items():
        if len(lines) == count and all(len(line) == length for line in lines):
            return format_
    return None


def parse(lines: Sequence[str], *, correct: bool = False) -> Mrz:
    """``correct``: try what machines read in place of what stands there. Raises MrzRefused for whatever does not hold."""
    format_ = format_of(lines)
    if format_ is None:
        raise MrzRefused("format")
    text = "".join(lines)
    if any(character not in _VALUES for character in text):
        raise MrzRefused("character")
    layout = _LAYOUTS[format_]
    if not _opens(format_, text):
        raise MrzRefused("format", "kind")
    changed: list[str] = []
    if correct:
        text, changed = _corrected(format_, layout, text)
    return replace(_parsed(format_, layout, text), corrected=tuple(changed))


def _opens(format_: Format, text: str) -> bool:
    """Passports begin with P; cards with A, C or I, and TD2 visas are none of ours."""
    return text[0] == "P" if format_ is Format.TD3 else text[0] in "ACI"


def _parsed(format_: Format, layout: _Layout, text: str) -> Mrz:
    for name, places, check in (
        ("birth", layout.birth, layout.birth[1]),
        ("expiry", layout.expiry, layout.expiry[1]),
    ):
        if check_digit(_cut(text, places)) != text[check]:
            raise MrzRefused("check", name)
    number, optional = _number(format_, layout, text)
    if layout.optional_check is not None:
        digit, written = text[layout.optional_check], _cut(text, layout.optional)
        empty = not written.strip("<") and digit == "<"
        if not empty and check_digit(written) != digit:
            raise MrzRefused("check", "optional")
    if check_digit("".join(_cut(text, places) for places in layout.composite)) != text[layout.composite_check]:
        raise MrzRefused("check", "composite")
    for name, places in (("birth", layout.birth), ("expiry", layout.expiry)):
        if not all(character.isdigit() or character == "<" for character in _cut(text, places)):
            raise MrzRefused("date", name)
    sex = text[layout.sex]
    if sex not in "MFX<":
        raise MrzRefused("sex", "sex")
    surname, given = _names(_cut(text, layout.names))
    count, length = SHAPES[format_]
    return Mrz(
        format_,
        _cut(text, layout.kind).rstrip("<"),
        _country(_cut(text, layout.issuer), "issuer"),
        surname,
        given,
        number,
        _country(_cut(text, layout.nationality), "nationality"),
        _cut(text, layout.birth),
        sex if sex in "MF" else "X",
        _cut(text, layout.expiry),
        optional,
        _cut(text, layout.more).strip("<"),
        tuple(text[at * length : (at + 1) * length] for at in range(count)),
    )


def _cut(text: str, places: tuple[int, int]) -> str:
    return text[places[0] : places[1]]


def _number(format_: Format, layout: _Layout, text: str) -> tuple[str, str]:
    """The document number and the optional data; a longer one goes on in there with its check digit last (9303-5, 4.2.2.1 note j)."""
    number, optional, digit = _cut(text, layout.number), _cut(text, layout.optional), text[layout.number_check]
    if digit == "<" and format_ is not Format.TD3 and "<" not in number and optional[0] != "<":
        rest, _, left = optional.partition("<")
        number, digit, optional = number + rest[:-1], rest[-1], left
    if not number.strip("<"):
        raise MrzRefused("character", "number")
    if check_digit(number) != digit:
        raise MrzRefused("check", "number")
    if "<" in number.rstrip("<").replace("<", "", 2):
        raise MrzRefused("character", "number")
    return number.rstrip("<").replace("<", " "), optional.strip("<")


def _names(text: str) -> tuple[str, str]:
    if any(character.isdigit() for character in text) or text[0] == "<":
        raise MrzRefused("name", "names")
    surname, _, given = text.rstrip("<").partition("<<")
    return surname.replace("<", " "), " ".join(given.replace("<", " ").split())


def _country(text: str, field: str) -> str:
    """Three letters, or fewer with fillers behind them (D<<)."""
    code = text.rstrip("<")
    if not code or not (code.isascii() and code.isalpha()):
        raise MrzRefused("country", field)
    return code


def _day(text: str, field: str, century: int, latest: date | None = None) -> date:
    try:
        year, month, day = century + int(text[:2]), int(text[2:4]), int(text[4:6])
        if latest is not None and (year, month, day) > (latest.year, latest.month, latest.day):
            year -= 100
        return date(year, month, day)
    except ValueError:
        raise MrzRefused("date", field) from None


# ---- what machines read instead


def _corrected(format_: Format, layout: _Layout, text: str) -> tuple[str, list[str]]:
    """Dates and check digits can only be digits: one candidate each. Then the number, if it needs it."""
    changed: list[str] = []
    for name, places in (("birth", layout.birth), ("expiry", layout.expiry)):
        both = (places[0], places[1] + 1)
        candidate = _as_digits(_cut(text, both))
        if candidate != _cut(text, both) and check_digit(candidate[:-1]) == candidate[-1]:
            text = text[: both[0]] + candidate + text[both[1] :]
            changed.append(name)
    for name, place in (("number", layout.number_check), ("composite", layout.composite_check)):
        digit = _as_digits(text[place])
        if digit != text[place]:
            text = text[:place] + digit + text[place + 1 :]  # wrong: then no check over it holds
            changed.append(name)
    if _holds(format_, layout, text):
        return text, changed
    found = [candidate for candidate in _candidates(layout, text) if _holds(format_, layout, candidate)]
    if len(found) == 1:
        text = found[0]
        changed.append("number")
    return text, list(dict.fromkeys(changed))


def _as_digits(text: str) -> str:
    return "".join(_DIGIT_LIKE.get(character, character) for character in text)


def _holds(format_: Format, layout: _Layout, text: str) -> bool:
    try:
        _parsed(format_, layout, text)
    except MrzRefused as refused:
        return refused.code != "check" and refused.field != "number"
    return True


def _candidates(layout: _Layout, text: str) -> Iterator[str]:
    """With one character of the number read as what it is like."""
    for place in range(*layout.number):
        if text[place] in _ALIKE:
            yield text[:place] + _ALIKE[text[place]] + text[place + 1 :]

"""The number of a Chinese resident identity card. Sans I/O.

GB 11643-1999: six digits of the place, eight of the date of birth, three of sequence (odd: male), and a check character by ISO 7064
MOD 11-2. That check finds every single wrong character and every exchange of two neighbours; a random wrong number passes one time in
eleven, so what is printed beside the number (birth, sex) has to agree with it too.
"""

from dataclasses import dataclass
from datetime import date

LENGTH = 18
_WEIGHTS = tuple(pow(2, LENGTH - 1 - place, 11) for place in range(LENGTH - 1))
_CHECKS = "10X98765432"
EARLIEST = date(1900, 1, 1)

PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71".split()  # noqa: SIM905
)
"""First two digits of a resident identity card's number. Those of residence permits (81 to 83) and of permanent residents from abroad (9 before the province)
stand on other cards."""

_DIGIT_LIKE = str.maketrans("OoQDIl|!ZSBG", "000011112586")
_X_LIKE = str.maketrans("xK×Χχ", "XXXXX")
_MARKS = str.maketrans("", "", " \t·.,-—_:：")


class NumberRefused(ValueError):
    """``code``: ``length``, ``character``, ``place``, ``birth``, ``sequence``, ``check``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class ResidentId:
    """A number whose check character is right. ``corrected``: characters that were read as others and that it proved."""

    number: str
    place: str
    birth: date
    sequence: int
    corrected: int = 0

    @property
    def male(self) -> bool:
        return self.sequence % 2 == 1


GRACE_YEARS = 1
"""A card is asked for before a birthday and begins after it, or the other way round."""


def fits_age(birth: date, begins: date, ends: date | None) -> bool:
    """Whether a card of somebody born then is valid so long: by the Law on Resident Identity Cards, article 5, five years for whoever is under 16, ten from
    16, twenty from 26, without end (None) from 46."""
    age = begins.year - birth.year - ((begins.month, begins.day) < (birth.month, birth.day))
    years = None if ends is None else ends.year - begins.year
    least, most = {5: (0, 15), 10: (16, 25), 20: (26, 45), None: (46, 200)}.get(years, (1, 0))
    return age >= 0 and least - GRACE_YEARS <= age <= most + GRACE_YEARS and least <= most


def check_character(first17: str) -> str:
    """ISO 7064 MOD 11-2 of 17 ASCII digits."""
    return _CHECKS[sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, first17, strict=True)) % 11]


def parse(number: str) -> ResidentId:
    """Raises NumberRefused. Nothing is corrected."""
    if len(number) != LENGTH:
        raise NumberRefused("length")
    if not (number.isascii() and number[:17].isdigit() and (number[17].isdigit() or number[17] == "X")):
        raise NumberRefused("character")
    if check_character(number[:17]) != number[17]:
        raise NumberRefused("check")
    if number[:2] not in PROVINCES:
        raise NumberRefused("place")
    try:
        birth = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise NumberRefused("birth") from None
    if birth < EARLIEST:
        raise NumberRefused("birth")
    sequence = int(number[14:17])
    if sequence == 0:
        raise NumberRefused("sequence")
    return ResidentId(number, number[:6], birth, sequence)


def from_read(text: str) -> ResidentId:
    """Of text that a machine read: letters that look like digits become them, and only where the check character then is right.

    There is one candidate, never a search for one that fits. Raises NumberRefused.
    """
    plain = text.translate(_MARKS)
    if len(plain) != LENGTH:
        raise NumberRefused("length")
    number = plain[:17].translate(_DIGIT_LIKE) + plain[17].translate(_X_LIKE).translate(_DIGIT_LIKE)
    found = parse(number)
    corrected = sum(a != b for a, b in zip(plain, number, strict=True))
    return ResidentId(found.number, found.place, found.birth, found.sequence, corrected)

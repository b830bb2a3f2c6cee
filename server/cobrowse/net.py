"""The second net: numbers that identify somebody, found in words that a rule shows. Sans-I/O.

A rule may show too much, and a page may put a card's number where its author expected a heading. So what is shown is looked through once more for payment
cards (ISO/IEC 7812-1, Luhn), resident identity cards (GB 11643-1999, ISO 7064 MOD 11-2), mobile numbers, mail addresses, bank accounts (ISO 13616) and any
other long number. Digits count in whatever script and width they are written, whatever stands between them.
"""

import re
import unicodedata

MASK = "•••••"
"""Stands for whatever was there, however long it was."""
LONG_NUMBER = 9
"""So many digits, with nothing but blanks, points and hyphens between them, are nobody's amount."""
MAX_LOOKED_AT = 65_536

_BETWEEN = r"[\s.\-_/·‐-―]{0,3}"
_DIGITS = re.compile(rf"\d(?:{_BETWEEN}\d)+")
_MOBILE = re.compile(r"(?:\+?86)?1[3-9]\d{9}")
_IDENTITY = re.compile(rf"(?<!\d)(?:\d{_BETWEEN}){{17}}[\dXx](?!\w)")
_MAIL = re.compile(r"[\w.+-]\s?@\s?[\w-]{1,63}(?:\s?\.\s?[\w-]{1,63})")
_ACCOUNT = re.compile(r"(?<![A-Za-z])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?![A-Za-z0-9])")
_LONG = re.compile(rf"\d(?:{_BETWEEN}\d){{{LONG_NUMBER - 1}}}")
_TELLS = re.compile(
    "[@\\d\u1369-\u1371\u19da\u24f5-\u24fd\u24ff\u2776-\u277e\u2780-\u2788\u278a-\u2792\U00010a40-\U00010a43\U00010e60-\U00010e68\U00011052-\U0001105a]"
)
"""What has to be there for anything to be found, after NFKC: a mail address's sign, or a digit, those of scripts that ``\\d`` does not count among them."""
MAX_CHARACTERS = 4096


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


class _Plain(dict[int, str | None]):
    """What a character, after NFKC, is looked at as: digits of every script as ASCII, what nobody sees gone. Kept for the first ``MAX_CHARACTERS``."""

    def __missing__(self, code: int) -> str | None:
        one = chr(code)
        made: str | None = one
        if unicodedata.category(one) in ("Cf", "Mn", "Me"):
            made = None
        elif one.isdigit():
            made = str(unicodedata.digit(one, one))
        if len(self) < MAX_CHARACTERS:
            self[code] = made
        return made


_PLAIN = _Plain()


def identifies(text: str) -> bool:
    """Whether something in there names or numbers a person, a card or an account."""
    if len(text) > MAX_LOOKED_AT:
        return True
    if text.isascii():
        if not _TELLS.search(text):
            return False
        plain = text
    else:
        plain = unicodedata.normalize("NFKC", text)  # wide letters narrow
        if not _TELLS.search(plain):
            return False
        plain = plain.translate(_PLAIN)
    if ("@" in plain and _MAIL.search(plain)) or _ACCOUNT.search(plain):
        return True
    if not _LONG.search(plain):
        return False
    if _IDENTITY.search(plain):
        return True
    for found in _DIGITS.finditer(plain):
        digits = re.sub(r"\D", "", found[0])
        if len(digits) >= LONG_NUMBER and not _is_date(found[0]):
            return True
        if _MOBILE.fullmatch(digits):
            return True
    return False


def _is_date(text: str) -> bool:
    """A day, or a day with a time, is long, too."""
    day = r"(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12]\d|3[01])"
    return re.fullmatch(rf"{day}(?:\s\d\d)?", text) is not None


def shown(text: str) -> str:
    """The text if nobody is told by it, else the mask."""
    return MASK if identifies(text) else text

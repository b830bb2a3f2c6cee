"""The second net: numbers that identify somebody, found in words that a rule shows. Sans-I/O.

A rule may show too much, and a page may put a card's number where its author expected a heading. So what is shown is looked through once more for payment
cards (ISO/IEC 7812-1, Luhn), resident identity cards (GB 11643-1999, ISO 7064 MOD 11-2), mobile numbers, mail addresses, bank accounts (ISO 13616) and any
other long number. Digits count in whatever script and width they are written; blanks and new lines are one blank, as browsers show them. Between the digits
of a number up to three blanks, points and hyphens may stand, and any other signs where it is written in the groups of a card, an identity card or a mobile
number, or digit by digit, and checks as one: amounts and lists of numbers are left alone.
"""

import re
import unicodedata

MASK = "•••••"
"""Stands for whatever was there, however long it was."""
LONG_NUMBER = 9
"""So many digits, with nothing but blanks, points and hyphens between them, are nobody's amount."""
MAX_LOOKED_AT = 65_536

_BETWEEN = r"[\s.\-_/·‐-―−⁃・]{0,3}"
_APART = r"[\W_]{0,3}"
_SOME = re.compile(rf"\d(?:{_APART}\d){{8}}")
_RUN = re.compile(rf"\d(?:{_APART}\d)*(?:{_APART}[Xx](?!\w))?")
_GROUP = re.compile(r"\d+|[Xx]")
_CARD = re.compile(r"[34568]|2[2-7]")
_BORN = re.compile(r"\d{6}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]")
_MOBILE_GROUPS = frozenset({(3, 4, 4), (3, 8), (7, 4), (3, 3, 5), (4, 4, 3)})
_MOST_DIGITS = 19
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
MOST_GROUPS = 4000
"""Of digits in one text that are looked at in all ways; one with more is not shown."""
FEW = 256
"""Of so many characters NFKC puts any marks in order at once."""


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


class _Base(dict[int, str | None]):
    """Without marks that stand on other characters: they are not looked at, and putting many of them in order takes NFKC the square of their number."""

    def __missing__(self, code: int) -> str | None:
        one = chr(code)
        made = None if unicodedata.combining(one) or unicodedata.category(one) in ("Mn", "Me") else one
        if len(self) < MAX_CHARACTERS:
            self[code] = made
        return made


_BASE = _Base()


def identifies(text: str) -> bool:
    """Whether something in there names or numbers a person, a card or an account."""
    if len(text) > MAX_LOOKED_AT:
        return True
    if text.isascii():
        if not _TELLS.search(text):
            return False
        plain = text
    else:
        if len(text) > FEW:
            text = text.translate(_BASE)
        plain = unicodedata.normalize("NFKC", text)  # wide letters narrow
        if not _TELLS.search(plain):
            return False
        plain = plain.translate(_PLAIN)
    plain = " ".join(plain.split())
    if ("@" in plain and _MAIL.search(plain)) or _ACCOUNT.search(plain):
        return True
    if not _SOME.search(plain):
        return False
    left = MOST_GROUPS
    for found in _RUN.finditer(plain):
        groups = [one.upper() for one in _GROUP.findall(found[0])]
        left -= len(groups)
        if left < 0 or _tells_in_groups(groups):
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


def _tells_in_groups(groups: list[str]) -> bool:
    """Whether some of these digits, next to each other, are a card, an identity card or a mobile number in its usual groups, or digit by digit. Each window of
    groups costs the same however many there are: what ``luhn`` adds up is added up once."""
    digits = "".join(groups)
    sums = _sums(digits)
    begin = 0
    for first, group in enumerate(groups):
        end, narrowest, widest = begin, _MOST_DIGITS, 0
        is_card = _CARD.match(digits, begin) is not None
        for last in range(first, len(groups)):
            width = len(groups[last])
            before, end = end, end + width
            size = end - begin
            if size > _MOST_DIGITS:
                break
            widest = max(widest, width)
            if size == 18 and _BORN.fullmatch(digits, begin, end):
                if _checks(digits[begin:end]):
                    return True
            elif digits[before] == "X":
                break
            elif size >= 11:
                if is_card and size >= 13 and (widest == 1 or (last > first and narrowest >= 4)):
                    of = sums[end % 2]
                    if (of[end] - of[begin]) % 10 == 0:
                        return True
                elif size <= 13 and _is_mobile(digits[begin:end], groups[first : last + 1], alone=widest == 1):
                    return True
            narrowest = min(narrowest, width)
        begin += len(group)
    return False


def _sums(digits: str) -> tuple[list[int], list[int]]:
    """Of the digits before each place: those at even places doubled as ``luhn`` has them, and those at odd ones."""
    even, odd = [0], [0]
    for place, one in enumerate(digits):
        value = 0 if one == "X" else int(one)
        double = 2 * value - 9 if value > 4 else 2 * value
        even.append(even[-1] + (value if place % 2 else double))
        odd.append(odd[-1] + (double if place % 2 else value))
    return even, odd


def _is_mobile(digits: str, groups: list[str], *, alone: bool) -> bool:
    if _MOBILE.fullmatch(digits) is None:
        return False
    widths = tuple(map(len, groups))
    if widths[:1] == (2,) and digits.startswith("86"):
        widths = widths[1:]
    return alone or widths in _MOBILE_GROUPS


def _checks(identity: str) -> bool:
    """ISO 7064 MOD 11-2."""
    total = 0
    for one in identity:
        total = (total * 2 + (10 if one == "X" else int(one))) % 11
    return total == 1


def _is_date(text: str) -> bool:
    """A day, or a day with a time, is long, too."""
    day = r"(?:19|20)\d\d[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12]\d|3[01])"
    return re.fullmatch(rf"{day}(?:\s\d\d)?", text) is not None


def shown(text: str) -> str:
    """The text if nobody is told by it, else the mask."""
    return MASK if identifies(text) else text

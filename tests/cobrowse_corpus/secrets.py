"""Secrets that can be told from everything else, and where something has one: as it is, as numbers are written, coded, turned round or in pieces."""

import base64
import itertools
import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from urllib.parse import unquote

from server.cobrowse.net import luhn

HEAD, TAIL = "zQ7xKp3", "Vk9w"
LENGTH = len(HEAD) + 5 + len(TAIL)
CARD, PHONE, IDENTITY = "62294821", "1397", "11010519491231"
_ENDS = re.compile(rf"{HEAD}|\d{{5}}{TAIL}", re.IGNORECASE)
_WORD = re.compile(rf"{HEAD}\d{{5}}{TAIL}", re.IGNORECASE)
_NUMBERS = re.compile(rf"(?={CARD}|{PHONE}|{IDENTITY})")


class Secrets:
    """Makes secrets and knows what each was planted as. ``planted``: by the secret."""

    def __init__(self) -> None:
        self._counts = {sort: itertools.count(1) for sort in SORTS}
        self.planted: dict[str, str] = {}

    def make(self, sort: str, where: str) -> str:
        """A word, or the number of a card, a telephone or an identity card, or a mail address."""
        made = SORTS[sort](next(self._counts[sort]))
        assert made not in self.planted
        self.planted[made] = where
        return made

    def found(self, *given: str) -> set[str]:
        """Where they were planted, of those of which something is in there; ``?`` and what it looks like for a part of one."""
        folded = {one[:LENGTH].lower(): one for one in reversed(self.planted)}
        return {self.planted.get(one, f"? {one}") for text in set(given) for one in found(text, self.planted, folded)}


def word(number: int) -> str:
    """Letters of both cases and digits, as tokens have them; a name of a class as well."""
    return f"{HEAD}{number:05d}{TAIL}"


def card(number: int) -> str:
    body = f"{CARD}{number:07d}"
    return next(body + last for last in "0123456789" if luhn(body + last))


def phone(number: int) -> str:
    return f"{PHONE}{number:07d}"


def identity(number: int) -> str:
    """GB 11643-1999; of one day and place, so below 1000."""
    body = f"{IDENTITY}{number:03d}"
    weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]
    total = sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True))
    return body + "10X98765432"[total % 11]


def mail(number: int) -> str:
    return f"{word(50_000 + number)}@post.example"


SORTS: dict[str, Callable[[int], str]] = {"word": word, "card": card, "phone": phone, "identity": identity, "mail": mail}


def found(text: str, known: dict[str, str], folded: dict[str, str]) -> Iterator[str]:
    """Secrets in a text, or what a part of one looks like. ``folded``: those known, by their first letters in lower case."""
    readings = list(_readings(text))
    for one in readings:
        lower = one.lower()
        for hit in _ENDS.finditer(one) if HEAD.lower() in lower or TAIL.lower() in lower else ():
            whole = _WORD.match(one, hit.start()) or _WORD.match(one, max(0, hit.end() - LENGTH))
            yield _as_known(hit[0] if whole is None else whole[0], known, folded)
    for digits in (one.upper().encode("ascii", "ignore").translate(None, _NO_DIGIT).decode() for one in readings):
        for at in _NUMBERS.finditer(digits):
            for length in (16, 11, 18):
                if (number := digits[at.start() : at.start() + length]) in known:
                    yield number
    yield from (f"coded: {form}" for form in CODED if form in text)


def _as_known(hit: str, known: dict[str, str], folded: dict[str, str]) -> str:
    for one in (hit, f"{hit}@post.example"):
        if one in known:
            return one
    return folded.get(hit.lower(), hit)


def _readings(text: str) -> Iterator[str]:
    """The same as a browser, a server or somebody patient would read it."""
    yield text
    if "%" in text:
        yield unquote(text)
    plain = unicodedata.normalize("NFKC", text)
    yield _joined(plain)
    yield text[::-1]


def _coded(part: str) -> Iterator[str]:
    """Base64 at each of the three places that it can begin at, and hexadecimal."""
    for skipped in range(3):
        made = base64.b64encode(b"\0" * skipped + part.encode()).decode()
        yield made[-(-skipped * 4 // 3) : len(part) * 4 // 3 - 2].rstrip("=") if skipped else made[: len(part) * 4 // 3 - 1]
    yield part.encode().hex()


def _joined(text: str) -> str:
    """Letters and digits alone, of any alphabet."""
    short = text.encode("utf-8", "surrogatepass").translate(None, _BETWEEN).decode("utf-8", "surrogatepass")
    return short if short.isascii() else re.sub(r"[\W_]+", "", short)


_BETWEEN = bytes(one for one in range(128) if not chr(one).isalnum())
_NO_DIGIT = bytes(one for one in range(128) if chr(one) not in "0123456789X")


CODED = frozenset(form for part in (HEAD, CARD) for form in _coded(part))


def leaves(given: object) -> Iterator[str]:
    """All texts in what a frame says, names of fields among them."""
    waiting = [given]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            yield from one
            waiting.extend(reversed(one.values()))
        elif isinstance(one, list):
            waiting.extend(reversed(one))
        elif isinstance(one, int | float):
            yield str(one)


def said(frames: list[str]) -> Iterator[str]:
    """What frames say, in every way that it can be put together: each as it came, what they carry one behind the other, and the words of each event that several
    carry, one by one and in one. An event that another one breaks off counts as it came."""
    yield "\n".join(frames)
    carried = [part for part in map(json.loads, frames) if "text" in part and "last" in part]
    yield "".join(part["text"] for part in carried)
    whole, n = "", None
    for part in carried:
        whole = whole + part["text"] if part["n"] == n else part["text"]
        n = part["n"]
        if part["last"]:
            words = list(leaves(json.loads(whole)))
            yield "\n".join(words)
            yield "".join(one for one in words if not one.isdecimal() or len(one) > 3)
            n = None


def ended(frames: list[str]) -> int:
    """Up to where they carry whole events."""
    end = len(frames)
    while end and json.loads(frames[end - 1]).get("last") is False:
        end -= 1
    return end

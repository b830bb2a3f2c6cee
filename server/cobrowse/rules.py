"""Which parts of which pages may be seen: rule packs in TOML. Sans-I/O.

    [[page]]
    url = "https://bank.example/transfers/*"   # `*` one part of the path, `**` at the end the rest; what comes behind ? and # never counts
    name = "transfer"                          # what viewers see in place of the address
    show = ["h1", "label", "main nav"]         # words that may be read, with all that is in there
    values = ["#amount"]                       # what the customer enters there may be read
    mask = [".balance"]                        # never, with all that is in there, whatever else says so
    block = ["#adviser-photo"]                 # an empty box stands there
    click = [".tabs button", "#next-month"]    # what an agent may click, once allowed to: nothing that sends or confirms anything
    images = ["#logo", ".card-art img"]        # pictures (`img`) that may be seen: all others are left out
    pause = false                              # true: nothing of this page is shown at all

The first page whose address fits holds. On pages that no rule names everything is masked.
"""

import hashlib
import re
import tomllib
from enum import IntEnum
from urllib.parse import unquote, urlsplit

import msgspec

from server.cobrowse.selectors import Selector, SelectorInvalid, read_selector
from server.errors import ConfigError

MAX_TEXT = 256 * 1024
MAX_PAGES = 500
MAX_SELECTORS = 200
MAX_URL = 4096
ELSEWHERE = "…"
"""The name of a page that no rule names."""
_KEYS = frozenset({"url", "name", "show", "values", "mask", "block", "click", "images", "pause"})
_PAGE_NAME = re.compile(r"[\w .:/{}-]{1,80}")
_BEHIND = re.compile(r"[?#]")
_PATH_PART = re.compile(r"[^/?#*\s]+|\*")


class RulePackInvalid(ConfigError):
    """A rule pack cannot be used: where, and why."""

    code = "cobrowse_rules_invalid"


class Level(IntEnum):
    """What of a node may be seen; the less, the lower."""

    GONE = 0
    """Nothing: not even how large it is."""
    BLOCKED = 1
    """A box."""
    SEALED = 2
    """That there is something, with all that is in it, whatever other rules say."""
    MASKED = 3
    """The same, unless a rule shows something in it."""
    SHOWN = 4


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One entry. ``origin``: scheme and host in lower case; ``parts``: of the path, ``*`` for any, ``rest``: whether more may come."""

    name: str
    origin: str = ""
    parts: tuple[str, ...] = ()
    rest: bool = False
    show: tuple[Selector, ...] = ()
    values: tuple[Selector, ...] = ()
    mask: tuple[Selector, ...] = ()
    block: tuple[Selector, ...] = ()
    click: tuple[Selector, ...] = ()
    images: tuple[Selector, ...] = ()
    pause: bool = False

    def fits(self, origin: str, parts: tuple[str, ...]) -> bool:
        if origin != self.origin or len(parts) < len(self.parts) or (len(parts) > len(self.parts) and not self.rest):
            return False
        return all(mine in ("*", theirs) for mine, theirs in zip(self.parts, parts, strict=False))

    def fits_loosely(self, origin: str, parts: tuple[str, ...]) -> bool:
        """``parts``: as ``_loosely`` makes them."""
        mine = _loosely(self.parts)
        if origin != self.origin or len(parts) < len(mine) or (len(parts) > len(mine) and not self.rest):
            return False
        return all(one in ("*", theirs) for one, theirs in zip(mine, parts, strict=False))

    def names(self) -> frozenset[str]:
        """The attributes by which a node's level may change, or what may be done with it."""
        kinds = (self.show, self.values, self.mask, self.block, self.click, self.images)
        return frozenset().union(*(one.names() for kind in kinds for one in kind))


UNKNOWN_PAGE = Page(name=ELSEWHERE)
UNREADABLE_PAGE = Page(name=ELSEWHERE, pause=True)
"""Its path is longer than any that is read: it may be one that is to pause."""


class RulePack(msgspec.Struct, frozen=True):
    """``hash``: SHA-256 of the file, hexadecimal; it stands in every consent."""

    pages: tuple[Page, ...]
    hash: str

    def page(self, url: str) -> Page:
        """The first that fits; ``UNKNOWN_PAGE`` for what no rule names or nobody can read, and for an address that a server may take for that of another entry,
        unless that pauses."""
        url = _BEHIND.split(url, 1)[0]
        if len(url) > MAX_URL:
            return UNREADABLE_PAGE
        try:
            origin, parts = _split(url)
        except ValueError:
            return UNKNOWN_PAGE
        page = next((page for page in self.pages if page.fits(origin, parts)), UNKNOWN_PAGE)
        loosely = _loosely(parts)
        other = next((one for one in self.pages if one.fits_loosely(origin, loosely)), page)
        if other is page or page.pause:
            return page
        return other if other.pause else UNKNOWN_PAGE


def read_rules(text: bytes, *, where: str = "rules") -> RulePack:
    """Raises RulePackInvalid."""

    def refuse(why: str) -> RulePackInvalid:
        return RulePackInvalid(f"{where}: {why}")

    if len(text) > MAX_TEXT:
        raise refuse(f"longer than {MAX_TEXT} bytes")
    try:
        content = tomllib.loads(text.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise refuse(str(error)) from None
    pages = content.get("page", [])
    if set(content) - {"page"} or not isinstance(pages, list) or not all(isinstance(one, dict) for one in pages):
        raise refuse("only [[page]] is known")
    if len(pages) > MAX_PAGES:
        raise refuse(f"more than {MAX_PAGES} pages")
    read = []
    for number, one in enumerate(pages, 1):
        try:
            read.append(_page(one))
        except ValueError as error:
            raise refuse(f"page {number}: {error}") from None
    return RulePack(tuple(read), hashlib.sha256(text).hexdigest())


def _page(given: dict[str, object]) -> Page:
    if unknown := sorted(set(given) - _KEYS):
        raise ValueError(f"unknown key {unknown[0]}")
    url, name, pause = given.get("url"), given.get("name"), given.get("pause", False)
    if not isinstance(url, str) or not isinstance(name, str) or not isinstance(pause, bool):
        raise ValueError("url and name are texts, pause is true or false")
    if not _PAGE_NAME.fullmatch(name):
        raise ValueError("name: 1 to 80 letters, digits, blanks and . : / { } - _")
    if "?" in url or "#" in url:
        raise ValueError("url: what comes behind ? or # never counts")
    rest = url.endswith("/**")
    origin, parts = _split(url.removesuffix("**"))
    if not all(_PATH_PART.fullmatch(part) for part in parts if part):
        raise ValueError("url: `*` stands for a whole part of the path, `**` only at its end")
    selectors = {kind: _selectors(kind, given.get(kind, [])) for kind in ("show", "values", "mask", "block", "click", "images")}
    if pause and any(selectors.values()):
        raise ValueError("pause: of a page that is not shown no part is")
    if rest:
        parts = parts[:-1]
    return Page(name=name, origin=origin, parts=parts, rest=rest, pause=pause, **selectors)


def _selectors(kind: str, given: object) -> tuple[Selector, ...]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise ValueError(f"{kind}: a list of selectors")
    if len(given) > MAX_SELECTORS:
        raise ValueError(f"{kind}: more than {MAX_SELECTORS}")
    try:
        return tuple(read_selector(one) for one in given)
    except SelectorInvalid as error:
        raise ValueError(f"{kind}: {error}") from None


def _loosely(parts: tuple[str, ...]) -> tuple[str, ...]:
    """A path as servers may read it: case, escapes, parameters, empty parts and dots do not count."""
    made: list[str] = []
    for part in parts:
        before, one = "", part
        for _ in range(3):
            if one == before:
                break
            before, one = one, unquote(one)
        for name in one.replace("\\", "/").split("/"):
            plain = name.partition(";")[0].casefold().strip()
            if plain == "..":
                del made[-1:]
            elif plain not in ("", "."):
                made.append(plain)
    return tuple(made)


def _split(url: str) -> tuple[str, tuple[str, ...]]:
    """(origin, parts of the path). Raises ValueError: no address of the web."""
    found = urlsplit(url)
    if found.scheme not in ("http", "https") or not found.hostname or found.username is not None or found.password is not None:
        raise ValueError("url: http(s)://host/path")
    port = found.port
    usual = {"http": 80, "https": 443}[found.scheme]
    host = f"[{found.hostname}]" if ":" in found.hostname else found.hostname
    origin = f"{found.scheme}://{host}" + ("" if port in (None, usual) else f":{port}")
    return origin, tuple(found.path.removeprefix("/").split("/"))

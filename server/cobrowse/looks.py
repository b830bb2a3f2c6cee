"""What rules see of elements: worked out once for all of a page that look the same, and kept as long as there are such. Sans-I/O."""

from collections.abc import Callable, Iterable
from typing import Any

from server.cobrowse import allowed
from server.cobrowse.matching import Matching
from server.cobrowse.shadow import Look

LOOKED_AT = frozenset({"id", "class", "name", "type", "autocomplete", "data-rr-is-password", "contenteditable"})
"""Attributes that matter whatever rules look at."""
MAX_VALUE = 4096
MAX_CLASSES = 200
"""Of what rules look at: an element with more is sealed, and what it has more is not kept."""
MAX_SECRETS = 10_000
_BEYOND = "\0"
_CLASS_COSTS, _LOOK_COSTS = 100, 500  # bytes, beside the letters
_NO_WORDS = frozenset({"checkbox", "radio", "button", "submit", "reset", "image"})


class TooMuch(ValueError):
    """A page beyond ``Limits``: nothing more of it is shown."""


class Looks:
    """Of the nodes of one page. ``looked_at``: names of attributes that matter; ``most``: bytes of all of them; ``used``:
    what nodes have now."""

    def __init__(self, looked_at: frozenset[str], matching: Matching, most: int, used: Callable[[], Iterable[Look]]) -> None:
        self._looked_at = looked_at
        self._matching = matching
        self._most = most
        self._used = used
        self._known: dict[tuple[str, ...], Look] = {}
        self.bytes = 0
        """Of those that there are, and of some that are gone."""
        self._count_at = most

    def clear(self) -> None:
        self._known.clear()
        self.bytes, self._count_at = 0, self._most

    def of(self, tag: str, svg: bool, attributes: dict[str, Any]) -> Look:
        """What rules see of an element with these attributes, any more than that left out. Raises TooMuch."""
        looked_at = self._looked_at
        key, beyond = [tag, "svg" if svg else ""], False
        for name, value in attributes.items():
            lower = name.lower()
            if lower in looked_at and (type(value) is str or isinstance(value, int)):
                text = str(value)
                if len(text) > MAX_VALUE or (
                    lower == "class" and text.count(" ") > MAX_CLASSES and len(text.split()) > MAX_CLASSES
                ):
                    text, beyond = "", True
                key += lower, text
        if beyond:
            key += _BEYOND, ""
        whole_key = tuple(key)
        found = self._known.get(whole_key)
        if found is None:
            found = self._known[whole_key] = self._made(tag, svg, dict(zip(key[2::2], key[3::2], strict=True)))
            self._count(found)
        return found

    def _made(self, tag: str, svg: bool, attributes: dict[str, str]) -> Look:
        look = Look(tag, attributes, svg=svg)
        look.leaves_as = allowed.element_as(tag)
        look.fits = self._matching.fits(look)
        look.sealed = _BEYOND in attributes
        editable = attributes.get("contenteditable", "no").strip().lower() in ("", "true", "plaintext-only")
        look.shuts = 2 if look.sealed else int(editable)
        kind, autocomplete = attributes.get("type", "").lower(), attributes.get("autocomplete", "")
        look.secret = (
            "data-rr-is-password" in attributes
            or kind == "password"
            or allowed.NEVER_AUTOCOMPLETE.search(autocomplete.lower()) is not None
        )
        if tag in allowed.CONTROLS and kind not in _NO_WORDS:
            named = (attributes.get("name", ""), attributes.get("id", ""))
            look.named = tuple(one for one in named if one)
            look.secret |= any(allowed.NEVER_NAMES.search(one) for one in (*named, autocomplete))
        look.sensitive = look.secret or look.sealed or kind in allowed.NEVER_TYPES
        return look

    def _count(self, look: Look) -> None:
        """Those that no node has any more go when they would be too much."""
        self.bytes += _costs(look)
        if self.bytes > self._count_at:
            used = {look, *self._used()}
            self._known = {key: one for key, one in self._known.items() if one in used}
            self.bytes = sum(map(_costs, used))
            if self.bytes > self._most:
                raise TooMuch
            self._count_at = self.bytes + self._most // 4


def _costs(look: Look) -> int:
    letters = sum(len(name) + 2 * len(value) for name, value in look.attributes.items())
    return _LOOK_COSTS + letters + _CLASS_COSTS * len(look.classes)


class Secrets:
    """The fields of one document that were secret once: they stay so, over pictures, moves and addresses. ``names``: of fields that may come again as other
    nodes, as frameworks make them."""

    __slots__ = ("ids", "names")

    def __init__(self) -> None:
        self.ids: set[int] = set()
        self.names: set[str] = set()

    def add(self, id: int, look: Look) -> None:
        """Raises TooMuch: nothing of such a page is shown, as it would not be known what of it is secret."""
        self.ids.add(id)
        if look.secret:
            self.names.update(look.named)
        if len(self.ids) + len(self.names) > MAX_SECRETS:
            raise TooMuch

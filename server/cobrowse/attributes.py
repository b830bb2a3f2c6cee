"""Which attributes of an element leave, and how: one look into a table for each. Sans-I/O. What may leave at all, ``allowed`` says."""

from collections.abc import Mapping
from enum import Enum, auto
from functools import cache

import msgspec

from server.cobrowse import allowed
from server.cobrowse.pictured import WRITTEN


class How(Enum):
    """What becomes of a value."""

    NAMES = auto()  # of classes and ids
    STYLE = auto()  # an element's own
    SHEET = auto()
    NAME = auto()  # of the field that a label is for
    LINK = auto()
    WORDS = auto()
    ENTERED = auto()  # or chosen
    PLAIN = auto()  # one of a few words, or a number
    SCROLL = auto()  # how far
    IMAGE = auto()  # the tab's number of what is seen there
    NEVER = auto()  # rules look at it


class Carried(msgspec.Struct, frozen=True):
    """``written``: the name as it leaves. ``kept``: of ``PLAIN``. ``shown_only``: where words are shown. ``goes``: that it is taken away leaves, too. ``alone``:
    what leaves depends on more than the element's attributes and whether words are shown there."""

    how: How
    written: str
    kept: allowed.Kept | None = None
    shown_only: bool = False
    goes: bool = True
    alone: bool = False


_IMAGE = {"rr_asset": Carried(How.IMAGE, WRITTEN, alone=True)}
_ENTERED = ("input", "option", "select", "textarea", "button")


class Tables:
    """Of all elements of a page. ``looked_at``: names of attributes that its rules look at; ``images``: whether they let any be seen."""

    def __init__(self, looked_at: frozenset[str], *, images: bool = False) -> None:
        self._looked_at = looked_at
        self._images = images
        self._of: dict[tuple[str, bool], Mapping[str, Carried]] = {}

    def __call__(self, tag: str, svg: bool) -> Mapping[str, Carried]:
        """Of an element, by their names in lower case; all others are dropped, and nobody asks for them."""
        table = self._of.get((tag, svg))
        if table is None:
            if tag not in allowed.ELEMENTS and tag:
                return self("", svg)
            never = {name: Carried(How.NEVER, name, goes=False) for name in self._looked_at}
            table = self._of[tag, svg] = {**never, **_carried(tag, svg), **(_IMAGE if self._images and tag == "img" else {})}
        return table


@cache
def _carried(tag: str, svg: bool) -> Mapping[str, Carried]:
    made: dict[str, Carried] = {}
    plain = {**(allowed.SVG if svg else {}), **allowed.GLOBAL, **allowed.OF_ELEMENT.get(tag, {})}
    for name, kept in plain.items():
        written = allowed.REPLAYED.get(name) or (allowed.SVG_NAMES.get(name, name) if svg else name)
        if name in allowed.REPLAYED:
            made[name] = Carried(How.SCROLL, written, kept, alone=True)
            continue
        drawn = svg and name in allowed.SVG and name not in allowed.SHAPES
        made[name] = Carried(How.PLAIN, written, kept, drawn or name in allowed.STATES)
    if tag in _ENTERED:
        made.update((name, Carried(How.ENTERED, name, alone=True)) for name in ("value", "checked", "selected"))
    made.update((name, Carried(How.WORDS, name)) for name in allowed.WORDS)
    if svg or tag == "a":
        made.update((name, Carried(How.LINK, name, goes=False)) for name in ("href", "xlink:href"))
    if tag == "label":
        made["for"] = Carried(How.NAME, "for", goes=False)
    if tag in ("link", "style"):
        made["_csstext"] = Carried(How.SHEET, "_cssText", goes=False, alone=True)
    made.update({"style": Carried(How.STYLE, "style"), "class": Carried(How.NAMES, "class"), "id": Carried(How.NAMES, "id")})
    return made

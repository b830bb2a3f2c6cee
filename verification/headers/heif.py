"""HEIC without its pixels: ISO/IEC 14496-12 4.2 (boxes), 8.11 (items); 23008-12 6.5.3 (size), 6.6.2.3 (grid), annex B (HEVC). Sans I/O.

What is decoded is the primary item: one coded picture, or a grid of them, perhaps with one of its transparency; every other derivation (``iovl``, ``iden``,
``tmap``, grids of grids) is refused. What that takes is told by the parameter sets of the coded pictures themselves (``hevc.py``). A decoder copies what is
said about a picture for each picture in the file, so that is counted as often as it is said.
"""

import struct
from dataclasses import dataclass, field
from typing import NoReturn

from verification.headers.boxes import Numbers, boxes
from verification.headers.common import Header, broken, no_foreigner, refuse, truncated
from verification.headers.hevc import Coded, Units
from verification.reasons import ReasonCode

_STILL = {b"heic", b"heix", b"heim", b"heis", b"mif1"}
_MOVING = {b"hevc", b"hevx", b"hevm", b"hevs", b"msf1"}
_AT_TOP = {b"ftyp", b"meta", b"mdat", b"free", b"skip", b"uuid"}
_ONCE = {b"pitm", b"iinf", b"iloc", b"iref", b"iprp", b"idat"}
_TRANSPARENCY = (
    b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha",
    b"urn:mpeg:hevc:2015:auxid:1",
    b"urn:mpeg:avc:2015:auxid:1",
)
"""What ``auxC`` calls it; depths and gain maps are not decoded."""
_PICTURES = {b"hvc1", b"grid"}
_MOST_TILES = 768
"""48 are 12 megapixels of a telephone."""
_MOST_ITEMS = 1000
_MOST_SAID = 4 << 20
"""Bytes of properties and metadata, each as often as an item has it: 192 tiles with a colour profile of 4 kB have 0.8 MB."""
_MOST_NUMBERS = 65_536
"""In the tables that say what belongs together."""

_COST = {(False, False): 7.7, (True, False): 9.2, (False, True): 12.2, (True, True): 15.2}
"""Bytes a pixel of a picture that the decoder gives, by whether it has more colour than 4:2:0 and more than 8 bits."""


@dataclass(slots=True)
class _Item:
    """``places``: first byte and byte after the last of each of its extents."""

    kind: bytes = b""
    places: list[tuple[int, int]] = field(default_factory=list)
    properties: list[tuple[bytes, int, int]] = field(default_factory=list)

    def property(self, data: bytes, kind: bytes) -> bytes:
        """The first of this kind; b"" without one."""
        return next((data[first:last] for name, first, last in self.properties if name == kind), b"")


def read_heif(data: bytes) -> Header:
    """``clean`` is all of it: the places of its parts are absolute."""
    metas: list[tuple[int, int]] = []
    has_data = False
    for number, (kind, start, end) in enumerate(boxes(data, 0, len(data))):
        if number == 0:
            _brands(data[start:end])
        if kind == b"moov":
            refuse(ReasonCode.IMAGE_ANIMATED, "the picture is animated")
        if kind not in _AT_TOP:
            refuse(ReasonCode.IMAGE_FOREIGN_DATA, "something that is no picture hides in it")
        if kind in {b"free", b"skip", b"uuid"}:
            no_foreigner(data[start:end])
        if kind == b"meta":
            metas.append((start + 4, end))
        has_data = has_data or kind == b"mdat"
    if len(metas) != 1 or not has_data:
        broken("a HEIC without a picture, or with several")
    return _Meta(data, *metas[0]).header()


def _brands(body: bytes) -> None:
    if body[:4] in _MOVING:
        refuse(ReasonCode.IMAGE_ANIMATED, "the picture is animated")
    if body[:4] not in _STILL or not {body[at : at + 4] for at in range(0, min(len(body), 256), 4)} & {b"heic", b"heix"}:
        _unknown()


def _unknown() -> NoReturn:
    refuse(ReasonCode.IMAGE_FORMAT_UNKNOWN, "this kind of HEIF is not read")


class _Meta:
    """The items of a file and how they belong together."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self._units = Units()
        self._items: dict[int, _Item] = {}
        self._references: list[tuple[bytes, int, list[int]]] = []
        self._budget = [_MOST_NUMBERS]
        self._unread = len(data)
        if start > end:
            truncated()
        found: dict[bytes, tuple[int, int]] = {}
        for kind, first, last in boxes(data, start, end):
            if kind in found and kind in _ONCE:
                broken("a HEIC says the same twice")
            found[kind] = first, last
        for kind in (b"pitm", b"iinf", b"iloc", b"iprp"):
            if kind not in found:
                broken("a HEIC without a picture")
        self._primary = self._read_primary(*found[b"pitm"])
        self._read_kinds(*found[b"iinf"])
        self._read_places(*found[b"iloc"], found.get(b"idat", (0, 0)))
        self._read_properties(*found[b"iprp"])
        if b"iref" in found:
            self._read_references(*found[b"iref"])
        self._check_said()

    def header(self) -> Header:
        """Of the primary item."""
        width, height = self._size(self._primary)
        if not width or not height:
            broken("a picture of no size")
        memory = self._memory(self._primary, width, height)
        over = [(item, whose) for kind, item, whose in self._references if kind == b"auxl" and self._is_transparency(item)]
        if over and [whose for _, whose in over] != [[self._primary]]:
            _unknown()  # transparency of a part
        for item, _ in over:
            memory += self._memory(item, *self._size(item)) + width * height
        return Header("HEIF", width, height, 1, self._data, max(memory, 1.0) / (width * height))

    def _check_said(self) -> None:
        said = sum(last - first for item in self._items.values() for _, first, last in item.properties)
        for _, number, others in self._references:
            if number in self._items and self._items[number].kind not in _PICTURES:
                said += len(others) * sum(last - first for first, last in self._items[number].places)
        if said > _MOST_SAID:
            broken("a HEIC says too much about its pictures")
        if sum(last - first for item in self._items.values() for first, last in item.places) > len(self._data):
            broken("the places of a HEIC make no sense")

    # ---- what it takes

    def _memory(self, number: int, width: int, height: int) -> float:
        """Bytes that decoding it takes at the most; more for what takes longer than its size."""
        item = self._item(number)
        if item.kind == b"hvc1":
            coded = self._coded(item)
            return _cost(coded) * max(coded.pixels, width * height)
        if item.kind != b"grid":
            _unknown()
        tiles = self._tiles(number, item, (width, height))
        return max(_cost(tile) for tile in tiles) * max(sum(tile.pixels for tile in tiles), width * height)

    def _tiles(self, number: int, item: _Item, size: tuple[int, int]) -> list[Coded]:
        shape = self._body(item)
        wide = 4 if len(shape) > 1 and shape[1] & 1 else 2
        if len(shape) < 4 + 2 * wide:
            truncated()
        if (int.from_bytes(shape[4 : 4 + wide], "big"), int.from_bytes(shape[4 + wide : 4 + 2 * wide], "big")) != size:
            broken("a HEIC says two sizes")
        tiles = [one for kind, whose, others in self._references if kind == b"dimg" and whose == number for one in others]
        if len(tiles) != (shape[2] + 1) * (shape[3] + 1) or len(tiles) > _MOST_TILES:
            broken("the tiles of a HEIC make no sense")
        found = [self._item(tile) for tile in tiles]
        if any(tile.kind != b"hvc1" for tile in found):
            _unknown()
        return [self._coded(tile) for tile in found]

    def _coded(self, item: _Item) -> Coded:
        return self._units.coded(item.property(self._data, b"hvcC"), self._body(item))

    def _body(self, item: _Item) -> bytes:
        """Nothing is two pictures: what is decoded again and again takes time that the size of a file would not tell."""
        self._unread -= sum(last - first for first, last in item.places)
        if self._unread < 0:
            broken("the places of a HEIC make no sense")
        return b"".join(self._data[first:last] for first, last in item.places)

    def _is_transparency(self, number: int) -> bool:
        return self._item(number).property(self._data, b"auxC")[4:].startswith(_TRANSPARENCY)

    def _item(self, number: int) -> _Item:
        found = self._items.get(number)
        if found is None:
            broken("an item of a HEIC is not there")
        return found

    def _size(self, number: int) -> tuple[int, int]:
        said = self._item(number).property(self._data, b"ispe")
        if len(said) != 12:
            broken("a HEIC without a size")
        width, height = struct.unpack(">II", said[4:])
        return width, height

    # ---- what is said

    def _numbers(self, first: int, last: int) -> Numbers:
        return Numbers(self._data, first, last, self._budget)

    def _read_primary(self, first: int, last: int) -> int:
        numbers = self._numbers(first, last)
        version, _ = numbers.full()
        return numbers.take(4 if version else 2)

    def _read_kinds(self, first: int, last: int) -> None:
        numbers = self._numbers(first, last)
        version, _ = numbers.full()
        numbers.take(4 if version else 2)
        for kind, begin, end in boxes(self._data, numbers.at, last):
            entry = self._numbers(begin, end)
            version, _ = entry.full()
            if kind != b"infe" or version not in (2, 3):
                continue
            number = entry.take(4 if version == 3 else 2)
            entry.take(2)
            if number in self._items:
                broken("a HEIC says the same twice")
            self._items[number] = _Item(entry.take(4).to_bytes(4, "big"))
            if len(self._items) > _MOST_ITEMS:
                broken("a HEIC has too many parts")
            if self._items[number].kind == b"mime" and self._data[entry.at : end].rstrip(b"\0").count(b"\0") > 1:
                _unknown()  # 14496-12 8.11.6: packed, and whoever reads it unpacks it

    def _read_places(self, first: int, last: int, idat: tuple[int, int]) -> None:
        """14496-12 8.11.3."""
        numbers = self._numbers(first, last)
        version, _ = numbers.full()
        sizes, more = numbers.take(1), numbers.take(1)
        of_offset, of_length, of_base = sizes >> 4, sizes & 15, more >> 4
        of_index = more & 15 if version else 0
        for _ in range(numbers.take(2 if version < 2 else 4)):
            number = numbers.take(2 if version < 2 else 4)
            where = numbers.take(2) & 15 if version else 0
            if numbers.take(2) or where > 1:
                _unknown()
            start, end = idat if where else (0, len(self._data))
            base = start + numbers.take(of_base)
            places = []
            for _ in range(numbers.take(2)):
                numbers.take(of_index)
                at = base + numbers.take(of_offset)
                length = numbers.take(of_length)
                stop = at + length if length else end
                if stop > end or at > end:
                    truncated()
                places.append((at, stop))
            if number in self._items:
                if self._items[number].places:
                    broken("a HEIC says the same twice")
                self._items[number].places = places

    def _read_properties(self, first: int, last: int) -> None:
        """14496-12 8.11.14; 23008-12 9.3."""
        known: list[tuple[bytes, int, int]] | None = None
        links: list[tuple[int, int]] = []
        for kind, begin, end in boxes(self._data, first, last):
            if kind == b"ipco":
                if known is not None:
                    broken("a HEIC says the same twice")
                known = list(boxes(self._data, begin, end))
            elif kind == b"ipma":
                links.append((begin, end))
        for begin, end in links:
            numbers = self._numbers(begin, end)
            version, flags = numbers.full()
            for _ in range(numbers.take(4)):
                item = self._items.get(numbers.take(4 if version else 2))
                for _ in range(numbers.take(1)):
                    place = numbers.take(2) & 0x7FFF if flags & 1 else numbers.take(1) & 0x7F
                    if item is not None and known and 0 < place <= len(known) and len(item.properties) < 64:
                        item.properties.append(known[place - 1])

    def _read_references(self, first: int, last: int) -> None:
        """14496-12 8.11.12."""
        numbers = self._numbers(first, last)
        version, _ = numbers.full()
        size = 4 if version else 2
        for kind, begin, end in boxes(self._data, numbers.at, last):
            entry = self._numbers(begin, end)
            whose = entry.take(size)
            others = [entry.take(size) for _ in range(entry.take(2))]
            self._references.append((kind, whose, others))


def _cost(coded: Coded) -> float:
    return _COST[coded.chroma > 1, coded.depth > 8]

"""Images of a page that rules let be seen: asked of the tab, drawn anew, and on their way to those who look. Sans-I/O.

What is kept are images as they were drawn here, by the hash of what the tab sent: one that stands on the next page too is not drawn again. All of it goes when nobody
may look any more.
"""

import base64
import binascii
import hashlib
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from server.cobrowse.messages import CHUNK_CHARS, AssetNeed, AssetPut, ViewAsset
from server.cobrowse.orders import Draw

MOST_ASSETS = 64
"""Of one document that are asked for."""
MOST_GIVEN_BYTES = 512 * 1024
"""Of one as the tab sends it, and of one as it was drawn."""
MOST_BYTES = 4 * 1024 * 1024
"""Of all of a share that are kept."""
MOST_UNDER_WAY = 4
KIND = "image/webp"


class Refused(ValueError):
    """A chunk that is not taken; says why, by kinds."""


class Image(msgspec.Struct, frozen=True):
    """``text``: Base64. ``size``: bytes that it takes."""

    text: str

    @property
    def size(self) -> int:
        return len(self.text)


class _Coming(NamedTuple):
    asset: int
    sha256: str
    parts: list[bytes]


class Assets:
    """Of one share. ``document``: the one in front. ``shown``: those that can be seen there at this moment."""

    def __init__(self) -> None:
        self._document = 0
        self._page = 0
        self._asked: dict[int, int] = {}
        """By number: which node shows it."""
        self._again: dict[int, int] = {}
        """The same of those that came when there was no room to draw them."""
        self._named: set[int] = set()
        self._images: dict[int, Image] = {}
        self._by_hash: OrderedDict[str, Image] = OrderedDict()
        self._coming: _Coming | None = None
        self._last = 0
        self._under_way: dict[int, tuple[int, int, str]] = {}
        self.bytes = 0

    @property
    def shown(self) -> Mapping[int, Image]:
        return {number: image for number, image in self._images.items() if number in self._named}

    def clear(self) -> None:
        """Nobody may look."""
        self.turn()
        self._by_hash.clear()
        self.bytes = 0

    def turn(self) -> None:
        """Another document, or the same on another connection: what comes is asked for anew."""
        self._document = 0
        self._asked.clear()
        self._again.clear()
        self._named.clear()
        self._images.clear()
        self._under_way.clear()
        self._coming = None

    def hide(self) -> None:
        """Which of them can be seen says the next whole picture."""
        self._named.clear()

    def named(self, document: int, page: int, pictured: Iterable[tuple[int, int]], *, whole: bool) -> list[AssetNeed]:
        """An event that leaves shows these, ``whole``: and no others. What to ask the tab for. ``page``: the tab's number of the document."""
        if document != self._document:
            self.turn()
            self._document = document
        self._page = page
        if whole:
            self._named.clear()
        needed = []
        for node, asset in pictured:
            self._named.add(asset)
            known = asset in self._images or asset in self._asked
            if asset in self._again:
                self._again[asset] = node
            elif not known and len(self._asked) + len(self._again) + len(self._images) < MOST_ASSETS:
                needed.append(self._need(node, asset))
        if not self._asked and (more := self.again()) is not None:
            needed.append(more)
        return needed

    def again(self) -> AssetNeed | None:
        """The next to be asked for of those that came when there was no room to draw them, where there is now."""
        while self._again and len(self._under_way) < MOST_UNDER_WAY:
            asset, node = next(iter(self._again.items()))
            del self._again[asset]
            if asset in self._named:
                return self._need(node, asset)
        return None

    def awaits(self, number: int) -> bool:
        """Whether anybody wants what is drawn as this."""
        return number in self._under_way

    def _need(self, node: int, asset: int) -> AssetNeed:
        self._asked[asset] = node
        return AssetNeed(page=self._page, node=node, asset=asset)

    def put(self, body: AssetPut) -> Draw | None:
        """A chunk comes; what is to be done once it is whole. Raises Refused. One out of order costs what came of its image, which may begin anew."""
        if body.asset not in self._asked or any(asset == body.asset for _, asset, _ in self._under_way.values()):
            raise Refused("asset_not_asked")
        coming = self._coming
        if body.n == 1:
            coming = self._coming = _Coming(body.asset, body.sha256, [])
        if coming is None or (coming.asset, coming.sha256, len(coming.parts) + 1) != (body.asset, body.sha256, body.n):
            self._coming = None
            raise Refused("asset_order")
        try:
            coming.parts.append(base64.b64decode(body.data, validate=True))
        except (binascii.Error, ValueError):
            raise self._give_up("asset_broken", body.asset) from None
        if sum(map(len, coming.parts)) > MOST_GIVEN_BYTES:
            raise self._give_up("asset_too_large", body.asset)
        if not body.last:
            return None
        self._coming = None
        return self._whole(body.asset, body.sha256, b"".join(coming.parts))

    def drawn(self, number: int, made: bytes | None) -> str:
        """Why it is not shown, by kinds; "": it is, or nobody asks for it any more."""
        document, asset, sha256 = self._under_way.pop(number, (0, 0, ""))
        if document == 0 or document != self._document:
            return ""
        self._asked.pop(asset, None)
        if made is None or len(made) > MOST_GIVEN_BYTES:
            return self._spent(asset, "asset_refused")
        image = self._by_hash.get(sha256)
        if image is None:
            image = Image(base64.b64encode(made).decode("ascii"))
            if not self._makes_room(image.size):
                return self._spent(asset, "asset_full")
            self._by_hash[sha256] = image
            self.bytes += image.size
        self._images[asset] = image
        return ""

    def _whole(self, asset: int, sha256: str, data: bytes) -> Draw | None:
        if hashlib.sha256(data).hexdigest() != sha256:
            raise self._give_up("asset_hash", asset)
        if (known := self._by_hash.get(sha256)) is not None:
            self._by_hash.move_to_end(sha256)
            self._asked.pop(asset, None)
            self._images[asset] = known
            return None
        if len(self._under_way) >= MOST_UNDER_WAY:
            self._again[asset] = self._asked.pop(asset)
            raise Refused("asset_busy")
        self._last += 1
        self._under_way[self._last] = (self._document, asset, sha256)
        return Draw(number=self._last, data=data)

    def _give_up(self, why: str, asset: int) -> Refused:
        self._coming = None
        return Refused(self._spent(asset, why))

    def _spent(self, asset: int, why: str) -> str:
        """It stays blank in this document, and is not asked for again."""
        self._asked.pop(asset, None)
        self._images[asset] = BLANK
        return why

    def _makes_room(self, size: int) -> bool:
        """What stands in this document stays."""
        used = {id(one) for one in self._images.values()}
        for sha256 in [name for name, one in self._by_hash.items() if id(one) not in used]:
            if self.bytes + size <= MOST_BYTES:
                break
            self.bytes -= self._by_hash.pop(sha256).size
        return self.bytes + size <= MOST_BYTES


BLANK = Image("")


class Gallery:
    """Images on their way to one connection, each once; behind everything else."""

    def __init__(self) -> None:
        self._page = 0
        self._sent: set[int] = set()
        self._waiting: deque[tuple[int, Image]] = deque()
        self._offset = self._n = 0

    @property
    def waits(self) -> bool:
        return bool(self._waiting)

    def clear(self) -> None:
        """Nothing of them leaves any more; later they come anew."""
        self._sent.clear()
        self._waiting.clear()
        self._offset = self._n = 0

    def offer(self, page: int, shown: Mapping[int, Image]) -> bool:
        """Whether something new waits. What waits and is not ``shown`` any more does not leave."""
        if page != self._page:
            self.clear()
            self._page = page
        if any(shown.get(asset) is not image for asset, image in self._waiting):
            self._sent.difference_update(asset for asset, _ in self._waiting)
            self._waiting.clear()
            self._offset = self._n = 0
        new = [(asset, image) for asset, image in shown.items() if asset not in self._sent and image is not BLANK]
        self._waiting.extend(new)
        self._sent.update(asset for asset, _ in new)
        return bool(new)

    def take(self) -> ViewAsset | None:
        if not self._waiting:
            return None
        asset, image = self._waiting[0]
        data = image.text[self._offset : self._offset + CHUNK_CHARS]
        self._offset += len(data)
        self._n += 1
        frame = ViewAsset(page=self._page, asset=asset, kind=KIND, n=self._n, data=data, last=self._offset >= len(image.text))
        if frame.last:
            self._waiting.popleft()
            self._offset = self._n = 0
        return frame

"""All selectors of a page, matched at once on each node from what was found of the node above it. Sans-I/O.

Every compound of every selector has a bit, those of one selector side by side, the outermost lowest. ``fits`` says which compounds an element fits by itself,
which is worked out once for all elements that look the same; ``here`` and ``so_far`` carry on what holds in its place: two operations on whole numbers, however
deep the page nests. (Climbing up from each node takes the depth to the power of a selector's parts.)
"""

from collections.abc import Iterable, Mapping

from server.cobrowse.rules import Level, Page
from server.cobrowse.selectors import Compound, Matchable, Selector


class Matching:
    """The selectors of one page. ``values``: of ``here``, where what is entered may be read; ``click``: what others may click; ``images``:
    pictures that may be seen."""

    def __init__(self, page: Page) -> None:
        self._first = self._child = self._below = 0
        self._ids: dict[str, list[Compound]] = {}
        self._classes: dict[str, list[Compound]] = {}
        self._tags: dict[str, list[Compound]] = {}
        self._others: list[Compound] = []
        self._bits: dict[Compound, int] = {}
        self._next = 1
        self._show, self.values, self._mask, self._block, self.click, self.images = (
            self._all(one) for one in (page.show, page.values, page.mask, page.block, page.click, page.images)
        )
        for compound in self._bits:
            if compound.id:
                self._ids.setdefault(compound.id, []).append(compound)
            elif compound.classes:
                self._classes.setdefault(min(compound.classes), []).append(compound)
            elif compound.tag:
                self._tags.setdefault(compound.tag, []).append(compound)
            else:
                self._others.append(compound)

    def _all(self, selectors: Iterable[Selector]) -> int:
        """The bits of their last compounds."""
        found = 0
        for selector in selectors:
            outwards = selector.before
            parts = [(False, outwards[-1][1])] if outwards else []
            parts += [(outwards[at][0], outwards[at - 1][1]) for at in range(len(outwards) - 1, 0, -1)]
            parts.append((outwards[0][0] if outwards else False, selector.last))
            for number, (direct, compound) in enumerate(parts):
                bit, self._next = self._next, self._next << 1
                self._bits[compound] = self._bits.get(compound, 0) | bit
                if number == 0:
                    self._first |= bit
                elif direct:
                    self._child |= bit
                else:
                    self._below |= bit
            found |= bit
        return found

    def fits(self, node: Matchable) -> int:
        """The compounds that it fits, wherever it stands."""
        found, bits = 0, self._bits
        for compound in self._may_fit(node.tag, node.attributes, node.classes):
            if compound.fits(node):
                found |= bits[compound]
        return found

    def _may_fit(self, tag: str, attributes: Mapping[str, str], classes: Iterable[str]) -> Iterable[Compound]:
        yield from self._others
        yield from self._tags.get(tag, ())
        if self._ids and (id := attributes.get("id")):
            yield from self._ids.get(id, ())
        if self._classes:
            for one in classes:
                yield from self._classes.get(one, ())

    def here(self, fits: int, above: int, above_so_far: int) -> int:
        """The compounds that it fits where it stands. ``above``: of its parent; ``above_so_far``: of that and all above it; 0 and 0 at the top."""
        return fits & (self._first | ((above << 1) & self._child) | ((above_so_far << 1) & self._below))

    def level(self, here: int, above: Level) -> Level:
        """Of an element; ``above``: its parent's."""
        if above <= Level.BLOCKED:
            return Level.GONE
        if here & self._block:
            return Level.BLOCKED
        if above is Level.SEALED or here & self._mask:
            return Level.SEALED
        if above is Level.SHOWN or here & self._show:
            return Level.SHOWN
        return Level.MASKED

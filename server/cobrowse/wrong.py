"""Which fields of the page in front say that they are wrong, so that viewers find them. Sans-I/O.

The tab names nodes. Of each the sanitiser is asked what it is, and only those are told of which viewers read the words or what is entered there: of any other the
mark alone would tell something of what is hidden. Numbers of nodes mean something in one picture only, so with the next nothing is known until the tab says
it anew.
"""

from collections.abc import Iterable

from server.cobrowse.gate import may_be_named
from server.cobrowse.orders import Facts, Look

LATE_S = 10.0
"""A round that was not answered by then is given up when there is another."""


class WrongFields:
    """``told``: those that viewers may know of now, in the tab's order. One round of questions at a time; of what the tab says meanwhile the newest waits."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self._waits: tuple[int, list[int]] | None = None
        self._asked: dict[int, int] = {}
        """Nodes by the number that the sanitiser is asked with: below 0, as those of acts are above."""
        self._found: list[int] = []
        self._asked_at = 0.0
        self._last = 0

    def drawn(self) -> None:
        """A new picture has come; what is asked by now is asked of it."""
        self.told = []

    def forget(self) -> None:
        """What comes of the page next is behind a gap."""
        self.told, self._waits, self._asked = [], None, {}

    def say(self, page: int, nodes: Iterable[int], now: float) -> list[Look]:
        """What the tab named. Returns what is to be asked."""
        self._waits = (page, list(dict.fromkeys(nodes)))
        if self._asked and now < self._asked_at + LATE_S:
            return []
        self._asked_at = now
        return self._ask()

    def looked(self, look: int, facts: Facts | None) -> list[Look] | None:
        """An answer; None: to nothing that was asked here. Returns what is to be asked next."""
        node = self._asked.pop(look, None)
        if node is None:
            return [] if look < 0 else None
        if facts is not None and may_be_named(facts):
            self._found.append(node)
        if self._asked:
            return []
        self.told = self._found
        return self._ask()

    def _ask(self) -> list[Look]:
        if self._waits is None:
            return []
        page, nodes = self._waits
        self._waits, self._asked, self._found = None, {}, []
        if not nodes:
            self.told = []
        for node in nodes:
            self._last -= 1
            self._asked[self._last] = node
        return [Look(look=look, page=page, node=node) for look, node in self._asked.items()]

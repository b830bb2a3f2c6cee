"""The customer's documents of one share: one for each connected tab, one of them in front. Sans-I/O."""

import msgspec

from server.cobrowse.assembly import Assembly
from server.cobrowse.backlog import Line
from server.cobrowse.messages import TabHello, TabState, TabStep
from server.signalling.rates import TokenBucket

MOST_TABS = 8
MOST_NUMBERED = 32
"""Documents that are known again by their numbers."""


class Document:
    """``page``: the tab's number of it, ``number``: the server's, over all tabs of the share. ``name``, ``hidden``: what rules say, "" while it is not known."""

    def __init__(self, connection: str, hello: TabHello, line: Line, now: float) -> None:
        self.connection = connection
        self.tab = hello.tab
        self.page = hello.page
        self.customer = hello.customer
        self.line = line
        self.number = 0
        self.name = ""
        self.hidden = False
        self.step = TabStep(step="")
        self.round_trip_ms: int | None = None
        self.assembly = Assembly()
        self.messages = TokenBucket(60, 240, now)
        self.widening = TokenBucket(2, 30, now)
        """Of what gives more than there was, or is to be written down."""
        self.chunks = TokenBucket(500, 4000, now)
        self.told: TabState | None = None


class _Front(msgspec.Struct, frozen=True):
    tab: str
    page: int
    number: int


class Documents:
    """``front``: the one that is shared, None while it is not connected."""

    def __init__(self) -> None:
        self._by_connection: dict[str, Document] = {}
        self._last = _Front("", 0, 0)
        self._newest = 0
        self._numbers: dict[tuple[str, int], int] = {}
        self.front: Document | None = None

    def __len__(self) -> int:
        return len(self._by_connection)

    def all(self) -> list[Document]:
        return list(self._by_connection.values())

    def get(self, connection: str) -> Document | None:
        return self._by_connection.get(connection)

    def of_tab(self, tab: str) -> Document | None:
        return next((one for one in self._by_connection.values() if one.tab == tab), None)

    def add(self, document: Document) -> None:
        self._by_connection[document.connection] = document

    def is_followed_by(self, hello: TabHello) -> bool:
        """Whether this one stands in for the one in front, or is the first of all."""
        return self._last.tab in ("", hello.tab)

    def bring_front(self, document: Document) -> None:
        """A document that was in front before has the number that it had: what was secret in it is remembered by that."""
        key = document.tab, document.page
        number = self._numbers.pop(key, None)
        if number is None:
            self._newest = number = self._newest + 1
        document.number = self._numbers[key] = number
        if len(self._numbers) > MOST_NUMBERED:
            del self._numbers[next(iter(self._numbers))]
        self._last = _Front(document.tab, document.page, document.number)
        self.front = document

    def remove(self, connection: str) -> Document | None:
        document = self._by_connection.pop(connection, None)
        if document is not None and document is self.front:
            self.front = None
        return document

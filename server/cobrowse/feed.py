"""A document's events on their way through the sanitiser: counted, bounded, and never mixed with what was before a gap. Sans-I/O."""

from server.cobrowse.orders import Sanitise

MOST_BYTES = 16 * 1024 * 1024
MOST_EVENTS = 2000
"""Of one share that wait for the sanitiser; beyond it nothing more is taken until these are done, and then a new picture."""


class Feed:
    """``hears``: events of the document in front go in."""

    def __init__(self) -> None:
        self.hears = False
        self._under_way: dict[int, tuple[int, int]] = {}
        """By order: document, bytes."""
        self._bytes = 0
        self._last = 0
        self._valid_from = 1
        self._gap = True
        self._choked = False

    @property
    def bytes(self) -> int:
        return self._bytes

    @property
    def is_ready(self) -> bool:
        """Whether it may hear again."""
        return not self._choked or not self._under_way

    @property
    def is_whole(self) -> bool:
        """What the sanitiser knows is of now: nothing was left out since, or it was told so."""
        return self.hears and not self._gap

    def listen(self) -> None:
        self.hears, self._choked = True, False

    def deafen(self) -> None:
        """From here on events are left out: answers to those before come to nothing, and what follows is behind a gap."""
        self.hears = False
        self._gap = True
        self._valid_from = self._last + 1

    def choke(self) -> None:
        """There is no room for more: as ``deafen``, and it hears again once all that is under way is done."""
        self.deafen()
        self._choked = True

    def order(self, document: int, text: str) -> Sanitise | None:
        """None: it does not hear, or too much is under way, so that it hears no more."""
        if not self.hears:
            return None
        size = utf8_size(text)
        if self._bytes + size > MOST_BYTES or len(self._under_way) >= MOST_EVENTS:
            self.choke()
            return None
        self._last += 1
        self._under_way[self._last] = (document, size)
        self._bytes += size
        gap, self._gap = self._gap, False
        return Sanitise(order=self._last, page=document, text=text, gap=gap)

    def answered(self, order: int) -> int | None:
        """The document that it was about; None where the answer comes to nothing."""
        document, size = self._under_way.pop(order, (None, 0))
        self._bytes -= size
        return document if order >= self._valid_from else None

    def lost(self) -> None:
        """What is under way will not be answered."""
        self._under_way.clear()
        self._bytes = 0
        self.deafen()


def utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))

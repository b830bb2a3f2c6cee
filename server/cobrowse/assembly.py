"""A tab's events put together from their chunks. Sans-I/O."""

from server.cobrowse.nodes import Limits


class GapError(ValueError):
    """A chunk does not follow the one before, or an event is longer than it may be: that event will not be whole."""


class Assembly:
    """Of one connection of a tab, from its hello on."""

    def __init__(self, most_bytes: int = Limits().event_bytes) -> None:
        self._most = most_bytes
        self._next = 1
        self._parts: list[str] | None = []
        """None: this event was refused; the rest of it is waited for."""
        self._bytes = 0

    def take(self, n: int, text: str, *, last: bool, wanted: bool = True) -> str | None:
        """The whole event with its last chunk, None before, and for one of which a chunk was not ``wanted``. Raises GapError, once for an event; the next one
        is taken again."""
        if n < self._next:
            raise GapError(f"event {n} again")
        try:
            if n > self._next:
                self._next, self._parts = n, None
                raise GapError("events are missing")
            if self._parts is None or not wanted:
                self._parts = None
                return None
            self._parts.append(text)
            self._bytes += len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
            if self._bytes > self._most:
                self._parts = None
                raise GapError(f"an event of more than {self._most} bytes")
            return "".join(self._parts) if last else None
        finally:
            if last:
                self._next, self._parts, self._bytes = n + 1, [], 0

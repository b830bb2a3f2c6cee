"""Hand-overs in one room: whose microphone and camera take whose place in everybody's view. Sans I/O.

Kept apart from the slots, because those of somebody who comes, or comes back, after the order must know of it too.
"""

from collections.abc import Callable, Iterator

from media.errors import ExhaustedError

WAIT_S = 10.0
"""What the successor does not send by then is not waited for any more."""
SOURCES = ("microphone", "camera")
MOST = 200
Key = tuple[str, str]
"""(participant, source)."""


class _Heir:
    __slots__ = ("gone", "new", "sources", "spoke_at", "until")

    def __init__(self, new: str, until: float, spoke_at: float) -> None:
        self.gone = False
        self.new = new
        self.until = until
        self.spoke_at = spoke_at
        self.sources = set(SOURCES)


class Succession:
    """By whom each participant was replaced."""

    def __init__(self) -> None:
        self._heirs: dict[str, _Heir] = {}

    def replace(self, old: str, new: str, spoke_at: float, now: float) -> None:
        """``spoke_at``: when ``old`` last spoke: ``new`` ranks as high. Raises ExhaustedError."""
        if old not in self._heirs and len(self._heirs) >= MOST:
            raise ExhaustedError("room_full", f"{MOST} hand-overs")
        spoke_at = max(spoke_at, self.spoke_at(old))
        self._heirs.pop(new, None)  # handed back
        self._heirs[old] = _Heir(new, now + WAIT_S, spoke_at)

    def __iter__(self) -> Iterator[tuple[Key, Key]]:
        """(old, new) of each source, as ``slots.SlotTable.inherit`` takes them."""
        for old, heir in self._heirs.items():
            for source in SOURCES:
                if source in heir.sources:
                    yield (old, source), (heir.new, source)

    def spoke_at(self, participant: str) -> float:
        """When the one spoke whom this participant replaced."""
        return max((heir.spoke_at for heir in self._heirs.values() if heir.new == participant), default=0.0)

    def due(self, flows: Callable[[Key], bool], now: float) -> list[Key]:
        """Call each tick: what was waited for long enough, and nothing of it flows. It is forgotten here."""
        given_up: list[Key] = []
        for old, heir in list(self._heirs.items()):
            if now < heir.until:
                continue
            heir.until = float("inf")
            missing = [source for source in SOURCES if not flows((heir.new, source))]
            given_up += [(heir.new, source) for source in missing]
            heir.sources.difference_update(missing)
            if heir.gone or not heir.sources:
                del self._heirs[old]
        return given_up

    def left(self, participant: str) -> None:
        """Somebody was disconnected. Of a successor nothing is left; of the old one only what is kept, for so long."""
        for old, heir in list(self._heirs.items()):
            if participant == heir.new or (participant == old and heir.until == float("inf")):
                del self._heirs[old]
            elif participant == old:
                heir.gone = True

    def came(self, participant: str) -> bool:
        """Somebody connects. True: it is one who was replaced and then disconnected; that is forgotten here."""
        heir = self._heirs.get(participant)
        if heir is None or not heir.gone:
            return False
        del self._heirs[participant]
        return True

    def clear(self) -> None:
        self._heirs.clear()

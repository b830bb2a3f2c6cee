"""Which publication shows in which slot of one subscriber: deterministic, stable, screens first, then who speaks. Sans I/O.

A slot is a receive-only section of the subscriber's one offer. What is shown stays where it is for as long as it is among the
chosen; a newcomer takes the first free slot. Nothing here is random, so the same inputs give the same table.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Candidate(NamedTuple, Generic[Key]):
    """Something that could be shown. ``spoke_at``: when its participant last spoke, 0 if never. ``order``: of joining."""

    key: Key
    kind: str
    screen: bool
    spoke_at: float
    order: int


class SlotTable(Generic[Key]):
    """The slots of one subscriber, by the mid of their section, audio and video apart."""

    def __init__(self, audio: Sequence[str], video: Sequence[str]) -> None:
        self._mids = {"audio": tuple(audio), "video": tuple(video)}
        self.shown: dict[str, Key | None] = dict.fromkeys((*audio, *video))

    def update(self, candidates: Iterable[Candidate[Key]], most_video: int | None = None) -> list[tuple[str, Key | None]]:
        """Take the new set of candidates; returns the slots that changed, those that became empty first.

        ``most_video``: show at most so many pictures, however many slots there are.
        """
        everything = list(candidates)
        changes: list[tuple[str, Key | None]] = []
        for kind, mids in self._mids.items():
            most = len(mids) if kind == "audio" or most_video is None else min(most_video, len(mids))
            changes += self._update(mids, [c for c in everything if c.kind == kind], most)
        changes.sort(key=lambda change: change[1] is not None)
        return changes

    def _update(self, mids: tuple[str, ...], candidates: list[Candidate[Key]], most: int) -> list[tuple[str, Key | None]]:
        where = {key: mid for mid in mids if (key := self.shown[mid]) is not None}
        ranked = sorted(candidates, key=lambda c: (not c.screen, -c.spoke_at, c.key not in where, c.order))
        chosen = {c.key for c in ranked[:most]}
        before = {mid: self.shown[mid] for mid in mids}
        for key, mid in where.items():
            if key not in chosen:
                self.shown[mid] = None
        free = [mid for mid in mids if self.shown[mid] is None]
        newcomers = sorted((c for c in ranked[:most] if c.key not in where), key=lambda c: (not c.screen, c.order))
        for mid, candidate in zip(free, newcomers, strict=False):
            self.shown[mid] = candidate.key
        return [(mid, self.shown[mid]) for mid in mids if self.shown[mid] != before[mid]]

"""Which publication shows in which slot of one subscriber: deterministic, stable, screens first, then who speaks. Sans I/O.

A slot is a receive-only section of the subscriber's one offer. The first audio slot and the first video slot are a pair, the
second ones another, and so on: browsers keep a pair in step (``sdp_answer.slot_streams``), so that a person's microphone and
camera should be in one. What is shown stays where it is for as long as it is among the chosen: a face that jumps is worse than
lips that are a little late. Nothing here is random, so the same inputs give the same table.
"""

from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Candidate(NamedTuple, Generic[Key]):
    """Something that could be shown. ``spoke_at``: when its participant last spoke, 0 if never. ``order``: of joining.

    ``person``: whose it is, the same for a microphone and a camera that belong together; "" pairs with nothing.
    """

    key: Key
    kind: str
    screen: bool
    spoke_at: float
    order: int
    person: str = ""


class SlotTable(Generic[Key]):
    """The slots of one subscriber, by the mid of their section, audio and video apart.

    ``taken``: what was replaced here, by what; it is not shown any more.
    """

    def __init__(self, audio: Sequence[str], video: Sequence[str]) -> None:
        self._mids = {"audio": tuple(audio), "video": tuple(video)}
        self._pairs = min(len(audio), len(video))
        self.shown: dict[str, Key | None] = dict.fromkeys((*audio, *video))
        self.taken: dict[Key, Key] = {}
        self._heirs: dict[Key, Key] = {}
        self._kept: dict[str, Key] = {}
        self._last: dict[str, Key] = {}

    def update(self, candidates: Iterable[Candidate[Key]], most_video: int | None = None) -> list[tuple[str, Key | None]]:
        """Take the new set of candidates; returns the slots that changed, those that became empty first.

        ``most_video``: show at most so many pictures, however many slots there are.
        """
        everything = list(candidates)
        before = dict(self.shown)
        if self._heirs or self.taken:
            present = {c.key for c in everything}
            self._succeed(present)
            everything = [c for c in everything if c.key not in self.taken]
        known: dict[Key, Candidate[Key]] = {}
        newcomers: list[Candidate[Key]] = []
        for kind, mids in self._mids.items():
            most = len(mids) if kind == "audio" or most_video is None else min(most_video, len(mids))
            most = max(0, most - sum(mid in self._kept for mid in mids))
            stay, come = self._choose(mids, [c for c in everything if c.kind == kind], most)
            known.update((c.key, c) for c in stay)
            newcomers += come
        self._place(known, newcomers)
        self._last = {
            mid: last for mid, key in self.shown.items() if key is None and (last := before[mid] or self._last.get(mid))
        }
        changes = [(mid, key) for mid, key in self.shown.items() if key != before[mid]]
        changes.sort(key=lambda change: change[1] is not None)
        return changes

    def inherit(self, old: Key, new: Key) -> None:
        """Once ``new`` is a candidate it takes the slot of ``old``, which is not shown from then on.

        Until then, or ``disinherit``, a slot in which ``old`` was last is kept free for it.
        """
        for heirs in (self._heirs, self.taken):
            for then in [then for then, heir in heirs.items() if heir == old]:
                heirs[then] = new
        for mid, kept in list(self._kept.items()):
            if kept == old:
                self._kept[mid] = new
        self.taken.pop(new, None)
        self._heirs.pop(new, None)
        if self.taken.get(old) == new:
            return
        self._heirs[old] = new
        for mid, last in self._last.items():
            if last == old:
                self._kept[mid] = new

    def disinherit(self, new: Key) -> None:
        """Nothing is kept for ``new`` any more, and what it has replaced may be shown again."""
        for heirs in (self._heirs, self.taken):
            for old in [old for old, heir in heirs.items() if heir == new]:
                del heirs[old]
        for mid in [mid for mid, kept in self._kept.items() if kept == new]:
            del self._kept[mid]

    def forget(self, old: Key) -> None:
        """That ``old`` was replaced."""
        self.taken.pop(old, None)
        self._heirs.pop(old, None)

    def _succeed(self, present: set[Key]) -> None:
        """Those who are there take the places that they inherit; the places of those who are gone are kept."""
        for old, new in list(self._heirs.items()):
            mid = next((m for m, key in self.shown.items() if key == old or (key is None and self._kept.get(m) == new)), None)
            if new in present:
                del self._heirs[old]
                self.taken[old] = new
                if mid is not None:
                    for other, key in self.shown.items():
                        if key == new:
                            self.shown[other] = None
                    self.shown[mid] = new
                    self._kept.pop(mid, None)
            elif mid is not None and old not in present:
                self.shown[mid] = None
                self._kept[mid] = new

    def _choose(
        self, mids: tuple[str, ...], candidates: list[Candidate[Key]], most: int
    ) -> tuple[list[Candidate[Key]], list[Candidate[Key]]]:
        """Who stays and who is new; slots of the others are emptied."""
        shown = {key for mid in mids if (key := self.shown[mid]) is not None}
        ranked = sorted(candidates, key=lambda c: (not c.screen, -c.spoke_at, c.key not in shown, c.order))
        chosen = {c.key for c in ranked[:most]}
        for mid in mids:
            if self.shown[mid] not in chosen:
                self.shown[mid] = None
        return [c for c in ranked[:most] if c.key in shown], [c for c in ranked[:most] if c.key not in shown]

    def _place(self, known: dict[Key, Candidate[Key]], newcomers: list[Candidate[Key]]) -> None:
        """Those first whose other half waits for them, then whole people, then the rest; screens last, out of the way."""
        ordered = sorted(newcomers, key=lambda c: (c.screen, c.kind != "audio", c.order))
        waiting = {c.key: c for c in ordered}

        def put(candidate: Candidate[Key], index: int) -> None:
            self.shown[self._mids[candidate.kind][index]] = candidate.key
            known[candidate.key] = waiting.pop(candidate.key)

        for candidate in ordered:
            beside = None if candidate.screen else self._beside_own(candidate, known)
            if beside is not None:
                put(candidate, beside)
        for voice in [c for c in ordered if c.kind == "audio" and c.person and c.key in waiting]:
            face = next((c for c in waiting.values() if c.kind == "video" and not c.screen and c.person == voice.person), None)
            whole = next((i for i in range(self._pairs) if self._empty("audio", i) and self._empty("video", i)), None)
            if face is not None and whole is not None:
                put(voice, whole)
                put(face, whole)
        for candidate in list(waiting.values()):
            put(candidate, self._least_in_the_way(candidate, known))

    def _empty(self, kind: str, index: int) -> bool:
        mid = self._mids[kind][index]
        return self.shown[mid] is None and mid not in self._kept

    def _beside_own(self, candidate: Candidate[Key], known: dict[Key, Candidate[Key]]) -> int | None:
        """The free slot whose pair shows this person's other half (a voice beside a camera, not beside a screen)."""
        for index in range(self._pairs):
            if candidate.person and self._empty(candidate.kind, index):
                other = self._partner(candidate.kind, index, known)
                if other is not None and other.person == candidate.person and not other.screen:
                    return index
        return None

    def _partner(self, kind: str, index: int, known: dict[Key, Candidate[Key]]) -> Candidate[Key] | None:
        key = self.shown[self._mids["video" if kind == "audio" else "audio"][index]]
        return None if key is None else known[key]

    def _least_in_the_way(self, candidate: Candidate[Key], known: dict[Key, Candidate[Key]]) -> int:
        """The first free slot of the best sort; there is one for everybody who was chosen.

        An empty pair for somebody whose other half may still come; a slot without a pair for a screen, and for whoever's other
        half is elsewhere already; the slot beside somebody else's last.
        """
        elsewhere = candidate.screen or any(
            c.person == candidate.person and c.kind != candidate.kind and not c.screen for c in known.values() if c.person
        )

        def rank(index: int) -> tuple[int, int]:
            if index >= self._pairs:
                return (0 if elsewhere else 1), index
            if self._partner(candidate.kind, index, known) is not None:
                return 2, index
            return (1 if elsewhere else 0), -index if candidate.screen else index

        return min((i for i in range(len(self._mids[candidate.kind])) if self._empty(candidate.kind, i)), key=rank)

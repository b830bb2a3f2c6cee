"""Draws who is there, at every moment of an export. SHELL: it shows decoded pictures and words.

A place whose content has not changed is not drawn again; ``draw`` says whether anything was.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from media.recording import events
from media.recording.export.canvas import BACKGROUND, BOX, CHECK, DISC, NOTED, PAUSED, SPEAKING, TILE, Canvas, Colour, disc
from media.recording.export.film import Film
from media.recording.export.layout import Director, Mode, Place, Rect, arrange, fit
from media.recording.export.lettering import Lettering, initials
from media.recording.export.notes import checkpoint_words
from media.recording.play.pieces import Blank, Piece
from media.recording.play.timeline import HOLE_US, Party, Span, Timeline, Track

STANDS_US = 3_000_000
"""A camera's last picture is shown for as long where the next does not come; a screen's until it is over."""
ENDS_US = 150_000
BANNER_US = 4_000_000
MOST_BANNERS = 3
"""Under each other, the newest below; older ones are not shown any longer."""
EARLY_US = 2_000_000
"""A track is opened so long before its first record."""

ROLES = {"customer": "Customer", "agent": "Agent", "expert": "Expert", "supervisor": "Supervisor"}
WORDS = {"paused": "Recording paused 录制已暂停", "gap": "Gap in the recording 录制缺失", "check": "✓ "}
PLAIN = {"paused": "Recording paused", "gap": "Gap in the recording", "check": ""}


class _Reel:
    """The films of one participant and source, one after another."""

    def __init__(self, tracks: list[Track], pieces: Callable[[Track], Iterator[Piece | Blank]]) -> None:
        self._tracks = sorted(tracks, key=lambda each: each.first_us)
        self._pieces = pieces
        self._films: list[Film] = []
        self._stands = STANDS_US if tracks[0].source == "camera" else 1 << 62
        self.failed = 0

    def at(self, at_us: int) -> Film | None:
        """The film that shows something now."""
        while self._tracks and self._tracks[0].first_us - EARLY_US <= at_us:
            track = self._tracks.pop(0)
            ends = iter((Blank(track.last_us + ENDS_US),))
            self._films.append(Film(track.codec.lower(), _with_holes(chain(self._pieces(track), ends), self._stands)))
        shown: Film | None = None
        for film in self._films:
            if film.seek(at_us) is not None:
                shown = film
        for film in [each for each in self._films if each.over]:
            self._films.remove(film)
            self.failed += film.failed
        return shown


def _with_holes(pieces: Iterable[Piece | Blank], stands: int) -> Iterator[Piece | Blank]:
    """Where the next picture is long in coming, nothing is shown meanwhile."""
    before: Piece | Blank | None = None
    for piece in pieces:
        if isinstance(before, Piece) and piece.time_us - before.time_us > stands + ENDS_US:
            yield Blank(before.time_us + stands)
        yield piece
        before = piece


class Stage:
    """``pieces``: opens a track. ``size``: of the picture, even. Raises RecordingError when a track cannot be read."""

    def __init__(
        self,
        found: Timeline,
        pieces: Callable[[Track], Iterator[Piece | Blank]],
        size: tuple[int, int],
        mode: Mode,
        lettering: Lettering,
    ) -> None:
        self.canvas = Canvas(*size)
        self._found = found
        self._lettering = lettering
        self._director = Director(mode)
        self._reels: dict[tuple[str, str], _Reel] = {}
        for key in sorted({(track.participant, track.source) for track in found.tracks if track.kind == "video"}):
            tracks = [each for each in found.tracks if (each.participant, each.source) == key and each.mime]
            if tracks:
                self._reels[key] = _Reel(tracks, pieces)
        self.labels = labels(found.participants, lettering)
        self._parties = [(party, _seen(party, found.tracks)) for party in found.participants]
        self._gaps = {party.participant: _gaps(party.participant, found.tracks) for party in found.participants}
        self._screens: dict[str, list[tuple[int, bool]]] = {}
        for happened in found.events:
            if isinstance(happened.event, events.Screen):
                self._screens.setdefault(happened.event.participant, []).append((happened.time_us, happened.event.on))
        self._told = [at for at, _ in found.speaking]
        self._told_of = [
            (each.time_us, banner)
            for each in found.events
            if isinstance(each.event, events.Checkpoint) and (banner := self._banner(each.event)) is not None
        ]
        self._places: tuple[Place, ...] = ()
        self._drawn: dict[Place, tuple[object, ...]] = {}
        self._over: tuple[object, ...] = ()
        self._line = max(16, size[1] // 30) // 2 * 2

    @property
    def failed(self) -> int:
        """Coded pictures that could not be decoded, of films that are over."""
        return sum(reel.failed for reel in self._reels.values())

    def draw(self, at_us: int, heard: Iterable[str]) -> bool:
        """The moment ``at_us``. ``heard``: who is heard now, where the recording has no events that say so."""
        if self._told:
            at = bisect_right(self._told, at_us) - 1
            speaking = self._found.speaking[at][1] if at >= 0 else frozenset[str]()
        else:
            speaking = frozenset(heard)
        films = {key: reel.at(at_us) for key, reel in self._reels.items()}
        parties = [party.participant for party, seen in self._parties if any(s.from_us <= at_us < s.to_us for s in seen)]
        screens = [
            who for (who, source), film in films.items() if source == "screen" and film is not None and self._shows(who, at_us)
        ]
        large = self._director.large(at_us, parties, speaking, screens[-1] if screens else "")
        paused = any(span.from_us <= at_us < span.to_us for span in self._found.pauses)
        banners = tuple(banner for at, banner in self._told_of if at <= at_us < at + BANNER_US)[-MOST_BANNERS:]
        second = at_us // 1_000_000
        if paused:
            if self._over == ("paused", second):
                return False
            self._over = ("paused", second)
            self._card(second)
            self._places, self._drawn = (), {}
            return True
        places = arrange(self.canvas.width, self.canvas.height, parties, large)
        changed = False
        if places != self._places or self._over[:1] != (banners,):
            self.canvas.fill(Rect(0, 0, self.canvas.width, self.canvas.height), BACKGROUND)
            self._places, self._drawn = places, {}
            changed = True
        for place in places:
            film = films.get((place.participant, place.source))
            gap = any(span.from_us <= at_us < span.to_us for span in self._gaps[place.participant])
            state = (film.number if film else -1, id(film) if film else 0, place.participant in speaking, gap)
            if self._drawn.get(place) != state:
                self._drawn[place] = state
                self._tile(place, film, place.participant in speaking, gap=gap)
                changed = True
        if changed or self._over != (banners, second):
            self._over = (banners, second)
            self._signs(banners)
            self._clock(second)
            changed = True
        return changed

    def _shows(self, who: str, at_us: int) -> bool:
        """Whether they show their screen now, where the recording has events that say so: of a screen that stands still nothing comes."""
        told = self._screens.get(who)
        if not told:
            return True
        at = bisect_right(told, (at_us, True)) - 1
        return at >= 0 and told[at][1]

    # ---- drawing

    def _words(self, wanted: str, otherwise: str) -> str:
        return wanted if self._lettering.writable(wanted) == wanted else otherwise

    def _tile(self, place: Place, film: Film | None, speaking: bool, *, gap: bool) -> None:
        rect, canvas = place.rect, self.canvas
        canvas.fill(rect, TILE)
        if film is not None and film.current is not None:
            inside = fit(film.current.width, film.current.height, rect)
            canvas.picture(inside, film.scaled(inside.width, inside.height))
        else:
            self._nobody(rect, place.participant, gap=gap)
        if speaking and place.source == "camera":
            canvas.frame(rect, SPEAKING)
        label = self.labels[place.participant]
        line = min(self._line, max(12, rect.height // 8 // 2 * 2))
        words = self._lettering.line(label, line, max(8, rect.width - 40))
        height, width = words.shape[0] + 6, words.shape[1] + 16
        x, y = rect.x + 8, rect.y + rect.height - height - 8
        box = Rect(x, y // 2 * 2, width // 2 * 2, height // 2 * 2)
        if box.width < rect.width and box.height < rect.height // 2:
            canvas.fill(box, BOX)
            canvas.stamp(box.x + 8, box.y + 2, words)

    def _nobody(self, rect: Rect, participant: str, *, gap: bool) -> None:
        across = min(rect.width, rect.height) // 3 // 2 * 2
        x, y = rect.x + (rect.width - across) // 2, rect.y + (rect.height - across) // 2
        self.canvas.stamp(x, y, disc(max(2, across)), DISC)
        letters = self._lettering.line(initials(self.labels[participant]), max(8, across // 5 * 2), across)
        self.canvas.stamp(x + (across - letters.shape[1]) // 2, y + (across - letters.shape[0]) // 2, letters)
        if gap:
            words = self._words(WORDS["gap"], PLAIN["gap"])
            line = self._lettering.line(words, min(self._line, max(10, rect.width // 24 * 2)), rect.width - 8)
            self.canvas.stamp(rect.x + (rect.width - line.shape[1]) // 2, y - line.shape[0] - 4, line)

    def _card(self, second: int) -> None:
        """Instead of everything, while the recording was paused."""
        canvas = self.canvas
        canvas.fill(Rect(0, 0, canvas.width, canvas.height), PAUSED)
        bar, tall = canvas.height // 24 // 2 * 2, canvas.height // 6 // 2 * 2
        middle, top = canvas.width // 2 // 2 * 2, canvas.height // 3 // 2 * 2
        for x in (middle - 2 * bar, middle + bar):
            canvas.fill(Rect(x, top, bar, tall), (255, 255, 255))
        words = self._words(WORDS["paused"], PLAIN["paused"])
        line = self._lettering.line(words, self._line * 3 // 2, canvas.width - 40)
        canvas.stamp((canvas.width - line.shape[1]) // 2, top + tall + self._line, line)
        self._clock(second)

    def _banner(self, told: events.Checkpoint) -> tuple[str, Colour] | None:
        """A tick and green for an item that was done; a note alone is neither. None for what is taken back, and what no font can write."""
        words = self._lettering.writable(checkpoint_words(told)) or self._lettering.writable(told.key)
        if not words or not told.done:
            return None
        return (self._words(WORDS["check"] + words, words), CHECK) if told.key else (words, NOTED)

    def _signs(self, banners: Iterable[tuple[str, Colour]]) -> None:
        y = 12
        for words, colour in banners:
            line = self._lettering.line(words, self._line, self.canvas.width - 80)
            width, height = (line.shape[1] + 32) // 2 * 2, (line.shape[0] + 12) // 2 * 2
            x = (self.canvas.width - width) // 2 // 2 * 2
            self.canvas.fill(Rect(x, y, width, height), colour)
            self.canvas.stamp(x + 16, y + 6, line)
            y += height + 6

    def _clock(self, second: int) -> None:
        words = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        line = self._lettering.line(words, max(12, self._line * 3 // 4 // 2 * 2), 400)
        width, height = (line.shape[1] + 14) // 2 * 2, (line.shape[0] + 6) // 2 * 2
        box = Rect(self.canvas.width - width, 0, width, height)  # names stand below
        self.canvas.fill(box, BOX)
        self.canvas.stamp(box.x + 6, box.y + 2, line)


def labels(parties: Iterable[Party], lettering: Lettering) -> dict[str, str]:
    """What is written under each: the name, where a font has all its letters; else what they are, with a number where there are more."""
    found: dict[str, str] = {}
    count: Counter[str] = Counter()
    for party in parties:
        name = lettering.writable(party.name)
        if name is None:
            role = ROLES.get(party.role, "Participant")
            count[role] += 1
            name = role if count[role] == 1 else f"{role} {count[role]}"
        found[party.participant] = name
    return found


def _seen(party: Party, tracks: Iterable[Track]) -> tuple[Span, ...]:
    """When there is a place for them: while they are there, from when they are recorded on."""
    first = min(track.first_us for track in tracks if track.participant == party.participant)
    return tuple(Span(max(span.from_us, first), span.to_us) for span in party.there if span.to_us > first)


def _gaps(participant: str, tracks: Iterable[Track]) -> tuple[Span, ...]:
    """When something of theirs is missing, by the records that say so."""
    found: list[Span] = []
    for track in tracks:
        if track.participant != participant:
            continue
        for before, after in zip(track.spans, track.spans[1:], strict=False):
            lacks = Span(before.to_us, after.from_us)
            if any(gap.first_us <= lacks.to_us + HOLE_US and gap.last_us >= lacks.from_us - HOLE_US for gap in track.gaps):
                found.append(lacks)
    return tuple(found)

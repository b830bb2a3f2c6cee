"""Showing an identity document to a camera, within a time: which pictures are read, what the person is told, and how it went. Sans I/O.

Reading takes half a second and more, so of what a camera sends only the sharpest picture of each while is read. What is asked for is the side with the
portrait, and of a resident identity card the back too, as only that says how long it is valid; in either order. The two have nothing in common but that how
long it is valid goes by the age. The portrait is compared with faces that were seen before: how much it is like each of them is told here, the templates are elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from statistics import median_low
from typing import Generic, TypeVar

from verification.challenge.verdict import Check, Outcome
from verification.documents.fields_cn import LONG_TERM
from verification.documents.reading import HAS_PORTRAIT, DocumentReading, DocumentType
from verification.documents.resident_id import fits_age
from verification.reasons import ReasonCode

PORTRAITS = 3
"""Where the first portrait that was read is not like enough, so many are, and the middle one counts: one poor picture is no mismatch."""
EXPIRED = 2
"""So many readings must say it: the year on the back of a resident identity card is under no check digit."""
PATIENCE_S = 6.0
"""So long nobody is told that no document is to be seen."""
DOUBTED = frozenset(
    {
        ReasonCode.DOCUMENT_CHECK_FAILED,
        ReasonCode.DOCUMENT_CONTRADICTORY,
        ReasonCode.DOCUMENT_NOT_YET_VALID,
        ReasonCode.DOCUMENT_NO_PORTRAIT,
        ReasonCode.DOCUMENT_PORTRAIT_UNCLEAR,
    }
)
"""What is wrong with a document itself rather than with its picture."""


@dataclass(frozen=True, slots=True)
class Rules:
    """``side_s``: how long there is for each side. ``threshold``: comparison score from which a portrait is the face; under ``refer`` it is another's."""

    side_s: float
    threshold: float
    refer: float

    def __post_init__(self) -> None:
        if not self.side_s > 0 or not self.refer <= self.threshold:
            raise ValueError("a time, and two thresholds of which the second is not above the first")


class Wanted(StrEnum):
    """What the person is to do now."""

    SHOW = "show_card"
    TURN_OVER = "turn_over"
    HOLD_STILL = "hold_still"
    NOTHING = "seen"


@dataclass(frozen=True, slots=True)
class Told:
    """``within_s``: for the side that is asked for, from when it was first asked for on. ``reasons``: of the last picture, worst first."""

    wanted: Wanted
    within_s: float = 0.0
    reasons: tuple[ReasonCode, ...] = ()


T = TypeVar("T")


class Sharpest(Generic[T]):
    """Which of the pictures that come is read: of each while the sharpest. One at a time is kept."""

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._since: float | None = None
        self._best: tuple[float, T] | None = None

    def offer(self, sharpness: float, at_s: float, picture: T) -> T | None:
        """The one to read now, or None. ``at_s``: when it came, seconds."""
        if self._since is None:
            self._since = at_s
        if self._best is None or sharpness > self._best[0]:
            self._best = (sharpness, picture)
        if at_s - self._since < self.every_s:
            return None
        best, self._best, self._since = self._best[1], None, None
        return best


class Showing:
    """One step of an attempt: ``start``, then readings and ticks, until it is ``over``; then ``check``. Times are seconds of one clock. Of what stands on a
    document it keeps three dates until it is over, and no number and no name."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._until = self._asked_at = 0.0
        self._told: Told | None = None
        self._front: DocumentType | None = None
        self._birth: date | None = None
        self._valid: tuple[date, date | None] | None = None
        self._scores: list[float] = []
        self._expired = self._readings = 0
        self._skipped: ReasonCode | None = None
        self._doubt: ReasonCode | None = None
        self._seen = False
        self._over: Check | None = None

    @property
    def over(self) -> bool:
        return self._over is not None

    @property
    def due_s(self) -> float | None:
        return None if self.over else self._until

    def start(self, now: float) -> list[Told]:
        return self._ask(now)

    def tick(self, now: float) -> list[Told]:
        """When the time for a side is over, so is the step."""
        if not self.over and now >= self._until:
            self._over = self._late()
        return []

    def cannot(self) -> list[Told]:
        """They have none with them."""
        if not self.over:
            self._over = self._late()
        return []

    def end(self) -> list[Told]:
        """No more pictures, or nobody wants to go on."""
        if not self.over:
            self._over = _check(Outcome.FAIL, ReasonCode.ATTEMPT_ENDED)
        return []

    def skipped(self, reason: ReasonCode) -> None:
        """A picture could not be read, for a reason of ours: another one will be."""
        self._skipped = reason

    def read(self, reading: DocumentReading, alike: Sequence[float], now: float) -> list[Told]:
        """What a picture shows. ``alike``: how much its portrait is like each of the faces it must be; empty without one."""
        self.tick(now)
        if self.over:
            return []
        self._readings += 1
        reasons = set(reading.reasons)
        if reading.type is None:
            return self._tell(self._side, self._patient(reading.reasons, now))
        self._seen = True
        if reading.expired or ReasonCode.DOCUMENT_EXPIRED in reasons:
            self._expired += reasons <= {ReasonCode.DOCUMENT_EXPIRED}
            return self._tell(self._side, reading.reasons or (ReasonCode.DOCUMENT_EXPIRED,))
        if reasons:
            self._doubt = next((reason for reason in reading.reasons if reason in DOUBTED), self._doubt)
            return self._tell(Wanted.HOLD_STILL, reading.reasons)
        if reading.type is DocumentType.CN_ID_BACK:
            return self._turned(reading, now)
        if reading.type not in HAS_PORTRAIT or not alike:
            self._doubt = ReasonCode.DOCUMENT_NO_PORTRAIT
            return self._tell(self._side, (ReasonCode.DOCUMENT_NO_PORTRAIT,))
        if self._front is not None:
            return self._tell(self._side, ())
        return self._portrait(reading, reading.type, min(alike), now)

    def check(self) -> Check:
        """How it went. Before the end it never passes."""
        return self._over or _check(Outcome.FAIL, ReasonCode.ATTEMPT_ENDED)

    # ---- its parts

    @property
    def _side(self) -> Wanted:
        return Wanted.SHOW if self._front is None else Wanted.TURN_OVER

    @property
    def _back(self) -> bool:
        return self._valid is not None

    def _turned(self, reading: DocumentReading, now: float) -> list[Told]:
        """The back. A front that is read later is held against it then."""
        valid = _validity(reading)
        if valid is None or (self._front is not None and not self._fits(valid)):
            return self._contradicted()
        new, self._valid = self._valid is None, valid
        return self._sided(now) if new or self._front is not None else self._tell(self._side, ())

    def _fits(self, valid: tuple[date, date | None]) -> bool:
        """Whether somebody of the front's age has such a back."""
        return self._birth is not None and fits_age(self._birth, *valid)

    def _contradicted(self) -> list[Told]:
        self._doubt = ReasonCode.DOCUMENT_CONTRADICTORY
        return self._tell(self._side, (ReasonCode.DOCUMENT_CONTRADICTORY,))

    def _portrait(self, reading: DocumentReading, kind: DocumentType, score: float, now: float) -> list[Told]:
        self._scores.append(score)
        if score < self._rules.threshold and len(self._scores) < PORTRAITS:
            return self._tell(Wanted.HOLD_STILL, ())
        if len(self._scores) == PORTRAITS:
            score = median_low(self._scores)
            if score < self._rules.refer:
                self._over = _check(Outcome.FAIL, ReasonCode.DOCUMENT_OTHER_PERSON, score=score)
                return []
        self._scores = [score]
        self._front, self._birth = kind, _date(reading, "birth")
        if kind is DocumentType.CN_ID_FRONT and self._valid is not None and not self._fits(self._valid):
            self._valid = None
            self._asked_at, self._until = now, now + self._rules.side_s
            return self._contradicted()
        return self._sided(now)

    def _sided(self, now: float) -> list[Told]:
        """Another side is read. The time for the other one begins with it."""
        if self._front is not None and (self._back or self._front is not DocumentType.CN_ID_FRONT):
            self._over = self._done()
            self._birth = self._valid = None
            return self._tell(Wanted.NOTHING, ())
        return self._ask(now)

    def _ask(self, now: float) -> list[Told]:
        self._asked_at, self._until = now, now + self._rules.side_s
        return self._tell(self._side, ())

    def _tell(self, wanted: Wanted, reasons: tuple[ReasonCode, ...]) -> list[Told]:
        """Only what was not told last."""
        told = Told(wanted, 0.0 if wanted is Wanted.NOTHING else self._rules.side_s, reasons)
        before, self._told = self._told, told
        return [told] if told != before else []

    def _patient(self, reasons: tuple[ReasonCode, ...], now: float) -> tuple[ReasonCode, ...]:
        early = now - self._asked_at < PATIENCE_S
        return tuple(one for one in reasons if not (early and one is ReasonCode.DOCUMENT_NOT_FOUND))

    def _done(self) -> Check:
        score = self._scores[0]
        if score < self._rules.threshold:
            return _check(Outcome.REFER, ReasonCode.DOCUMENT_PORTRAIT_UNSURE, score=score)
        return Check("document", score, Outcome.PASS)

    def _late(self) -> Check:
        if self._expired >= EXPIRED:
            return _check(Outcome.FAIL, ReasonCode.DOCUMENT_EXPIRED)
        if self._readings == 0 and self._skipped is not None:
            return _check(Outcome.REFER, self._skipped)
        if self._front is not None:
            reason = self._doubt if self._doubt is ReasonCode.DOCUMENT_CONTRADICTORY else ReasonCode.DOCUMENT_BACK_MISSING
            return _check(Outcome.REFER, reason, score=self._scores[0])
        if self._scores:
            best = max(self._scores)
            if best < self._rules.refer:
                return _check(Outcome.FAIL, ReasonCode.DOCUMENT_OTHER_PERSON, score=best)
            return _check(Outcome.REFER, ReasonCode.DOCUMENT_PORTRAIT_UNSURE, score=best)
        if self._doubt is not None:
            return _check(Outcome.REFER, self._doubt)
        if self._back:
            return _check(Outcome.REFER, ReasonCode.DOCUMENT_BACK_MISSING)
        return _check(Outcome.REFER, ReasonCode.DOCUMENT_UNREADABLE if self._seen else ReasonCode.DOCUMENT_NOT_SHOWN)


def _date(reading: DocumentReading, name: str) -> date | None:
    try:
        return date.fromisoformat(reading.values.get(name, ""))
    except ValueError:
        return None


def _validity(reading: DocumentReading) -> tuple[date, date | None] | None:
    """(its first day, its last one or None for without end); None where it does not say."""
    begins, ends = _date(reading, "valid_from"), _date(reading, "valid_until")
    if begins is None or (ends is None and reading.values.get("valid_until") != LONG_TERM):
        return None
    return begins, ends


def _check(outcome: Outcome, reason: ReasonCode, *, score: float = 0.0) -> Check:
    return Check("document", score, outcome, (reason,))

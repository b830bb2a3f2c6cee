"""An attempt that goes on with an identity document, once the face has passed. A part of the composition root, as ``server/challenges.py``.

The document is shown to the same camera in the same attempt; the portrait on it is compared with the face of that attempt and with the reference.
What stands on it stays in the worker's answer, and is dropped with it.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from msgspec.structs import replace

from server.clock import SystemClock
from server.errors import VerificationBusy, VerificationTimeout
from server.live.ports import TapPicture
from server.services.documents import CHINA
from server.transactions.again import TOO_BUSY
from server.transactions.cues import Card, Cue, Instruction
from server.transactions.decision import CheckedAttempt, CheckOutcome, CheckResult
from server.transactions.policy import Check, Policy

if TYPE_CHECKING:
    from server.challenges import PlayedChallenge
    from server.transactions.material import Material
    from verification.documents.reading import DocumentReading
    from verification.documents.showing import Rules, Showing, Told
    from verification.ports import EnginePort, PackInfo

EVERY_S = 0.8
"""The sharpest picture of each so long is read."""
REST = 1.25
"""And of each so many times what the reading before took: pictures never come quicker than they are looked at."""
LINES = 1280
"""Of the pictures, at most: all of 1,280 × 720, also where a telephone is held upright. A card that fills half of the width is then read
(``docs/documents.md``)."""


class WithDocument:
    """``server/services/live_ports.py: LiveCheck``. ``face``: what comes before. ``today``: where the documents are from."""

    def __init__(
        self,
        face: "PlayedChallenge",
        engine: "EnginePort",
        translated: Callable[[], AbstractContextManager[None]],
        rules: "Rules",
        today: Callable[[], date],
    ) -> None:
        from verification.documents.showing import Sharpest

        self._face, self._engine, self._translated = face, engine, translated
        self._rules, self._today = rules, today
        self._showing: Showing | None = None
        self._pictures: Sharpest[TapPicture] = Sharpest(EVERY_S)
        self._read = 0
        self._began: float | None = None
        self._kept: set[str] = set()

    @property
    def nonce(self) -> bytes:
        return self._face.nonce

    @property
    def warning(self) -> bool:
        return self._face.warning

    @property
    def lines(self) -> int:
        return LINES

    @property
    def in_time(self) -> bool:
        return self._showing is None

    @property
    def over(self) -> bool:
        """A face that has passed is followed by a document: see ``_after``."""
        return self._face.over if self._showing is None else self._showing.over

    @property
    def due_s(self) -> float | None:
        return self._face.due_s if self._showing is None else self._showing.due_s

    def attended(self, by_agent: Callable[[], bool]) -> None:
        self._face.attended(by_agent)

    def start(self, now: float) -> list[Instruction]:
        return self._after(self._face.start(now), now)

    def tick(self, now: float, looked_s: float | None = None) -> list[Instruction]:
        return self._after(self._face.tick(now, looked_s), now) if self._showing is None else _said(self._showing.tick(now))

    def cannot(self, now: float, *, light: bool = False) -> list[Instruction]:
        """In front of a document: they have none with them."""
        if self._showing is None:
            return self._after(self._face.cannot(now, light=light), now)
        return [] if light else _said(self._showing.cannot())

    def end(self, now: float) -> list[Instruction]:
        return self._after(self._face.end(now), now) if self._showing is None else _said(self._showing.end())

    async def see(self, picture: TapPicture) -> list[Instruction]:
        self._began = picture.received_at if self._began is None else self._began
        if self._showing is None:
            return self._after(await self._face.see(picture), picture.received_at)
        if self._showing.over:
            return []
        from verification.documents.clarity import of_frame

        sharp = of_frame(picture.pixels, picture.width, picture.height)
        best = self._pictures.offer(sharp, picture.received_at, picture)
        return [] if best is None else await self._look(self._showing, best, picture.received_at)

    async def _look(self, showing: "Showing", picture: TapPicture, now: float) -> list[Instruction]:
        from verification.reasons import ReasonCode

        begun = time.monotonic()
        self._read += 1
        try:
            with self._translated():
                seen = await self._engine.document_frame(
                    picture.pixels, picture.width, picture.height, today=self._today(), references=self._face.faces
                )
        except (VerificationBusy, VerificationTimeout) as error:
            busy = isinstance(error, VerificationBusy)
            showing.skipped(ReasonCode.ENGINE_BUSY if busy else ReasonCode.DEADLINE_MISSED)
            return []
        finally:
            self._pictures.every_s = max(EVERY_S, REST * (time.monotonic() - begun))
        told = showing.read(seen.reading, seen.alike, now)
        if seen.reading.accepted:
            await self._keep(picture, seen.reading, min(seen.alike, default=None))
        return _said(told)

    async def _keep(self, picture: TapPicture, reading: "DocumentReading", match: float | None) -> None:
        """For a review, the card alone, laid flat: each side once."""
        from server.keeping import Seen
        from server.transactions.material import PictureKind

        side = reading.type.value if reading.type is not None else ""
        if side in self._kept or (flat := await asyncio.to_thread(_flat, picture, reading.corners)) is None:
            return
        self._kept.add(side)
        at_s = picture.received_at - (self._began or 0.0)
        self._face.keeping.add(PictureKind.DOCUMENT, Seen(picture=flat, at_s=at_s, match=match), side)

    def _after(self, told: list[Instruction], now: float) -> list[Instruction]:
        """A face that cannot pass, by whatever, ends it: nobody is asked for a document in vain."""
        from verification.documents.showing import Showing

        if not self._face.over:
            return told
        face = self._face.result()
        if face.fault is not None or any(one.outcome is CheckOutcome.FAIL for one in face.checks):
            return told
        self._showing = Showing(self._rules)
        return told + _said(self._showing.start(now))

    def result(self, *, ours: bool = False, slow: bool = False) -> CheckedAttempt:
        face = self._face.result(ours=ours, slow=slow)
        if self._showing is None:
            return face
        found = self._showing.check()
        reasons = () if found.passed else tuple(reason.value for reason in found.reasons)
        outcome = CheckOutcome(found.outcome.value)
        busy = next((code for code in reasons if code in TOO_BUSY), None)  # nothing of it was ever read
        document = CheckResult(
            name=Check.DOCUMENT,
            outcome=outcome,
            score=min(1.0, max(0.0, found.score)),
            reasons=reasons,
            excused=reasons if (ours or busy is not None) and outcome is CheckOutcome.REFER else (),
        )
        return replace(face, checks=(*face.checks, document), frames=face.frames + self._read, fault=face.fault or busy)

    async def material(self) -> "Material":
        return await self._face.material()


@dataclass(frozen=True, slots=True)
class _Flat:
    """A card laid flat, as a ``TapPicture``: of the one that it was cut out of."""

    of: TapPicture
    pixels: memoryview
    width: int
    height: int

    @property
    def rtp_time(self) -> int:
        return self.of.rtp_time

    @property
    def received_at(self) -> float:
        return self.of.received_at

    @property
    def sha256(self) -> bytes:
        return self.of.sha256

    @property
    def index(self) -> int:
        return self.of.index

    @property
    def nonce(self) -> bytes:
        return self.of.nonce

    @property
    def lost(self) -> int:
        return self.of.lost


def _flat(picture: TapPicture, corners: Sequence[tuple[float, float]]) -> _Flat | None:
    """None where the corners, which a worker says, are nowhere near the picture."""
    import numpy as np

    from verification.documents.rectify import flat

    places = np.asarray(corners, np.float32)
    size = np.array((picture.width, picture.height), np.float32)
    if places.shape != (4, 2) or not ((places > -size) & (places < 2 * size)).all():
        return None
    card = flat(np.frombuffer(picture.pixels, np.uint8).reshape(picture.height, picture.width, 3), places)
    return _Flat(picture, memoryview(card.tobytes()), card.shape[1], card.shape[0])


def document_rules(policy: Policy, pack: "PackInfo") -> "Rules":
    """A portrait that is not even like enough for the laxest operating point of the pack is somebody else's."""
    from verification.documents.showing import Rules

    points = dict(pack.points)
    return Rules(side_s=policy.document_s, threshold=points[policy.fmr], refer=min(points.values()))


def today_in_china() -> date:
    return SystemClock().now().astimezone(CHINA).date()


def _said(told: "list[Told]") -> list[Instruction]:
    return [
        Instruction(
            cue=Cue.DOCUMENT,
            action=Card(one.wanted.value),
            within_s=one.within_s,
            reasons=tuple(reason.value for reason in one.reasons),
        )
        for one in told
    ]

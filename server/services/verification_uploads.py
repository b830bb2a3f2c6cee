"""What was uploaded for an attempt, pictures or a clip, looked at: what it shows of liveness and of who it is, and what is kept of it.

Both can have been made beforehand, and neither answers anything that was asked. A clip shows a face over time, pictures do not; each is an assurance of its own.
"""

import logging
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from server.api.bodies_faces import FaceComparison, FaceReason, LivenessChecked, Presentation
from server.errors import (
    Conflict,
    Invalid,
    PictureRefused,
    TongpingError,
    VerificationBusy,
    VerificationLost,
    VerificationTimeout,
)
from server.services.face_ports import ClipShown, FaceEngine
from server.transactions.decision import PAD_MISSING, AttemptKind, CheckedAttempt, CheckOutcome, CheckResult
from server.transactions.material import MAX_PICTURES, Material, Picture, PictureKind, Shown
from server.transactions.policy import Check, Policy

log = logging.getLogger(__name__)
COMPARED = 5
"""So many of the pictures are compared with the reference, spread over all of them; identity through all is a check of its own."""
CLIP_KEPT = 4
"""So many pictures of a clip are kept, spread over it."""
NO_FACE = "no_face"


@dataclass(frozen=True, slots=True)
class Brought:
    """``clip``, or else ``images``: files as they came."""

    images: Sequence[bytes] = ()
    clip: bytes = b""

    @property
    def kind(self) -> AttemptKind:
        return AttemptKind.CLIP if self.clip else AttemptKind.IMAGES


@dataclass(frozen=True, slots=True)
class Looked:
    """``advice``: what the person can do about it next time. ``material``: what is kept."""

    checked: CheckedAttempt
    advice: list[FaceReason] = field(default_factory=list)
    material: Material = Material(complete=False)  # noqa: RUF009 - frozen


Reference = Callable[[], Awaitable[bytes]]
"""The template to compare with. Raises Conflict, VerificationLost."""


class Uploads:
    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine

    async def look(self, brought: Brought, policy: Policy, reference: Reference) -> Looked:
        """Never a pass where something went wrong: a fault of ours, or a picture that shows nobody."""
        if brought.clip:
            return await self._clip(brought.clip, policy, reference)
        checked, advice = await self._images(brought.images, policy, reference)
        return Looked(checked, advice, await self._kept(brought.images))

    # ---- a clip

    async def _clip(self, clip: bytes, policy: Policy, reference: Reference) -> Looked:
        try:
            shown = await self._engine.shown(clip, await reference(), fmr=policy.fmr, stills=CLIP_KEPT)
        except PictureRefused as error:
            return Looked(self._refused(AttemptKind.CLIP, error, frames=1), self._engine.reasons(error.reasons))
        except TongpingError as error:
            return Looked(faulty(AttemptKind.CLIP, fault_of(error)))
        compared = [one for one in shown.compared if one is not None]
        match = _match(compared) if compared else CheckResult(name=Check.MATCH, outcome=CheckOutcome.FAIL, reasons=(NO_FACE,))
        pad = _pad(shown.liveness, policy)
        checked = CheckedAttempt(
            assurance=AttemptKind.CLIP,
            checks=tuple(one for one in (match, pad) if one is not None),
            match_score=match.score,
            match_threshold=compared[0].threshold if compared else None,
            pack_name=shown.liveness.pack.name,
            pack_hash=shown.liveness.pack.hash,
            frames=len(shown.liveness.frames),
        )
        return Looked(checked, list(shown.liveness.reasons), _clip_kept(shown))

    # ---- pictures

    async def _images(
        self, images: Sequence[bytes], policy: Policy, reference: Reference
    ) -> tuple[CheckedAttempt, list[FaceReason]]:
        try:
            liveness = await self._engine.liveness(images)
            template = await reference()
            places = spread(len(images), COMPARED)
            compared = [await self._engine.match(template, images[at], fmr=policy.fmr) for at in places]
        except PictureRefused as error:
            return self._refused(AttemptKind.IMAGES, error, frames=len(images)), self._engine.reasons(error.reasons)
        except TongpingError as error:
            return faulty(AttemptKind.IMAGES, fault_of(error)), []
        if any(one.pack != liveness.pack for one in compared):
            return faulty(AttemptKind.IMAGES, "pack_changed"), []
        match = _match(compared)
        pad = _pad(liveness, policy)
        checked = CheckedAttempt(
            assurance=AttemptKind.IMAGES,
            checks=tuple(one for one in (match, pad) if one is not None),
            match_score=match.score,
            match_threshold=compared[0].threshold,
            pack_name=liveness.pack.name,
            pack_hash=liveness.pack.hash,
            frames=len(liveness.frames),
        )
        return checked, [*liveness.reasons, *(reason for one in compared for reason in one.reasons)]

    async def _kept(self, images: Sequence[bytes]) -> Material:
        """What is kept of them: without what else their files said."""
        pictures: list[Picture] = []
        complete = True
        try:
            for number, at in enumerate(spread(len(images), MAX_PICTURES)):
                shown = Shown(name=f"upload-{number + 1}", kind=PictureKind.UPLOAD)
                pictures.append(Picture(shown=shown, jpeg=await self._engine.still(images[at])))
        except TongpingError as error:
            log.warning("not all uploaded pictures can be kept", extra={"code": error.code})
            complete = False
        return Material(pictures=tuple(pictures), played={"uploaded": len(images)}, complete=complete)

    def _refused(self, kind: AttemptKind, error: PictureRefused, *, frames: int) -> CheckedAttempt:
        failed = CheckResult(name=Check.MATCH, outcome=CheckOutcome.FAIL, reasons=error.reasons or (error.code,))
        pack = self._engine.pack
        return CheckedAttempt(
            assurance=kind, checks=(failed,), match_score=None, match_threshold=None, pack_name=pack.name, pack_hash=pack.hash,
            frames=frames,
        )  # fmt: skip


def _clip_kept(shown: ClipShown) -> Material:
    frames = shown.liveness.frames
    pictures: list[Picture] = []
    for number, (at, jpeg) in enumerate(shown.stills):
        frame, compared = frames[at], shown.compared[at]
        told = Shown(
            name=f"upload-{number + 1}",
            kind=PictureKind.UPLOAD,
            at_ms=round(1000 * (frame.at_s or 0.0)),
            match=compared.comparison_score if compared is not None else None,
            pad=frame.pad_score,
            quality=frame.quality.score if frame.quality is not None else None,
        )
        pictures.append(Picture(shown=told, jpeg=jpeg))
    return Material(pictures=tuple(pictures), played={"clip": len(frames)})


def spread(count: int, most: int) -> list[int]:
    """At most so many of ``count`` places, the first and the last included."""
    return list(range(count)) if count <= most else [round(at * (count - 1) / (most - 1)) for at in range(most)]


def _match(compared: Sequence[FaceComparison]) -> CheckResult:
    """The middle one decides: one picture that happens to be alike is no match, and one that is poor no mismatch."""
    scores = [one.comparison_score for one in compared if one.comparison_score is not None]
    if len(scores) != len(compared):
        return CheckResult(name=Check.MATCH, outcome=CheckOutcome.FAIL, reasons=("no_match",))
    score = statistics.median_low(scores)
    if score >= compared[0].threshold and sum(one.match for one in compared) * 2 > len(compared):
        return CheckResult(name=Check.MATCH, outcome=CheckOutcome.PASS, score=score)
    return CheckResult(name=Check.MATCH, outcome=CheckOutcome.FAIL, score=score, reasons=("no_match",))


def _pad(found: LivenessChecked, policy: Policy) -> CheckResult | None:
    """None: this pack cannot detect presentation attacks, and nothing else was wrong."""
    codes = tuple(reason.code for reason in found.reasons)
    score = found.pad_score
    if found.presentation is Presentation.ATTACK:
        return CheckResult(name=Check.PAD, outcome=CheckOutcome.FAIL, score=score, reasons=codes or ("pad_attack",))
    if found.presentation is not Presentation.BONA_FIDE:
        if found.pad_accept is None and set(codes) <= {PAD_MISSING}:
            return None
        return CheckResult(name=Check.PAD, outcome=CheckOutcome.REFER, score=score, reasons=codes or ("pad_unsure",))
    if score is None or found.pad_accept is None:
        return None
    own_refer = found.pad_refer if found.pad_refer is not None else found.pad_accept
    accept, refer = policy.pad_thresholds(found.pack.name, found.pad_accept, own_refer)
    if score < refer:
        return CheckResult(name=Check.PAD, outcome=CheckOutcome.FAIL, score=score, reasons=("pad_attack",))
    if score < accept:
        return CheckResult(name=Check.PAD, outcome=CheckOutcome.REFER, score=score, reasons=("pad_unsure",))
    return CheckResult(name=Check.PAD, outcome=CheckOutcome.PASS, score=score)


def faulty(assurance: AttemptKind, fault: str) -> CheckedAttempt:
    """An attempt that did not come to its end: nothing was found out."""
    return CheckedAttempt(
        assurance=assurance, checks=(), match_score=None, match_threshold=None, pack_name="", pack_hash="", frames=0, fault=fault,
    )  # fmt: skip


def fault_of(error: TongpingError) -> str:
    """The engine's own words where it has one: those that a policy may name."""
    match error:
        case VerificationBusy():
            return "engine_busy"
        case VerificationLost():
            return "engine_lost"
        case VerificationTimeout():
            return "deadline_missed"
        case Invalid():
            return "operating_point_unknown"
        case Conflict():
            return "pack_changed"
        case _:
            return "engine_unavailable"

"""What the verification engine says, as the interface says it. A part of the composition root: it knows the server and ``verification``. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from server.api.bodies_faces import (
    Assurance,
    FaceComparison,
    FacePack,
    FacePicture,
    FaceQuality,
    FaceReason,
    LivenessChecked,
    LivenessFrame,
    Presentation,
)
from server.domain.model import Language
from verification import advice
from verification.reasons import ReasonCode

if TYPE_CHECKING:
    from verification.challenge.policy import Limits
    from verification.ports import Analysis, Examined, LivenessMaterial, PackInfo
    from verification.types import Comparison, Quality

NOTES: dict[Assurance, dict[Language, str]] = {
    Assurance.UPLOADED_PICTURES: {
        Language.ZH: "上传的照片可能是事先拍好的，或并非来自摄像头；不能代替实时视频中的活体检测。",
        Language.EN: "Uploaded pictures may have been taken before, or by no camera at all; they do not replace a check on the live stream.",
    },
    Assurance.UPLOADED_CLIP: {
        Language.ZH: "上传的视频可能是事先录制的，没有回应任何随机指令；保证程度低于实时视频中的活体检测。",
        Language.EN: "An uploaded clip may have been recorded before and answers nothing that was asked; it assures of less than a check on the "
        "live stream.",
    },
}
_CODES = frozenset(code.value for code in ReasonCode)
MIN_SEEN_SHARE = 0.5
"""Of the frames: fewer with one face, and the face counts as lost."""


@dataclass(frozen=True, slots=True)
class LivenessRules:
    """What counts as what in pictures that were uploaded. ``identity``: threshold of comparisons with the first face; ``identity_turned``: the same where the
    head is turned by more than ``turned_deg`` from there. ``pad_frames``: so many different pictures with a face at least. ``pad_window``: no so many frames in a
    row may have a mean under the pack's ``pad_refer``."""

    identity: float
    identity_turned: float
    turned_deg: float
    pad_frames: int
    pad_window: int


def liveness_rules(limits: "Limits", threshold: float) -> LivenessRules:
    """Those of an attempt on the live stream. ``threshold``: of the operating point; the one for turned heads keeps its distance from it."""
    return LivenessRules(
        identity=threshold,
        identity_turned=threshold * limits.identity_turned / limits.identity,
        turned_deg=limits.turned_deg,
        pad_frames=limits.pad_frames,
        pad_window=limits.pad_window,
    )


def reasons(codes: Iterable[ReasonCode]) -> list[FaceReason]:
    """Each once, in their order."""
    return [
        FaceReason(code=code.value, advice={language: advice.advice(code, language.value) for language in Language})
        for code in dict.fromkeys(codes)
    ]


def known(codes: Iterable[str]) -> list[ReasonCode]:
    """Those that are reasons of the engine."""
    return [ReasonCode(code) for code in codes if code in _CODES]


def pack(info: "PackInfo") -> FacePack:
    return FacePack(name=info.name, version=info.version, hash=info.hash)


def quality(found: "Quality") -> FaceQuality:
    return FaceQuality(
        good=found.good,
        score=found.score,
        size_px=found.size_px,
        yaw=found.yaw,
        pitch=found.pitch,
        roll=found.roll,
        sharpness=found.sharpness,
        brightness=found.brightness,
        contrast=found.contrast,
        over_exposed=found.over_exposed,
        under_exposed=found.under_exposed,
        occlusion=found.occlusion,
        eyes_open=found.eyes_open,
        reasons=reasons(found.reasons),
    )


def picture(found: "Examined") -> FacePicture:
    return FacePicture(width=found.width, height=found.height, box=list(found.face.box), quality=quality(found.quality))


def comparison(found: "Comparison", reference: "Examined | None", probe: "Examined", info: "PackInfo") -> FaceComparison:
    """``match`` is worked out once more: no answer can say yes under its own threshold."""
    return FaceComparison(
        match=found.match and found.comparison_score >= found.threshold,
        comparison_score=found.comparison_score,
        threshold=found.threshold,
        fmr=found.fmr,
        reasons=reasons(found.reasons),
        reference=picture(reference) if reference is not None else None,
        template=None,
        probe=picture(probe),
        pack=pack(info),
    )


def compared(found: "LivenessMaterial", info: "PackInfo") -> list[FaceComparison | None]:
    """A clip's frames with the template that they were compared with: as many as frames, None without one face."""
    if not found.compared:
        return [None] * len(found.frames)
    return [_compared(frame, one, info) for frame, one in zip(found.frames, found.compared, strict=True)]


def _compared(frame: "Analysis", one: "Comparison | None", info: "PackInfo") -> FaceComparison | None:
    if one is None or frame.face is None or frame.quality is None:
        return None
    probe = FacePicture(width=frame.width, height=frame.height, box=list(frame.face.box), quality=quality(frame.quality))
    return FaceComparison(
        match=one.match and one.comparison_score >= one.threshold,
        comparison_score=one.comparison_score,
        threshold=one.threshold,
        fmr=one.fmr,
        reasons=reasons(one.reasons),
        reference=None,
        template=None,
        probe=probe,
        pack=pack(info),
    )


def liveness(
    found: "LivenessMaterial", info: "PackInfo", *, rules: LivenessRules, assurance: Assurance, hashes: Sequence[bytes] = ()
) -> LivenessChecked:
    """``hashes``: of the files, where the frames are pictures. Only what is surely so makes bona fide: no number that is none does."""
    why = [*_unseen(found.frames), *_changed(found.frames, rules), *found.reasons]
    score = found.pad.score if found.pad is not None else None
    if score is None and ReasonCode.PAD_UNAVAILABLE not in why:
        why.append(ReasonCode.PAD_UNAVAILABLE if not info.has_pad else ReasonCode.EVIDENCE_MISSING)
    if score is not None and ReasonCode.PAD_ATTACK not in why:
        why += _unsure(found.frames, hashes, info, rules)
    if ReasonCode.PAD_ATTACK in why:
        presentation = Presentation.ATTACK
    elif not why and score is not None and info.pad_accept is not None and score >= info.pad_accept:
        presentation = Presentation.BONA_FIDE
    else:
        presentation = Presentation.UNDETERMINED
    return LivenessChecked(
        presentation=presentation,
        pad_score=score,
        pad_accept=info.pad_accept,
        pad_refer=info.pad_refer,
        reasons=reasons(why),
        assurance=assurance,
        assurance_note=NOTES[assurance],
        frames=[_frame(frame, found.times[at] if found.times else None) for at, frame in enumerate(found.frames)],
        pack=pack(info),
    )


def _frame(frame: "Analysis", at_s: float | None) -> LivenessFrame:
    return LivenessFrame(
        at_s=at_s,
        faces=frame.faces,
        pad_score=frame.pad.score if frame.pad is not None else None,
        comparison_score=frame.identity,
        quality=quality(frame.quality) if frame.quality is not None else None,
    )


def _unseen(frames: Sequence["Analysis"]) -> list[ReasonCode]:
    if any(frame.faces > 1 for frame in frames):
        return [ReasonCode.SEVERAL_FACES]
    seen = sum(frame.faces == 1 for frame in frames)
    if not seen:
        return [ReasonCode.NO_FACE]
    return [ReasonCode.FACE_LOST] if seen < MIN_SEEN_SHARE * len(frames) else []


def _changed(frames: Sequence["Analysis"], rules: LivenessRules) -> list[ReasonCode]:
    """Whether a frame shows another person than the first that has a face."""
    first = next((frame for frame in frames if frame.faces == 1), None)
    for frame in frames:
        if first is None or frame.identity is None:
            continue
        yaw, pitch = (frame.yaw or 0.0) - (first.yaw or 0.0), (frame.pitch or 0.0) - (first.pitch or 0.0)
        turned = max(abs(yaw), abs(pitch)) > rules.turned_deg
        if not frame.identity >= (rules.identity_turned if turned else rules.identity):
            return [ReasonCode.FACE_CHANGED]
    return []


def _unsure(frames: Sequence["Analysis"], hashes: Sequence[bytes], info: "PackInfo", rules: LivenessRules) -> list[ReasonCode]:
    """Why a mean that is good is not enough: too few different pictures, or some in a row that are not good."""
    scored = [(at, frame, frame.pad.score) for at, frame in enumerate(frames) if frame.faces == 1 and frame.pad is not None]
    shown = len({_shown(frame) for _, frame, _ in scored})
    if hashes:
        shown = min(shown, len({hashes[at] for at, _, _ in scored}))
    if shown < rules.pad_frames:
        return [ReasonCode.PAD_TOO_FEW]
    scores = [score for _, _, score in scored]
    width = min(rules.pad_window, len(scores))
    means = [fmean(scores[start : start + width]) for start in range(len(scores) - width + 1)]
    sure = info.pad_refer is not None and all(mean >= info.pad_refer for mean in means)
    return [] if sure else [ReasonCode.PAD_UNSURE]


def _shown(frame: "Analysis") -> object:
    """The same for the same pixels, in whatever file: one picture that was saved ten times is one picture."""
    return frame.width, frame.height, frame.thumbnail, frame.face_colour, frame.background_colour, frame.face

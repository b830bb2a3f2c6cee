"""Is a picture of a face good enough, and if not, why: measures against limits. Sans I/O; ``measure.py`` takes the measures.

Limits are named in the manifest (``thresholds.quality``); what it leaves out is as here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType

from verification.reasons import ReasonCode
from verification.types import Pose, Quality

LIMITS: Mapping[str, float] = MappingProxyType(
    {
        "eye_distance_min": 30.0,  # pixels between the eyes
        "eye_distance_share_max": 0.4,  # of the picture's width
        "outside_max": 0.06,  # share of the face that is not in the picture
        "yaw_max": 28.0,  # degrees to either side
        "pitch_max": 28.0,
        "roll_max": 22.0,
        "sharpness_min": 0.085,
        "brightness_min": 0.18,  # of luma, 0 to 1
        "brightness_max": 0.86,
        "contrast_min": 0.06,
        "over_exposed_max": 0.18,  # share of the face
        "under_exposed_max": 0.40,
        "uneven_max": 0.7,  # difference of the halves' brightness over their mean
        "occlusion_max": 0.15,  # share of the face
        "eyes_open_min": 0.13,  # eye aspect ratio
    }
)


@dataclass(frozen=True, slots=True)
class Measures:
    """``eye_distance`` in pixels, ``eye_distance_share`` of the picture's width, ``outside`` the share of the face over the picture's edge, ``uneven`` the
    difference of the halves' brightness over their mean. Otherwise as ``types.Quality``."""

    eye_distance: float
    eye_distance_share: float
    outside: float
    sharpness: float
    brightness: float
    contrast: float
    over_exposed: float
    under_exposed: float
    uneven: float
    occlusion: float | None


@dataclass(frozen=True, slots=True)
class _Finding:
    reason: ReasonCode
    score: float
    """1 far on the good side of the limit, 0.5 at it, 0 far on the other."""


def limits_of(manifest: Mapping[str, float]) -> Mapping[str, float]:
    """Raises ValueError for a limit that is not known, as a misspelt one would never be kept, and for one that is no number above 0."""
    unknown = sorted(set(manifest) - set(LIMITS))
    if unknown:
        raise ValueError(f"limits of quality that are not known: {', '.join(unknown)}")
    for name, limit in manifest.items():
        if not (isfinite(limit) and limit > 0):
            raise ValueError(f"{name} is {limit}, and no number above 0")
    return {**LIMITS, **manifest}


def judge(measures: Measures, pose: Pose | None, eyes_open: float | None, limits: Mapping[str, float]) -> Quality:
    """``eyes_open``: None where the pack cannot see it."""
    findings = sorted(_findings(measures, pose, eyes_open, limits), key=lambda finding: finding.score)
    return Quality(
        size_px=measures.eye_distance,
        yaw=pose.yaw if pose else None,
        pitch=pose.pitch if pose else None,
        roll=pose.roll if pose else None,
        sharpness=measures.sharpness,
        brightness=measures.brightness,
        contrast=measures.contrast,
        over_exposed=measures.over_exposed,
        under_exposed=measures.under_exposed,
        occlusion=measures.occlusion,
        eyes_open=eyes_open,
        reasons=tuple(dict.fromkeys(finding.reason for finding in findings if finding.score < 0.5)),
        score=findings[0].score,
    )


def _findings(
    measures: Measures, pose: Pose | None, eyes_open: float | None, limits: Mapping[str, float]
) -> Iterable[_Finding]:
    def least(reason: ReasonCode, value: float, name: str) -> _Finding:
        return _Finding(reason, _clipped(value / (2 * limits[name])))

    def most(reason: ReasonCode, value: float, name: str) -> _Finding:
        return _Finding(reason, _clipped(1 - value / (2 * limits[name])))

    yield least(ReasonCode.FACE_TOO_SMALL, measures.eye_distance, "eye_distance_min")
    yield most(ReasonCode.FACE_TOO_NEAR, measures.eye_distance_share, "eye_distance_share_max")
    yield most(ReasonCode.FACE_CUT_OFF, measures.outside, "outside_max")
    yield least(ReasonCode.BLURRED, measures.sharpness, "sharpness_min")
    yield least(ReasonCode.TOO_DARK, measures.brightness, "brightness_min")
    yield most(ReasonCode.TOO_DARK, measures.under_exposed, "under_exposed_max")
    yield _Finding(ReasonCode.TOO_BRIGHT, _clipped(0.5 + (limits["brightness_max"] - measures.brightness) / 0.3))
    yield most(ReasonCode.TOO_BRIGHT, measures.over_exposed, "over_exposed_max")
    yield least(ReasonCode.LOW_CONTRAST, measures.contrast, "contrast_min")
    yield most(ReasonCode.UNEVEN_LIGHT, measures.uneven, "uneven_max")
    if pose is not None:
        yield most(ReasonCode.FACE_TURNED, abs(pose.yaw), "yaw_max")
        yield most(ReasonCode.FACE_UP_OR_DOWN, abs(pose.pitch), "pitch_max")
        yield most(ReasonCode.FACE_TILTED, abs(pose.roll), "roll_max")
    if measures.occlusion is not None:
        yield most(ReasonCode.OCCLUDED, measures.occlusion, "occlusion_max")
    if eyes_open is not None:
        yield least(ReasonCode.EYES_CLOSED, eyes_open, "eyes_open_min")


def _clipped(score: float) -> float:
    return min(1.0, max(0.0, score))

"""What of a worker's answer is handed on, and what is said in its place. Sans I/O.

A worker that was taken over may say what it likes. It chooses a reason among those there are, and the words that go with it are written here; a score is its
own, but what the score means by the pack's thresholds is found here.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from verification.engine import messages
from verification.errors import BadMessage
from verification.ports import LivenessMaterial, PackInfo, PadAnswer
from verification.reasons import ReasonCode
from verification.types import Comparison, Pad

_R = ReasonCode
DETAILS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "image": {
            _R.IMAGE_EMPTY: "the picture has no bytes",
            _R.IMAGE_TOO_LARGE: "the picture has more bytes than are read",
            _R.IMAGE_TOO_MANY_PIXELS: "the picture has more pixels than are read of its format",
            _R.IMAGE_TOO_SMALL: "the picture has fewer pixels than a face needs",
            _R.IMAGE_FORMAT_UNKNOWN: "the picture is of no kind of JPEG, PNG, WebP or HEIC that is read",
            _R.IMAGE_TRUNCATED: "the picture ends before it is complete",
            _R.IMAGE_FOREIGN_DATA: "something that is no picture is in the file",
            _R.IMAGE_ANIMATED: "the picture is animated",
            _R.IMAGE_BROKEN: "the picture cannot be decoded",
            _R.CLIP_FORMAT_UNKNOWN: "the clip is no WebM or MP4 in a codec that is read",
            _R.CLIP_TOO_LARGE: "the clip has more bytes or larger pictures than are read",
            _R.CLIP_TOO_LONG: "the clip is longer than 30 s, or has too many pictures of their size: 1280 x 720 is enough",
            _R.CLIP_BROKEN: "the clip cannot be decoded",
        },
        "face": {_R.NO_FACE: "no face is found", _R.SEVERAL_FACES: "several faces are found"},
        "template": {
            "template_broken": "not a template",
            "template_of_another_model": "another recogniser made the template",
        },
        "operating_point": {"unknown_operating_point": "the pack has no threshold for this false match rate"},
        "work": {
            "failed": "an error",
            "out_of_memory": "too little memory",
            "no_document_reader": "no document reader is loaded",
        },
    }
)
"""By what was refused and its code; there are no others."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}\Z")


def believed(
    request: messages.AnyRequest, answer: messages.AnyAnswer | messages.Refused, pack: PackInfo
) -> messages.AnyAnswer | messages.Refused:
    """``answer`` as it is handed on. Raises BadMessage: an answer that this pack does not give."""
    match answer:
        case messages.Refused():
            return _refused(answer)
        case messages.ComparedIs() | messages.MatchedIs():
            assert isinstance(request, messages.Compare | messages.Match)
            _check_point(answer.result.comparison, request.fmr, pack)
        case messages.PadIs() | messages.LivenessIs():
            _check_pad(answer.result, pack)
            if isinstance(request, messages.Clip) and isinstance(answer, messages.LivenessIs):
                for comparison in answer.result.compared:
                    if comparison is not None:
                        _check_point(comparison, request.fmr, pack)
    return answer


def _refused(answer: messages.Refused) -> messages.Refused:
    detail = DETAILS.get(answer.what, {}).get(answer.code)
    if detail is None:
        raise BadMessage("a reason that there is not")
    if answer.code == "failed" and _NAME.match(answer.detail):
        detail = answer.detail  # an error's name; for the log of the server
    return msgspec.structs.replace(answer, detail=detail)


def _check_point(comparison: Comparison, asked: float | None, pack: PackInfo) -> None:
    rate = pack.default_fmr if asked is None else asked
    if comparison.fmr != rate or (rate, comparison.threshold) not in pack.points:
        raise BadMessage("another operating point than the one that was asked for")
    if comparison.reasons != (() if comparison.match else (ReasonCode.NO_MATCH,)):
        raise BadMessage("reasons that its score denies")


def _check_pad(result: PadAnswer | LivenessMaterial, pack: PackInfo) -> None:
    if result.reasons != pad_reasons(result.pad, pack):
        raise BadMessage("reasons that its score denies")


def pad_reasons(pad: Pad | None, pack: PackInfo) -> tuple[ReasonCode, ...]:
    """What a score of passive detection means by the pack's thresholds."""
    if pad is None or pack.pad_accept is None or pack.pad_refer is None:
        return (ReasonCode.PAD_UNAVAILABLE,)
    if pad.score >= pack.pad_accept:
        return ()
    return (ReasonCode.PAD_UNSURE,) if pad.score >= pack.pad_refer else (ReasonCode.PAD_ATTACK,)

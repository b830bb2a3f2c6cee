"""What of a worker's answer is believed."""

from dataclasses import replace
from typing import get_args

import msgspec
import pytest

from tests.support.engine_samples import ANALYSIS, EXAMINED, INFO, OTHER, PAD, SAME
from tests.unit.verification.engine.test_messages import ANSWERS, REQUESTS
from verification.engine import messages
from verification.engine.belief import DETAILS, believed, pad_reasons
from verification.engine.messages import (
    Clip,
    Compare,
    ComparedIs,
    Liveness,
    LivenessIs,
    Match,
    MatchedIs,
    PadIs,
    PadPictures,
    Refused,
)
from verification.errors import BadMessage
from verification.ports import Compared, LivenessMaterial, Matched, PadAnswer
from verification.reasons import ReasonCode

POINTS = replace(INFO, points=((1e-3, 0.4), (1e-4, 0.4)))


@pytest.mark.parametrize("number", range(len(REQUESTS)))
def test_honest_answers_are_handed_on(number: int) -> None:
    request = REQUESTS[number]
    if isinstance(request, Compare | Match | Clip):
        request = msgspec.structs.replace(request, fmr=None)
    assert believed(request, ANSWERS[number], POINTS) is ANSWERS[number]


def test_a_refusal_is_one_of_ours_in_our_words() -> None:
    assert set(DETAILS) == set(get_args(messages.RefusedWhat)) - {"start"}
    for what, codes in DETAILS.items():
        for code, detail in codes.items():
            found = believed(Compare(3, (1, 1)), Refused(3, what, str(code), "of somebody else", 1), POINTS)  # type: ignore[arg-type]
            assert found == Refused(3, what, str(code), detail, 1)  # type: ignore[arg-type]
    pictures = {code for code in ReasonCode if code.value.startswith(("image_", "clip_"))}
    assert set(DETAILS["image"]) == pictures
    assert believed(Compare(3, (1, 1)), Refused(3, "work", "failed", "RuntimeError"), POINTS).detail == "RuntimeError"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("what", "code"), [("image", "no_face"), ("face", "image_broken"), ("face", "x"), ("work", ""), ("start", "failed")]
)
def test_no_other_refusal(what: messages.RefusedWhat, code: str) -> None:
    with pytest.raises(BadMessage):
        believed(Compare(3, (1, 1)), Refused(3, what, code, ""), POINTS)


@pytest.mark.parametrize(
    "comparison",
    [
        replace(SAME, threshold=0.1),
        replace(SAME, fmr=1e-4),
        replace(SAME, fmr=0.5),
        replace(SAME, comparison_score=-1.0, threshold=-2.0),
        replace(SAME, reasons=(ReasonCode.NO_MATCH,)),
        replace(OTHER, reasons=()),
    ],
)
def test_another_operating_point_or_other_reasons(comparison: object) -> None:
    for fmr in (None, 1e-3):
        with pytest.raises(BadMessage):
            believed(Compare(3, (1, 1), fmr), ComparedIs(3, Compared(comparison, EXAMINED, EXAMINED)), POINTS)  # type: ignore[arg-type]
        with pytest.raises(BadMessage):
            believed(Match(3, (1,), b"t", fmr), MatchedIs(3, Matched(comparison, EXAMINED)), POINTS)  # type: ignore[arg-type]
        shown = LivenessMaterial((ANALYSIS,), PAD, (), (0.0,), (comparison,))  # type: ignore[arg-type]
        with pytest.raises(BadMessage):
            believed(Clip(3, (1,), 2, b"t", fmr), LivenessIs(3, shown), POINTS)
    strict = replace(SAME, fmr=1e-4)
    answer = ComparedIs(3, Compared(strict, EXAMINED, EXAMINED))
    assert believed(Compare(3, (1, 1), 1e-4), answer, POINTS) is answer


def test_what_a_score_of_passive_detection_means() -> None:
    attack, unsure = replace(PAD, score=0.1), replace(PAD, score=0.6)
    for pad, reasons in (
        (PAD, ()),
        (unsure, (ReasonCode.PAD_UNSURE,)),
        (attack, (ReasonCode.PAD_ATTACK,)),
        (None, (ReasonCode.PAD_UNAVAILABLE,)),
    ):
        assert pad_reasons(pad, POINTS) == reasons
    assert pad_reasons(PAD, replace(POINTS, pad_accept=None, pad_refer=None)) == (ReasonCode.PAD_UNAVAILABLE,)
    with pytest.raises(BadMessage):
        believed(PadPictures(5, (1,)), PadIs(5, PadAnswer(attack, (attack,), (EXAMINED,), ())), POINTS)
    with pytest.raises(BadMessage):
        believed(Liveness(6, (1,)), LivenessIs(6, LivenessMaterial((ANALYSIS,), unsure, ())), POINTS)

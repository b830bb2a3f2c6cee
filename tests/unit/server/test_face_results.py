"""What becomes of what the engine says of uploaded pictures: a yes needs enough different ones, all good, all of one person."""

from dataclasses import replace

import pytest

from server import face_results
from server.api.bodies_faces import Assurance, LivenessChecked, Presentation
from tests.support.tiny_engine import info
from verification.challenge.policy import Limits
from verification.ports import Analysis, FaceSeen, LivenessMaterial, PackInfo
from verification.reasons import ReasonCode
from verification.types import Pad

PACK = info("tiny", ("CPUExecutionProvider",), "ab" * 32)
"""Bona fide from 0.7, an attack under 0.4."""
RULES = face_results.liveness_rules(Limits(), 0.7)
NAN = float("nan")


def frames(*scores: float | None) -> list[Analysis]:
    """One person, looking straight on, another picture each time."""
    return [
        Analysis(
            width=160,
            height=120,
            faces=1,
            face=FaceSeen((40.0, 30.0, 120.0, 90.0), 0.9, ()),
            yaw=0.0,
            pitch=0.0,
            pad=Pad(score, (score,), ("one",)) if score is not None else None,
            identity=0.9 if at else None,
            face_colour=(200.0, 150.0, 100.0 + at),
            thumbnail=bytes(64),
        )
        for at, score in enumerate(scores)
    ]


def judged(
    shown: list[Analysis], *, mean: float | None = 0.9, hashes: list[bytes] | None = None, pack: PackInfo = PACK
) -> LivenessChecked:
    pad = Pad(mean, (mean,), ("one",)) if mean is not None else None
    reasons = () if mean is None or not mean < 0.4 else (ReasonCode.PAD_ATTACK,)
    material = LivenessMaterial(tuple(shown), pad, reasons)
    return face_results.liveness(material, pack, rules=RULES, assurance=Assurance.UPLOADED_PICTURES, hashes=hashes or [])


def codes(found: LivenessChecked) -> list[str]:
    return [reason.code for reason in found.reasons]


def test_enough_good_pictures_are_bona_fide() -> None:
    found = judged(frames(*[0.9] * 10))
    assert (found.presentation, codes(found)) == (Presentation.BONA_FIDE, [])


def test_fewer_than_an_attempt_needs_are_not() -> None:
    for few in (frames(0.9), frames(*[0.9] * 9)):
        found = judged(few)
        assert (found.presentation, codes(found)) == (Presentation.UNDETERMINED, ["pad_too_few"])


def test_pictures_without_a_face_or_a_score_do_not_count() -> None:
    nobody = Analysis(width=160, height=120, faces=0)
    for shown in ([*frames(*[0.9] * 9), nobody], frames(*[0.9] * 9, None)):
        found = judged(shown)
        assert (found.presentation, codes(found)) == (Presentation.UNDETERMINED, ["pad_too_few"])


def test_one_picture_again_and_again_is_one() -> None:
    (still,) = frames(0.9)
    repeated = [replace(still, identity=0.99 if at else None) for at in range(16)]
    found = judged(repeated, hashes=[bytes([at]) for at in range(16)])  # in as many files
    assert (found.presentation, codes(found)) == (Presentation.UNDETERMINED, ["pad_too_few"])
    found = judged(frames(*[0.9] * 12), hashes=[b"a", b"b"] * 6)
    assert (found.presentation, codes(found)) == (Presentation.UNDETERMINED, ["pad_too_few"])
    found = judged(frames(*[0.9] * 10), hashes=[bytes([at]) for at in range(10)])
    assert found.presentation is Presentation.BONA_FIDE


def test_an_attack_in_a_part_of_it_is_not_hidden_by_the_mean() -> None:
    found = judged(frames(*[0.95] * 11, *[0.2] * 5), mean=0.75)
    assert (found.presentation, codes(found)) == (Presentation.UNDETERMINED, ["pad_unsure"])
    found = judged(frames(*[0.95] * 11, *[0.45] * 5), mean=0.75)
    assert found.presentation is Presentation.BONA_FIDE


def test_an_attack_is_one_however_few_show_it() -> None:
    found = judged(frames(0.1), mean=0.1)
    assert (found.presentation, codes(found)) == (Presentation.ATTACK, ["pad_attack"])


@pytest.mark.parametrize("score", [NAN, -NAN])
def test_what_is_no_number_is_no_yes(score: float) -> None:
    assert judged(frames(*[0.9] * 10), mean=score).presentation is Presentation.UNDETERMINED
    found = judged(frames(*[0.9] * 9, score))
    assert (found.presentation, codes(found)) == (Presentation.UNDETERMINED, ["pad_unsure"])
    other = frames(*[0.9] * 10)
    other[4] = replace(other[4], identity=score)
    assert codes(judged(other)) == ["face_changed"]


def test_a_pack_without_limits_never_says_yes() -> None:
    for pack in (replace(PACK, pad_refer=None), replace(PACK, pad_accept=None)):
        assert judged(frames(*[0.9] * 10), pack=pack).presentation is Presentation.UNDETERMINED
    assert codes(judged(frames(*[None] * 10), mean=None, pack=replace(PACK, has_pad=False))) == ["pad_unavailable"]
    assert codes(judged(frames(*[None] * 10), mean=None)) == ["evidence_missing"]


@pytest.mark.parametrize(("yaw", "pitch"), [(25.0, 0.0), (-25.0, 0.0), (0.0, 18.0)])
def test_who_turns_the_head_is_still_the_same_person(yaw: float, pitch: float) -> None:
    assert RULES.identity_turned == pytest.approx(0.7 * 0.25 / 0.399)
    shown = frames(*[0.9] * 12)
    shown[5] = replace(shown[5], yaw=yaw, pitch=pitch, identity=0.5)
    assert judged(shown).presentation is Presentation.BONA_FIDE
    shown[5] = replace(shown[5], identity=0.4)
    assert codes(judged(shown)) == ["face_changed"]
    shown[5] = replace(shown[5], yaw=5.0, pitch=None, identity=0.5)
    assert codes(judged(shown)) == ["face_changed"]


def test_how_far_it_is_turned_is_seen_from_the_first_face() -> None:
    shown = [Analysis(width=160, height=120, faces=0), *[replace(one, yaw=20.0) for one in frames(*[0.9] * 12)]]
    shown[6] = replace(shown[6], identity=0.5)
    assert codes(judged(shown)) == ["face_changed"]
    shown[6] = replace(shown[6], yaw=0.0)
    assert codes(judged(shown)) == []

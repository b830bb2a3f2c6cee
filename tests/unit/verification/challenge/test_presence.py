"""One face, the same person, alive: and what is missing is never taken for good."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from tests.support.performer import Person
from verification.challenge.observation import Observation
from verification.challenge.policy import Limits
from verification.challenge.presence import Presence
from verification.challenge.verdict import Check, Outcome
from verification.reasons import ReasonCode

LIMITS = Limits()
FRAMES = [Person().frame(index, index / 12.5) for index in range(100)]


def watched(frames: Iterable[Observation], limits: Limits = LIMITS) -> Presence:
    presence = Presence(limits)
    for one in frames:
        presence.feed(one)
    return presence


def test_content_with_a_person() -> None:
    seen = watched(FRAMES)
    assert seen.face().outcome is seen.identity().outcome is seen.passive(accept_without=False).outcome is Outcome.PASS
    assert seen.face().score == 1.0
    assert 0.5 < seen.identity().score < 0.7


def test_nothing_seen_is_nothing_passed() -> None:
    seen = watched([])
    assert seen.face().reasons == (ReasonCode.NO_FACE,)
    assert seen.identity().reasons == (ReasonCode.EVIDENCE_MISSING,)
    assert seen.passive(accept_without=False).reasons == (ReasonCode.PAD_TOO_FEW,)
    assert {check.outcome for check in (seen.face(), seen.identity(), seen.passive(accept_without=False))} == {Outcome.REFER}


def test_others_and_absences() -> None:
    joined = watched(replace(one, faces=2) if index % 10 == 0 else one for index, one in enumerate(FRAMES))
    assert joined.face().reasons == (ReasonCode.SEVERAL_FACES,)
    gone = watched(replace(one, faces=0) if index % 5 == 0 else one for index, one in enumerate(FRAMES))
    assert gone.face().reasons == (ReasonCode.FACE_LOST,)
    blinked = watched(replace(one, faces=0) if index == 50 else one for index, one in enumerate(FRAMES))
    assert blinked.face().passed


def test_what_does_not_count_for_the_face_counts_for_who_it_is() -> None:
    presence = Presence(Limits())
    for index, one in enumerate(FRAMES):
        presence.feed(replace(one, faces=0) if index % 2 else one, counts=False)
    assert presence.face().reasons == (ReasonCode.NO_FACE,)
    assert presence.identity().passed


def test_a_swap_anywhere_is_found() -> None:
    for start in range(1, 96, 5):
        swapped = [replace(one, identity=0.15) if start <= index < start + 4 else one for index, one in enumerate(FRAMES)]
        seen = watched(swapped).identity()
        assert (seen.outcome, seen.reasons) == (Outcome.FAIL, (ReasonCode.FACE_CHANGED,)), start


def test_every_third_frame_another_is_found() -> None:
    seen = watched(replace(one, identity=0.2) if index % 3 == 1 else one for index, one in enumerate(FRAMES))
    assert seen.identity().reasons == (ReasonCode.FACE_CHANGED,)


def test_a_turned_face_may_look_less_like_itself() -> None:
    def turned(score: float) -> Outcome:
        return (
            watched(replace(one, identity=score, yaw=30.0) if 40 <= index < 60 else one for index, one in enumerate(FRAMES))
            .identity()
            .outcome
        )

    assert turned(0.3) is Outcome.PASS
    assert turned(0.2) is Outcome.FAIL
    frontal = watched(replace(one, identity=0.3) if 40 <= index < 60 else one for index, one in enumerate(FRAMES))
    assert frontal.identity().outcome is Outcome.FAIL


def test_who_is_not_the_same_on_both_sides_of_a_turn_changed() -> None:
    """Somebody a little like them turns for them, and is cut in just before and out just after: two strange frames are otherwise forgiven."""

    def turned(strange: frozenset[int], lost: frozenset[int] = frozenset()) -> tuple[ReasonCode, ...]:
        frames = [
            replace(
                one,
                faces=0 if index in lost else 1,
                yaw=30.0 if 40 <= index < 60 else 0.0,
                identity=None if index == 0 else 0.3 if 40 <= index < 60 or index in strange else 0.6,
            )
            for index, one in enumerate(FRAMES)
        ]
        return watched(frames).identity().reasons

    assert turned(frozenset()) == ()
    assert turned(frozenset({39})) == ()  # one is blurred
    assert turned(frozenset({38, 39})) == (ReasonCode.FACE_CHANGED,)
    assert turned(frozenset({60, 61})) == (ReasonCode.FACE_CHANGED,)
    assert turned(frozenset(), frozenset(range(60, 63))) == ()
    assert turned(frozenset(), frozenset(range(30, 40))) == (ReasonCode.FACE_CHANGED,)  # nobody saw who went into the turn


def test_half_of_few_is_not_most() -> None:
    """An attempt begins, and of the two straight frames before a turn one is somebody else's: that is not most of them."""

    def began(*scores: float) -> tuple[ReasonCode, ...]:
        straight = [None, *scores]
        frames = [
            replace(
                one,
                yaw=30.0 if len(straight) <= index < 30 else 0.0,
                identity=straight[index] if index < len(straight) else 0.6,
            )
            for index, one in enumerate(FRAMES)
        ]
        return watched(frames).identity().reasons

    assert began(0.6, 0.6) == ()
    assert began(0.3, 0.6) == began(0.6, 0.3) == (ReasonCode.FACE_CHANGED,)
    assert began(0.3, 0.6, 0.6) == ()


def test_frames_that_were_not_compared_prove_nothing() -> None:
    assert watched(replace(one, reference=False, identity=None) for one in FRAMES).identity().reasons == (
        ReasonCode.EVIDENCE_MISSING,
    )
    few = watched(replace(one, identity=None) if index > 30 else one for index, one in enumerate(FRAMES))
    assert few.identity().reasons == (ReasonCode.EVIDENCE_MISSING,)
    without = watched(FRAMES[1:])  # the reference was never fed
    assert without.identity().reasons == (ReasonCode.EVIDENCE_MISSING,)


def identity_of(scores: list[float], *, calm: Callable[[int], bool] = lambda index: True, still: float | None = 0.91) -> Check:
    presence = Presence(replace(Limits(), identity_still=still))
    for index, score in enumerate(scores):
        one = Person().frame(index, index / 12.5)
        presence.feed(replace(one, identity=score if index else None, yaw=0.0, pitch=0.0), calm=calm(index))
    return presence.identity()


def test_one_picture_all_along_is_no_living_face() -> None:
    picture = [0.95 + 0.01 * (index % 3) for index in range(80)]
    refused = identity_of(picture)
    assert (refused.outcome, refused.reasons) == (Outcome.FAIL, (ReasonCode.FACE_STILL,))
    assert identity_of(picture, still=None).passed  # a pack that does not know
    living = [0.86 if index % 8 == 0 else 0.95 for index in range(80)]  # the stillest of the development clips
    assert identity_of(living).passed
    assert dict(identity_of(living).figures)["calm_least"] == pytest.approx(0.86)


def test_only_calm_frames_say_that_nothing_changes() -> None:
    """What a cut-out does to the mouth for a while does not make a picture alive."""
    moved = [0.5 if 30 <= index < 55 else 0.96 for index in range(80)]
    assert identity_of(moved, calm=lambda index: not 30 <= index < 55).reasons == (ReasonCode.FACE_STILL,)
    assert identity_of(moved).passed
    assert identity_of([0.96] * 20).passed  # too few to say so
    edges = [0.7 if 25 <= index < 30 or 55 <= index < 60 else score for index, score in enumerate(moved)]
    assert (
        identity_of(edges, calm=lambda index: not 30 <= index < 55).reasons[-1] is ReasonCode.FACE_STILL
    )  # how it begins and ends looks calm


def test_passive_detection() -> None:
    def seen(score: float, count: int = 100) -> tuple[Outcome, tuple[ReasonCode, ...]]:
        check = watched(replace(one, pad=score) for one in FRAMES[:count]).passive(accept_without=True)
        return check.outcome, check.reasons

    assert seen(0.71) == (Outcome.PASS, ())
    assert seen(0.70) == (Outcome.PASS, ())
    assert seen(0.69) == (Outcome.REFER, (ReasonCode.PAD_UNSURE,))
    assert seen(0.50) == (Outcome.REFER, (ReasonCode.PAD_UNSURE,))
    assert seen(0.49) == (Outcome.FAIL, (ReasonCode.PAD_ATTACK,))
    assert seen(0.9, 9) == (Outcome.REFER, (ReasonCode.PAD_TOO_FEW,))
    assert seen(0.3, 3) == (Outcome.FAIL, (ReasonCode.PAD_ATTACK,))
    assert seen(0.9, 10) == (Outcome.PASS, ())


def test_an_attack_shown_for_a_part_counts() -> None:
    part = watched(replace(one, pad=0.3 if 40 <= index < 52 else 0.9) for index, one in enumerate(FRAMES))
    check = part.passive(accept_without=False)
    assert check.score > 0.8
    assert (check.outcome, check.reasons) == (Outcome.REFER, (ReasonCode.PAD_UNSURE,))


def test_a_pack_without_it() -> None:
    bare = watched((replace(one, pad=None) for one in FRAMES), replace(Limits(), has_pad=False))
    assert bare.passive(accept_without=False).outcome is Outcome.REFER
    accepted = bare.passive(accept_without=True)
    assert (accepted.outcome, accepted.reasons) == (Outcome.PASS, (ReasonCode.PAD_UNAVAILABLE,))


def test_a_pack_that_has_it_but_gave_nothing_is_not_excused() -> None:
    """A face held too close shows too little around it: the policy's excuse is for packs that have no such model."""
    check = watched(replace(one, pad=None) for one in FRAMES).passive(accept_without=True)
    assert (check.outcome, check.reasons) == (Outcome.REFER, (ReasonCode.PAD_TOO_FEW,))

"""Campaign 20, with real faces: who answers passes what they can show, everything else is refused. What it proves: ``docs/verification-liveness.md``.

The short form takes one script for some of the clips and species, and what the models said of the frames that the streams are made of;
``make chaos CAMPAIGN=20 LONG=1`` takes all, more scripts, and puts every picture through every model, also after VP8 at 500 kbit/s. Skips where clips or models are not there.
"""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support import packs, takes
from tests.support.liveness_attacks import LIVE, RESIDUAL, SPECIES, Lab
from tests.support.liveness_tricks import RESIDUAL_TRICKS, TRICKS, doctored_first
from verification.challenge.portrait import LEAST, together
from verification.challenge.verdict import Outcome, Verdict
from verification.faces.analyser import Analyser
from verification.reasons import ReasonCode

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
SCRIPTS = int(os.environ.get("TONGPING_LIVENESS_SCRIPTS", "8")) if LONG else 1

pytestmark = [pytest.mark.campaign(20)]


only_long = pytest.mark.skipif(not LONG, reason="the long form of campaign 20")
EVERY = {**SPECIES, **TRICKS}
SHORT = ("replay_phone", "loop", "swap", "all_at_once", "unlit", "lit_everywhere", "tinted_background_against", "stuntman")


@pytest.fixture(scope="module")
def lab() -> Lab:
    takes.need()
    return Lab(Analyser(packs.open_pack()), sampled=not LONG)


def passed(lab: Lab, attack: Callable[[Lab, int], Verdict], scripts: int) -> list[int]:
    """The numbers of scripts that it got through."""
    return [number for number in range(scripts) if attack(lab, number).passed]


@pytest.mark.parametrize("name", [name for name in LIVE if name != "ghost_orig"] if LONG else ["lp_d3", "hdtf_hill"])
def test_five_of_six_pass_what_they_can_show(lab: Lab, name: str) -> None:
    for number in range(SCRIPTS):
        verdict = lab.live(name, number)
        assert verdict.passed, (number, verdict)


@only_long
def test_the_sixth_is_referred_and_it_is_said_why(lab: Lab) -> None:
    """A small face in a picture that was enlarged: passive detection is not sure, everything else is content."""
    verdict = lab.live("ghost_orig", 0)
    assert (verdict.outcome, verdict.reasons) == (Outcome.REFER, (ReasonCode.PAD_UNSURE,))


@pytest.mark.parametrize("species", EVERY if LONG else SHORT)
def test_nothing_else_does(lab: Lab, species: str) -> None:
    lenient = replace(lab, lenient=True)
    assert passed(lenient, EVERY[species], SCRIPTS) == []


def test_a_doctored_first_frame_brings_no_strangers_portrait(lab: Lab) -> None:
    """One picture that is half somebody else is like both: the portrait is compared with frames that the nonce chose."""
    threshold = lab.limits.identity
    attempt = doctored_first(lab, "lp_d13", "ghost_orig", 1)
    assert len(attempt.kept) >= LEAST

    def scores(name: str) -> tuple[list[float], float]:
        portraits = [takes.take(name, lab.analyser).seen[index].embedding for index in (3, 8, 11)]
        first = [lab.analyser.compare(attempt.first, one).comparison_score for one in portraits if one is not None]
        kept = [
            together([lab.analyser.compare(frame, one).comparison_score for frame in attempt.kept])
            for one in portraits
            if one is not None
        ]
        return first, max(score for score in kept if score is not None)

    first, kept = scores("ghost_orig")
    assert min(first) > threshold  # what the first frame alone would say
    assert kept < threshold
    assert scores("lp_d13")[1] > threshold


@only_long
@pytest.mark.parametrize("species", RESIDUAL)
def test_what_renders_in_real_time_is_left_to_passive_detection(lab: Lab, species: str) -> None:
    """Script, colours and stream do not find it; nothing is claimed but that they are not what refuses it."""
    verdict = RESIDUAL[species](replace(lab, lenient=True), 0)
    assert {check.name for check in verdict.checks if not check.passed} <= {"pad", "light"}


@only_long
@pytest.mark.parametrize("species", RESIDUAL_TRICKS)
def test_what_answers_by_itself_is_left_to_chance_and_to_other_assurances(lab: Lab, species: str) -> None:
    """A screen with the customer's recorded parts, a photograph that is animated: some are refused, some are not. Only the policy's other assurances find them all."""
    verdict = RESIDUAL_TRICKS[species](replace(lab, lenient=True), 4)
    assert {check.name for check in verdict.checks if not check.passed} <= {"pad", "light", "identity", "actions"}


@only_long
@pytest.mark.parametrize("name", LIVE)
def test_every_picture_through_every_model(lab: Lab, name: str) -> None:
    verdict = replace(lab, full=True).live(name, 1)
    assert verdict.passed == (name != "ghost_orig"), verdict


@only_long
@pytest.mark.parametrize("name", LIVE[:-1])
def test_after_a_narrow_line(lab: Lab, name: str) -> None:
    verdict = replace(lab, narrow=True, full=True).live(name, 2)
    assert verdict.passed, verdict


@only_long
@pytest.mark.parametrize("species", EVERY)
def test_nothing_else_after_a_narrow_line(lab: Lab, species: str) -> None:
    assert passed(replace(lab, narrow=True, lenient=True, full=True), EVERY[species], 2) == []


@only_long
def test_a_pack_without_passive_detection_refers(lab: Lab) -> None:
    """``base`` sees turns well enough; what it cannot see is not passed."""
    verdict = Lab(Analyser(packs.base()), sampled=True).live("hdtf_hill", 0)
    assert (verdict.outcome, verdict.reasons) == (Outcome.REFER, (ReasonCode.PAD_UNAVAILABLE,))
    assert verdict.check("actions").passed

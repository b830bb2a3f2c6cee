"""How checks become a verdict."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.challenge.verdict import Check, Outcome, conclude, worst
from verification.reasons import ReasonCode


@pytest.mark.parametrize("outcomes", list(product(Outcome, repeat=3)))
def test_the_worst_counts(outcomes: tuple[Outcome, ...]) -> None:
    expected = Outcome.FAIL if Outcome.FAIL in outcomes else Outcome.REFER if Outcome.REFER in outcomes else Outcome.PASS
    assert worst(outcomes) is expected


def test_of_nothing_nothing_passes() -> None:
    assert worst(()) is Outcome.REFER
    assert not conclude((), frozenset(), "hash", 0).passed


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef"), min_size=1))
def test_passes_only_with_everything_required(there: set[str], required: set[str]) -> None:
    verdict = conclude(tuple(Check(name, 1.0, Outcome.PASS) for name in sorted(there)), frozenset(required), "hash", 7)
    assert verdict.passed == (required <= there)
    for name in required - there:
        assert verdict.check(name).reasons == (ReasonCode.EVIDENCE_MISSING,)
        assert not verdict.check(name).passed


def test_reasons_once_and_in_order() -> None:
    checks = (
        Check("a", 0.0, Outcome.FAIL, (ReasonCode.NO_FACE, ReasonCode.PAD_ATTACK)),
        Check("b", 0.0, Outcome.REFER, (ReasonCode.PAD_ATTACK, ReasonCode.BLURRED)),
    )
    verdict = conclude(checks, frozenset("a"), "hash", 3)
    assert verdict.reasons == (ReasonCode.NO_FACE, ReasonCode.PAD_ATTACK, ReasonCode.BLURRED)
    assert (verdict.outcome, verdict.frames, verdict.script_hash) == (Outcome.FAIL, 3, "hash")
    with pytest.raises(KeyError):
        verdict.check("c")

"""A document before a camera: both sides in time, the right face on it, and nothing of what went wrong is ever a pass."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verification.challenge.verdict import Outcome
from verification.documents.reading import DocumentField, DocumentReading, DocumentType
from verification.documents.showing import EXPIRED, PATIENCE_S, Rules, Sharpest, Showing, Told, Wanted
from verification.reasons import ReasonCode

RULES = Rules(side_s=45.0, threshold=0.45, refer=0.30)
LIKE, UNSURE, OTHER = (0.7, 0.6), (0.7, 0.4), (0.7, 0.1)


def reading(type_: DocumentType | None, *reasons: ReasonCode, expired: bool | None = None) -> DocumentReading:
    values: dict[str, str] = {}
    if type_ is DocumentType.CN_ID_FRONT:
        values = {"number": "110105199003071234", "birth": "1990-03-07"}
    elif type_ is DocumentType.CN_ID_BACK:
        values = {"valid_from": "2018-05-09", "valid_until": "2038-05-09"}
    fields = tuple(DocumentField(name, value, 0.98, proven=True) for name, value in values.items())
    return DocumentReading(type_, fields, reasons, 1280, 720, expired=expired)


def back(begins: str, ends: str) -> DocumentReading:
    fields = (DocumentField("valid_from", begins, 0.9), DocumentField("valid_until", ends, 0.9))
    return DocumentReading(DocumentType.CN_ID_BACK, fields, (), 1280, 720, expired=False)


FRONT, BACK = reading(DocumentType.CN_ID_FRONT), reading(DocumentType.CN_ID_BACK, expired=False)
PASSPORT = reading(DocumentType.PASSPORT, expired=False)
NOTHING = reading(None, ReasonCode.DOCUMENT_NOT_FOUND)
EXPIRED_BACK = reading(DocumentType.CN_ID_BACK, ReasonCode.DOCUMENT_EXPIRED, expired=True)


def began() -> Showing:
    showing = Showing(RULES)
    assert showing.start(100.0) == [Told(Wanted.SHOW, 45.0)]
    assert (showing.over, showing.due_s, showing.check().outcome) == (False, 145.0, Outcome.FAIL)
    return showing


def test_a_resident_identity_card_is_turned_over() -> None:
    showing = began()
    assert showing.read(NOTHING, (), 101.0) == []
    assert showing.read(FRONT, LIKE, 110.0) == [Told(Wanted.TURN_OVER, 45.0)]
    assert showing.due_s == 155.0
    assert showing.read(FRONT, OTHER, 111.0) == []  # it was read already
    assert showing.read(BACK, (), 112.0) == [Told(Wanted.NOTHING)]
    check = showing.check()
    assert (check.name, check.outcome, check.score, check.reasons) == ("document", Outcome.PASS, 0.6, ())
    assert (showing.due_s, showing.read(FRONT, OTHER, 113.0), showing.check()) == (None, [], check)


def test_the_other_side_first() -> None:
    showing = began()
    assert showing.read(BACK, (), 140.0) == []
    assert showing.due_s == 185.0
    assert showing.read(BACK, (), 150.0) == []
    assert showing.due_s == 185.0
    assert showing.read(FRONT, LIKE, 160.0) == [Told(Wanted.NOTHING)]
    assert showing.check().passed


@pytest.mark.parametrize(
    ("begins", "ends", "fits"),
    [
        ("2018-05-09", "2038-05-09", True),  # at 28
        ("2018-05-09", "2028-05-09", False),
        ("2018-05-09", "long_term", False),
        ("2010-05-09", "2020-05-09", True),  # at 20
        ("2015-12-01", "2035-12-01", True),  # at 25, a year early
        ("2014-12-01", "2034-12-01", False),
        ("2004-01-01", "2009-01-01", True),  # at 13
        ("2035-05-09", "long_term", True),  # at 45, a year early
        ("1985-01-01", "1990-01-01", False),  # before they were born
        ("2018-05-09", "2033-05-09", False),  # fifteen years, as no card
        ("2018-05-09", "", False),
        ("long_term", "2038-05-09", False),
    ],
)
def test_a_back_for_another_age_is_another_cards(begins: str, ends: str, fits: bool) -> None:
    first, second = began(), began()
    first.read(FRONT, LIKE, 101.0)
    told = first.read(back(begins, ends), (), 102.0)
    second.read(back(begins, ends), (), 101.0)
    second.read(FRONT, LIKE, 102.0)
    for showing in (first, second):
        assert showing.over == fits
        assert showing.check().passed == fits
        if not fits:
            showing.tick(147.0)
            found = showing.check()
            assert (found.outcome, found.reasons) == (Outcome.REFER, (ReasonCode.DOCUMENT_CONTRADICTORY,))
    assert fits or told == [Told(Wanted.TURN_OVER, 45.0, (ReasonCode.DOCUMENT_CONTRADICTORY,))]


def test_the_right_back_after_a_wrong_one() -> None:
    showing = began()
    showing.read(back("2014-12-01", "long_term"), (), 101.0)
    showing.read(FRONT, LIKE, 102.0)
    assert showing.due_s == 147.0
    showing.read(BACK, (), 110.0)
    assert showing.check().passed


def test_a_passport_has_all_on_one_page() -> None:
    showing = began()
    assert showing.read(PASSPORT, LIKE, 110.0) == [Told(Wanted.NOTHING)]
    assert showing.check().passed


def test_what_keeps_it_from_being_read_is_told_once() -> None:
    showing = began()
    blurred = reading(DocumentType.CN_ID_FRONT, ReasonCode.DOCUMENT_BLURRED)
    small = reading(None, ReasonCode.DOCUMENT_TOO_SMALL)
    assert showing.read(small, (), 101.0) == [Told(Wanted.SHOW, 45.0, (ReasonCode.DOCUMENT_TOO_SMALL,))]
    assert showing.read(small, (), 102.0) == []
    assert showing.read(blurred, LIKE, 103.0) == [Told(Wanted.HOLD_STILL, 45.0, (ReasonCode.DOCUMENT_BLURRED,))]
    assert showing.read(NOTHING, (), 104.0) == [Told(Wanted.SHOW, 45.0)]  # they may be fetching it
    late = showing.read(NOTHING, (), 100.0 + PATIENCE_S)
    assert late == [Told(Wanted.SHOW, 45.0, (ReasonCode.DOCUMENT_NOT_FOUND,))]


@pytest.mark.parametrize(
    ("likeness", "outcome", "reason"),
    [
        ((OTHER, OTHER, OTHER), Outcome.FAIL, ReasonCode.DOCUMENT_OTHER_PERSON),
        ((LIKE[::-1], LIKE, LIKE), Outcome.PASS, None),
        ((OTHER, LIKE), Outcome.PASS, None),
        ((UNSURE, UNSURE, OTHER), Outcome.REFER, ReasonCode.DOCUMENT_PORTRAIT_UNSURE),
        ((OTHER, UNSURE, OTHER), Outcome.FAIL, ReasonCode.DOCUMENT_OTHER_PERSON),
        (((0.1, 0.7), (0.1, 0.9), (0.2, 0.9)), Outcome.FAIL, ReasonCode.DOCUMENT_OTHER_PERSON),
    ],
)
def test_whose_portrait_it_is(likeness: tuple[tuple[float, float], ...], outcome: Outcome, reason: ReasonCode | None) -> None:
    """Of both faces that it must be: the worse one counts; of up to three readings the middle one, once the first was not enough."""
    showing = began()
    for at, alike in enumerate(likeness):
        showing.read(PASSPORT, alike, 101.0 + at)
    assert showing.over
    check = showing.check()
    assert (check.outcome, check.reasons) == (outcome, (reason,) if reason else ())


def test_an_expired_one_is_refused_only_where_it_was_read_so_twice() -> None:
    once, twice = began(), began()
    once.read(FRONT, LIKE, 101.0)
    assert once.read(EXPIRED_BACK, (), 102.0) == [Told(Wanted.TURN_OVER, 45.0, (ReasonCode.DOCUMENT_EXPIRED,))]
    once.tick(146.0)
    assert (once.check().outcome, once.check().reasons) == (Outcome.REFER, (ReasonCode.DOCUMENT_BACK_MISSING,))
    for at in range(EXPIRED):
        twice.read(EXPIRED_BACK, (), 102.0 + at)
    assert not twice.over  # they may show another one
    twice.tick(145.0)
    assert (twice.check().outcome, twice.check().reasons) == (Outcome.FAIL, (ReasonCode.DOCUMENT_EXPIRED,))


@pytest.mark.parametrize(
    ("shown", "outcome", "reason"),
    [
        ([], Outcome.REFER, ReasonCode.DOCUMENT_NOT_SHOWN),
        ([NOTHING, reading(None, ReasonCode.DOCUMENT_TYPE_UNKNOWN)], Outcome.REFER, ReasonCode.DOCUMENT_NOT_SHOWN),
        ([reading(DocumentType.PASSPORT, ReasonCode.DOCUMENT_BLURRED)], Outcome.REFER, ReasonCode.DOCUMENT_UNREADABLE),
        ([reading(DocumentType.PASSPORT, ReasonCode.DOCUMENT_CHECK_FAILED)], Outcome.REFER, ReasonCode.DOCUMENT_CHECK_FAILED),
        ([reading(DocumentType.TD1, expired=False)], Outcome.REFER, ReasonCode.DOCUMENT_NO_PORTRAIT),
        ([BACK], Outcome.REFER, ReasonCode.DOCUMENT_BACK_MISSING),
    ],
)
def test_what_is_not_shown_in_time(shown: list[DocumentReading], outcome: Outcome, reason: ReasonCode) -> None:
    for end in ("time", "cannot"):
        showing = began()
        for one in shown:
            showing.read(one, (), 101.0)
        if end == "time":
            due = showing.due_s
            assert due is not None
            showing.tick(due - 0.1)
            assert not showing.over
            showing.tick(due)
        else:
            showing.cannot()
        assert (showing.over, showing.check().outcome, showing.check().reasons) == (True, outcome, (reason,))


def test_somebody_elses_card_that_is_put_away_quickly_is_somebody_elses() -> None:
    showing = began()
    showing.read(PASSPORT, OTHER, 101.0)
    showing.cannot()
    assert (showing.check().outcome, showing.check().reasons) == (Outcome.FAIL, (ReasonCode.DOCUMENT_OTHER_PERSON,))


def test_a_reader_that_is_busy_all_the_time_is_no_fault_of_theirs() -> None:
    showing = began()
    showing.skipped(ReasonCode.ENGINE_BUSY)
    showing.tick(145.0)
    assert (showing.check().outcome, showing.check().reasons) == (Outcome.REFER, (ReasonCode.ENGINE_BUSY,))


def test_one_that_is_broken_off() -> None:
    showing = began()
    showing.read(FRONT, LIKE, 101.0)
    showing.end()
    assert (showing.check().outcome, showing.check().reasons) == (Outcome.FAIL, (ReasonCode.ATTEMPT_ENDED,))
    showing.tick(500.0)
    showing.cannot()
    assert showing.check().reasons == (ReasonCode.ATTEMPT_ENDED,)


def test_a_reading_that_comes_after_its_time_says_nothing() -> None:
    showing = began()
    assert showing.read(PASSPORT, LIKE, 145.0) == []
    assert (showing.over, showing.check().reasons) == (True, (ReasonCode.DOCUMENT_NOT_SHOWN,))


def test_rules_that_cannot_be() -> None:
    for side_s, threshold, refer in ((0.0, 0.4, 0.3), (float("nan"), 0.4, 0.3), (10.0, 0.3, 0.4), (10.0, float("nan"), 0.3)):
        with pytest.raises(ValueError, match="threshold"):
            Rules(side_s, threshold, refer)


readings = st.one_of(
    st.sampled_from([FRONT, BACK, PASSPORT, NOTHING, EXPIRED_BACK]),
    st.builds(
        lambda kind, reasons, expired: reading(kind, *reasons, expired=expired),
        st.sampled_from(DocumentType),
        st.lists(st.sampled_from([one for one in ReasonCode if one.value.startswith("document_")]), unique=True, max_size=3),
        st.sampled_from([None, False, True]),
    ),
)
scores = st.one_of(st.just(()), st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), readings, scores),
        st.sampled_from([("tick",), ("cannot",), ("end",), ("skipped",)]),
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(steps, st.lists(st.floats(0, 20), min_size=30, max_size=30))
def test_whatever_comes_it_passes_only_with_the_right_face_and_a_validity(
    what: list[tuple[str, DocumentReading, tuple[float, ...]]], waits: list[float]
) -> None:
    showing, now = Showing(RULES), 0.0
    showing.start(now)
    like: list[DocumentType | None] = []
    told: list[Told] = []
    for step, wait in zip(what, waits, strict=False):
        was, check = showing.over, showing.check()
        now += wait
        if step[0] == "read":
            told += showing.read(step[1], step[2], now)
            if (
                step[1].accepted
                and not step[1].expired
                and (step[1].type is DocumentType.CN_ID_BACK or (step[2] and min(step[2]) >= 0.45))
            ):
                like.append(step[1].type)
        elif step[0] == "tick":
            showing.tick(now)
        elif step[0] == "cannot":
            showing.cannot()
        elif step[0] == "end":
            showing.end()
        else:
            showing.skipped(ReasonCode.DEADLINE_MISSED)
        assert not was or (showing.over and showing.check() == check)
    found = showing.check()
    assert all(a != b for a, b in pairwise(told))
    assert found.passed == (not found.reasons)
    if found.passed:
        assert showing.over
        assert found.score >= RULES.threshold
        assert like
        assert DocumentType.CN_ID_BACK in like or {DocumentType.PASSPORT, DocumentType.TD2} & set(like)


def test_the_sharpest_of_each_while_is_read() -> None:
    pictures: Sharpest[str] = Sharpest(0.8)
    taken = [pictures.offer(sharp, at / 10, name) for at, (sharp, name) in enumerate(
        [(1, "a"), (3, "b"), (2, "c"), (1, "d"), (1, "e"), (1, "f"), (1, "g"), (1, "h"), (2, "i"), (9, "j"), (1, "k")]
    )]  # fmt: skip
    assert [one for one in taken if one] == ["b"]
    assert pictures.offer(1, 1.8, "l") == "j"

"""How many face checks there may be."""

import pytest

from server.errors import NotAllowed, TooMany, VerificationBusy
from server.services import face_limits
from server.services.face_limits import FaceLimits


def test_places_in_all_and_of_one_caller() -> None:
    limits = FaceLimits(at_once=3, at_once_each=2)
    with limits.request("a", 600, 0), limits.request("a", 600, 0):
        with pytest.raises(TooMany) as refused, limits.request("a", 600, 0):
            pass
        assert refused.value.retry_after_s == 1
        with limits.request("b", 600, 0):
            with pytest.raises(VerificationBusy) as busy, limits.request("c", 600, 0):
                pass
            assert busy.value.retry_after_s == 1
    assert limits.under_way == 0
    with limits.request("c", 600, 0):
        assert limits.under_way == 1


def test_a_place_is_given_back_whatever_happens() -> None:
    limits = FaceLimits(at_once=1, at_once_each=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), limits.request("a", 600, 0):
            raise ZeroDivisionError
    assert limits.under_way == 0


def test_people_have_one_each_and_half_of_all_together() -> None:
    limits = FaceLimits(at_once=4, at_once_each=4)
    with limits.request("PA_1", 600, 0, person=True):
        with pytest.raises(TooMany), limits.request("PA_1", 600, 0, person=True):
            pass
        with limits.request("PA_2", 600, 0, person=True):
            with pytest.raises(VerificationBusy), limits.request("PA_3", 600, 0, person=True):
                pass
            with limits.request("AK_1", 600, 0), limits.request("AK_1", 600, 0):
                assert limits.under_way == 4
    with limits.request("PA_3", 600, 0, person=True):
        assert limits.under_way == 1


def test_so_many_a_minute() -> None:
    limits = FaceLimits(at_once=9, at_once_each=9)

    def once(now: float) -> None:
        with limits.request("a", 60, now):
            pass

    for _ in range(20):
        once(0)
    with pytest.raises(TooMany) as refused:
        once(0)
    assert refused.value.retry_after_s == 1
    once(1.01)
    with limits.request("b", 60, 1):  # of another's allowance nothing is gone
        limits.more("b", 60, 1, 15)
        limits.more("b", 60, 1, 0)
        with pytest.raises(TooMany) as many:
            limits.more("b", 60, 1, 15)
        assert many.value.retry_after_s == 15
        limits.more("b", 60, 1, 4)


def test_callers_are_forgotten_but_not_while_they_are_at_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_limits, "MAX_CALLERS", 2)
    limits = FaceLimits(at_once=9, at_once_each=1)
    with limits.request("a", 60, 0):
        for name in "bcde":
            with limits.request(name, 60, 0):
                pass
        with pytest.raises(TooMany), limits.request("a", 60, 0):
            pass
    assert len(limits._callers) <= 3


def test_so_many_in_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = FaceLimits(at_once=9, at_once_each=9)
    limits.spend("SE_1", 20, 16)
    with pytest.raises(NotAllowed):
        limits.spend("SE_1", 20, 5)
    limits.spend("SE_1", 20, 4)  # what was refused was not counted
    limits.spend("SE_2", 20, 20)
    with pytest.raises(NotAllowed):
        limits.spend("SE_1", 20, 1)
    monkeypatch.setattr(face_limits, "MAX_CALLERS", 2)
    limits.spend("SE_3", 20, 1)
    assert list(limits._sessions) == ["SE_2", "SE_3"]

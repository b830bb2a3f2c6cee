"""What of a type of transaction always skips on a busy machine is named, and fails the long form; what fails on a quiet one fails."""

from collections.abc import Callable

import pytest

from tests.support import long_form, tries
from tests.support.tries import Tries

PHONE, LOSS = "reserved_phone_change", "card_loss_report"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Busy or not, from here on; the short form."""
    monkeypatch.setattr(long_form, "LONG", False)

    def is_(busy: bool) -> None:
        monkeypatch.setattr(tries, "busy", lambda: busy)
        monkeypatch.setattr("tests.support.machine.busy", lambda: busy)

    return is_


def test_each_type_for_itself(machine: Callable[[bool], None]) -> None:
    made = Tries()
    machine(True)
    for _ in range(2):
        with pytest.raises(pytest.skip.Exception, match=f"too busy.*{PHONE}: too slow"):
            made.made(PHONE, "reject", "accept", "too slow", alone=True)
    made.made(LOSS, "accept", "accept", "", alone=True)
    made.made(PHONE, "accept", "accept", "", alone=False)
    made.came_once(LOSS, "accept", alone=True)
    made.came_once(PHONE, "accept", alone=False)
    with pytest.raises(pytest.skip.Exception, match=f"^{PHONE}, accept: too busy to say, at each of 2 attempts"):
        made.came_once(PHONE, "accept", alone=True)
    with pytest.raises(pytest.skip.Exception, match=f"^{LOSS}, accept: no attempt was made"):
        made.came_once(LOSS, "accept", alone=False)
    machine(False)
    with pytest.raises(AssertionError, match=f"{PHONE}: too slow"):
        made.made(PHONE, "reject", "accept", "too slow", alone=True)
    with pytest.raises(pytest.fail.Exception, match=f"^{PHONE}, accept: none of 3 attempts"):
        made.came_once(PHONE, "accept", alone=True)
    made.made(PHONE, "accept", "accept", "", alone=True)
    made.came_once(PHONE, "accept", alone=True)


def test_each_outcome_for_itself(machine: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that is rejected says nothing of a living person, nor one who is referred; a long run that was too busy for them has failed."""
    made = Tries()
    machine(True)
    with pytest.raises(pytest.skip.Exception):
        made.made(PHONE, "reject", "accept", "too slow", alone=True)
    for wanted in ("reject", "refer"):
        made.made(PHONE, wanted, wanted, "", alone=True)
        made.came_once(PHONE, wanted, alone=True)
    with pytest.raises(pytest.skip.Exception, match=f"^{PHONE}, accept: too busy to say, at each of 1 attempts"):
        made.came_once(PHONE, "accept", alone=True)
    monkeypatch.setattr(long_form, "LONG", True)
    with pytest.raises(pytest.fail.Exception, match=f"^{PHONE}, accept: none of 1 attempts"):
        made.came_once(PHONE, "accept", alone=True)
    made.came_once(PHONE, "refer", alone=True)


def test_who_was_not_to_be_accepted_and_was_is_said_on_any_machine(machine: Callable[[bool], None]) -> None:
    made = Tries()
    machine(True)
    with pytest.raises(AssertionError, match=LOSS):
        made.made(LOSS, "accept", "reject", "", alone=True)

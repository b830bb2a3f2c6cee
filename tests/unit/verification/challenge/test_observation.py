"""What an observation may hold: numbers, or nothing."""

from dataclasses import replace

import pytest

from tests.support.performer import Person
from verification.challenge.observation import Colour, Observation, ObservationInvalid
from verification.challenge.policy import Limits
from verification.challenge.presence import Presence
from verification.challenge.verdict import Outcome
from verification.types import Box

FRAME = Person().frame(1, 0.08)
NUMBERS = ("at_s", "received_s", "scale", "yaw", "pitch", "roll", "eyes", "mouth", "pad", "identity")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_refused(value: float) -> None:
    for name in NUMBERS:
        with pytest.raises(ObservationInvalid, match="finite"):
            replace(FRAME, **{name: value})
    for name in ("face_colour", "background_colour"):
        with pytest.raises(ObservationInvalid):
            replace(FRAME, **{name: Colour(10.0, value, 10.0)})
    with pytest.raises(ObservationInvalid):
        replace(FRAME, face_box=Box(0.0, 0.0, value, 1.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"yaw": 1e9}, {"scale": 0.0}, {"scale": -0.1}, {"scale": 5.0}, {"width": 0}, {"height": -1}, {"width": 10**9}, {"at_s": 1e300},
        {"received_s": -1e300}, {"eyes": 1e6}, {"pad": -1e6}, {"identity": 1e6}, {"face_box": Box(0.0, 0.0, 1e300, 1.0)},
        {"face_colour": Colour(1e300, 1.0, 1.0)}, {"background_colour": Colour(1.0, 1.0, -1e300)},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ObservationInvalid):
        replace(FRAME, **wrong)  # type: ignore[arg-type]


def test_a_thumbnail_of_another_size_is_refused() -> None:
    with pytest.raises(ObservationInvalid, match="8 by 8"):
        replace(FRAME, thumbnail=bytes(256))


def test_nothing_is_no_wrong_number() -> None:
    assert Observation(0, 0.0, 0.0, b"", 640, 480, 0).usable is False


def test_what_compares_with_nothing_is_not_passed() -> None:
    """The second line of defence: a score that is no number, got past the observation somehow."""
    presence = Presence(Limits())
    for index in range(40):
        one = Person().frame(index, index / 12.5)
        if one.pad is not None and index == 4:
            object.__setattr__(one, "pad", float("nan"))
        presence.feed(one)
    assert presence.passive(accept_without=False).outcome is not Outcome.PASS

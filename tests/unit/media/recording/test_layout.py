"""Where everybody stands in an export, and who is large."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.recording.export.layout import HOLD_US, MAX_PLACES, SURE_US, Director, Rect, arrange, fit

SIZE = (1280, 720)


def apart(one: Rect, other: Rect) -> bool:
    return (
        one.x + one.width <= other.x
        or other.x + other.width <= one.x
        or one.y + one.height <= other.y
        or other.y + other.height <= one.y
    )


@given(
    st.integers(0, 40),
    st.integers(80, 1920).map(lambda n: 2 * n),
    st.integers(80, 1080).map(lambda n: 2 * n),
    st.sampled_from(["none", "camera", "screen", "stranger"]),
)
def test_every_place_is_in_the_picture_and_none_over_another(count: int, width: int, height: int, large: str) -> None:
    parties = [f"PA_{n}" for n in range(count)]
    who = {"none": None, "camera": ("PA_0", "camera"), "screen": ("PA_0", "screen"), "stranger": ("PA_x", "screen")}[large]
    places = arrange(width, height, parties if count or large != "camera" else ["PA_0"], who)
    for number, place in enumerate(places):
        x, y, w, h = place.rect
        assert x >= 0
        assert y >= 0
        assert w > 0
        assert h > 0
        assert x + w <= width
        assert y + h <= height
        assert not any(value % 2 for value in place.rect)
        assert all(apart(place.rect, other.rect) for other in places[number + 1 :])
    shown = [place.participant for place in places if place.source == "camera"]
    assert shown.count("PA_0") <= 1
    assert set(shown) >= set(parties[:MAX_PLACES])


def test_one_fills_the_picture_and_two_share_it() -> None:
    (one,) = arrange(*SIZE, ["PA_1"], None)
    assert one.rect == Rect(0, 0, 1280, 720)
    left, right = arrange(*SIZE, ["PA_1", "PA_2"], None)
    assert left.rect[2:] == right.rect[2:] == (636, 356)
    assert left.rect.y == right.rect.y


def test_a_screen_is_large_and_its_owner_stands_in_the_column() -> None:
    places = arrange(*SIZE, ["PA_1", "PA_2"], ("PA_2", "screen"))
    assert (places[0].participant, places[0].source) == ("PA_2", "screen")
    assert places[0].rect.width * places[0].rect.height > SIZE[0] * SIZE[1] * 0.7
    assert [(each.participant, each.source) for each in places[1:]] == [("PA_1", "camera"), ("PA_2", "camera")]


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (1, 1), (4000, 3), (320, 180)])
def test_a_picture_keeps_its_shape(width: int, height: int) -> None:
    inside = Rect(8, 16, 640, 360)
    made = fit(width, height, inside)
    assert made.x >= inside.x
    assert made.y >= inside.y
    assert made.x + made.width <= 648
    assert made.y + made.height <= 376
    assert made.width >= 638 or made.height >= 358
    if min(width, height) > 100:
        assert made.width / made.height == pytest.approx(width / height, rel=0.02)


class TestDirector:
    PARTIES = ("PA_1", "PA_2", "PA_3")

    def run(self, director: Director, start: int, end: int, *speaking: str, screen: str = "") -> tuple[str, str] | None:
        large = None
        for at in range(start, end, 66_000):
            large = director.large(at, self.PARTIES, speaking, screen)
        return large

    def test_who_speaks_becomes_large_and_stays_a_while(self) -> None:
        director = Director("auto")
        assert self.run(director, 0, 3_000_000) == ("PA_1", "camera")
        assert self.run(director, 3_000_000, 3_000_000 + SURE_US - 100_000, "PA_3") == ("PA_1", "camera")
        assert self.run(director, 3_000_000 + SURE_US - 50_000, 4_200_000, "PA_3") == ("PA_3", "camera")
        assert self.run(director, 4_200_000, 5_600_000, "PA_2") == ("PA_3", "camera")
        assert self.run(director, 5_600_000, 4_200_000 + HOLD_US + 200_000, "PA_2") == ("PA_2", "camera")

    def test_a_cough_changes_nothing(self) -> None:
        director = Director("auto")
        self.run(director, 0, 3_000_000)
        for begin in range(3_000_000, 9_000_000, 1_000_000):
            assert self.run(director, begin, begin + 200_000, "PA_2") == ("PA_1", "camera")

    def test_who_speaks_on_stays_large_while_others_speak_too(self) -> None:
        director = Director("auto")
        self.run(director, 0, 4_000_000, "PA_2")
        assert self.run(director, 4_000_000, 12_000_000, "PA_1", "PA_2") == ("PA_2", "camera")

    def test_a_screen_is_before_everybody(self) -> None:
        assert self.run(Director("grid"), 0, 1_000_000, "PA_1", screen="PA_2") == ("PA_2", "screen")

    def test_a_grid_has_nobody_large(self) -> None:
        assert self.run(Director("grid"), 0, 4_000_000, "PA_2") is None

    def test_two_share_the_picture_unless_the_speaker_is_wanted(self) -> None:
        assert Director("auto").large(0, ["PA_1", "PA_2"], [], "") is None
        assert Director("speaker").large(0, ["PA_1", "PA_2"], [], "") == ("PA_1", "camera")

    def test_who_left_is_not_large(self) -> None:
        director = Director("auto")
        assert self.run(director, 0, 4_000_000, "PA_3") == ("PA_3", "camera")
        assert director.large(4_100_000, ["PA_1", "PA_2", "PA_4"], ["PA_3"], "") == ("PA_1", "camera")

    def test_nobody_is_there(self) -> None:
        assert Director("auto").large(0, [], ["PA_1"], "") is None

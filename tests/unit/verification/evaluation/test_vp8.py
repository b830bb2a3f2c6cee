"""What a call's codec leaves of a picture: as many frames, nearly the same, always the same, and worse with less."""

import numpy as np

from tests.support.portraits import portrait
from verification.evaluation.vp8 import held, through_vp8
from verification.types import Picture


def sent(picture: Picture, bits_per_second: int) -> list[Picture]:
    return list(through_vp8(held(picture, 8), bits_per_second=bits_per_second, fps=15))


def difference(a: Picture, b: Picture) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())


def test_less_arrives_of_a_narrow_line_and_always_the_same() -> None:
    picture = portrait()
    wide, narrow, again = sent(picture, 4_000_000), sent(picture, 60_000), sent(picture, 60_000)
    assert len(wide) == len(narrow) == 8
    assert all(np.array_equal(a, b) for a, b in zip(narrow, again, strict=True))
    original = list(held(picture, 8))[-1]
    assert difference(wide[-1], original) < 5 < 2 * difference(narrow[-1], original)
    assert difference(narrow[-1], original) > difference(wide[-1], original)


def test_what_is_held_drifts_by_a_few_pixels() -> None:
    frames = list(held(portrait(), 5))
    assert frames[0].shape == frames[-1].shape
    assert 0 < difference(frames[0], frames[4]) < 30


def test_odd_sides_lose_a_pixel_and_other_sizes_become_the_first() -> None:
    pictures = [np.full((101, 151, 3), 80, np.uint8), np.full((80, 90, 3), 160, np.uint8)]
    assert [one.shape for one in through_vp8(pictures, bits_per_second=500_000, fps=12.5)] == [(100, 150, 3)] * 2

"""As many taps as there is room for live attempts."""

import pytest

from server.config import load
from server.media_plane import taps_at_once


@pytest.mark.parametrize(("workers", "each", "taps"), [(1, 2, 4), (2, 2, 4), (8, 2, 16), (4, 5, 20), (1, 0, 64)])
def test_one_for_each_attempt_that_there_is_room_for(workers: int, each: int, taps: int) -> None:
    overrides = {"verification.workers": workers, "verification.live_attempts_per_worker": each}
    assert taps_at_once(load(environment={}, overrides=overrides)) == taps

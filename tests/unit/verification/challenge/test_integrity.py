"""Streams that no camera sends, and streams that one does."""

import hashlib
import itertools
import math
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.performer import Person
from verification.challenge.integrity import CAME_LATE, StreamWatch, distance
from verification.challenge.observation import Observation
from verification.challenge.policy import Limits
from verification.challenge.verdict import Check, Outcome
from verification.reasons import ReasonCode
from verification.types import Box

FPS = 12.5


def live(seconds: float = 8.0, seed: int = 1) -> list[Observation]:
    person = Person(seed=seed, fps=FPS)
    return [person.frame(index, index / FPS) for index in range(int(seconds * FPS))]


def check(frames: Iterable[Observation]) -> Check:
    watch = StreamWatch(Limits())
    for one in frames:
        watch.feed(one)
    return watch.check()


@pytest.mark.parametrize("seed", range(5))
def test_a_live_stream_is_in_order(seed: int) -> None:
    seen = check(live(seed=seed))
    assert seen.outcome is Outcome.PASS, seen
    assert seen.score == 1.0


LONG = live(16.0)


def refused(frames: Iterable[Observation], reason: ReasonCode) -> None:
    seen = check(frames)
    assert seen.outcome is Outcome.FAIL
    assert reason in seen.reasons, seen
    assert seen.score < 1.0


def test_frozen() -> None:
    frames = live()
    held = [one if index < 40 else replace(one, sha256=frames[40].sha256) for index, one in enumerate(frames)]
    refused(held, ReasonCode.STREAM_FROZEN)
    short = [replace(one, sha256=frames[40].sha256) if 40 <= index < 50 else one for index, one in enumerate(frames)]
    assert check(short).passed  # 0.7 s: a bad line


def test_one_picture_sent_again_and_again_with_other_bits() -> None:
    frames = live()
    refused([replace(one, thumbnail=frames[0].thumbnail) for one in frames], ReasonCode.STREAM_FROZEN)


def test_repeated_to_the_last_bit() -> None:
    frames = live()
    again = [
        replace(one, sha256=frames[index - 30].sha256) if index in (50, 51, 52) else one for index, one in enumerate(frames)
    ]
    refused(again, ReasonCode.STREAM_REPEATED)
    once = [replace(one, sha256=frames[20].sha256) if index == 50 else one for index, one in enumerate(frames)]
    assert check(once).passed


@pytest.mark.parametrize("period", [20, 31, 40])
def test_looped_with_an_encoder_between(period: int) -> None:
    frames = live(12.0)
    chance = random.Random(period)

    def noisy(thumbnail: bytes) -> bytes:
        return bytes(max(0, min(255, cell + chance.choice((-1, 0, 0, 0, 1)))) for cell in thumbnail)

    loop = [replace(one, thumbnail=noisy(frames[index % period].thumbnail)) for index, one in enumerate(frames)]
    refused(loop, ReasonCode.STREAM_LOOPED)


@pytest.mark.parametrize(("paler", "step"), [(0, 0), (0, 1), (0, 2), (3, 0), (2, 1)])
def test_looped_with_another_brightness_and_contrast_each_time(paler: int, step: int) -> None:
    """Two seconds again and again, each time a grey level brighter and a hundredth paler."""
    frames = live(16.0, seed=9)

    def toned(thumbnail: bytes, times: int) -> bytes:
        return bytes(min(255, round(110 + (cell - 110) * (1 - paler * times / 100)) + step * times) for cell in thumbnail)

    loop = [replace(one, thumbnail=toned(frames[index % 25].thumbnail, index // 25)) for index, one in enumerate(frames)]
    refused(loop, ReasonCode.STREAM_LOOPED)


def cut_every(seconds: float, **other: Any) -> list[Observation]:
    """From one scene to another and back, as somebody who holds two clips shows them."""
    return [replace(one, **other) if int(one.received_s / seconds) % 2 else one for one in live()]


def test_a_face_that_is_elsewhere_in_the_next_frame() -> None:
    refused(cut_every(1.5, face_box=Box(20, 140, 220, 380)), ReasonCode.STREAM_JUMPED)
    refused(cut_every(1.5, face_box=Box(220, 140, 320, 260)), ReasonCode.STREAM_JUMPED)
    assert check(cut_every(1.5, face_box=Box(240, 150, 440, 390))).passed
    assert check(cut_every(5.0, face_box=Box(20, 20, 120, 140))).passed  # once: a detector may err


def test_a_head_that_is_elsewhere_in_the_next_frame() -> None:
    refused(cut_every(1.5, yaw=45.0), ReasonCode.STREAM_JUMPED)
    refused(cut_every(1.5, pitch=-45.0), ReasonCode.STREAM_JUMPED)
    assert check(cut_every(1.5, yaw=25.0)).passed


def test_another_scene_in_the_next_frame() -> None:
    other = bytes(random.Random(1).randbytes(64))
    refused(cut_every(1.5, thumbnail=other), ReasonCode.STREAM_JUMPED)


def test_brighter_or_paler_is_no_other_scene() -> None:
    """What the screen's colours do to the whole picture, and a camera's exposure."""
    lit = [
        replace(one, thumbnail=bytes(20 + int(cell * 0.7) for cell in one.thumbnail)) if int(one.received_s) % 2 else one
        for one in live()
    ]
    assert check(lit).passed


def paused(frames: list[Observation], seconds: float, pause_s: float) -> list[Observation]:
    """Every so many seconds the camera stops for ``pause_s``."""
    return [one for one in frames if one.received_s % seconds >= pause_s]


@pytest.mark.parametrize("pause_s", [0.3, 0.35, 0.6, 1.0])
def test_a_pause_hides_no_cut(pause_s: float) -> None:
    other = bytes(random.Random(1).randbytes(64))
    refused(paused(cut_every(3.0, thumbnail=other), 3.0, pause_s), ReasonCode.STREAM_JUMPED)
    refused(paused(cut_every(3.0, face_box=Box(220, 140, 320, 260)), 3.0, pause_s), ReasonCode.STREAM_JUMPED)
    if pause_s < 0.5:
        refused(paused(cut_every(3.0, face_box=Box(520, 140, 720, 380)), 3.0, pause_s), ReasonCode.STREAM_JUMPED)


def test_a_frame_without_a_face_hides_no_cut() -> None:
    """One at each jump: the face is compared with where it was seen last."""
    frames = cut_every(1.5, face_box=Box(20, 140, 220, 380))
    hidden = [
        replace(one, faces=0, face_box=None, yaw=None, pitch=None, scale=None)
        if int(one.received_s / 1.5) != int(before.received_s / 1.5)
        else one
        for before, one in itertools.pairwise(frames)
    ]
    assert sum(one.face_box is None for one in hidden) >= 4
    refused(hidden, ReasonCode.STREAM_JUMPED)


def test_a_senders_time_hides_no_cut() -> None:
    """The camera's clock is theirs: at each jump it says that a third of a second went by, and less at other times."""
    frames = cut_every(1.5, face_box=Box(20, 140, 220, 380))
    told = [replace(one, at_s=one.at_s + 0.25 * int(one.received_s / 1.5)) for one in frames]
    seen = check(told)
    assert ReasonCode.STREAM_JUMPED in seen.reasons


@pytest.mark.parametrize("pause_s", [0.35, 1.0])
def test_a_line_that_stalls_is_no_cut(pause_s: float) -> None:
    """They go on moving: nearer by half in all, to the side by as much as a head can."""
    assert ReasonCode.STREAM_JUMPED not in check(paused(live(), 3.0, pause_s)).reasons
    moved = cut_every(3.0, face_box=Box(220 + 150 * pause_s, 140, 420 + 250 * pause_s, 380 + 120 * pause_s), yaw=25.0)
    assert ReasonCode.STREAM_JUMPED not in check(paused(moved, 3.0, pause_s)).reasons


def test_what_lies_between_frames_far_apart_is_not_known_and_never_passes() -> None:
    frames = [one for one in live(40.0) if one.index % 20 == 0]
    moved = [replace(one, face_box=Box(20, 140, 220, 380)) if index % 2 else one for index, one in enumerate(frames)]
    assert ReasonCode.STREAM_JUMPED not in check(moved).reasons
    assert ReasonCode.STREAM_GAP in check(moved).reasons
    assert not check(moved).passed


def paused_once(frames: list[Observation], at_s: float, pause_s: float) -> list[Observation]:
    """The camera stops both clocks."""
    return [one for one in frames if not at_s <= one.received_s < at_s + pause_s]


def held_back(frames: list[Observation], at_s: float, pause_s: float, apart_s: float = 0.01) -> list[Observation]:
    """The line holds ``pause_s`` of pictures back and hands them over all at once."""
    stall = [one for one in frames if at_s <= one.received_s < at_s + pause_s]
    last = at_s + pause_s - apart_s * len(stall)
    late = {one.index: last + apart_s * place for place, one in enumerate(stall)}
    return [replace(one, received_s=late.get(one.index, one.received_s)) for one in frames]


@pytest.mark.parametrize("at_s", [0.0, 0.5, 4.0, 7.0, 10.0])
@pytest.mark.parametrize("pause_s", [1.8, 2.5])
@pytest.mark.parametrize("how", [paused_once, held_back])
def test_a_line_that_stops_for_a_moment_is_a_gap_and_nothing_against_anybody(how: Any, at_s: float, pause_s: float) -> None:
    frames = how(live(12.0), at_s, pause_s)
    if how is paused_once and (at_s == 0.0 or at_s + pause_s >= 12.0):
        assert check(frames).passed, "there was nothing before it, or after it"
        return
    seen = check(frames)
    assert (seen.outcome, seen.reasons) == (Outcome.REFER, (ReasonCode.STREAM_GAP,)), seen
    assert seen.score < 1.0


def queued(frames: list[Observation], late_s: float, catches_up: float) -> list[Observation]:
    """The first picture comes ``late_s`` late, and those after it wait behind it: the line hands ``catches_up`` seconds of them over in each."""
    came = [max(one.received_s, late_s + one.received_s / catches_up) for one in frames]
    return [replace(one, received_s=when) for one, when in zip(frames, came, strict=True)]


@pytest.mark.parametrize("seconds", [6.0, 8.0, 12.0])
@pytest.mark.parametrize("catches_up", [2.0, 10.0])
@pytest.mark.parametrize("late_s", [0.3, 1.0, 1.4, 1.6, 2.0])
def test_a_stream_that_begins_late_speaks_against_nobody(late_s: float, catches_up: float, seconds: float) -> None:
    """Nothing was asked before it: what matters is whether it was in time from then on, and by how much it was not."""
    seen = check(queued(live(seconds), late_s, catches_up))
    if late_s < Limits().gap_s:
        assert seen.passed, seen
        return
    assert ReasonCode.STREAM_GAP in seen.reasons, seen
    if late_s * catches_up / (catches_up - 1) < seconds / 3:
        assert (seen.outcome, seen.reasons) == (Outcome.REFER, (ReasonCode.STREAM_GAP,)), seen


@pytest.mark.parametrize("seconds", [6.0, 8.0, 12.0])
@pytest.mark.parametrize("late_s", [1.0, 1.4, 2.0])
def test_an_attempt_that_ends_while_the_line_holds_pictures_back(late_s: float, seconds: float) -> None:
    frames = live(seconds)
    since = seconds - late_s
    ending = [replace(one, received_s=max(one.received_s, seconds)) if one.received_s > since else one for one in frames]
    spread = [replace(one, received_s=one.received_s + 0.001 * place) for place, one in enumerate(ending)]
    seen = check(spread)
    if late_s < Limits().gap_s:
        assert seen.passed, seen
    else:
        assert (seen.outcome, seen.reasons) == (Outcome.REFER, (ReasonCode.STREAM_GAP,)), seen


@pytest.mark.parametrize("pace", [0.8, 1.2])
@pytest.mark.parametrize(
    "how", [lambda frames: frames, lambda frames: queued(frames, 1.0, 5.0), lambda frames: held_back(frames, 6.5, 1.0)]
)
def test_a_clock_that_runs_otherwise_than_ours_is_seen_whatever_else_is_late(how: Any, pace: float) -> None:
    for seconds in (8.0, 16.0, 40.0):
        refused((replace(one, at_s=pace * one.at_s) for one in how(live(seconds))), ReasonCode.STREAM_TIMES)


@pytest.mark.parametrize("pause_s", [2.0, 2.5])
def test_a_gap_excuses_nothing_else(pause_s: float) -> None:
    other = bytes(random.Random(1).randbytes(64))
    for bad, reason in (
        (cut_every(1.5, face_box=Box(20, 140, 220, 380)), ReasonCode.STREAM_JUMPED),
        (cut_every(1.5, thumbnail=other), ReasonCode.STREAM_JUMPED),
        ([replace(one, sha256=live()[index % 30].sha256) for index, one in enumerate(live())], ReasonCode.STREAM_REPEATED),
    ):
        with_gap = paused_once(bad, 5.2, pause_s)
        refused(with_gap, reason)
        assert ReasonCode.STREAM_GAP in check(with_gap).reasons


@pytest.mark.parametrize("by", [2.0, 4.0])
def test_a_senders_clock_that_jumps_and_stays_there_is_no_pause(by: float) -> None:
    """Over an attempt so long that the whole is within what clocks may differ by."""
    moved = [replace(one, at_s=one.at_s + by * (one.index > 300)) for one in live(48.0)]
    refused(moved, ReasonCode.STREAM_TIMES)
    behind = [replace(one, received_s=one.received_s + by * (one.index > 300)) for one in live(48.0)]
    refused(behind, ReasonCode.STREAM_TIMES)


@pytest.mark.parametrize("at_s", [1.2, 2.0, 2.9])
@pytest.mark.parametrize("seconds", [8.0, 40.0])
def test_a_senders_clock_that_jumps_at_the_beginning_is_no_pause(at_s: float, seconds: float) -> None:
    """What came before was as steady as what comes after: nothing had been held back. In the first second nobody can tell."""
    refused((replace(one, at_s=one.at_s + 2.0 * (one.received_s > at_s)) for one in live(seconds)), ReasonCode.STREAM_TIMES)
    at_once = check(replace(one, at_s=one.at_s + 2.0 * (one.received_s > 0.5)) for one in live(seconds))
    assert (at_once.outcome, at_once.reasons) == (Outcome.REFER, (ReasonCode.STREAM_GAP,)), at_once


def test_what_only_came_late_is_told_apart_from_what_a_sender_says() -> None:
    """``came_late``: a machine that has much to do may be why, where it was so from the beginning too. Of a clock that jumps ahead, or goes back, it is not."""

    def late(frames: Iterable[Observation]) -> tuple[bool, float]:
        seen = check(frames)
        return ReasonCode.STREAM_TIMES in seen.reasons, dict(seen.figures)[CAME_LATE]

    frames = live(24.0)
    slower = [replace(one, received_s=1.25 * one.received_s) for one in frames]
    stays = [replace(one, received_s=one.received_s + 2.0 * (one.index > 150)) for one in frames]
    ahead = [replace(one, at_s=one.at_s + 2.0 * (one.index > 150)) for one in frames]
    quicker = [replace(one, at_s=1.25 * one.at_s) for one in frames]
    back = [replace(one, at_s=one.at_s - 1.0 * (one.index == 150)) for one in frames]
    both = [replace(one, at_s=one.at_s + 4.0 * (one.index > 230)) for one in stays]
    assert [late(one) for one in (frames, slower, stays, quicker)] == [(False, 0.0), (True, 1.0), (True, 1.0), (True, 1.0)]
    assert [late(one) for one in (ahead, back, both)] == [(True, 0.0)] * 3


@given(st.floats(0.5, 8.0), st.floats(0.1, 4.0), st.sampled_from([paused_once, held_back]))
@settings(max_examples=30, deadline=None)
def test_what_has_a_gap_never_passes_and_a_short_pause_is_none(at_s: float, pause_s: float, how: Any) -> None:
    frames = how(LONG, at_s, pause_s)
    widest = max(b.received_s - a.received_s for a, b in itertools.pairwise(frames))
    seen = check(frames)
    if widest > Limits().gap_s:
        assert (seen.outcome, seen.reasons) == (Outcome.REFER, (ReasonCode.STREAM_GAP,))
    else:
        assert not {ReasonCode.STREAM_GAP, ReasonCode.STREAM_TIMES} & set(seen.reasons)


def test_who_sits_still_is_no_loop() -> None:
    chance = random.Random(7)
    cells = [100 + cell for cell in range(64)]
    still = [replace(one, thumbnail=bytes(cell + chance.choice((-1, 0, 1)) for cell in cells)) for one in live(10.0)]
    assert check(still).passed


def test_a_nod_each_second_is_no_loop() -> None:
    """A rhythm is not a repetition: nobody nods twice by the same path."""
    chance = random.Random(3)
    frames = []
    for index, one in enumerate(live(10.0)):
        now = index / FPS
        wave = 12 * math.sin(2 * math.pi * now) + 5 * math.sin(now * 1.3)
        frames.append(
            replace(one, thumbnail=bytes(int(128 + wave * math.sin(cell) + chance.gauss(0, 1)) for cell in range(64)))
        )
    assert check(frames).passed


def test_times_that_go_back_jump_or_run_too_fast() -> None:
    frames = live()
    refused(
        (replace(one, at_s=frames[30].at_s) if index == 31 else one for index, one in enumerate(frames)),
        ReasonCode.STREAM_TIMES,
    )
    refused((replace(one, at_s=one.at_s + 5 * (index > 50)) for index, one in enumerate(frames)), ReasonCode.STREAM_TIMES)
    refused((replace(one, at_s=1.3 * one.at_s) for one in frames), ReasonCode.STREAM_TIMES)
    refused((replace(one, at_s=0.8 * one.at_s) for one in frames), ReasonCode.STREAM_TIMES)
    assert check([*frames[:40], *frames[65:]]).reasons == (ReasonCode.STREAM_GAP,)  # two seconds without a frame
    refused((replace(one, received_s=1.0) for one in frames), ReasonCode.STREAM_TIMES)
    back = [replace(one, received_s=one.received_s - (index == 20)) for index, one in enumerate(frames)]
    refused(back, ReasonCode.STREAM_TIMES)


@pytest.mark.parametrize("fps", [3.0, 300.0])
def test_rates_that_no_camera_has(fps: float) -> None:
    person = Person(fps=fps)
    refused((person.frame(index, index / fps) for index in range(60)), ReasonCode.STREAM_RATE)


@pytest.mark.parametrize("size", [(160, 120), (8000, 4500), (640, 100), (1900, 600), (400, 1200)])
def test_sizes_that_no_camera_has(size: tuple[int, int]) -> None:
    refused((replace(one, width=size[0], height=size[1]) for one in live()), ReasonCode.STREAM_SIZE)


def test_another_shape_in_the_middle() -> None:
    def sized(width: int, height: int) -> list[Observation]:
        return [replace(one, width=width, height=height) if index > 40 else one for index, one in enumerate(live())]

    refused(sized(640, 360), ReasonCode.STREAM_SIZE)
    assert check(sized(320, 240)).passed  # a sender that saves bandwidth
    assert check(sized(480, 640)).passed  # a telephone turned round


def test_too_little_to_tell() -> None:
    for count in range(3):
        seen = check(live()[:count])
        assert (seen.outcome, seen.reasons) == (Outcome.REFER, (ReasonCode.STREAM_TOO_SHORT,))


def test_distance() -> None:
    assert distance(bytes(64), bytes([2] * 64)) == 2.0
    assert distance(hashlib.sha256(b"a").digest(), hashlib.sha256(b"a").digest()) == 0.0


def test_without_thumbnails_the_rest_is_looked_at() -> None:
    assert check(replace(one, thumbnail=b"") for one in live()).passed

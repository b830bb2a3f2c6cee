"""Voices put to their times and mixed: holes, drift, overlap, and no clipping."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.recording.export.sound import CEILING, RATE, Limiter, Samples, Voice, loudness
from media.recording.play.pieces import Blank, Piece

BLOCK = RATE // 15


@lru_cache(maxsize=1)
def tone() -> tuple[bytes, ...]:
    """Three seconds of 400 Hz at half the full height, in packets of 20 ms."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "s16"
    sound = (16384 * np.sin(2 * np.pi * 400 * np.arange(3 * RATE) / RATE)).astype(np.int16)
    found = []
    for number in range(150):
        frame = av.AudioFrame.from_ndarray(sound[number * 960 : number * 960 + 960].reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, number * 960
        found += [bytes(packet) for packet in encoder.encode(frame)]
    return tuple(found)


def heard(pieces: list[Piece | Blank], seconds: float = 4.0) -> Samples:
    voice = Voice(iter(pieces))
    blocks: list[Samples] = []
    for start in range(0, round(seconds * RATE), BLOCK):
        samples = voice.take(start, BLOCK)
        blocks.append(np.zeros(BLOCK, np.float32) if samples is None else samples)
    assert voice.over
    return np.concatenate(blocks)


def packets(*, lost: tuple[int, ...] = (), begin_us: int = 0, spacing: float = 20_000) -> list[Piece | Blank]:
    return [Piece(begin_us + round(n * spacing), data, True) for n, data in enumerate(tone()) if n not in lost]


def level(sound: Samples, first: float, last: float) -> float:
    return loudness(sound[round(first * RATE) : round(last * RATE)])


def test_a_voice_is_where_it_belongs() -> None:
    sound = heard(packets(begin_us=500_000))
    assert level(sound, 0, 0.48) == 0
    assert level(sound, 0.6, 3.4) == pytest.approx(0.5 / np.sqrt(2), rel=0.08)
    assert level(sound, 3.52, 4) == 0


def test_what_was_lost_is_silence_and_what_follows_is_in_time() -> None:
    whole = heard(packets())
    holed = heard(packets(lost=(50, *range(80, 100))))
    assert level(holed, 1.0, 1.01) < 0.1
    assert level(holed, 1.61, 1.98) == 0
    assert float(np.abs(whole - holed)[round(2.1 * RATE) :].max()) < 0.05


@pytest.mark.parametrize("ppm", [-1500, 1500])
def test_a_clock_that_drifts_is_followed_without_a_break(ppm: int) -> None:
    sound = heard(packets(begin_us=10_000, spacing=20_000 * (1 + ppm * 1e-6)))
    inner = sound[round(0.1 * RATE) : round(2.9 * RATE)]
    steps = np.abs(np.diff(inner))
    assert float(steps.max()) < 0.06  # 400 Hz at 0.5 makes at most 0.027 a sample; a break makes much more
    end = np.flatnonzero(np.abs(sound) > 0.2)[-1] / RATE
    assert end == pytest.approx(0.01 + 3.0 * (1 + ppm * 1e-6) - 0.0065, abs=0.006)


def test_what_would_lie_over_another_is_cut() -> None:
    pieces = packets()[:50]
    pieces += [Piece(900_000 + 20_000 * n, data, True) for n, data in enumerate(tone()[50:60])]
    sound = heard(pieces)
    assert float(np.abs(sound).max()) < 0.6
    assert level(sound, 1.2, 4) < 0.01


def test_nothing_is_nothing() -> None:
    voice = Voice(iter([Blank(5), Piece(6, b"", True), Piece(7, b"\xff\xff\xff\xff\xff", True)]))
    assert voice.take(0, BLOCK) is None
    assert voice.over


def test_no_more_than_a_second_is_held() -> None:
    taken = 0

    def counted() -> Iterator[Piece | Blank]:
        nonlocal taken
        for piece in packets():
            taken += 1
            yield piece

    voice = Voice(counted())
    voice.take(0, BLOCK)
    assert taken < 10


def limited(blocks: list[Samples]) -> Samples:
    limiter = Limiter()
    out = [ready for block in blocks if (ready := limiter.push(block)) is not None]
    last = limiter.end()
    return np.concatenate([*out, *([] if last is None else [last])]) if blocks else np.zeros(0, np.float32)


@given(st.lists(st.floats(0, 8, width=32), max_size=12), st.integers(0, 1000))
def test_a_mix_never_clips_and_is_never_made_louder(peaks: list[float], seed: int) -> None:
    chance = np.random.default_rng(seed)
    blocks = [(chance.uniform(-1, 1, 320) * peak).astype(np.float32) for peak in peaks]
    mixed = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    out = limited(blocks)
    assert len(out) == len(mixed)
    assert bool((np.abs(out) <= np.minimum(np.abs(mixed) + 1e-6, CEILING + 1e-4)).all())


def test_what_is_not_too_loud_stays_as_it_is() -> None:
    blocks = [np.full(320, 0.9, np.float32)] * 5
    assert np.array_equal(limited(blocks), np.concatenate(blocks))


def test_after_something_loud_the_mix_comes_back_slowly() -> None:
    blocks = [np.full(320, height, np.float32) for height in (0.5, 4.0, *[0.5] * 30)]
    out = limited(blocks).reshape(-1, 320)
    assert out[1].max() <= CEILING + 1e-4
    assert out[2].max() < 0.2
    assert out[-1].max() == pytest.approx(0.5, abs=1e-3)
    assert bool((np.diff(out[2:].max(axis=1)) >= -1e-6).all())

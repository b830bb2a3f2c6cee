"""Voices of an export: decoded, put where they belong on the time line, and mixed. SHELL: PyAV and numpy.

48 kHz, one channel, floating point between -1 and 1. Bounded: a second of each voice at most.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import av
import numpy as np
from numpy.typing import NDArray

from media.recording.play.pieces import Blank, Piece, opus_samples

RATE = 48000
DECODER_DELAY = 312
"""An Opus decoder gives a voice so many samples late (RFC 7845 section 4.2: what a sender's pre-skip is for)."""
STEER = 0.004
"""How much a packet may be made longer or shorter to stay with its time: 7 cents, which nobody hears."""
SLACK = RATE // 1000
JUMP = RATE * 8 // 1000
"""Further off than this a packet was lost or comes over another: the time is kept by a hole, or by leaving something out."""
FADE = RATE // 400
CEILING = 0.97
RELEASE = 0.05
"""Per block: how quickly the mix becomes as loud as it was after it had to be softened."""
LOUD = 10 ** (-45 / 20)
"""Whoever is louder (root mean square of a block) counts as heard, where the recording does not say who was."""

Samples: TypeAlias = NDArray[np.float32]


class _Run(NamedTuple):
    start: int
    samples: Samples


class Voice:
    """One track's sound. ``take`` in the order of time. ``over``: nothing more comes."""

    def __init__(self, pieces: Iterator[Piece | Blank]) -> None:
        self._pieces = pieces
        self._decoder = av.CodecContext.create("opus", "r")
        self._decoder.layout = "mono"
        self._decoder.sample_rate = RATE
        self._waiting: deque[_Run] = deque()
        self._end = -1  # where the sound that was decoded ends
        self._ahead: _Run | None = None
        self._over = False

    @property
    def over(self) -> bool:
        return self._over and not self._waiting

    def take(self, start: int, count: int) -> Samples | None:
        """``count`` samples from the sample ``start`` of the time line on; None when there is nothing in them."""
        while not self._over and (not self._waiting or self._waiting[-1].start < start + count):
            self._decode()
        out: Samples | None = None
        while self._waiting:
            run = self._waiting[0]
            if run.start >= start + count:
                break
            first, last = max(run.start, start), min(run.start + len(run.samples), start + count)
            if first < last:
                if out is None:
                    out = np.zeros(count, np.float32)
                out[first - start : last - start] += run.samples[first - run.start : last - run.start]
            if run.start + len(run.samples) > start + count:
                break
            self._waiting.popleft()
        return out

    def _decode(self) -> None:
        """One more packet; the one before it is finished with, now that it is known whether this one follows it."""
        run: _Run | None = None
        for piece in self._pieces:
            if isinstance(piece, Blank):
                continue
            run = self._run(piece)
            if run is not None:
                break
        before, self._ahead = self._ahead, run
        if before is not None:
            if run is None or run.start > before.start + len(before.samples):
                tail = min(FADE, len(before.samples))
                before.samples[len(before.samples) - tail :] *= np.linspace(1, 0, tail, dtype=np.float32)
            self._waiting.append(before)
        if run is None:
            self._over = True

    def _run(self, piece: Piece) -> _Run | None:
        """A packet's samples where they belong."""
        if not opus_samples(piece.data):
            return None
        try:
            frames = self._decoder.decode(av.Packet(piece.data))
        except av.FFmpegError:
            return None
        if not frames:
            return None
        samples = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]).astype(np.float32)
        wanted = piece.time_us * 6 // 125 - DECODER_DELAY  # 48 samples a millisecond
        if wanted < 0:
            samples, wanted = samples[-wanted:], 0
        off = wanted - self._end
        start = self._end
        if start < 0 or off > JUMP:
            start = wanted
        elif off < -JUMP:
            samples = samples[-off:]
            if not len(samples):
                return None  # all of it would lie over what is there
        elif abs(off) > SLACK:
            samples = _stretched(samples, off)
        if start != self._end or off < -JUMP:
            fade = min(FADE, len(samples))
            samples[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
        self._end = start + len(samples)
        return _Run(start, samples)


def _stretched(samples: Samples, by: int) -> Samples:
    most = int(len(samples) * STEER)
    length = len(samples) + max(-most, min(most, by))
    places = np.linspace(0, len(samples) - 1, length)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.float32)


def loudness(samples: Samples | None) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(samples)))) if samples is not None and len(samples) else 0.0


class Limiter:
    """Keeps the sum of voices from clipping: a block too loud is softened as a whole, gliding there over the block before. One block late."""

    def __init__(self) -> None:
        self._before: Samples | None = None
        self._gain = 1.0  # at the end of what was given out
        self._wanted = 1.0  # of the block that waits

    def push(self, block: Samples) -> Samples | None:
        """The block before, as it may be heard."""
        peak = float(np.max(np.abs(block))) if len(block) else 0.0
        wanted = min(1.0, CEILING / peak) if peak else 1.0
        out = self._out(wanted)
        self._before, self._wanted = block, wanted
        return out

    def end(self) -> Samples | None:
        out = self._out(1.0)
        self._before = None
        return out

    def _out(self, following: float) -> Samples | None:
        block = self._before
        if block is None:
            return None
        goal = min(self._wanted, following, self._gain + RELEASE)
        gains = np.linspace(self._gain, goal, len(block), dtype=np.float32)
        if self._gain > self._wanted:  # the first block of all, or rounding: never louder than it may be
            gains = np.minimum(gains, np.float32(self._wanted))
        self._gain = goal
        result: Samples = np.clip(block * gains, -1.0, 1.0).astype(np.float32)
        return result

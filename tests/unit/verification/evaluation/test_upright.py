"""Clips are evaluated upright, as the engine looks at them: a telephone's lie on their side in the file."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from verification.engine.clips import sampled
from verification.evaluation.pad import frames_of

UPRIGHT = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
TURNED = {
    90: struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000),
    180: struct.pack(">9i", -0x10000, 0, 0, 0, -0x10000, 0, 0, 0, 0x40000000),
    270: struct.pack(">9i", 0, -0x10000, 0, 0x10000, 0, 0, 0, 0, 0x40000000),
}


def clip(path: Path, degrees: int) -> bytes:
    """Bright in the upper half, as stored; shown turned by so much."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.thread_count = 1
        picture = np.zeros((96, 128, 3), np.uint8)
        picture[:48] = 200
        for _ in range(6):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        out.mux(stream.encode(None))
    whole = path.read_bytes().replace(UPRIGHT, TURNED.get(degrees, UPRIGHT))
    # the film's own matrix stays as it is
    at = whole.find(b"mvhd")
    first = whole.find(TURNED.get(degrees, UPRIGHT), at)
    assert first > 0
    whole = whole[:first] + UPRIGHT + whole[first + len(UPRIGHT) :]
    path.write_bytes(whole)
    return whole


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_clip_is_turned_as_the_engine_turns_it(tmp_path: Path, degrees: int) -> None:
    path = tmp_path / "clip.mp4"
    whole = clip(path, degrees)
    mine, engines = next(frames_of(path)), next(iter(sampled(whole, 2)))[1]
    assert mine.shape == engines.shape == ((128, 96, 3) if degrees % 180 else (96, 128, 3))
    assert float(np.abs(mine.astype(int) - engines).mean()) < 4
    edges = {"top": mine[:20], "bottom": mine[-20:], "left": mine[:, :20], "right": mine[:, -20:]}
    bright = {0: "top", 90: "right", 180: "bottom", 270: "left"}[degrees]
    assert max(edges, key=lambda edge: float(edges[edge].mean())) == bright

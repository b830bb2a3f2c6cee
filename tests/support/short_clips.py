"""Clips of a few small pictures, as a browser or a phone would record them."""

import io
from collections.abc import Sequence
from fractions import Fraction

import av

from verification.types import Picture


def record(
    pictures: Sequence[Picture], codec: str = "libvpx", container: str = "webm", *, fps: int = 10, gop: int = 0
) -> bytes:
    """All of one size, ``fps`` a second, a key frame every ``gop`` pictures if that is more than 0."""
    file = io.BytesIO()
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream(codec, rate=fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pixel_format
        if gop:
            stream.gop_size = gop
        stream.bit_rate = 400_000
        stream.codec_context.thread_count = 1
        if codec == "libvpx":
            stream.options = {"deadline": "realtime", "cpu-used": "8"}
        for number, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = number
            frame.time_base = Fraction(1, fps)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()

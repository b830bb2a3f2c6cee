"""What a call's codec leaves of a picture: through VP8 and back, as a browser would send it. SHELL.

Passive detection looks at fine traces, and a codec at a low bit rate takes those away first: figures of clean pictures are not those of a call.
"""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext

from verification.types import Picture

STILL_FRAMES, STILL_FPS = 30, 15
DRIFT_PX, DRIFT_HZ = 3.0, 0.7
"""A still picture is held like a phone is: it drifts, or the codec would have seconds to make it perfect."""


def held(picture: Picture, frames: int = STILL_FRAMES, fps: float = STILL_FPS) -> Iterator[Picture]:
    """A camera's frames of something that does not move."""
    for number in range(frames):
        angle = 2 * math.pi * DRIFT_HZ * number / fps
        shift = np.array([[1, 0, DRIFT_PX * math.sin(angle)], [0, 1, 0.6 * DRIFT_PX * math.sin(1.3 * angle)]])
        size = (picture.shape[1], picture.shape[0])
        yield np.asarray(
            cv2.warpAffine(picture, shift, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )


def through_vp8(pictures: Iterable[Picture], *, bits_per_second: int, fps: float) -> Iterator[Picture]:
    """Each picture as the other side sees it. Sides that are odd lose a pixel; one key frame, at the beginning; frames are as large as the first."""
    rate = Fraction(fps).limit_denominator(1000)
    encoder: VideoCodecContext | None = None
    decoder = av.CodecContext.create("libvpx", "r")
    for number, picture in enumerate(pictures):
        height, width = picture.shape[0] & ~1, picture.shape[1] & ~1
        if encoder is None:
            encoder = _encoder(width, height, bits_per_second, rate)
        if (width, height) != (encoder.width, encoder.height):
            picture = np.asarray(cv2.resize(picture, (encoder.width, encoder.height), interpolation=cv2.INTER_AREA), np.uint8)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[: encoder.height, : encoder.width]), "rgb24")
        frame.pts, frame.time_base = number, 1 / rate
        for packet in encoder.encode(frame.reformat(format="yuv420p")):
            for decoded in decoder.decode(packet):
                yield np.ascontiguousarray(decoded.to_ndarray(format="rgb24"))


def _encoder(width: int, height: int, bits_per_second: int, rate: Fraction) -> VideoCodecContext:
    """Real-time, a constant rate, no frame held back: what WebRTC asks of libvpx."""
    encoder = VideoCodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = 1 / rate, rate
    encoder.bit_rate = bits_per_second
    encoder.thread_count = 1
    encoder.options = {
        "deadline": "realtime",
        "cpu-used": "-6",  # below 0: the same effort however busy the machine is
        "lag-in-frames": "0",
        "error-resilient": "1",
        "minrate": str(bits_per_second),
        "maxrate": str(bits_per_second),
        "bufsize": str(bits_per_second),
        "qmin": "2",
        "qmax": "56",
        "undershoot-pct": "95",
        "g": "3000",
    }
    return encoder

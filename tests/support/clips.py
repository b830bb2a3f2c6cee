"""Whether a page shows a frame of the clip that is its camera: both as a small picture of greys."""

from functools import cache

import av

from tests.support.browser import CLIPS

WIDE, HIGH = 16, 12
EVERY = 5  # of the clip's frames


def luma_script() -> str:
    """A function of a video element: its greys, row by row."""
    return f"""(element) => {{
        const video = element.matches("video") ? element : element.querySelector("video");
        const canvas = new OffscreenCanvas({WIDE}, {HIGH});
        const context = canvas.getContext("2d");
        context.imageSmoothingQuality = "high";
        context.drawImage(video, 0, 0, {WIDE}, {HIGH});
        const {{ data }} = context.getImageData(0, 0, {WIDE}, {HIGH});
        return Array.from({{ length: {WIDE * HIGH} }}, (_, at) => 0.3 * data[4 * at] + 0.59 * data[4 * at + 1] + 0.11 * data[4 * at + 2]);
    }}"""


@cache
def luma_of_clip() -> tuple[list[float], ...]:
    """Some frames of the clip that ``flags`` gives to Chromium; empty where there is none."""
    clip = next(iter(sorted(CLIPS.glob("*.mjpeg"))), None)
    if clip is None:
        return ()
    with av.open(str(clip)) as container:
        frames = [frame for number, frame in enumerate(container.decode(video=0)) if number % EVERY == 0]
    return tuple(_luma(frame) for frame in frames)


def _luma(frame: av.VideoFrame) -> list[float]:
    small = frame.reformat(WIDE, HIGH, "gray", interpolation="AREA")
    plane = small.planes[0]
    data = bytes(plane)
    return [float(data[row * plane.line_size + column]) for row in range(HIGH) for column in range(WIDE)]


def likeness(one: list[float], other: list[float]) -> float:
    """The correlation of two pictures: 1 for the same, about 0 for any two."""
    mean, other_mean = sum(one) / len(one), sum(other) / len(other)
    first, second = [value - mean for value in one], [value - other_mean for value in other]
    scale = (sum(value * value for value in first) * sum(value * value for value in second)) ** 0.5
    return sum(a * b for a, b in zip(first, second, strict=True)) / scale if scale else 0.0

"""From which picture size drawn cards are read that were coded as a browser sends them: a table of docs/documents.md.

    python -m tests.bench.documents_shown [--size 1280 720] [--fill 0.6] [--lines 720] [--count 8] [--kinds front back passport]

Each is coded as VP8 at 1.7 Mbit/s, moved a little from frame to frame, and the twelfth frame is read. ``lines``: what it is made smaller to, as a tap does.
"""

import argparse
import time
from collections import Counter
from dataclasses import replace
from datetime import date
from fractions import Fraction

import av
import cv2
import numpy as np

from tests.bench import documents
from tests.support import analysers, cards
from verification.documents.reader import DocumentReader
from verification.types import Picture

TODAY = date(2026, 11, 22)
BPS, FPS, FRAMES = 1_700_000, 15, 12
KINDS = ("front", "back", "passport", "td2")


def coded(picture: Picture, rng: np.random.Generator) -> Picture:
    """The last of ``FRAMES`` of a hand that is not still."""
    height, width = picture.shape[:2]
    encoder: av.VideoCodecContext = av.CodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.bit_rate, encoder.framerate, encoder.time_base = BPS, Fraction(FPS), Fraction(1, FPS)
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
    decoder: av.VideoCodecContext = av.CodecContext.create("libvpx", "r")
    last = picture
    noise = rng.standard_normal(picture.shape, np.float32) * 2
    for at in range(FRAMES):
        move = np.array([[1, 0, 2 * np.sin(at / 2)], [0, 1, 1.5 * np.cos(at / 2)]], np.float32)
        moved = cv2.warpAffine(picture, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
        noisy = np.clip(moved + np.roll(noise, 97 * at, 0), 0, 255).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(noisy, format="rgb24")
        frame.pts = at
        for packet in encoder.encode(frame):
            for done in decoder.decode(packet):
                last = np.ascontiguousarray(done.to_ndarray(format="rgb24"), np.uint8)
    return last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720))
    parser.add_argument("--fill", type=float, default=0.6, help="of the picture's width")
    parser.add_argument("--lines", type=int, default=0)
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=KINDS[:3], choices=KINDS)
    arguments = parser.parse_args()
    width, height = arguments.size
    lines = arguments.lines or height
    cv2.setNumThreads(1)
    reader = DocumentReader(analysers.base())
    print("kind | n | right | wrong | card's longer side, px | ms | reasons")
    for kind in arguments.kinds:
        right = wrong = 0
        taken: list[float] = []
        sides: list[float] = []
        reasons: Counter[str] = Counter()
        for number in range(arguments.count):
            rng = np.random.default_rng([arguments.seed, number])
            drawn = {"front": documents.front, "back": documents.back}.get(kind)
            card, values = drawn(rng) if drawn is not None else documents.zone(rng, kind)
            fill = min(arguments.fill, 0.96 * height / width / (card.shape[0] / card.shape[1]))
            blur, light = float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.6, 1.0))
            how = replace(documents.shot(rng), size=(width, height), turn=0, fill=fill, blur=blur, light=light)
            picture = coded(cards.photograph(card, how), rng)
            if lines != height:
                small = cv2.resize(picture, (round(width * lines / height), lines), interpolation=cv2.INTER_AREA)
                picture = np.ascontiguousarray(small, np.uint8)
            sides.append(fill * width * lines / height)
            begun = time.process_time()
            reading, _ = reader.read(picture, TODAY)
            taken.append(time.process_time() - begun)
            if reading.accepted:
                same = all(reading.values.get(name) == value for name, value in values.items())
                right, wrong = right + same, wrong + (not same)
            else:
                reasons[reading.reasons[0].value] += 1
        why = ", ".join(f"{code} {count}" for code, count in reasons.most_common())
        print(
            f"{kind} | {arguments.count} | {right} | {wrong} | {np.mean(sides):.0f} | {1000 * np.median(taken):.0f} | {why}",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""How often a card is found where it lies, on tables drawn to make that hard: the second table of docs/documents.md.

    python -m tests.bench.finding [--count 40] [--seed 1]

Found: no corner is further off than 1.2 % of the picture's width. First: by the best outline; first three: by one of those that are tried to be read.
"""

import argparse
import time

import cv2
import numpy as np

from tests.bench.documents import shot
from tests.support import cards, desks
from verification.documents.find import MOST_TRIED, candidates

NEAR = 0.012


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="photographs of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenes", nargs="+", default=list(desks.SCENES), choices=list(desks.SCENES))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    makes = (cards.front, cards.back, cards.td1, cards.passport)
    drawn = [make() for make in makes]
    print("table | n | first | first three | p50 ms | p95 ms")
    for name in arguments.scenes:
        rng = np.random.default_rng([arguments.seed, list(desks.SCENES).index(name)])
        first = any_ = 0
        times: list[float] = []
        for number in range(arguments.count):
            picture, truth = desks.scene(name, drawn[number % len(drawn)], shot(rng), rng)
            begun = time.process_time()
            found = candidates(picture)
            times.append((time.process_time() - begun) * 1000)
            near = [
                min(float(np.abs(np.roll(one.corners, turn, 0) - truth).max()) for turn in range(4)) < NEAR * picture.shape[1]
                for one in found[:MOST_TRIED]
            ]
            first, any_ = first + (near[:1] == [True]), any_ + any(near)
        p50, p95 = np.percentile(times, 50), np.percentile(times, 95)
        print(f"{name} | {arguments.count} | {first} | {any_} | {p50:.0f} | {p95:.0f}", flush=True)


if __name__ == "__main__":
    main()

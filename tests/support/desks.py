"""Tables on which a card is hard to find: something bright touches its edge, papers lie about, a shadow falls across, another card is under it. Drawn."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from tests.support import cards
from tests.support.cards import Shot
from verification.types import Picture

Layer = NDArray[np.float32]


def _edge_points(corners: NDArray[np.float32], rng: np.random.Generator, count: int) -> list[NDArray[np.float64]]:
    sides = rng.choice(4, count, replace=False)
    return [corners[side] + (corners[(side + 1) % 4] - corners[side]) * rng.uniform(0.2, 0.8) for side in sides]


def _colour(rng: np.random.Generator, near: NDArray[np.float64]) -> tuple[int, ...]:
    """White paper, or much like the card."""
    base = np.full(3, rng.uniform(215, 250)) if rng.integers(2) else near + rng.normal(0, 14, 3)
    return tuple(int(part) for part in np.clip(base, 0, 255))


def _block(below: Layer, centre: NDArray[np.float64], size: tuple[float, float], turn: float, colour: tuple[int, ...]) -> None:
    box = cv2.boxPoints(((float(centre[0]), float(centre[1])), size, turn)).astype(np.int32)
    cv2.fillPoly(below, [box], colour, cv2.LINE_AA)


def plain(card: Picture, shot: Shot, rng: np.random.Generator) -> Layer:
    return cards.laid(card, shot, cards.table(*shot.size, seed=shot.seed).astype(np.float32))


def touched(card: Picture, shot: Shot, rng: np.random.Generator) -> Layer:
    """One or two bright things reach under its edges."""
    below = cards.table(*shot.size, seed=shot.seed).astype(np.float32)
    wide = shot.fill * shot.size[0]
    for point in _edge_points(cards.corners(card, shot), rng, int(rng.integers(1, 3))):
        colour = _colour(rng, card.reshape(-1, 3).mean(0))
        if rng.integers(3):
            size = float(rng.uniform(0.15, 0.5) * wide), float(rng.uniform(0.1, 0.3) * wide)
            _block(below, point, size, float(rng.uniform(0, 180)), colour)
        else:
            cv2.circle(below, tuple(int(at) for at in point), int(rng.uniform(0.06, 0.16) * wide), colour, -1, cv2.LINE_AA)
    return cards.laid(card, shot, below)


def cluttered(card: Picture, shot: Shot, rng: np.random.Generator) -> Layer:
    """Pens, boxes and sheets with lines of writing, under and about it."""
    below = cards.table(*shot.size, seed=shot.seed, cluttered=True).astype(np.float32)
    width, height = shot.size
    for _ in range(3):
        centre = np.array([rng.uniform(0, width), rng.uniform(0, height)])
        long, turn = float(rng.uniform(0.25, 0.5) * width), float(rng.uniform(0, 180))
        _block(below, centre, (long, long * float(rng.uniform(0.5, 0.8))), turn, _colour(rng, np.array([230.0, 228, 220])))
        way = np.array([np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))])
        for line in range(-4, 5):
            at = centre + line * 0.05 * long * np.array([-way[1], way[0]])
            first, last = at - 0.4 * long * way, at + 0.4 * long * way
            cv2.line(below, tuple(int(part) for part in first), tuple(int(part) for part in last), (70, 70, 80), 2, cv2.LINE_AA)
    return cards.laid(card, shot, below)


def shadowed(card: Picture, shot: Shot, rng: np.random.Generator) -> Layer:
    """The edge of a shadow lies across it."""
    picture = plain(card, shot, rng)
    width, height = shot.size
    turn = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    away = (columns - width / 2) * np.cos(turn) + (rows - height / 2) * np.sin(turn) + rng.uniform(-0.15, 0.15) * width
    dark = 1 / (1 + np.exp(-away / rng.uniform(2, 14)))
    return np.asarray(picture * (1 - np.float32(rng.uniform(0.35, 0.55)) * dark[..., None]), np.float32)


def on_card(card: Picture, shot: Shot, rng: np.random.Generator) -> Layer:
    """Another card under it, seen beside two of its edges."""
    below = cards.table(*shot.size, seed=shot.seed).astype(np.float32)
    other = Shot(
        size=shot.size,
        fill=shot.fill * float(rng.uniform(0.9, 1.0)),
        lean=shot.lean + float(rng.uniform(-25, 25)),
        turn=shot.turn,
        shift=(shot.shift[0] + float(rng.uniform(-0.12, 0.12)), shot.shift[1] + float(rng.uniform(-0.12, 0.12))),
        seed=shot.seed,
    )
    under = cards.bank_card() if rng.integers(2) else cards.back()
    return cards.laid(card, shot, cards.laid(under, other, below))


def on_paper(card: Picture, shot: Shot, rng: np.random.Generator) -> Layer:
    """A white sheet, with the shape that a page of a passport has, wholly under it."""
    below = cards.table(*shot.size, seed=shot.seed).astype(np.float32)
    width, height = shot.size
    long = float(rng.uniform(0.9, 1.1)) * height
    _block(below, np.array([width / 2, height / 2]), (long, long / 1.414), float(rng.uniform(-8, 8)), (242, 241, 236))
    smaller = Shot(**{**shot.__dict__, "fill": min(shot.fill, 0.5)})
    return cards.laid(card, smaller, below)


def crossed(card: Picture, shot: Shot, rng: np.random.Generator) -> Layer:
    """A pen lies on the table and on one of its edges."""
    picture = plain(card, shot, rng)
    corners = cards.corners(card, shot)
    (point,) = _edge_points(corners, rng, 1)
    out = point - corners.mean(0)
    out /= np.linalg.norm(out)
    wide = shot.fill * shot.size[0]
    first, last = point - out * 0.05 * wide, point + out * rng.uniform(0.2, 0.4) * wide
    ends = [tuple(int(part) for part in end) for end in (first, last)]
    cv2.line(picture, ends[0], ends[1], tuple(int(part) for part in rng.integers(20, 230, 3)), int(0.03 * wide), cv2.LINE_AA)
    return picture


SCENES: dict[str, Callable[[Picture, Shot, np.random.Generator], Layer]] = {
    "plain": plain,
    "touched": touched,
    "cluttered": cluttered,
    "shadowed": shadowed,
    "on card": on_card,
    "on paper": on_paper,
    "crossed": crossed,
}


def scene(name: str, card: Picture, shot: Shot, rng: np.random.Generator) -> tuple[Picture, NDArray[np.float32]]:
    """The photograph, and where the card's corners are in it."""
    picture = cards.finished(SCENES[name](card, shot, rng), shot)
    if name == "on paper":
        shot = Shot(**{**shot.__dict__, "fill": min(shot.fill, 0.5)})
    return picture, cards.corners(card, shot)

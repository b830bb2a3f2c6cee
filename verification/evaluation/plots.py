"""What an evaluation found as pictures: trade-off curves and histograms of scores. Drawn with Pillow, in memory; never with a face in it."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from verification.evaluation.metrics import Curve, Scores, det, histogram, spread

Colour = tuple[int, int, int]
SCALE = 2
"""Drawn so many times as large and made smaller: smooth edges."""
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, LETTERS = 900, 540, 84, 24, 94, 56, 15
INK, GREY, PALE = (30, 30, 30), (95, 95, 95), (224, 224, 224)
COLOURS: tuple[Colour, ...] = (
    (29, 78, 216),
    (185, 28, 28),
    (21, 128, 61),
    (194, 65, 12),
    (126, 34, 206),
    (14, 116, 144),
    (90, 90, 90),
)
BINS, FEW_BINS = 80, 25
MANY = 500
"""Groups smaller than this get fewer bins."""
ROW = 16
"""Between two rows of a legend."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a plot with words beside it."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    colour: Colour
    points: Sequence[tuple[float, float]]


class _Chart:
    """A frame with two axes. ``x``, ``y``: value → share of the axis, 0 to 1."""

    def __init__(self, title: str, under: str, x_name: str, x: Callable[[float], float], y: Callable[[float], float]) -> None:
        self._image = Image.new("RGB", (SCALE * WIDTH, SCALE * HEIGHT), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default(SCALE * LETTERS)
        self._small = ImageFont.load_default(SCALE * (LETTERS - 2))
        self._x, self._y = x, y
        self._legend, self._row = float(LEFT), 0
        self._text(LEFT, 10, title, INK)
        self._text(LEFT, 30, under, GREY)
        self._text(WIDTH - RIGHT - self._wide(x_name), HEIGHT - 24, x_name, GREY)

    def _place(self, x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, self._x(x)))
        return across, TOP + (HEIGHT - TOP - BOTTOM) * (1 - min(1.0, max(0.0, self._y(y))))

    def _text(self, x: float, y: float, text: str, colour: Colour) -> None:
        self._draw.text((SCALE * x, SCALE * y), text, colour, self._small if colour == GREY else self._font)

    def _wide(self, text: str) -> float:
        return self._draw.textlength(text, self._small) / SCALE

    def _stroke(self, points: Sequence[tuple[float, float]], colour: Colour, width: float) -> None:
        if len(points) > 1:
            self._draw.line([(SCALE * x, SCALE * y) for x, y in points], colour, round(SCALE * width), "curve")

    def grid(self, xs: Sequence[tuple[float, str]], ys: Sequence[tuple[float, str]]) -> None:
        for value, label in xs:
            x, _ = self._place(value, 0)
            self._stroke([(x, TOP), (x, HEIGHT - BOTTOM)], PALE, 1)
            self._text(x - self._wide(label) / 2, HEIGHT - BOTTOM + 6, label, GREY)
        for value, label in ys:
            _, y = self._place(0, value)
            self._stroke([(LEFT, y), (WIDTH - RIGHT, y)], PALE, 1)
            self._text(LEFT - 8 - self._wide(label), y - 8, label, GREY)

    def line(self, line: _Line) -> None:
        self._stroke([self._place(x, y) for x, y in line.points], line.colour, 2)
        wide = 24 + self._wide(line.label)
        if self._legend + wide > WIDTH - RIGHT:
            self._legend, self._row = float(LEFT), self._row + 1
        y = 60 + ROW * self._row
        self._stroke([(self._legend, y), (self._legend + 18, y)], line.colour, 3)
        self._text(self._legend + 24, y - 9, line.label, GREY)
        self._legend += wide + 22

    def mark(self, mark: Mark, colour: Colour = INK) -> None:
        x, y = self._place(mark.x, mark.y)
        self._draw.circle((SCALE * x, SCALE * y), 4.0 * SCALE, colour)
        left = x + 10 if x + 14 + self._wide(mark.text) < WIDTH - RIGHT else x - 10 - self._wide(mark.text)
        self._text(left, y - 22, mark.text, GREY)

    def upright(self, value: float, text: str, row: int = 0) -> None:
        """A threshold."""
        x, _ = self._place(value, 0)
        self._stroke([(x, TOP), (x, HEIGHT - BOTTOM)], INK, 1)
        left = x + 4 if x + 8 + self._wide(text) < WIDTH - RIGHT else x - 4 - self._wide(text)
        self._text(left, TOP + 4 + 17 * row, text, GREY)

    def png(self) -> bytes:
        found = io.BytesIO()
        small = self._image.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
        small.quantize(64, dither=Image.Dither.NONE).save(found, "PNG", optimize=True)
        return found.getvalue()


def _log_axis(least: float) -> Callable[[float], float]:
    """From ``least`` to 1; 0 stands at its beginning."""
    decades = -math.log10(least)
    return lambda value: 0.0 if value <= least else 1 + math.log10(value) / decades


def _decades(least: float) -> list[tuple[float, str]]:
    steps = [10.0**power for power in range(round(math.log10(least)), 1)]
    return [(step, f"{100 * step:g} %") for step in steps]


def det_plot(
    title: str, curves: Mapping[str, Curve], marks: Sequence[Mark], n: tuple[int, int], names: tuple[str, str]
) -> bytes:
    """``curves``: false accepts across, false rejects up, both logarithmic. ``n``: how many could be falsely accepted, and rejected: below one in so many
    nothing was measured. ``names``: of the two rates."""
    least_x, least_y = (10.0 ** -math.ceil(math.log10(max(10, count))) for count in n)
    under = f"up: {names[1]} (of {n[1]:,}), across: {names[0]} (of {n[0]:,}), both logarithmic"
    chart = _Chart(title, under, names[0], _log_axis(least_x), _log_axis(least_y))
    chart.grid(_decades(least_x), _decades(least_y))
    for (label, curve), colour in zip(curves.items(), COLOURS, strict=False):
        points = list(zip(curve.false_accepts, curve.false_rejects, strict=True))
        chart.line(_Line(label, colour, [point for point in points if point[0] > 0 or point[1] < 1]))
    for mark in marks:
        chart.mark(mark)
    return chart.png()


def score_plot(title: str, groups: Mapping[str, Scores], thresholds: Mapping[str, float], unit: str) -> bytes:
    """Histograms of each group's scores, each group's area the same."""
    low, high = spread(groups.values())
    bins = BINS if min(scores.size for scores in groups.values()) >= MANY else FEW_BINS
    parts = {label: histogram(scores, low, high, bins) for label, scores in groups.items()}
    top = max(max(shares) for shares in parts.values()) * 1.05 or 1.0
    chart = _Chart(title, "share of each group in a bin", unit, lambda x: (x - low) / (high - low), lambda y: y / top)
    ticks = [low + (high - low) * part / 5 for part in range(6)]
    chart.grid([(tick, f"{tick:.2f}") for tick in ticks], [(top * part / 2, f"{50 * top * part:.1f} %") for part in range(3)])
    for (label, shares), colour in zip(parts.items(), COLOURS, strict=False):
        width = (high - low) / bins
        steps = [(low + width * (at + side), share) for at, share in enumerate(shares) for side in (0, 1)]
        chart.line(_Line(f"{label} ({groups[label].size:,})", colour, steps))
    for row, (label, threshold) in enumerate(thresholds.items()):
        chart.upright(threshold, label, row)
    return chart.png()


def passing_plot(title: str, groups: Mapping[str, Scores], thresholds: Mapping[str, float]) -> bytes:
    """The share of each group that would pass at every threshold from 0 to 1: of attacks APCER, of bona fide 1 - BPCER."""
    chart = _Chart(title, "share that passes", "threshold", float, float)
    chart.grid([(step / 5, f"{step / 5:.1f}") for step in range(6)], [(step / 4, f"{25 * step} %") for step in range(5)])
    for (label, scores), colour in zip(groups.items(), COLOURS, strict=False):
        ranked = sorted(float(score) for score in scores)
        steps = [(0.0, 1.0)]
        for number, score in enumerate(ranked):
            at = max(0.0, score)
            steps += [(at, 1 - number / len(ranked)), (at, 1 - (number + 1) / len(ranked))]
        chart.line(_Line(f"{label} ({scores.size})", colour, [*steps, (1.0, steps[-1][1])]))
    for row, (label, threshold) in enumerate(thresholds.items()):
        chart.upright(threshold, label, row)
    return chart.png()


def pad_det(title: str, bona_fide: Scores, attacks: Mapping[str, Scores], marks: Sequence[Mark]) -> bytes:
    """A curve for each species."""
    curves = {f"{kind} ({scores.size})": det(bona_fide, scores) for kind, scores in attacks.items()}
    most = max(scores.size for scores in attacks.values())
    return det_plot(title, curves, marks, (most, bona_fide.size), ("APCER", "BPCER"))

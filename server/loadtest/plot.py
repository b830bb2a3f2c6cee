"""The seconds of a load test as a picture: latency, loss, lag, processor. Drawn with Pillow, in memory."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
SCALE = 2
"""Drawn so many times as large and made smaller: smooth edges."""
LETTERS = 15

WIDTH, LEFT, RIGHT, TOP, TALL, GAP, BOTTOM = 1000, 92, 24, 64, 132, 52, 44
INK, PALE, GREY = (30, 30, 30), (222, 222, 222), (95, 95, 95)
MOST_POINTS = 450
"""More seconds than this are joined, the highest of each group shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """``name``: of the series. ``factor``: to the panel's unit."""

    name: str
    label: str
    colour: Colour
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Panel:
    """``least``: the axis goes at least so far up."""

    title: str
    lines: tuple[Line, ...]
    least: float


PANELS = (
    Panel("latency (ms)", (Line("latency_p95_ms", "95 %", (29, 78, 216)),), 5),
    Panel("loss (%)", (Line("loss", "of all packets", (185, 28, 28), 100.0),), 1),
    Panel(
        "timers late, 99 % (ms)",
        (
            Line("worker_lag_p99_ms", "media workers, over 10 s", (194, 65, 12)),
            Line("load_lag_p99_ms", "the load", (130, 130, 130)),
        ),
        5,
    ),
    Panel(
        "processor (% of a core)",
        (Line("worker_cpu_percent", "media workers", (21, 128, 61)), Line("server_cpu_percent", "server", (126, 34, 206))),
        20,
    ),
)


class _Canvas:
    """White; lengths in points, the origin at the upper left."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (SCALE * width, SCALE * height), "white")
        self._draw = ImageDraw.Draw(self._image)
        self._font = ImageFont.load_default(SCALE * LETTERS)

    def box(self, x: int, y: int, width: int, height: int, colour: Colour) -> None:
        self._draw.rectangle((SCALE * x, SCALE * y, SCALE * (x + width) - 1, SCALE * (y + height) - 1), colour)

    def text(self, x: int, y: int, text: str, colour: Colour) -> None:
        self._draw.text((SCALE * x, SCALE * y), text, colour, self._font)

    def width_of(self, text: str) -> int:
        return math.ceil(self._draw.textlength(text, self._font) / SCALE)

    def curve(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        """Through the points; a lone one is a dot."""
        scaled = [(SCALE * x, SCALE * y) for x, y in points]
        if len(scaled) == 1:
            self._draw.circle(scaled[0], 2.5 * SCALE, colour)
        elif scaled:
            self._draw.line(scaled, colour, 2 * SCALE, "curve")

    def png(self) -> bytes:
        found = io.BytesIO()
        self._image.resize((self._image.width // SCALE, self._image.height // SCALE), Image.Resampling.BOX).save(found, "PNG")
        return found.getvalue()


def draw(found: Mapping[str, Any]) -> bytes:
    """A PNG of the figures that ``report.figures`` made."""
    rows: Sequence[Mapping[str, float | None]] = found["series"]
    canvas = _Canvas(WIDTH, TOP + len(PANELS) * (TALL + GAP) + BOTTOM - GAP + 8)
    title = f"{found['rooms']} rooms of {found['people']}, {found['cores']} cores: "
    title += f"loss {100 * found['loss']:.3g} %, 95 % within {found['latency_p95_ms']:g} ms"
    if found["cpu_us_per_forward"] is not None:
        title += f", {found['cpu_us_per_forward']:g} us/forward"
    canvas.text(LEFT - 60, 12, title, INK)
    for number, panel in enumerate(PANELS):
        _panel(canvas, panel, rows, TOP + number * (TALL + GAP))
    base = TOP + len(PANELS) * (TALL + GAP) - GAP
    seconds = len(rows)
    step = nice(seconds / 8)
    for at in range(0, seconds + 1, max(1, int(step))):
        label = f"{at} s"
        x = int(_x(at, seconds))
        canvas.box(x, base, 1, 5, GREY)
        canvas.text(min(x - canvas.width_of(label) // 2, WIDTH - canvas.width_of(label) - 4), base + 14, label, GREY)
    return canvas.png()


def _x(second: float, seconds: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * second / max(1, seconds)


def _panel(canvas: _Canvas, panel: Panel, rows: Sequence[Mapping[str, float | None]], top: int) -> None:
    curves = [(line, thinned([(row[line.name], line.factor) for row in rows])) for line in panel.lines]
    highest = max([panel.least, *(value for _, values in curves for value in values if value is not None)])
    ceiling = nice(highest)
    canvas.text(LEFT, top - 22, panel.title, INK)
    x = LEFT + canvas.width_of(panel.title) + 40
    for line, _ in curves:
        canvas.box(x, top - 16, 18, 3, line.colour)
        canvas.text(x + 26, top - 22, line.label, GREY)
        x += 26 + canvas.width_of(line.label) + 28
    for part in (0.0, 0.5, 1.0):
        y = top + round(TALL * (1 - part))
        label = f"{ceiling * part:.3g}"
        canvas.box(LEFT, y, WIDTH - LEFT - RIGHT, 1, PALE)
        canvas.text(LEFT - 10 - canvas.width_of(label), y - LETTERS // 2 - 2, label, GREY)
    for line, values in curves:
        _curve(canvas, line, values, top, ceiling)


def _curve(canvas: _Canvas, line: Line, values: Sequence[float | None], top: int, ceiling: float) -> None:
    """With a gap where nothing is known; a lone value is a dot."""
    run: list[tuple[float, float]] = []
    for number, value in enumerate([*values, None]):
        if value is not None:
            run.append((_x(number + 0.5, len(values)), top + TALL * (1 - value / ceiling)))
            continue
        canvas.curve(run, line.colour)
        run = []


def thinned(values: Sequence[tuple[float | None, float]]) -> list[float | None]:
    """(value, factor) → at most ``MOST_POINTS`` values, of each group the highest."""
    group = max(1, math.ceil(len(values) / MOST_POINTS))
    found: list[float | None] = []
    for at in range(0, len(values), group):
        known = [value * factor for value, factor in values[at : at + group] if value is not None]
        found.append(max(known, default=None))
    return found


def nice(value: float) -> float:
    """The least of 1, 2, 5 times a power of ten that is not below."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value * (1 - 1e-9))

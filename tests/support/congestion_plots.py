"""Draws the simulated and the recorded traces of congestion control: ``python -m tests.support.congestion_plots docs/plots``.

Plain SVG, written by hand: no library, the same bytes each time.
"""

import sys
from pathlib import Path as FilePath

from tests.support.netsim import Path, Simulation, Trace, steps
from tests.support.traces import UNLIMITED_BPS, load, names, play

WIDTH, RATES, QUEUE, LEFT, TOP, GAP = 860, 220, 80, 56, 34, 26
STEP = steps((0, 2.5e6), (20, 0.6e6), (40, 2.5e6))
COLOURS = {"capacity": "#888888", "estimate": "#c2410c", "sent": "#1d4ed8", "padding": "#15803d", "other flow": "#7e22ce"}


def scenes() -> dict[str, tuple[str, Simulation, float]]:
    """File name → (title, simulation, seconds)."""
    return {
        "step": ("2.5, 0.6, 2.5 Mbit/s; a source that follows the estimate", Simulation(Path(STEP)), 60),
        "layers": ("2.5, 0.6, 2.5 Mbit/s; three simulcast cameras", Simulation(Path(STEP), cameras=(720, 180, 180)), 60),
        "ramp": (
            "0.3 to 3.3 Mbit/s and back",
            Simulation(Path(lambda at: 0.3e6 + 3e6 * (at if at < 30 else 60 - at) / 30)),
            60,
        ),
        "on-off": (
            "5 s on, 5 s off",
            Simulation(Path(lambda _: 2e6), demand=lambda at: 20e6 if int(at / 5) % 2 == 0 else 0),
            60,
        ),
        "competing": ("a Reno flow from 15 to 45 s", Simulation(Path(lambda _: 3e6), competing=(15, 45)), 60),
        "lifted": (
            "3 Mbit/s, 300 kbit/s, 3 Mbit/s; a simulcast camera",
            Simulation(Path(steps((0, 3e6), (15, 0.3e6), (35, 3e6)), queue_s=0.64), cameras=(720,)),
            60,
        ),
        "narrow": ("300 kbit/s; two cameras", Simulation(Path(lambda _: 0.3e6), cameras=(720, 360)), 40),
        "loss": ("10 % random loss, 3 Mbit/s; two cameras", Simulation(Path(lambda _: 3e6, loss=0.1), cameras=(720, 180)), 40),
        "jitter": ("200 ms away, 30 ms jitter, 2 Mbit/s", Simulation(Path(lambda _: 2e6, delay_s=0.2, jitter_s=0.03)), 40),
        "silence": ("no feedback from 15 to 20 s", Simulation(Path(lambda _: 2e6, feedback_dead=(15, 20))), 40),
    }


def svg(title: str, trace: Trace, seconds: float) -> str:
    """Rates above, length of the queue below."""
    curves = {"capacity": trace.capacity, "sent": smooth(trace.sent), "padding": trace.padding, "estimate": trace.estimate}
    if any(trace.other):
        curves["other flow"] = trace.other
    limited = [bps for bps in trace.capacity if bps < UNLIMITED_BPS]
    top_bps = 1.15 * max(max(limited), min(max(trace.estimate[20:]), 2 * max(limited), UNLIMITED_BPS), max(curves["sent"][20:]))
    top_ms = 300 if max(trace.queue) <= 0.3 else 700
    height = TOP + RATES + GAP + QUEUE + 30
    inner = WIDTH - LEFT - 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/><text x="{LEFT}" y="14" font-weight="bold">{title}</text>',
    ]
    for index, name in enumerate(curves):
        x = LEFT + index * 110
        parts.append(
            f'<rect x="{x}" y="20" width="14" height="4" fill="{COLOURS[name]}"/><text x="{x + 18}" y="26">{name}</text>'
        )

    def axis(top: float, tall: float, highest: float, unit: str) -> None:
        for part in (0, 0.5, 1):
            y = top + tall * (1 - part)
            parts.append(f'<line x1="{LEFT}" x2="{LEFT + inner}" y1="{y:.0f}" y2="{y:.0f}" stroke="#dddddd"/>')
            parts.append(f'<text x="{LEFT - 4}" y="{y + 4:.0f}" text-anchor="end">{highest * part:.3g}{unit}</text>')

    def curve(values: list[float], top: float, tall: float, highest: float, colour: str) -> None:
        points = " ".join(
            f"{LEFT + inner * at / seconds:.1f},{top + tall * (1 - min(value / highest, 1)):.1f}"
            for at, value in zip(trace.times, values, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.3"/>')

    axis(TOP, RATES, top_bps / 1e6, " M")
    for name, values in curves.items():
        curve(values, TOP, RATES, top_bps, COLOURS[name])
    below = TOP + RATES + GAP
    axis(below, QUEUE, top_ms, " ms")
    curve([1000 * value for value in trace.queue], below, QUEUE, top_ms, "#b91c1c")
    parts.append(f'<text x="{LEFT + 4}" y="{below + 12}">queue</text>')
    for second in range(0, int(seconds) + 1, 10):
        x = LEFT + inner * second / seconds
        parts.append(f'<text x="{x:.0f}" y="{below + QUEUE + 16}" text-anchor="middle">{second} s</text>')
    return "\n".join([*parts, "</svg>", ""])


def smooth(values: list[float]) -> list[float]:
    """Over half a second: frames are bursts."""
    return [sum(values[max(0, n - 4) : n + 1]) / len(values[max(0, n - 4) : n + 1]) for n in range(len(values))]


def main(folder: FilePath) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, simulation, seconds) in scenes().items():
        (folder / f"congestion-{name}.svg").write_text(svg(title, simulation.run(seconds), seconds), encoding="utf-8")
    for name in names():
        recorded = load(name)
        text = svg(f"recorded: {recorded.what}", play(recorded), recorded.seconds)
        (folder / f"congestion-recorded-{name}.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(FilePath(sys.argv[1]))

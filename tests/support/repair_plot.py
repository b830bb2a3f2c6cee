"""``python -m tests.support.repair_plot``: the table and the picture of docs/bad-networks.md about what is lost and sent again."""

import os
from pathlib import Path

os.environ["TESTS_CAMPAIGN"] = "long"

from tests.scenario.test_campaign_16 import percentile, publisher_to_relay, relay_to_subscriber
from tests.support.impairer import Condition

TARGET = Path(__file__).resolve().parents[2] / "docs" / "images" / "repair.svg"
LEGS = {"publisher → relay": publisher_to_relay, "relay → subscriber": relay_to_subscriber}
LOSSES = (0.05, 0.10, 0.20)
DELAYS_MS = (0.0, 50.0, 200.0)
WIDTH, HEIGHT, LEFT, BOTTOM, TOP_MS = 640, 300, 60, 40, 2200.0
COLOURS = ("#8ab4d8", "#3f7fb5", "#173f63")


def main() -> None:
    print(
        "| Leg | One way | Loss | Missing for good | Later: half | 95 % | 99 % | Sent again |\n|---|---|---|---|---|---|---|---|"
    )
    bars: list[tuple[str, float, float, float]] = []
    for name, leg in LEGS.items():
        for delay_ms in DELAYS_MS:
            for loss in LOSSES:
                outcome = leg(Condition(loss=loss, delay_ms=delay_ms))
                again = [one for one in outcome.late_ms(delay_ms) if one > 1]
                half, most, nearly_all = (percentile(again, share) for share in (0.5, 0.95, 0.99))
                bars.append((name, delay_ms, loss, most))
                print(
                    f"| {name} | {delay_ms:.0f} ms | {loss:.0%} | {outcome.missing():.2%} | {half:.0f} ms | {most:.0f} ms "
                    f"| {nearly_all:.0f} ms | {outcome.resent / len(outcome.sent):.1%} |".replace("%", " %")
                )
    TARGET.write_text(draw(bars), encoding="utf-8")


def draw(bars: list[tuple[str, float, float, float]]) -> str:
    """Bars in groups: leg, delay, loss."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11" role="img">',
        "<title>95th percentile of how much later a packet comes that was lost, in milliseconds</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    high = HEIGHT - BOTTOM - 30

    def y(ms: float) -> float:
        return HEIGHT - BOTTOM - high * ms / TOP_MS

    for ms in range(0, int(TOP_MS) + 1, 400):
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 10}" y1="{y(ms):.1f}" y2="{y(ms):.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y(ms) + 4:.1f}" text-anchor="end">{ms} ms</text>')
    step = (WIDTH - LEFT - 20) / (len(bars) + len(bars) / len(LOSSES))
    for n, (name, delay_ms, loss, ms) in enumerate(bars):
        x = LEFT + 10 + step * (n + n // len(LOSSES))
        colour = COLOURS[LOSSES.index(loss)]
        parts.append(f'<rect x="{x:.1f}" y="{y(ms):.1f}" width="{step - 2:.1f}" height="{y(0) - y(ms):.1f}" fill="{colour}"/>')
        parts.append(f'<text x="{x + step / 2:.1f}" y="{y(ms) - 3:.1f}" text-anchor="middle" font-size="9">{ms:.0f}</text>')
        if loss == LOSSES[1]:
            parts.append(f'<text x="{x + step / 2:.1f}" y="{HEIGHT - 24}" text-anchor="middle">{delay_ms:.0f} ms away</text>')
            if delay_ms == DELAYS_MS[1]:
                parts.append(f'<text x="{x + step / 2:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{name}</text>')
    for n, (loss, colour) in enumerate(zip(LOSSES, COLOURS, strict=True)):
        parts.append(f'<rect x="{LEFT + 10 + 90 * n}" y="8" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{LEFT + 24 + 90 * n}" y="17">{loss:.0%} lost</text>')
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    main()

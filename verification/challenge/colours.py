"""The colours of the screen: which, how long, and that nobody is hurt by them. Sans I/O.

WCAG 2.2, success criterion 2.3.1: not more than three flashes in any one second, or below the general flash and red flash thresholds. A
general flash is a pair of opposing changes of relative luminance of 10 % or more where the darker is below 0.80; a red flash is a pair of
opposing transitions that involves a saturated red, R / (R + G + B) ≥ 0.8 in linear light. Here nothing changes more than once a second and no
colour is a saturated red; the slow form does not reach a tenth of luminance at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from verification.challenge.draw import Draw
from verification.challenge.policy import ChallengePolicy, Light

Rgb = tuple[int, int, int]
"""sRGB, 0 to 255 each."""

WHITE: Rgb = (255, 255, 255)
FULL: tuple[Rgb, ...] = ((255, 176, 32), (48, 255, 96), (64, 112, 255), (240, 80, 240))
"""Amber, green, blue, magenta: four directions in which a skin's colour can be moved."""
PALE: tuple[Rgb, ...] = ((235, 165, 60), (80, 200, 110), (140, 175, 255), (240, 140, 240))
"""The same four at one luminance, 0.435 to 0.449."""
SLOW_FOR_S = 3.0
SLOW_FADE_S = 2.0
LEAST_S = 1.0
"""No colour is shown for less, whatever ends it."""

GENERAL_FLASH = 0.10
GENERAL_FLASH_DARKER = 0.80
SATURATED_RED = 0.8


@dataclass(frozen=True, slots=True)
class ColourStep:
    """Shown from ``at_s`` after the script's start for ``for_s``; reached from the one before within ``fade_s``."""

    rgb: Rgb
    at_s: float
    for_s: float
    fade_s: float = 0.0


def linear(value: float) -> float:
    """sRGB 0 to 255 as linear light 0 to 1 (IEC 61966-2-1)."""
    value /= 255
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def relative_luminance(rgb: Sequence[float]) -> float:
    """As WCAG defines it, 0 to 1."""
    red, green, blue = (linear(value) for value in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def red_share(rgb: Sequence[float]) -> float:
    """R / (R + G + B) in linear light; 0.8 and more is a saturated red."""
    red, green, blue = (linear(value) for value in rgb)
    total = red + green + blue
    return red / total if total else 0.0


def flashes(steps: Sequence[tuple[float, Rgb]]) -> int:
    """The most general flashes in any one second of a sequence of (seconds, colour shown from then on)."""
    changes: list[tuple[float, int]] = []
    for (_, before), (at, after) in pairwise(steps):
        low, high = sorted((relative_luminance(before), relative_luminance(after)))
        if high - low >= GENERAL_FLASH and low < GENERAL_FLASH_DARKER:
            changes.append((at, 1 if relative_luminance(after) > relative_luminance(before) else -1))
    most = 0
    for start, _ in changes:
        inside = [way for at, way in changes if start <= at < start + 1.0]
        most = max(most, sum(1 for first, second in pairwise(inside) if first != second))
    return most


def palette(light: Light) -> tuple[Rgb, ...]:
    return PALE if light is Light.SLOW else FULL


def draw_colours(nonce: bytes, policy: ChallengePolicy) -> tuple[ColourStep, ...]:
    """Neighbours differ, and at least three different colours are among them: each direction of a skin's colour is tried.

    The slow form has its own times; the first colour of it is faded in too. Ends with the last colour: what comes after is the page's white.
    """
    if policy.light is Light.NONE:
        return ()
    draw = Draw(nonce, "colours")
    choice = palette(policy.light)
    slow = policy.light is Light.SLOW
    steps: list[ColourStep] = []
    at = 0.0
    for number in range(policy.colours):
        used = {step.rgb for step in steps}
        allowed = [rgb for rgb in choice if not steps or rgb != steps[-1].rgb]
        if policy.colours - number <= 3 - len(used):
            allowed = [rgb for rgb in allowed if rgb not in used]
        rgb = draw.one(allowed)
        lasts = SLOW_FOR_S if slow else draw.between(*policy.colour_s)
        steps.append(ColourStep(rgb, round(at, 3), lasts, SLOW_FADE_S if slow else 0.0))
        at += lasts
    return tuple(steps)


def shown(steps: Sequence[ColourStep], at_s: float) -> tuple[float, float, float]:
    """Linear light of the screen at ``at_s`` after the start: white before and after, mixed while it fades."""
    before: tuple[float, float, float] = (1.0, 1.0, 1.0)
    for step in steps:
        if at_s < step.at_s:
            return before
        red, green, blue = (linear(value) for value in step.rgb)
        if step.fade_s and at_s < step.at_s + step.fade_s:
            part = (at_s - step.at_s) / step.fade_s
            return (
                before[0] + (red - before[0]) * part,
                before[1] + (green - before[1]) * part,
                before[2] + (blue - before[2]) * part,
            )
        before = (red, green, blue)
        if at_s < step.at_s + step.for_s:
            return before
    return (1.0, 1.0, 1.0)

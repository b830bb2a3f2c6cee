"""Every number of active liveness: what a script asks for, and what counts as an answer. Sans I/O.

``ChallengePolicy`` is the bank's choice, ``Limits`` what the engine's own figures say (``docs/verification-liveness.md``).
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from verification.errors import VerificationError
from verification.models.pack import Thresholds
from verification.reasons import ReasonCode
from verification.types import Quality


class PolicyInvalid(VerificationError):
    """A policy or a limit that cannot be right, or a pack that cannot see what the policy asks for."""

    code = "challenge_policy_invalid"


class Light(StrEnum):
    """How the screen's colours come. All of them keep WCAG 2.3.1."""

    STEPS = "steps"
    """Full colours at full brightness, at most one change a second. Needs a warning before."""
    SLOW = "slow"
    """Nothing flashes: pale colours of one luminance, faded into one another over two seconds."""
    NONE = "none"
    """No colours: more actions instead; passes only where the policy says that it may."""


class Assurance(StrEnum):
    """What can be asked for beside the picture: a stream rendered in real time can answer any script."""

    DEVICE_ATTESTATION = "device_attestation"
    """The device's own hardware says that camera and program are what they say."""
    SECOND_CHANNEL = "second_channel"
    """Confirmed on another device or by another way."""
    AGENT = "agent"
    """A person looked at it."""


@dataclass(frozen=True, slots=True)
class ChallengePolicy:
    """``actions``: how many are asked, all different; ``actions_without_light`` where there are no colours. ``strong``: at least so many of them are not
    blinks, which happen by themselves. ``action_s``: time for each; ``gap_s``: shortest and longest rest before one, drawn by the nonce.
    ``colour_s``: shortest and longest time of one colour, drawn in tenths; ``colours``: how many, beside the white at the start and the end.
    ``replacements``: how many actions may be exchanged for others by who cannot do them, one more being asked for each; after more than
    ``replacements_accepted`` the verdict is REFER at best. ``mistakes``: how many other actions, or
    actions before they were asked, are forgiven. ``scripts``: a pack with which fewer different ones could be drawn is refused.
    ``also_require``: what must be there beside the picture; without it the best verdict is REFER.
    ``accept_without_pad``, ``accept_without_light``: may pass although that evidence is missing. Both are a lower bar: read the page.
    """

    actions: int = 3
    actions_without_light: int = 5
    strong: int = 2
    action_s: float = 5.0
    gap_s: tuple[float, float] = (0.3, 0.9)
    light: Light = Light.STEPS
    colours: int = 6
    colour_s: tuple[float, float] = (1.0, 1.6)
    replacements: int = 2
    replacements_accepted: int = 1
    mistakes: int = 1
    settle_s: float = 12.0
    rest_s: float = 6.0
    scripts: int = 100
    also_require: frozenset[Assurance] = field(default_factory=frozenset)
    accept_without_pad: bool = False
    accept_without_light: bool = False

    def __post_init__(self) -> None:
        low, high = self.colour_s
        checks = (
            (1 <= self.actions <= 6, "actions: 1 to 6"),
            (1 <= self.actions_without_light <= 6, "actions_without_light: 1 to 6"),
            (0 <= self.strong <= min(self.actions, self.actions_without_light), "strong: 0 to the number of actions"),
            (1.0 <= self.action_s <= 60, "action_s: 1 to 60"),
            (0.0 <= self.gap_s[0] <= self.gap_s[1] <= 5, "gap_s: 0 to 5, the shorter first"),
            (self.light is Light.NONE or 4 <= self.colours <= 20, "colours: 4 to 20"),
            (1.0 <= low <= high <= 10, "colour_s: at least 1.0 (one change a second, WCAG 2.3.1), the shorter first"),
            (0 <= self.replacements <= 5, "replacements: 0 to 5"),
            (0 <= self.mistakes <= 5, "mistakes: 0 to 5"),
            (1 <= self.settle_s <= 120 and 1 <= self.rest_s <= 60, "settle_s: 1 to 120, rest_s: 1 to 60"),
            (self.scripts >= 1, "scripts: at least 1"),
        )
        for right, what in checks:
            if not right:
                raise PolicyInvalid(what)


@dataclass(frozen=True, slots=True)
class Limits:
    """What counts as what. Degrees, seconds, ratios to the person's own baseline. ``identity``, ``has_pad``, ``pad_accept``, ``pad_refer`` come from the
    pack."""

    identity: float = 0.399
    identity_turned: float = 0.25
    """For frames turned further than ``turned_deg`` from the baseline: recognisers know profiles less well."""
    turned_deg: float = 12.0
    identity_share: float = 0.9
    identity_run: int = 4
    """So many frames in a row that are not the same person are another person, whatever the share."""
    identity_still: float | None = None
    """Nine tenths of the calm frames of a living face are less like the first of them: above it, it is one picture all along. None: not known of this pack."""
    has_pad: bool = True
    """Whether the pack has passive detection: where it has, ``accept_without_pad`` excuses nothing."""
    pad_accept: float = 0.70
    pad_refer: float = 0.50
    pad_frames: int = 10
    pad_window: int = 5
    """The mean of no so many frames in a row may be under ``pad_refer``: what is shown for a part of the attempt counts too."""

    tolerated: frozenset[ReasonCode] = frozenset({ReasonCode.BLURRED})
    """What may be wrong with the quality of the calm frames at the start: a live picture is never as sharp as a portrait."""
    settle_frames: int = 6
    settle_hold_s: float = 0.5
    neutral_yaw: float = 8.0
    neutral_pitch: float = 7.0
    turn_deg: float = 14.0
    nod_deg: float = 10.0
    blink_shut: float = 0.55
    blink_open: float = 0.75
    blink_s: tuple[float, float] = (0.03, 1.0)
    mouth_open: float = 0.30
    mouth_shut: float = 0.15
    closer: float = 1.22
    closer_hold_s: float = 0.3
    excursion_s: tuple[float, float] = (0.25, 4.5)
    reaction_s: float = 0.4
    """What begins sooner after it was asked for was not an answer: display, reading and the way back take longer."""

    lost_s: float = 1.2
    face_share: float = 0.9
    others_share: float = 0.05

    light_delay_s: tuple[float, float] = (0.05, 1.2)
    light_correlation: float = 0.75
    light_chance: float = 0.03
    """At most this share of other sequences may fit as well."""
    light_amplitude: float = 0.010
    """Of the difference of log-chromaticities between face and background, for the strongest colour."""
    light_frames: int = 30

    frozen_s: float = 1.0
    gap_s: float = 1.5
    drift: float = 0.15
    rate: tuple[float, float] = (6.0, 121.0)
    side: tuple[int, int] = (180, 4096)
    aspect: tuple[float, float] = (0.4, 2.5)
    speed_deg_s: float = 500.0
    """No head turns or nods quicker, from one frame to the next; and nothing under ``leap_deg`` is one, however close the frames."""
    leap_deg: float = 30.0
    leap: float = 0.35
    leap_s: float = 2.5
    """No face goes further, by its own width, from one frame to the next, nor quicker in a second."""
    leap_scale: float = 1.25
    scene: float = 24.0
    """Mean difference of the thumbnails' cells (of 255), brightness and contrast taken out, that is another scene: 16 in clips that are cut within one."""
    frames: int = 4000
    """More observations than that end the attempt: it was not bounded by whoever feeds."""

    def __post_init__(self) -> None:
        checks = (
            (0 <= self.pad_refer <= self.pad_accept <= 1, "pad_refer and pad_accept: 0 to 1, the lower first"),
            (self.identity_turned <= self.identity, "identity_turned: not above identity"),
            (self.pad_frames >= 10, "pad_frames: at least 10"),
            (self.neutral_yaw < self.turn_deg and self.neutral_pitch < self.nod_deg, "neutral: less than the action"),
            (self.blink_shut < self.blink_open and self.mouth_shut < self.mouth_open, "shut: less than open"),
            (self.light_delay_s[0] >= 0 and self.light_delay_s[0] < self.light_delay_s[1], "light_delay_s: the shorter first"),
        )
        for right, what in checks:
            if not right:
                raise PolicyInvalid(what)

    def good(self, quality: Quality | None) -> bool:
        """Good enough to be what everything else is compared with."""
        return quality is not None and self.tolerated.issuperset(quality.reasons)


def limits_of(thresholds: Thresholds) -> Limits:
    """With what the pack's manifest says. ``identity_turned`` keeps its distance from ``identity``."""
    limits = Limits()
    comparison, pad = thresholds.comparison, thresholds.pad
    if comparison is not None:
        identity = comparison.at().threshold
        share = limits.identity_turned / limits.identity
        limits = replace(limits, identity=identity, identity_turned=identity * share, identity_still=comparison.still)
    if pad is None:
        return replace(limits, has_pad=False)
    return replace(limits, pad_accept=pad.accept, pad_refer=pad.refer)

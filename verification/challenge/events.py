"""What a ``ChallengeMachine`` is fed with beside observations, and what it answers. Sans I/O."""

from dataclasses import dataclass

from verification.challenge.colours import ColourStep
from verification.challenge.observation import Observation, Unreadable
from verification.challenge.policy import Assurance
from verification.challenge.script import Action
from verification.challenge.verdict import Verdict
from verification.reasons import ReasonCode


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went on. ``looked_s``: all pictures that came until then have been looked at, where that is not now: whether an answer came in time is seen in
    them, and who looks may be behind."""

    now: float
    looked_s: float | None = None


@dataclass(frozen=True, slots=True)
class Cannot:
    """The person says that they cannot do what is asked."""

    now: float


@dataclass(frozen=True, slots=True)
class NoLight:
    """The person wants no colours, or no more of them."""

    now: float


@dataclass(frozen=True, slots=True)
class End:
    """The stream is over, or the person wants no more."""

    now: float


@dataclass(frozen=True, slots=True)
class Assured:
    """Something beside the picture speaks for this attempt; whoever feeds it has checked it. ``holds`` false: no longer."""

    assurance: Assurance
    holds: bool = True


Input = Observation | Unreadable | Tick | Cannot | NoLight | End | Assured


@dataclass(frozen=True, slots=True)
class Settle:
    """Look straight into the camera. ``until_s``: the deadline."""

    until_s: float


@dataclass(frozen=True, slots=True)
class Ask:
    """``number`` counts from 0; ``of``: how many there are. ``until_s``: the deadline."""

    number: int
    of: int
    action: Action
    until_s: float


@dataclass(frozen=True, slots=True)
class Rest:
    """The action was seen (or is replaced, ``number`` then is the same again): look straight into the camera again."""

    number: int
    until_s: float


@dataclass(frozen=True, slots=True)
class Slipped:
    """Something else was done; the same action is still asked for. ``left``: how many more are forgiven."""

    reason: ReasonCode
    left: int


@dataclass(frozen=True, slots=True)
class Show:
    """The screen's colour from now on; None: the page as it was, ``wait_s`` from now and faded into over ``fade_s``, however the attempt ended: no colour
    is shown for less than a second."""

    step: ColourStep | None
    wait_s: float = 0.0
    fade_s: float = 0.0


@dataclass(frozen=True, slots=True)
class HoldOn:
    """All actions are done; keep looking until the colours are over."""

    until_s: float


@dataclass(frozen=True, slots=True)
class Advise:
    """What keeps them from settling, worst first; told when it changes."""

    reasons: tuple[ReasonCode, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    verdict: Verdict


Event = Settle | Ask | Rest | Slipped | Show | HoldOn | Advise | Judged

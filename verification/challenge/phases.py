"""The states of an attempt and what leads from one to the next: the whole table, one cell for each pair. Sans I/O."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from verification.errors import VerificationError


class Phase(StrEnum):
    SETTLING = "settling"
    """Until they look straight into the camera, calmly: that is what every action is measured against."""
    ASKED = "asked"
    RESTING = "resting"
    """Between two actions: calm again, and for as long as the nonce says."""
    LIGHT = "light"
    """All actions are done, the colours are not over."""
    JUDGED = "judged"


class Happening(StrEnum):
    STEADY = "steady"
    """Calm for long enough."""
    DONE = "done"
    """The action that was asked for, in time; others follow."""
    DONE_LAST = "done_last"
    SLIP = "slip"
    """Something else, or too early; forgiven."""
    MISTAKEN = "mistaken"
    """The same, once too often."""
    LOST = "lost"
    """No usable face for too long."""
    LATE = "late"
    """The deadline of the phase is over."""
    OTHER = "other"
    """They cannot do it, and another action takes its place."""
    NONE_LEFT = "none_left"
    """They cannot do it, and nothing takes its place."""
    LIT = "lit"
    """The colours are over, and the time for their way back too."""
    ENDED = "ended"
    """The stream or the person ended it; or it grew too long."""


class PhaseError(VerificationError):
    """Something happened in a phase where it cannot: a fault of the machine itself."""

    code = "challenge_phase"


S, A, R, L, J = Phase
H = Happening

TABLE: Mapping[Phase, Mapping[Happening, Phase | None]] = MappingProxyType(
    {
        S: MappingProxyType(
            {
                H.STEADY: A,
                H.DONE: None,
                H.DONE_LAST: None,
                H.SLIP: None,
                H.MISTAKEN: None,
                H.LOST: S,
                H.LATE: J,
                H.OTHER: None,
                H.NONE_LEFT: None,
                H.LIT: None,
                H.ENDED: J,
            }
        ),
        A: MappingProxyType(
            {
                H.STEADY: None,
                H.DONE: R,
                H.DONE_LAST: L,
                H.SLIP: A,
                H.MISTAKEN: J,
                H.LOST: J,
                H.LATE: J,
                H.OTHER: R,
                H.NONE_LEFT: J,
                H.LIT: None,
                H.ENDED: J,
            }
        ),
        R: MappingProxyType(
            {
                H.STEADY: A,
                H.DONE: None,
                H.DONE_LAST: None,
                H.SLIP: R,
                H.MISTAKEN: J,
                H.LOST: J,
                H.LATE: J,
                H.OTHER: None,
                H.NONE_LEFT: None,
                H.LIT: None,
                H.ENDED: J,
            }
        ),
        L: MappingProxyType(
            {
                H.STEADY: None,
                H.DONE: None,
                H.DONE_LAST: None,
                H.SLIP: L,
                H.MISTAKEN: J,
                H.LOST: J,
                H.LATE: None,
                H.OTHER: None,
                H.NONE_LEFT: None,
                H.LIT: J,
                H.ENDED: J,
            }
        ),
        J: MappingProxyType(dict.fromkeys(H, None)),
    }
)
"""None: cannot happen there. After JUDGED nothing happens any more."""


def follow(phase: Phase, happening: Happening) -> Phase:
    """The next phase. Raises ``PhaseError`` for a cell that cannot be."""
    after = TABLE[phase][happening]
    if after is None:
        raise PhaseError(f"{happening} while {phase}")
    return after

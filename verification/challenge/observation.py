"""What one sampled frame says. Sans I/O."""

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from verification.errors import VerificationError
from verification.types import Box, Quality


class ObservationInvalid(VerificationError):
    """A number of an observation is none, or none that can be: nothing can be said of it, and every comparison with it would be false."""

    code = "observation_invalid"


class Colour(NamedTuple):
    """Mean red, green and blue of an area, 0 to 255, as the picture has them (sRGB)."""

    red: float
    green: float
    blue: float


class Unreadable(NamedTuple):
    """A frame of which a model said what cannot be: it ends the attempt, and it never passes. ``received_s``: as of an observation."""

    received_s: float


SEEN = {
    "scale": 4.0,
    "yaw": 360.0,
    "pitch": 360.0,
    "roll": 360.0,
    "eyes": 100.0,
    "mouth": 100.0,
    "pad": 100.0,
    "identity": 100.0,
}
"""No number of an observation is further from 0; times not than ten years, places and sizes not than ``FURTHEST_PX``."""
LONGEST_S = 3e8
FURTHEST_PX = 1e5
BRIGHTEST = 300.0


@dataclass(frozen=True, slots=True)
class Observation:
    """``index`` counts sampled frames from 0. ``at_s``: the frame's own time (RTP), from any start; ``received_s``: monotonic seconds when its
    last packet came. Only the latter is ours: deadlines go by it, the former says how quickly something moved.

    ``sha256`` of the decoded pixels. ``faces``: how many that count. Where there is not exactly one, everything about a face is None.
    ``scale``: distance of the eyes over the frame's width. ``yaw``, ``pitch``, ``roll``: degrees, as in ``verification.types``. ``eyes``: aspect ratio,
    the mean of both; ``mouth``: height over width of the gap between the lips; None where the pack has no mesh.
    ``pad``: 1 bona fide; None where it was not looked at (or the pack cannot). ``identity``: comparison score with the first good frame; None where
    it was not compared, ``reference`` marks that first frame itself. ``thumbnail``: 8 × 8 luma of the whole frame, rows from the top.

    Raises ``ObservationInvalid`` for a number that is not finite or cannot be, whatever says it, and a thumbnail of another size. ``observe.observation``
    and ``Observer`` raise nothing: they make an ``Unreadable`` of it.
    """

    index: int
    at_s: float
    received_s: float
    sha256: bytes
    width: int
    height: int
    faces: int
    face_box: Box | None = None
    scale: float | None = None
    yaw: float | None = None
    pitch: float | None = None
    roll: float | None = None
    eyes: float | None = None
    mouth: float | None = None
    pad: float | None = None
    identity: float | None = None
    quality: Quality | None = None
    face_colour: Colour | None = None
    background_colour: Colour | None = None
    thumbnail: bytes = b""
    reference: bool = False

    def __post_init__(self) -> None:
        bounded = [(self.at_s, LONGEST_S), (self.received_s, LONGEST_S), (self.width, FURTHEST_PX), (self.height, FURTHEST_PX)]
        bounded += [(getattr(self, name), most) for name, most in SEEN.items()]
        bounded += [(place, FURTHEST_PX) for place in self.face_box or ()]
        bounded += [(part, BRIGHTEST) for part in (*(self.face_colour or ()), *(self.background_colour or ()))]
        given = [(value, most) for value, most in bounded if value is not None]
        if not all(isfinite(value) for value, _ in given):
            raise ObservationInvalid("a number that is not finite")
        if not all(abs(value) <= most for value, most in given) or min(self.width, self.height) < 1:
            raise ObservationInvalid("a number that cannot be")
        if self.scale is not None and self.scale <= 0:
            raise ObservationInvalid("eyes that are one")
        if len(self.thumbnail) not in (0, 64):
            raise ObservationInvalid("a thumbnail of another size than 8 by 8")

    @property
    def usable(self) -> bool:
        """There is one face, and its pose and size are known."""
        return self.faces == 1 and self.yaw is not None and self.pitch is not None and self.scale is not None

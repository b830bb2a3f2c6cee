"""A person before a camera whom a live attempt looks at: pictures of a tap without content, and an engine that says of each what is seen in it."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server.transactions.cues import Cue, Instruction
from tests.support.performer import Person
from verification.challenge.colours import ColourStep
from verification.challenge.observation import Observation
from verification.challenge.script import Action
from verification.errors import EngineLost
from verification.models.pack import ComparisonThresholds, OperatingPoint, PadThresholds, Thresholds
from verification.ports import Analysis, EngineCounts, FaceSeen, PackInfo, Pad, Still
from verification.types import Ability

PORTRAIT, STRANGER = b"the customer's template", b"somebody else's"
FMR = 1e-4
THRESHOLD = 0.45
EVERYTHING = frozenset(Ability)
FACE = FaceSeen((220, 140, 420, 380), 0.9, ((280, 220), (360, 220), (320, 270), (290, 320), (350, 320)))
THRESHOLDS = Thresholds(
    comparison=ComparisonThresholds(default_fmr=FMR, points=(OperatingPoint(fmr=FMR, threshold=THRESHOLD, fnmr=0.07),)),
    pad=PadThresholds(accept=0.7, refer=0.5),
)
"""Of no pack: as ``Limits`` has them."""


def pack(*, pad: bool = True, abilities: frozenset[Ability] = EVERYTHING) -> PackInfo:
    return PackInfo(
        name="tiny", version="1", hash="ab" * 32, abilities=abilities, has_pad=pad, has_mesh=True, reads_documents=False,
        providers=("cpu",), points=((FMR, THRESHOLD),), default_fmr=FMR, pad_accept=0.7 if pad else None,
        pad_refer=0.5 if pad else None, recogniser="cd" * 32,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Frame:
    """``server.live.ports.TapPicture``."""

    index: int
    rtp_time: int
    received_at: float
    sha256: bytes
    pixels: memoryview
    width: int = 640
    height: int = 480
    nonce: bytes = b"n" * 32
    lost: int = 0


@dataclass
class Scene:
    """``person``'s frames, and what the engine says of each. ``alike``: how much they are like ``PORTRAIT``. ``broken``: the engine dies with this frame."""

    person: Person
    alike: float = 0.7
    info: PackInfo = field(default_factory=pack)
    like: Callable[[], float] | None = None  # in place of ``alike``, of each
    broken: int = -1
    no_stills: bool = False
    rtp_start: int = (1 << 32) - 90_000  # it wraps after a second
    calls: list[tuple[int, bytes, bool, bool]] = field(default_factory=list)
    shown: dict[int, Observation] = field(default_factory=dict)

    @property
    def pack(self) -> PackInfo:
        return self.info

    @property
    def counts(self) -> EngineCounts:
        return EngineCounts(ready=1)

    def frame(self, index: int, now: float) -> Frame:
        one = self.shown[index] = self.person.frame(index, now)
        return Frame(
            index=index,
            rtp_time=(self.rtp_start + round(now * 90_000)) % (1 << 32),
            received_at=one.received_s,
            sha256=one.sha256,
            pixels=memoryview(struct.pack("<i", index)),
        )

    def told(self, instructions: Sequence[Instruction], now: float) -> None:
        """The person sees the page, and does what it says."""
        for one in instructions:
            if one.cue is Cue.ASK and self.person.answers and Action(one.action) not in self.person.refuse:
                self.person.plan.append((now + self.person.react_s, Action(one.action)))
            elif one.cue is Cue.COLOUR:
                step = ColourStep(one.colour, 0.0, one.within_s, one.fade_s) if one.colour else None
                self.person.see(step, now)

    async def still(self, image: memoryview | bytes, width: int = 0, height: int = 0) -> Still:
        """Named by its frame."""
        del width, height
        if self.no_stills:
            raise EngineLost
        return Still(b"\xff\xd8\xff" + bytes(image) + b"\xff\xd9", 640, 480)

    async def analyse(
        self,
        pixels: memoryview | bytes,
        width: int,
        height: int,
        *,
        reference: bytes = b"",
        template: bool = False,
        pad: bool = True,
    ) -> Analysis:
        (index,) = struct.unpack("<i", bytes(pixels))
        self.calls.append((index, reference, template, pad))
        if index == self.broken:
            raise EngineLost
        seen = self.shown[index]
        identity = None
        if reference == b"first":
            identity = seen.identity if seen.identity is not None else 1.0
        elif reference and reference != STRANGER:
            identity = self.like() if self.like is not None else self.alike
        if seen.faces != 1:
            return Analysis(width, height, seen.faces, thumbnail=seen.thumbnail)
        return Analysis(
            width=width, height=height, faces=seen.faces, face=FACE, scale=seen.scale, yaw=seen.yaw, pitch=seen.pitch, roll=seen.roll,
            eyes=seen.eyes, mouth=seen.mouth, identity=identity, quality=seen.quality,
            face_colour=tuple(seen.face_colour) if seen.face_colour else None,
            background_colour=tuple(seen.background_colour) if seen.background_colour else None,
            thumbnail=seen.thumbnail, template=b"first" if template else b"",
            pad=Pad(self.person.pad, ()) if pad and self.person.pad is not None and self.info.has_pad else None,
        )  # fmt: skip

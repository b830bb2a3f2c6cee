"""What the rest of the system sees of the verification engine, and what it answers. Sans I/O.

``engine.pool.EnginePool`` is the real one; both it and the tests' fake keep ``tests/contract/test_engine_port.py``. Whoever calls
treats every error as "not known": refer the case to a person, never accept it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from verification.documents.reading import DocumentReading
from verification.reasons import ReasonCode
from verification.types import Ability, Comparison, Pad, Quality


@dataclass(frozen=True, slots=True)
class PackInfo:
    """What every worker has loaded. ``hash``: hexadecimal SHA-256 of the canonical manifest; it stands in every decision. ``recogniser``: of what decides the
    numbers of faces (``models.identity``), hexadecimal; templates are bound to it.

    ``points``: false match rate and threshold of each operating point; ``default_fmr`` is that of calls that name none. ``pad_accept``, ``pad_refer``:
    None where there is no passive detection. ``confined``: what holds the workers, by name (``engine.confine``).
    """

    name: str
    version: str
    hash: str
    abilities: frozenset[Ability]
    has_pad: bool
    has_mesh: bool
    reads_documents: bool
    providers: tuple[str, ...]
    points: tuple[tuple[float, float], ...]
    default_fmr: float
    pad_accept: float | None
    pad_refer: float | None
    recogniser: str
    confined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FaceSeen:
    """A face in pixels of the upright picture. ``box``: x0, y0, x1, y1. ``points``: eyes, nose, corners of the mouth, as ``types.Face``."""

    box: tuple[float, float, float, float]
    score: float
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Examined:
    """A still picture with one face. What is wrong with it is told in ``quality.reasons``, not refused."""

    width: int
    height: int
    face: FaceSeen
    quality: Quality


@dataclass(frozen=True, slots=True)
class Compared:
    """Two pictures."""

    comparison: Comparison
    a: Examined
    b: Examined


@dataclass(frozen=True, slots=True)
class Embedded:
    """``template``: the face without the picture, bound to the recogniser that made it (``PackInfo.recogniser``). Personal data of the most
    sensitive kind: seal it before it is stored."""

    template: bytes
    examined: Examined


@dataclass(frozen=True, slots=True)
class Matched:
    """A picture against a template."""

    comparison: Comparison
    examined: Examined


@dataclass(frozen=True, slots=True)
class PadAnswer:
    """``pad``: the mean over ``pictures`` (score and each model), None where the pack has no passive detection or too little was to be seen.

    ``reasons``: what the mean means by the manifest's thresholds; empty: bona fide.
    """

    pad: Pad | None
    pictures: tuple[Pad | None, ...]
    examined: tuple[Examined, ...]
    reasons: tuple[ReasonCode, ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """What one frame of a live picture says: the material of an ``Observation`` of ``verification.challenge``.

    ``faces``: how many that count. Without exactly one, everything about it is None. ``scale``: distance of the eyes over the frame's width.
    Degrees and ratios as in ``verification.types``. ``identity``: comparison score with the reference of the call, None without one.
    ``template``: of this frame, usable as the reference of later ones; b"" unless asked for. Colours: mean red, green and blue, 0 to 255.
    ``thumbnail``: 8 × 8 luma.
    """

    width: int
    height: int
    faces: int
    face: FaceSeen | None = None
    scale: float | None = None
    yaw: float | None = None
    pitch: float | None = None
    roll: float | None = None
    eyes: float | None = None
    mouth: float | None = None
    pad: Pad | None = None
    identity: float | None = None
    quality: Quality | None = None
    face_colour: tuple[float, float, float] | None = None
    background_colour: tuple[float, float, float] | None = None
    thumbnail: bytes = b""
    template: bytes = b""


@dataclass(frozen=True, slots=True)
class Still:
    """A picture to be kept and shown: JPEG, upright, small, with nothing in it but the picture. ``width``, ``height``: in pixels."""

    jpeg: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FrameStill:
    """``frame``: which of those that were looked at, from 0."""

    frame: int
    still: Still


@dataclass(frozen=True, slots=True)
class LivenessMaterial:
    """Frames in their order. ``pad``: the mean over those with a face, None where the pack has no passive detection or no frame has one.

    Identity of each frame: with the first that has a face. ``reasons``: what the mean means by the manifest's thresholds; empty: bona fide.
    ``times``: of a clip's frames, seconds since its first picture; empty for pictures. ``compared``: each of a clip's frames with the template of the call,
    None for those without one face; empty without a template. ``stills``: those that were asked for, spread over the clip.
    """

    frames: tuple[Analysis, ...]
    pad: Pad | None
    reasons: tuple[ReasonCode, ...]
    times: tuple[float, ...] = ()
    compared: tuple[Comparison | None, ...] = ()
    stills: tuple[FrameStill, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentSeen:
    """``portrait``: the face on it, in pixels of the card laid flat (as large as ``documents.reading`` says), None where there is none or the document is of
    no kind that is known. ``template``: of that face, to ``match`` a picture of its bearer with; b"" without one. ``alike``: its comparison
    scores with each of the references of the call; empty without a face on it.
    """

    reading: DocumentReading
    portrait: Examined | None
    template: bytes
    alike: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class StepWork:
    """Calls of one kind that a worker was at, and what they took: on the clock, of its processor time."""

    calls: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineCounts:
    """Plain numbers since the start, for metrics. Seconds are of work in a worker, waiting left out: ``work_wall_s`` on the clock, ``work_cpu_s`` of
    processor time, which is less on a machine with much to do and more where a model has several threads. ``steps``: the same by kind of call.

    ``refused``: pictures without a usable face or that cannot be read. ``lost``: calls whose worker died. ``killed_hung``, ``killed_memory``,
    ``killed_threads``, ``killed_nonsense``: workers that were ended for it; ``died``: by themselves. ``restarts``: workers started again. ``renewed``: those
    ended in order after many calls. ``unconfined``: ready ones that something does not hold. ``none_s``: for so long none has
    been ready, in seconds.
    """

    calls: int = 0
    answered: int = 0
    refused: int = 0
    busy: int = 0
    lost: int = 0
    missed: int = 0
    work_wall_s: float = 0.0
    work_cpu_s: float = 0.0
    restarts: int = 0
    died: int = 0
    killed_hung: int = 0
    killed_memory: int = 0
    killed_threads: int = 0
    killed_nonsense: int = 0
    waiting: int = 0
    working: int = 0
    ready: int = 0
    rss_bytes: int = 0
    unconfined: int = 0
    none_s: float = 0.0
    renewed: int = 0
    steps: Mapping[str, StepWork] = field(default_factory=dict)


class EnginePort(Protocol):
    """Pictures are files as they came (JPEG, PNG, …), decoded in a worker and nowhere else.

    All methods raise ``EngineBusy`` (its queue is full), ``EngineLost`` (the worker died, hung or answered nonsense; or none can be
    started), ``DeadlineMissed``. Those that take pictures: ``ImageRefused``, ``FaceRefused``, whose ``picture`` says which of them (from 0).
    ``fmr``: an operating point of the manifest, None its default; ValueError where there is no such.
    """

    @property
    def pack(self) -> PackInfo:
        """Raises ``EngineLost`` before the first worker is ready."""
        ...

    @property
    def counts(self) -> EngineCounts:
        """Of the workers that look at faces."""
        ...

    @property
    def counts_of(self) -> Mapping[str, EngineCounts]:
        """By what the workers are for: ``faces``, and ``documents`` where there are any."""
        ...

    async def compare(self, a: bytes, b: bytes, *, fmr: float | None = None) -> Compared: ...

    async def quality(self, image: bytes) -> Examined: ...

    async def embed(self, image: bytes) -> Embedded: ...

    async def match(self, template: bytes, image: bytes, *, fmr: float | None = None) -> Matched:
        """Raises ``TemplateRefused`` where another recogniser made the template."""
        ...

    async def pad(self, images: Sequence[bytes]) -> PadAnswer: ...

    async def liveness(self, images: Sequence[bytes]) -> LivenessMaterial:
        """Frames without a face are told, not refused; those that cannot be read are refused."""
        ...

    async def clip(
        self, data: bytes, *, frames: int = 16, template: bytes = b"", fmr: float | None = None, stills: int = 0
    ) -> LivenessMaterial:
        """WebM or MP4, as a browser or a phone records it: at most so many frames, evenly spread. ValueError: not 1 to 32. ``template``: compare each with
        it; raises ``TemplateRefused`` as ``match``. ``stills``: answer with so many of them as pictures too, 4 at most, 24 KiB each."""
        ...

    async def document(self, image: bytes, *, today: date, portrait: bool = True) -> DocumentSeen:
        """A photograph of an identity document. ``today``: where the document is from. What cannot be read is told by its reasons, not refused.
        ``portrait``: cut its portrait out, judge it and make a template of it; else it is only said where it is."""
        ...

    async def document_frame(
        self, pixels: memoryview | bytes, width: int, height: int, *, today: date, references: Sequence[bytes] = ()
    ) -> DocumentSeen:
        """As ``document``, of a frame as ``analyse`` takes it. ``references``: templates, 4 at most, that the portrait on it is compared with. ValueError
        where the sizes do not fit; raises ``TemplateRefused`` where another recogniser made one of them."""
        ...

    async def still(self, image: memoryview | bytes, width: int = 0, height: int = 0) -> Still:
        """At most 640 pixels wide and 960 high, never larger than it was. A file, or with ``width`` and ``height`` pixels as ``analyse`` takes them; ValueError where
        the sizes do not fit."""
        ...

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
        """A frame of a live picture: ``height`` rows of ``width`` × red, green, blue. ``reference``: a template to compare with.

        ``template``: answer with this frame's. ``pad``: look for presentation attacks in it, the dearest model. ValueError where the sizes do not fit.
        A frame without a face is told, not refused.
        """
        ...

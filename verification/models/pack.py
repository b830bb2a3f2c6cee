"""What a manifest says, as types: a pack, its sources, its models and its thresholds. ``manifest.load_manifest`` makes one. Sans I/O."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import msgspec

from verification.types import Ability

ANY = "?"
"""A dimension that the model leaves open."""


class Task(StrEnum):
    """What a model is for."""

    DETECTOR = "detector"
    LANDMARKS5 = "landmarks5"
    RECOGNISER = "recogniser"
    PAD = "pad"
    LANDMARKS = "landmarks"
    HEAD_POSE = "head_pose"
    DOCUMENT = "document"


KINDS: Mapping[Task, frozenset[str]] = MappingProxyType(
    {
        Task.DETECTOR: frozenset({"hog", "yunet", "scrfd"}),
        Task.LANDMARKS5: frozenset({"dlib5"}),
        Task.RECOGNISER: frozenset({"dlib_resnet", "arcface"}),
        Task.PAD: frozenset({"minifasnet", "minifas128", "insightface_liveness"}),
        Task.LANDMARKS: frozenset({"mesh478"}),
        Task.HEAD_POSE: frozenset({"fsanet"}),
        Task.DOCUMENT: frozenset({"ppocr"}),
    }
)
"""Which class of ``verification.faces`` reads a model: what it feeds it, and what it makes of its outputs."""

BUILT = frozenset({"dlib_resnet", "minifasnet"})
"""Kinds that are built here of their authors' own weights: ``builders``."""

SCORE_RANGE: Mapping[str, tuple[float, float]] = MappingProxyType({"dlib_resnet": (-1.0, 1.0), "arcface": (-1.0, 1.0)})
"""Comparison scores of each kind of recogniser: 1 - distance of dlib's embeddings, cosine of ArcFace's."""

LEAST_THRESHOLD: Mapping[str, float] = MappingProxyType({"dlib_resnet": 0.2, "arcface": 0.1})
"""Below it strangers match each other by the dozen: the packs here have 0.34 and 0.20 at a false match rate of 1 %."""
MOST_FMR = 0.1
LEAST_ACCEPT, LEAST_REFER = 0.3, 0.05
"""Of passive detection: under these it lets everything pass, or refers nothing back."""

OF_LIBRARIES = frozenset({"hog", "ppocr"})
"""Kinds whose model is part of a library: a file would be hashed and never read."""

NOT_ONNX = frozenset({"dlib5"})
"""Kinds whose file is another library's; every other kind's goes to ONNX Runtime."""

ELEMENTS = frozenset({"float32", "float16", "uint8", "int64"})

Shapes = Mapping[str, tuple[int | str, ...]]
"""Name of an input or output → its dimensions, ``ANY`` where the model leaves one open; in the model's order."""


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Member(Strict, frozen=True, kw_only=True):
    """One file of an archive, the only ones that are taken out of it."""

    path: str
    file: str
    sha256: str
    bytes: int


class Source(Strict, frozen=True, kw_only=True):
    """Where a file comes from, and its hash as fetched.

    ``kind``: ``pypi`` (``project`` and ``version``), ``https`` (``url``), ``mirror`` (no public address: from a mirror only). ``members``: for an
    archive, what is taken out of it; without them the file itself belongs to the pack.
    """

    name: str
    kind: str
    file: str
    sha256: str
    bytes: int
    project: str = ""
    version: str = ""
    url: str = ""
    members: tuple[Member, ...] = ()

    @property
    def files(self) -> tuple[tuple[str, str, int], ...]:
        """(file, sha256, bytes) of what the pack has from this source."""
        if self.members:
            return tuple((member.file, member.sha256, member.bytes) for member in self.members)
        return ((self.file, self.sha256, self.bytes),)


class Same(Strict, frozen=True, kw_only=True):
    """Another file that computes the same: what a mirror may have instead of what is built here."""

    sha256: str
    bytes: int


class Model(Strict, frozen=True, kw_only=True):
    """One model. Without ``file`` it is part of ``library`` (a Python package, ``name version-prefix``).

    ``built_from``: the file that ``file`` is built from here, by the builder of this ``kind``; ``sha256`` is then that of what is built. ``same``:
    other files that may stand in its place, where a mirror lacks what it is built from.
    ``settings``: sizes, thresholds and the like for the class that reads it.
    """

    task: Task
    kind: str
    licence: str
    file: str = ""
    sha256: str = ""
    bytes: int = 0
    source: str = ""
    built_from: str = ""
    same: tuple[Same, ...] = ()
    library: str = ""
    element: str = "float32"
    inputs: dict[str, tuple[int | str, ...]] = msgspec.field(default_factory=dict)
    outputs: dict[str, tuple[int | str, ...]] = msgspec.field(default_factory=dict)
    settings: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def is_onnx(self) -> bool:
        """Whatever its file is called."""
        return bool(self.file) and self.kind not in NOT_ONNX


class Evaluation(Strict, frozen=True, kw_only=True):
    """The run that thresholds come from: a report beside the manifest, its hash, and how much it counted (``n``: what → how many)."""

    report: str
    sha256: str
    n: dict[str, int]


class OperatingPoint(Strict, frozen=True, kw_only=True):
    """At this threshold so many of the non-mated pairs match (false match rate, a share)."""

    fmr: float
    threshold: float
    fnmr: float | None = None


class ComparisonThresholds(Strict, frozen=True, kw_only=True):
    """In the unit of ``comparison_score``; ``default_fmr`` is one of the points. ``still``: what one picture has with itself, taken again and again by a camera; no
    living face has that with itself for long (``challenge.presence``). None: not known."""

    points: tuple[OperatingPoint, ...]
    default_fmr: float
    still: float | None = None
    evaluation: Evaluation | None = None

    def at(self, fmr: float | None = None) -> OperatingPoint:
        """The point of exactly this false match rate. Raises ValueError where there is none."""
        wanted = self.default_fmr if fmr is None else fmr
        for point in self.points:
            if abs(point.fmr - wanted) <= 1e-9 + 1e-6 * wanted:
                return point
        raise ValueError(f"no threshold for a false match rate of {wanted:g}: {', '.join(f'{p.fmr:g}' for p in self.points)}")


class PadThresholds(Strict, frozen=True, kw_only=True):
    """Of the mean over models and frames, 0 to 1: from ``accept`` on bona fide, from ``refer`` on for a person to decide."""

    accept: float
    refer: float
    evaluation: Evaluation | None = None


class Thresholds(Strict, frozen=True, kw_only=True):
    comparison: ComparisonThresholds | None = None
    pad: PadThresholds | None = None
    quality: dict[str, float] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pack:
    """What a manifest says. ``hash``: hexadecimal SHA-256 of its canonical form, which comments and spaces do not change."""

    name: str
    version: str
    summary: str
    licence: str
    needs_acceptance: bool
    licence_text: str
    warnings: tuple[str, ...]
    sources: tuple[Source, ...]
    models: Mapping[Task, tuple[Model, ...]]
    thresholds: Thresholds
    hash: str
    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Every file of an installed pack: name → (sha256, bytes)."""

    def model(self, task: Task) -> Model | None:
        """The first of this task."""
        return next(iter(self.models.get(task, ())), None)

    @property
    def abilities(self) -> frozenset[Ability]:
        """What a script may ask of a person before this pack."""
        able = {Ability.TURN_LEFT, Ability.TURN_RIGHT, Ability.COME_CLOSER, Ability.COLOURS}
        if self.model(Task.HEAD_POSE) is not None:
            able.add(Ability.NOD)  # five points see half of a nod, and one in a sheet that is tipped
        if self.model(Task.LANDMARKS) is not None:
            able |= {Ability.BLINK, Ability.OPEN_MOUTH}
        return frozenset(able)

    @property
    def all_models(self) -> tuple[Model, ...]:
        return tuple(model for models in self.models.values() for model in models)

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """The reports that its thresholds cite."""
        cited = (self.thresholds.comparison, self.thresholds.pad)
        return tuple(one.evaluation for one in cited if one is not None and one.evaluation is not None)

    @property
    def licence_hash(self) -> str:
        """Hexadecimal SHA-256 of what is accepted: another text has to be accepted anew."""
        return hashlib.sha256(f"{self.licence}\n{self.licence_text}".encode()).hexdigest()

    @property
    def fetched_bytes(self) -> int:
        """All sources together, as fetched."""
        return sum(source.bytes for source in self.sources)

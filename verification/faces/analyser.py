"""Everything that a pack can say about a face, in one object: what a worker process runs.

Synchronous and not thread-safe: one picture at a time, in one thread of one process.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import cv2
import numpy as np

from verification.engine.session import CPU, Session
from verification.errors import FaceRefused, ManifestInvalid
from verification.faces import compare as comparing
from verification.faces.corners import Corners
from verification.faces.detect_hog import COUNTS_FROM, HogDetector
from verification.faces.detect_yunet import YunetDetector
from verification.faces.embed import DlibResnet
from verification.faces.insight import ArcFace, InsightfaceLiveness, ScrfdDetector
from verification.faces.landmarks import Mesh478
from verification.faces.measure import measure
from verification.faces.passive import MiniFas128, MiniFasNet, PadModel, PassivePad
from verification.faces.pose import FsaNet, pose_from_points
from verification.faces.quality import judge, limits_of
from verification.models.pack import Model, Pack, Task
from verification.reasons import ReasonCode
from verification.types import Ability, Comparison, Embedding, Face, Landmarks, Pad, Picture, Pose, Quality


class Opened(Protocol):
    """What is wanted of ``models.store.InstalledPack``: no path, only bytes whose hash was right."""

    @property
    def pack(self) -> Pack: ...

    def read(self, model: Model) -> bytes: ...


PRESENT = 0.5
"""Of a mesh's own probability that there is a face; on the development clips 0.999 and more, turned heads too."""


class _Detector(Protocol):
    def detect(self, picture: Picture, *, careful: bool = False) -> list[Face]: ...

    def finer(self, picture: Picture, face: Face) -> Face: ...


class _Recogniser(Protocol):
    kind: str

    def embed(self, picture: Picture, face: Face) -> Embedding: ...


class Analyser:
    """The models of one pack, loaded.

    ``threads``: of each model. ``providers``: ONNX Runtime's, by name. Raises ``PackError`` when the pack lacks a detector or a recogniser, or a
    file does not have the shapes that its manifest names; ``ProviderMissing``.
    """

    def __init__(self, pack: Opened, *, threads: int = 1, providers: Sequence[str] = (CPU,)) -> None:
        self._opened, self._threads, self._providers = pack, threads, tuple(providers)
        cv2.setNumThreads(threads)
        try:
            self._limits = limits_of(pack.pack.thresholds.quality)
        except ValueError as error:
            raise ManifestInvalid(str(error)) from None
        landmarks5 = pack.pack.model(Task.LANDMARKS5)
        corners = Corners(pack.read(landmarks5), landmarks5.file) if landmarks5 else None
        self._detector = self._make_detector(self._needed(Task.DETECTOR), corners)
        self._recogniser = self._make_recogniser(self._needed(Task.RECOGNISER))
        self._pad = self._make_pad(pack.pack.models.get(Task.PAD, ()))
        mesh = pack.pack.model(Task.LANDMARKS)
        self._mesh = Mesh478(self._session(mesh), mesh.settings, element=_element(mesh)) if mesh else None
        poses = pack.pack.models.get(Task.HEAD_POSE, ())
        self._pose = FsaNet([self._session(model) for model in poses], poses[0].settings) if poses else None

    # ------------------------------------------------------------ loading

    def _needed(self, task: Task) -> Model:
        model = self._opened.pack.model(task)
        if model is None:
            raise ManifestInvalid(f"the pack has no {task}")
        return model

    def _session(self, model: Model) -> Session:
        return Session(
            self._opened.read(model),
            name=model.file,
            sha256=model.sha256,
            inputs=model.inputs or None,  # of a kind whose own class looks at them nothing is said
            outputs=model.outputs or None,
            threads=self._threads,
            providers=self._providers,
        )

    def _make_detector(self, model: Model, corners: Corners | None) -> _Detector:
        if model.kind == "hog":
            if corners is None:
                raise ManifestInvalid("hog needs dlib5: it finds boxes only")
            return HogDetector(corners, model.settings)
        if model.kind == "yunet":
            return _WithCorners(YunetDetector(self._session(model), model.settings), corners)
        if model.kind == "scrfd":
            return _WithCorners(ScrfdDetector(self._session(model), model.settings), corners)
        raise ManifestInvalid(f"a detector of kind {model.kind} is not known")

    def _make_recogniser(self, model: Model) -> _Recogniser:
        if model.kind == "dlib_resnet":
            return DlibResnet(self._session(model), model.settings)
        if model.kind == "arcface":
            return ArcFace(self._session(model), self._opened.read(model))
        raise ManifestInvalid(f"a recogniser of kind {model.kind} is not known")

    def _make_pad(self, models: Sequence[Model]) -> PassivePad | None:
        made: list[tuple[str, PadModel]] = []
        for model in models:
            if model.kind == "minifasnet":
                made.append((model.file, MiniFasNet(self._session(model), model.settings)))
            elif model.kind == "minifas128":
                made.append((model.file, MiniFas128(self._session(model), model.settings)))
            elif model.kind == "insightface_liveness":
                made.append((model.file, InsightfaceLiveness(self._session(model))))
            else:
                raise ManifestInvalid(f"passive detection of kind {model.kind} is not known")
        thresholds = self.pack.thresholds.pad
        sure = {model.file: float(model.settings["sure"]) for model in models if "sure" in model.settings}
        return PassivePad(made, sure=sure, accept=thresholds.accept if thresholds else 0.5) if made else None

    # ------------------------------------------------------------ what it can do

    @property
    def pack(self) -> Pack:
        return self._opened.pack

    @property
    def has_pad(self) -> bool:
        return self._pad is not None

    @property
    def has_mesh(self) -> bool:
        return self._mesh is not None

    @property
    def abilities(self) -> frozenset[Ability]:
        """What a script may ask of a person before this pack."""
        return self.pack.abilities

    # ------------------------------------------------------------ one picture

    def detect(self, picture: Picture, *, careful: bool = False) -> list[Face]:
        """Every face, the largest first. ``careful``: with `base`, look closer for smaller ones too; that costs as much time again or twice."""
        return [face for face in self._detector.detect(picture, careful=careful) if is_face(face)]

    def one_face(self, picture: Picture, *, careful: bool = False) -> Face:
        """The face of who holds the camera. Raises ``FaceRefused``: no face, or another that is not clearly smaller."""
        faces = that_count(self.detect(picture, careful=careful))
        if not faces:
            raise FaceRefused("there is no face in the picture", code=ReasonCode.NO_FACE.value)
        if len(faces) > 1:
            raise FaceRefused("there are several faces in the picture", code=ReasonCode.SEVERAL_FACES.value)
        return faces[0]

    def quality(self, picture: Picture, face: Face, *, landmarks: Landmarks | None = None, pose: Pose | None = None) -> Quality:
        """``landmarks``, ``pose``: of this face, where they are there already. Eyes are judged only by landmarks that are given: the mesh is the dearest
        model but one, and two portraits can be compared without it."""
        measures = measure(picture, face)
        eyes = max(landmarks.eye_left, landmarks.eye_right) if landmarks else None
        return judge(measures, pose or self.pose(picture, face), eyes, self._limits)

    def embed(self, picture: Picture, face: Face) -> Embedding:
        return self._recogniser.embed(picture, face)

    def embed_picture(self, picture: Picture, *, careful: bool = False) -> tuple[Face, Quality, Embedding]:
        """``one_face``, its quality and its embedding. A bad quality is told, not refused: that is the policy's business.

        ``careful``, for pictures that are kept: look for smaller faces beside it, and whether the eyes are open, where the pack can.
        """
        face = self.one_face(picture, careful=careful)
        mesh = self.landmarks(picture, face) if careful else None
        return face, self.quality(picture, face, landmarks=mesh), self.embed(picture, face)

    def compare(self, a: Embedding, b: Embedding, *, fmr: float | None = None) -> Comparison:
        """``fmr``: an operating point of the manifest; None: its default. Raises ValueError: no such point, or not embeddings of this pack."""
        thresholds = self.pack.thresholds.comparison
        if thresholds is None:  # pragma: no cover - a manifest without them is not read
            raise ManifestInvalid("there is no threshold of comparison")
        return comparing.compare(self._recogniser.kind, a, b, thresholds, fmr=fmr)

    def pad(self, picture: Picture, face: Face) -> Pad | None:
        """None: the pack has no passive detection, or too little is to be seen around the face."""
        return self._pad.judge(picture, self._detector.finer(picture, face)) if self._pad else None

    def pad_reasons(self, pad: Pad | None) -> tuple[ReasonCode, ...]:
        """What a score means by the manifest's thresholds."""
        thresholds = self.pack.thresholds.pad
        if pad is None or thresholds is None:
            return (ReasonCode.PAD_UNAVAILABLE,)
        if pad.score >= thresholds.accept:
            return ()
        return (ReasonCode.PAD_UNSURE,) if pad.score >= thresholds.refer else (ReasonCode.PAD_ATTACK,)

    def landmarks(self, picture: Picture, face: Face) -> Landmarks | None:
        """None: the pack has no mesh, or its mesh says that there is no face: then its eyes and its mouth are nobody's."""
        found = self._mesh.find(picture, face) if self._mesh else None
        return found if found is not None and found.presence >= PRESENT else None

    def pose(self, picture: Picture, face: Face) -> Pose | None:
        """By the pack's head pose models; without them roughly, from the five points."""
        return self._pose.find(picture, face) if self._pose else pose_from_points(face)


class _WithCorners:
    """A detector whose faces get dlib's five points too, where the pack has its predictor: what its recogniser was trained with."""

    def __init__(self, detector: _Detector, corners: Corners | None) -> None:
        self._detector, self._corners = detector, corners

    def detect(self, picture: Picture, *, careful: bool = False) -> list[Face]:
        faces = self._detector.detect(picture, careful=careful)
        if self._corners is None or not faces:
            return faces
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        return [self._corners.added(grey, face) for face in faces]

    def finer(self, picture: Picture, face: Face) -> Face:
        return self._detector.finer(picture, face)


def is_face(face: Face) -> bool:
    """Whether box and points can be worked with: finite, of some size. What a detector says of a picture made to confuse it may be neither."""
    finite = bool(np.isfinite(face.box).all() and np.isfinite(face.points).all())
    return finite and face.box.width >= 1 and face.box.height >= 1 and face.eye_distance >= 1


def that_count(faces: Sequence[Face]) -> list[Face]:
    """The largest face and those beside it that are not clearly smaller. Largest first."""
    if not faces:
        return []
    least = COUNTS_FROM * max(faces[0].box.width, faces[0].box.height)
    return [face for face in faces if max(face.box.width, face.box.height) >= least]


def _element(model: Model) -> Any:
    return {"float16": np.float16, "float32": np.float32}.get(model.element, np.float32)

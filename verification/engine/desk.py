"""One request to one analyser: parts of memory in, an answer out. SHELL. What a worker does, without the process around it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Protocol

import numpy as np

from verification.challenge.observe import colours, thumbnail
from verification.documents.reading import DocumentReading
from verification.engine import memory, messages, template
from verification.engine.clips import sampled
from verification.engine.stills import still
from verification.errors import FaceRefused, ImageRefused, TemplateRefused, VerificationError
from verification.faces.analyser import that_count
from verification.faces.passive import mean_pad
from verification.images import DEFAULT_LIMITS, Limits, read
from verification.ports import (
    Analysis,
    Compared,
    DocumentSeen,
    Embedded,
    Examined,
    FaceSeen,
    FrameStill,
    LivenessMaterial,
    Matched,
    PackInfo,
    PadAnswer,
    Still,
)
from verification.reasons import ReasonCode
from verification.types import Box, Comparison, Embedding, Face, Landmarks, Pad, Picture, Pose, Quality

if TYPE_CHECKING:
    from verification.documents.reader import Portrait  # loads the reader


class FaceAnalyser(Protocol):
    """``verification.faces.analyser.Analyser``, as far as it is used here."""

    def detect(self, picture: Picture) -> list[Face]: ...
    def one_face(self, picture: Picture, *, careful: bool = False) -> Face: ...
    def quality(
        self, picture: Picture, face: Face, *, landmarks: Landmarks | None = None, pose: Pose | None = None
    ) -> Quality: ...
    def embed(self, picture: Picture, face: Face) -> Embedding: ...
    def compare(self, a: Embedding, b: Embedding, *, fmr: float | None = None) -> Comparison: ...
    def pad(self, picture: Picture, face: Face) -> Pad | None: ...
    def pad_reasons(self, pad: Pad | None) -> tuple[ReasonCode, ...]: ...
    def landmarks(self, picture: Picture, face: Face) -> Landmarks | None: ...
    def pose(self, picture: Picture, face: Face) -> Pose | None: ...


class CardReader(Protocol):
    """``verification.documents.reader.DocumentReader``, as far as it is used here."""

    def read(self, picture: Picture, today: date) -> "tuple[DocumentReading, Portrait]": ...
    def try_models(self, card: Picture) -> None: ...


class _At(Exception):
    """Which of several pictures was refused."""

    def __init__(self, picture: int, error: VerificationError) -> None:
        self.picture = picture
        self.error = error


class _NoSuchPoint(Exception):
    """The pack has no such operating point."""


class Desk:
    """``recogniser``: SHA-256 of the file that makes the embeddings, which old templates are bound to; new ones are to ``info.recogniser``."""

    def __init__(
        self,
        analyser: FaceAnalyser,
        info: PackInfo,
        recogniser: bytes,
        *,
        documents: CardReader | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._analyser = analyser
        self._file = recogniser
        self._recogniser = bytes.fromhex(info.recogniser)
        self._documents = documents
        self._limits = limits
        self._sign: Callable[[], None] = _nothing
        self.info = info

    def answer(
        self, request: messages.AnyRequest, parts: Sequence[bytes | memoryview], *, sign: Callable[[], None] | None = None
    ) -> messages.AnyAnswer | messages.Refused:
        """``parts``: the pictures or pixels. Never raises for what is in them; MemoryError, and whatever is a mistake of ours. ``sign`` is called before
        each picture; what it raises ends this."""
        number = request.request
        self._sign = sign or _nothing
        try:
            return self._do(request, parts)
        except _At as at:
            what: messages.RefusedWhat = "face" if isinstance(at.error, FaceRefused) else "image"
            return messages.Refused(number, what, at.error.code, at.error.detail, at.picture)
        except TemplateRefused as error:
            return messages.Refused(number, "template", error.code, error.detail)

    def _do(self, request: messages.AnyRequest, parts: Sequence[bytes | memoryview]) -> messages.AnyAnswer | messages.Refused:
        number = request.request
        match request:
            case messages.Examine():
                return messages.ExaminedIs(number, self._still(0, parts[0], eyes=True)[2])
            case messages.Embed():
                picture, face, examined = self._still(0, parts[0], eyes=True)
                return messages.EmbeddedIs(number, Embedded(self._template(self._analyser.embed(picture, face)), examined))
            case messages.Compare():
                return self._compare(request, parts)
            case messages.Match():
                return self._match(request, parts[0])
            case messages.PadPictures():
                return messages.PadIs(number, self._pad([self._still(at, part) for at, part in enumerate(parts)]))
            case messages.Liveness():
                return messages.LivenessIs(number, self._liveness_of(request, parts))
            case messages.Clip():
                return self._clip_shown(request, parts[0])
            case messages.ReadDocument():
                if self._documents is None:
                    return messages.Refused(number, "work", "no_document_reader", "no document reader is loaded")
                memory.give_back()  # what the last one left: the largest pictures need it
                if request.width:
                    card: Picture = np.frombuffer(parts[0], np.uint8).reshape(request.height, request.width, 3)
                else:
                    card = self._picture(0, parts[0])
                references = [self._embedding(one) for one in request.references]
                reading, portrait = self._documents.read(card, request.today)
                if not request.portrait:
                    return messages.DocumentIs(number, DocumentSeen(reading, None, b""))
                return messages.DocumentIs(number, self._document(reading, portrait, references))
            case messages.MakeStill():
                if request.width:
                    return messages.StillIs(
                        number, still(np.frombuffer(parts[0], np.uint8).reshape(request.height, request.width, 3))
                    )
                return messages.StillIs(number, still(self._picture(0, parts[0])))
            case messages.Analyse():
                pixels = np.frombuffer(parts[0], np.uint8).reshape(request.height, request.width, 3)
                reference = self._embedding(request.reference) if request.reference else None
                analysis, embedding = self._frame(pixels, reference, pad=request.pad, embed=request.template)
                if request.template and embedding is not None:
                    analysis = replace(analysis, template=self._template(embedding))
                return messages.AnalysisIs(number, analysis)

    def try_models(self, picture: Picture) -> None:
        """Run every model once, as if there were a face in the middle of ``picture``."""
        height, width = picture.shape[:2]
        unit = min(height, width) / 12
        points = np.array([(-1, -1), (1, -1), (0, 0), (-0.8, 1), (0.8, 1)], np.float32) * unit + (width / 2, height / 2)
        box = Box(width / 2 - 3 * unit, height / 2 - 3 * unit, width / 2 + 3 * unit, height / 2 + 3 * unit)
        corners = np.array([(1.5, -1), (0.5, -1), (-1.5, -1), (-0.5, -1), (0, 0.5)], np.float32) * unit + (
            width / 2,
            height / 2,
        )
        face = Face(box, 1.0, points.astype(np.float32), corners.astype(np.float32))
        embedding = self._analyser.embed(picture, face)
        self._analyser.compare(embedding, embedding)
        for step in (self._analyser.quality, self._analyser.pad, self._analyser.landmarks, self._analyser.pose):
            step(picture, face)
        self._analyser.pad_reasons(None)
        if self._documents is not None:
            self._documents.try_models(picture)

    # ---- still pictures

    def _picture(self, at: int, data: bytes | memoryview) -> Picture:
        self._sign()
        try:
            return read(bytes(data), limits=self._limits)
        except ImageRefused as error:
            raise _At(at, error) from None

    def _still(self, at: int, data: bytes | memoryview, *, eyes: bool = False) -> tuple[Picture, Face, Examined]:
        """``eyes``: look whether they are open, where the pack can, and for smaller faces beside; for pictures that are kept."""
        picture = self._picture(at, data)
        try:
            face = self._analyser.one_face(picture, careful=eyes)
        except FaceRefused as error:
            raise _At(at, error) from None
        height, width = picture.shape[:2]
        mesh = self._analyser.landmarks(picture, face) if eyes else None
        return picture, face, Examined(width, height, seen(face), self._analyser.quality(picture, face, landmarks=mesh))

    def _compare(
        self, request: messages.Compare, parts: Sequence[bytes | memoryview]
    ) -> messages.ComparedIs | messages.Refused:
        found, examined = [], []
        for at, part in enumerate(parts):
            picture, face, one = self._still(at, part)
            found.append(self._analyser.embed(picture, face))
            examined.append(one)
        comparison = self._comparison(request.request, found[0], found[1], request.fmr)
        if isinstance(comparison, messages.Refused):
            return comparison
        return messages.ComparedIs(request.request, Compared(comparison, *examined))

    def _match(self, request: messages.Match, part: bytes | memoryview) -> messages.MatchedIs | messages.Refused:
        kept = self._embedding(request.template)
        picture, face, examined = self._still(0, part)
        comparison = self._comparison(request.request, kept, self._analyser.embed(picture, face), request.fmr)
        if isinstance(comparison, messages.Refused):
            return comparison
        return messages.MatchedIs(request.request, Matched(comparison, examined))

    def _comparison(self, number: int, a: Embedding, b: Embedding, fmr: float | None) -> Comparison | messages.Refused:
        try:
            return self._comparison_of(a, b, fmr)
        except _NoSuchPoint as error:
            return messages.Refused(number, "operating_point", "unknown_operating_point", str(error))

    def _comparison_of(self, a: Embedding, b: Embedding, fmr: float | None) -> Comparison:
        if a.shape != b.shape:
            raise TemplateRefused("a template of another length than this recogniser's")
        try:
            return self._analyser.compare(a, b, fmr=fmr)
        except ValueError as error:
            raise _NoSuchPoint(str(error)) from None

    def _template(self, embedding: Embedding) -> bytes:
        return template.pack(self._recogniser, np.ascontiguousarray(embedding, "<f4").tobytes())

    def _embedding(self, kept: bytes) -> Embedding:
        values: Embedding = np.frombuffer(template.unpack(kept, self._recogniser, self._file), "<f4").astype(np.float32)
        return values

    def _pad(self, stills: Sequence[tuple[Picture, Face, Examined]]) -> PadAnswer:
        each = tuple(self._analyser.pad(picture, face) for picture, face, _ in stills)
        mean = mean_pad(each)
        return PadAnswer(mean, each, tuple(examined for _, _, examined in stills), self._analyser.pad_reasons(mean))

    def _document(self, reading: DocumentReading, portrait: "Portrait", references: Sequence[Embedding]) -> DocumentSeen:
        card, face = portrait.card, portrait.face
        if card is None or face is None:
            return DocumentSeen(reading, None, b"")
        height, width = card.shape[:2]
        examined = Examined(width, height, seen(face), self._analyser.quality(card, face))
        embedding = self._analyser.embed(card, face)
        if any(one.shape != embedding.shape for one in references):
            raise TemplateRefused("a template of another length than this recogniser's")
        alike = tuple(float(self._analyser.compare(one, embedding).comparison_score) for one in references)
        return DocumentSeen(reading, examined, self._template(embedding), alike)

    # ---- frames

    def _clip(self, data: bytes | memoryview, most: int) -> Iterator[tuple[float, Picture]]:
        try:
            yield from sampled(bytes(data), most, sign=self._sign)
        except ImageRefused as error:
            raise _At(0, error) from None

    def _clip_shown(self, request: messages.Clip, data: bytes | memoryview) -> messages.LivenessIs | messages.Refused:
        """Its stills are made of every frame, in a few milliseconds each: how many there are is known at the end."""
        kept = self._embedding(request.template) if request.template else None
        compared: list[Comparison | None] = []
        stills: list[Still] = []

        def look(picture: Picture, embedding: Embedding | None) -> None:
            if request.stills:
                stills.append(still(picture, messages.CLIP_STILL_BYTES))
            if kept is not None:
                compared.append(self._comparison_of(kept, embedding, request.fmr) if embedding is not None else None)

        try:
            if kept is not None:
                self._comparison_of(kept, kept, request.fmr)
            found = self._liveness(self._clip(data, request.frames), timed=True, look=look)
        except _NoSuchPoint as error:
            return messages.Refused(request.request, "operating_point", "unknown_operating_point", str(error))
        wanted = [round(at * (len(stills) - 1) / max(1, request.stills - 1)) for at in range(request.stills)]
        places = range(len(stills)) if len(stills) <= request.stills else wanted
        chosen = tuple(FrameStill(at, stills[at]) for at in places)
        return messages.LivenessIs(request.request, replace(found, compared=tuple(compared), stills=chosen))

    def _liveness_of(self, request: messages.Liveness, parts: Sequence[bytes | memoryview]) -> LivenessMaterial:
        reference = self._embedding(request.reference) if request.reference else None
        first: list[Embedding] = []

        def look(_: Picture, embedding: Embedding | None) -> None:
            if embedding is not None and not first:
                first.append(embedding)

        pictures = ((0.0, self._picture(at, part)) for at, part in enumerate(parts))
        found = self._liveness(pictures, reference=reference, earlier=request.earlier, look=look)
        if not request.template or not first:
            return found
        at = next(at for at, frame in enumerate(found.frames) if frame.faces == 1)
        named = replace(found.frames[at], template=self._template(first[0]))
        return replace(found, frames=(*found.frames[:at], named, *found.frames[at + 1 :]))

    def _liveness(
        self,
        pictures: Iterable[tuple[float, Picture]],
        *,
        timed: bool = False,
        reference: Embedding | None = None,
        earlier: Sequence[Pad | None] = (),
        look: Callable[[Picture, Embedding | None], None] | None = None,
    ) -> LivenessMaterial:
        """One picture in memory at a time. ``look`` is shown each, with its embedding where it has one face."""
        frames: list[Analysis] = []
        times: list[float] = []
        for at_s, picture in pictures:
            analysis, embedding = self._frame(picture, reference, pad=True, embed=reference is None)
            if look is not None:
                look(picture, embedding)
            if reference is None:
                reference = embedding
            frames.append(analysis)
            times.append(at_s)
        mean = mean_pad([*earlier, *(frame.pad for frame in frames)])
        return LivenessMaterial(tuple(frames), mean, self._analyser.pad_reasons(mean), tuple(times) if timed else ())

    def _frame(
        self, picture: Picture, reference: Embedding | None, *, pad: bool, embed: bool
    ) -> tuple[Analysis, Embedding | None]:
        height, width = picture.shape[:2]
        small = thumbnail(picture)
        faces = that_count(self._analyser.detect(picture))
        if len(faces) != 1:
            return Analysis(width, height, len(faces), thumbnail=small), None
        face = faces[0]
        pose = self._analyser.pose(picture, face)
        mesh = self._analyser.landmarks(picture, face)
        quality = self._analyser.quality(picture, face, landmarks=mesh, pose=pose)
        embedding = self._analyser.embed(picture, face) if embed or reference is not None else None
        identity: float | None = None
        if reference is not None and embedding is not None:
            identity = self._analyser.compare(reference, embedding).comparison_score
        skin, around = colours(picture, face)
        analysis = Analysis(
            width=width,
            height=height,
            faces=1,
            face=seen(face),
            scale=face.eye_distance / width,
            yaw=pose.yaw if pose else None,
            pitch=pose.pitch if pose else None,
            roll=pose.roll if pose else None,
            eyes=(mesh.eye_left + mesh.eye_right) / 2 if mesh else None,
            mouth=mesh.mouth if mesh else None,
            pad=self._analyser.pad(picture, face) if pad else None,
            identity=identity,
            quality=quality,
            face_colour=(skin.red, skin.green, skin.blue) if skin else None,
            background_colour=(around.red, around.green, around.blue) if around else None,
            thumbnail=small,
        )
        return analysis, embedding


def _nothing() -> None:
    pass


def seen(face: Face) -> FaceSeen:
    """Plain numbers of a face."""
    x0, y0, x1, y1 = (float(value) for value in face.box)
    return FaceSeen((x0, y0, x1, y1), float(face.score), tuple((float(x), float(y)) for x, y in face.points[:, :2]))

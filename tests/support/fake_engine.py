"""A verification engine in this process, for tests of what uses one: same answers and same refusals as a pool, no model and no worker.

Pictures are those of ``tiny_engine.draw``. ``next_error`` fails the next call, ``pack_info`` is what it says of itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from tests.support.tiny_engine import VALUES, TinyAnalyser, TinyCards, info
from verification.engine import messages
from verification.engine.desk import Desk
from verification.errors import FaceRefused, ImageRefused, TemplateRefused
from verification.ports import (
    Analysis,
    Compared,
    DocumentSeen,
    Embedded,
    EngineCounts,
    Examined,
    LivenessMaterial,
    Matched,
    PackInfo,
    PadAnswer,
    Still,
)

HASH = "ab" * 32


class FakeEngine:
    """``EnginePort``. ``calls``: names of those made, in their order."""

    def __init__(self) -> None:
        weights = np.random.default_rng(7).normal(0, 0.02, (192, VALUES)).astype(np.float32)
        self.pack_info = replace(info("tiny", ("CPUExecutionProvider",), HASH), reads_documents=True)
        self.next_error: Exception | None = None
        self.calls: list[str] = []
        analyser = TinyAnalyser(lambda crop: crop.reshape(1, -1) @ weights)
        cards: Any = TinyCards(analyser)
        self._desk = Desk(analyser, self.pack_info, bytes.fromhex(HASH), documents=cards)
        self._counts = EngineCounts(ready=1)

    @property
    def pack(self) -> PackInfo:
        return self.pack_info

    @property
    def counts(self) -> EngineCounts:
        return self._counts

    @property
    def counts_of(self) -> Mapping[str, EngineCounts]:
        return {"faces": self._counts}

    def _ask(self, name: str, request: messages.AnyRequest, parts: Sequence[bytes | memoryview]) -> messages.AnyAnswer:
        self.calls.append(name)
        self._counts = replace(self._counts, calls=self._counts.calls + 1)
        if self.next_error is not None:
            error, self.next_error = self.next_error, None
            raise error
        for at, part in enumerate(parts):
            if not part:
                raise _at(ImageRefused("the picture is empty", code="image_empty"), at)
        answer = messages.decode_from_worker(messages.encode(self._desk.answer(request, parts)))
        messages.check_answer(request, answer)
        if isinstance(answer, messages.Refused):
            self._counts = replace(self._counts, refused=self._counts.refused + 1)
            if answer.what == "operating_point":
                raise ValueError(answer.detail)
            kind = {"image": ImageRefused, "face": FaceRefused, "template": TemplateRefused}[answer.what]
            raise _at(kind(answer.detail, code=answer.code), answer.picture)
        assert isinstance(answer, messages.AnyAnswer)
        self._counts = replace(self._counts, answered=self._counts.answered + 1)
        return answer

    async def compare(self, a: bytes, b: bytes, *, fmr: float | None = None) -> Compared:
        answer = self._ask("compare", messages.Compare(1, (len(a), len(b)), fmr), (a, b))
        assert isinstance(answer, messages.ComparedIs)
        return answer.result

    async def quality(self, image: bytes) -> Examined:
        answer = self._ask("quality", messages.Examine(1, (len(image),)), (image,))
        assert isinstance(answer, messages.ExaminedIs)
        return answer.result

    async def embed(self, image: bytes) -> Embedded:
        answer = self._ask("embed", messages.Embed(1, (len(image),)), (image,))
        assert isinstance(answer, messages.EmbeddedIs)
        return answer.result

    async def match(self, template: bytes, image: bytes, *, fmr: float | None = None) -> Matched:
        answer = self._ask("match", messages.Match(1, (len(image),), template, fmr), (image,))
        assert isinstance(answer, messages.MatchedIs)
        return answer.result

    async def pad(self, images: Sequence[bytes]) -> PadAnswer:
        answer = self._ask("pad", messages.PadPictures(1, _sizes(images)), images)
        assert isinstance(answer, messages.PadIs)
        return answer.result

    async def liveness(self, images: Sequence[bytes]) -> LivenessMaterial:
        answer = self._ask("liveness", messages.Liveness(1, _sizes(images)), images)
        assert isinstance(answer, messages.LivenessIs)
        return answer.result

    async def clip(
        self, data: bytes, *, frames: int = 16, template: bytes = b"", fmr: float | None = None, stills: int = 0
    ) -> LivenessMaterial:
        if not 1 <= frames <= messages.MAX_PICTURES or not 0 <= stills <= messages.CLIP_STILLS:
            raise ValueError("too few or too many frames or stills")
        if len(template) > messages.MAX_TEMPLATE_BYTES:
            raise TemplateRefused("not a template")
        if not data:
            raise ImageRefused("the clip is empty", code="clip_broken")
        answer = self._ask("clip", messages.Clip(1, (len(data),), frames, template, fmr, stills), (data,))
        assert isinstance(answer, messages.LivenessIs)
        return answer.result

    async def document(self, image: bytes, *, today: date, portrait: bool = True) -> DocumentSeen:
        answer = self._ask("document", messages.ReadDocument(1, (len(image),), today, portrait), (image,))
        assert isinstance(answer, messages.DocumentIs)
        return answer.result

    async def document_frame(
        self, pixels: memoryview | bytes, width: int, height: int, *, today: date, references: Sequence[bytes] = ()
    ) -> DocumentSeen:
        if memoryview(pixels).nbytes != 3 * width * height or not min(width, height) >= 16:
            raise ValueError("the sizes do not fit")
        sizes = (memoryview(pixels).nbytes,)
        request = messages.ReadDocument(1, sizes, today, True, width, height, tuple(references))
        answer = self._ask("document", request, (pixels,))
        assert isinstance(answer, messages.DocumentIs)
        return answer.result

    async def still(self, image: memoryview | bytes, width: int = 0, height: int = 0) -> Still:
        if (width or height) and (min(width, height) < 16 or memoryview(image).nbytes != 3 * width * height):
            raise ValueError("the sizes do not fit")
        answer = self._ask("still", messages.MakeStill(1, (memoryview(image).nbytes,), width, height), (image,))
        assert isinstance(answer, messages.StillIs)
        return answer.result

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
        if not memoryview(pixels).c_contiguous:
            raise ValueError("pixels of a frame lie one after the other")
        if memoryview(pixels).nbytes != 3 * width * height or not min(width, height) >= 16:
            raise ValueError("the sizes do not fit")
        request = messages.Analyse(1, (memoryview(pixels).nbytes,), width, height, reference, template, pad)
        answer = self._ask("analyse", request, (pixels,))
        assert isinstance(answer, messages.AnalysisIs)
        return answer.result


def _sizes(images: Sequence[bytes]) -> tuple[int, ...]:
    if not 1 <= len(images) <= messages.MAX_PICTURES:
        raise ValueError("too few or too many pictures")
    return tuple(len(image) for image in images)


def _at(error: ImageRefused | FaceRefused | TemplateRefused, picture: int) -> Exception:
    error.picture = picture
    return error

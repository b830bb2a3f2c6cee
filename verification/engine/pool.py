"""Asks worker processes on behalf of an asyncio program: what the rest of the system sees of the engine. SHELL. See ``verification/ports.py``."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import TypeVar

from verification.engine import frames, messages
from verification.engine.config import EngineConfig
from verification.engine.crew import Crew
from verification.errors import BadMessage, EngineLost, FaceRefused, ImageRefused, TemplateRefused
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
from verification.reasons import ReasonCode
from verification.types import Pad

__all__ = ["EngineConfig", "EnginePool"]

DOCUMENT_WORK = 3
"""A document may take as long as so many pictures: nothing is heard of it meanwhile."""

_A = TypeVar("_A", bound=messages.AnyAnswer)


class EnginePool(Crew):
    """``async with EnginePool(config) as pool``. Keeps ``verification.ports.EnginePort``.

    ``start`` waits for the workers that look at faces; those that read documents are ready when they are, and nothing but ``document`` needs them.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self._readers: Crew | None = None
        if config.document_workers:
            memory = config.document_memory_bytes
            self._readers = Crew(replace(config, workers=config.document_workers, documents=True, memory_bytes=memory))

    async def start(self) -> None:
        await super().start()
        if self._readers is not None:
            self._readers.begin()

    async def close(self) -> None:
        await super().close()
        if self._readers is not None:
            await self._readers.close()

    @property
    def pack(self) -> PackInfo:
        return replace(super().pack, reads_documents=self._readers is not None and self._readers.counts.ready > 0)

    @property
    def counts_of(self) -> Mapping[str, EngineCounts]:
        found = {"faces": self.counts}
        return found if self._readers is None else found | {"documents": self._readers.counts}

    @property
    def readers(self) -> Crew:
        """The workers that read documents. Raises EngineLost: there are none."""
        if self._readers is None:
            raise EngineLost("no documents are read here")
        return self._readers

    async def compare(self, a: bytes, b: bytes, *, fmr: float | None = None) -> Compared:
        rate = self._rate(fmr)
        answer = await self._pictures((a, b), lambda number, sizes: messages.Compare(number, sizes, rate))
        return _result(answer, messages.ComparedIs).result

    async def quality(self, image: bytes) -> Examined:
        answer = await self._pictures((image,), messages.Examine)
        return _result(answer, messages.ExaminedIs).result

    async def embed(self, image: bytes) -> Embedded:
        answer = await self._pictures((image,), messages.Embed)
        return _result(answer, messages.EmbeddedIs).result

    async def match(self, template: bytes, image: bytes, *, fmr: float | None = None) -> Matched:
        if not 0 < len(template) <= messages.MAX_TEMPLATE_BYTES:
            raise TemplateRefused("not a template")
        rate = self._rate(fmr)
        answer = await self._pictures((image,), lambda number, sizes: messages.Match(number, sizes, template, rate))
        return _result(answer, messages.MatchedIs).result

    async def pad(self, images: Sequence[bytes]) -> PadAnswer:
        answer = await self._pictures(tuple(images), messages.PadPictures)
        return _result(answer, messages.PadIs).result

    async def liveness(self, images: Sequence[bytes]) -> LivenessMaterial:
        """One call for each picture, so that live ones need not wait for all of them; within the time of one call, and no other is refused as busy."""
        every = tuple(images)
        _check_pictures(every)
        frames: list[Analysis] = []
        reference = b""
        until = asyncio.get_running_loop().time() + self._config.deadline_s
        for at, image in enumerate(every):

            def build(
                number: int,
                size: int = len(image),
                reference: bytes = reference,
                earlier: tuple[Pad | None, ...] = tuple(frame.pad for frame in frames),
            ) -> messages.AnyRequest:
                return messages.Liveness(number, (size,), reference, not reference, earlier)

            left = max(0.0, until - asyncio.get_running_loop().time())
            try:
                answer = await self.call(build, (image,), goes_on=at > 0, within_s=left)
            except (ImageRefused, FaceRefused) as error:
                error.picture = at
                raise
            found = _result(answer, messages.LivenessIs).result
            reference = reference or found.frames[0].template
            frames.append(replace(found.frames[0], template=b""))
        return replace(found, frames=tuple(frames))

    async def clip(
        self, data: bytes, *, frames: int = 16, template: bytes = b"", fmr: float | None = None, stills: int = 0
    ) -> LivenessMaterial:
        if not 1 <= frames <= messages.MAX_PICTURES:
            raise ValueError(f"1 to {messages.MAX_PICTURES} frames")
        if not 0 <= stills <= messages.CLIP_STILLS:
            raise ValueError(f"{messages.CLIP_STILLS} stills at most")
        if len(template) > messages.MAX_TEMPLATE_BYTES:
            raise TemplateRefused("not a template")
        if not data:
            raise ImageRefused("the clip is empty", code=ReasonCode.CLIP_BROKEN.value)
        rate = self._rate(fmr)
        answer = await self._pictures(
            (data,), lambda number, sizes: messages.Clip(number, sizes, frames, template, rate, stills)
        )
        return _result(answer, messages.LivenessIs).result

    async def document(self, image: bytes, *, today: date, portrait: bool = True) -> DocumentSeen:
        answer = await self._pictures(
            (image,),
            lambda number, sizes: messages.ReadDocument(number, sizes, today, portrait),
            work=DOCUMENT_WORK,
            crew=self.readers,
        )
        return _result(answer, messages.DocumentIs).result

    async def document_frame(
        self, pixels: memoryview | bytes, width: int, height: int, *, today: date, references: Sequence[bytes] = ()
    ) -> DocumentSeen:
        kept = tuple(references)
        sizes = _fitting(pixels, lambda sizes: messages.ReadDocument(0, sizes, today, True, width, height, kept))
        answer = await self.readers.call(
            lambda number: messages.ReadDocument(number, sizes, today, True, width, height, kept),
            (pixels,),
            DOCUMENT_WORK,
            live=True,
        )
        return _result(answer, messages.DocumentIs).result

    async def still(self, image: memoryview | bytes, width: int = 0, height: int = 0) -> Still:
        if not width and not height:
            answer = await self._pictures((bytes(image),), messages.MakeStill)
            return _result(answer, messages.StillIs).result
        view = memoryview(image)
        if not view.c_contiguous:
            raise ValueError("pixels of a frame lie one after the other")
        sizes = (view.nbytes,)
        try:
            messages.check_request(messages.MakeStill(0, sizes, width, height))
        except BadMessage as error:
            raise ValueError(error.detail) from None
        answer = await self.call(lambda number: messages.MakeStill(number, sizes, width, height), (image,), live=True)
        return _result(answer, messages.StillIs).result

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
        sizes = _fitting(pixels, lambda sizes: messages.Analyse(0, sizes, width, height, reference))
        answer = await self.call(
            lambda number: messages.Analyse(number, sizes, width, height, reference, template, pad), (pixels,), live=True
        )
        return _result(answer, messages.AnalysisIs).result

    def _rate(self, fmr: float | None) -> float | None:
        """The pack's own rate for one that is nearly that, as numpy's are: what is asked for is what is answered."""
        if fmr is None:
            return None
        rate = float(fmr)
        known = self._info.points if self._info is not None else ()
        return next((point for point, _ in known if math.isclose(point, rate, rel_tol=1e-6)), rate)

    async def _pictures(
        self,
        images: tuple[bytes, ...],
        build: Callable[[int, tuple[int, ...]], messages.AnyRequest],
        *,
        work: float = 1,
        crew: Crew | None = None,
    ) -> messages.AnyAnswer:
        """``images`` may be anything but too many of them or too much: an empty one is a picture that cannot be read."""
        _check_pictures(images)
        sizes = tuple(len(image) for image in images)
        return await (crew or self).call(lambda number: build(number, sizes), images, work)


def _check_pictures(images: tuple[bytes, ...]) -> None:
    """Raises ValueError, ImageRefused."""
    if not 1 <= len(images) <= messages.MAX_PICTURES:
        raise ValueError(f"1 to {messages.MAX_PICTURES} pictures")
    for at, image in enumerate(images):
        if not image or len(image) > frames.MAX_BLOCK_BYTES // len(images):
            error = ImageRefused("the picture is empty or too large", code="image_too_large" if image else "image_empty")
            error.picture = at
            raise error


def _fitting(pixels: memoryview | bytes, build: Callable[[tuple[int, ...]], messages.AnyRequest]) -> tuple[int, ...]:
    """Sizes of a frame's parts. Raises ValueError: it is not as large as is said."""
    view = memoryview(pixels)
    if not view.c_contiguous:
        raise ValueError("pixels of a frame lie one after the other")
    sizes = (view.nbytes,)
    try:
        messages.check_request(build(sizes))
    except BadMessage as error:
        raise ValueError(error.detail) from None
    return sizes


def _result(answer: messages.AnyAnswer, kind: type[_A]) -> _A:
    """``check_answer`` has seen to it already."""
    if not isinstance(answer, kind):
        raise EngineLost("an answer to something else")
    return answer

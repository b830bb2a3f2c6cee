"""A person who, after their face, holds an identity document before the camera as their page asks; and what the reader says of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from server.transactions.cues import Cue, Instruction
from tests.support.live_person import Frame, Scene
from tests.support.live_person import pack as face_pack
from tests.support.performer import GOOD
from verification.documents.reading import DocumentField, DocumentReading, DocumentType
from verification.errors import VerificationError
from verification.ports import Analysis, DocumentSeen, Examined, FaceSeen, PackInfo, Still
from verification.reasons import ReasonCode

WIDTH, HEIGHT = 640, 480
CORNERS = ((120.0, 120.0), (520.0, 120.0), (520.0, 370.0), (120.0, 370.0))
NUMBER, NAME = "11010519491231002X", "张三丰"
_FACE = FaceSeen((600, 100, 800, 350), 0.9, ((650, 180), (750, 180), (700, 230), (660, 290), (740, 290)))
_EXAMINED = Examined(1027, 648, _FACE, GOOD)


def pack() -> PackInfo:
    return replace(face_pack(), reads_documents=True)


def seen(
    type_: DocumentType | None, *reasons: ReasonCode, alike: tuple[float, ...] = (), expired: bool | None = None
) -> DocumentSeen:
    """What a worker says of one picture."""
    values = {"number": NUMBER, "name": NAME, "birth": "1990-03-07"} if type_ is not None else {}
    if type_ is DocumentType.CN_ID_BACK:
        values = {"valid_from": "2018-05-09", "valid_until": "2038-05-09"}
    fields = tuple(DocumentField(name, value, 0.98, proven=True) for name, value in values.items())
    corners = CORNERS if type_ is not None else ()
    reading = DocumentReading(type_, fields, reasons, WIDTH, HEIGHT, corners=corners, expired=expired, models="ab" * 32)
    return DocumentSeen(reading, _EXAMINED if alike else None, b"portrait" if alike else b"", alike)


FRONT = seen(DocumentType.CN_ID_FRONT, alike=(0.7, 0.6))
BACK = seen(DocumentType.CN_ID_BACK, expired=False)
NOTHING = seen(None, ReasonCode.DOCUMENT_NOT_FOUND)


@dataclass
class CardScene(Scene):
    """``front``, ``back``: what is held before the camera where that side is asked for. ``fails``: raised by readings, in turn."""

    info: PackInfo = field(default_factory=pack)
    front: DocumentSeen = FRONT
    back: DocumentSeen = BACK
    fails: list[VerificationError] = field(default_factory=list)
    read: list[tuple[date, tuple[bytes, ...]]] = field(default_factory=list)
    wanted: str = ""
    meanwhile: Callable[[], Awaitable[None]] | None = None  # what happens while the first card is read

    def frame(self, index: int, now: float) -> Frame:
        """With pixels: a reader's pictures are chosen by them."""
        plain = super().frame(index, now)
        pixels = np.zeros(3 * WIDTH * HEIGHT, np.uint8)
        pixels[:4] = np.frombuffer(plain.pixels, np.uint8)
        return replace(plain, pixels=memoryview(pixels.tobytes()), width=WIDTH, height=HEIGHT)

    def told(self, instructions: Sequence[Instruction], now: float) -> None:
        super().told(instructions, now)
        for one in instructions:
            if one.cue is Cue.DOCUMENT and one.action != "hold_still":
                self.wanted = one.action

    async def document_frame(
        self, pixels: memoryview | bytes, width: int, height: int, *, today: date, references: Sequence[bytes] = ()
    ) -> DocumentSeen:
        assert len(pixels) == 3 * width * height
        self.read.append((today, tuple(references)))
        self.calls.append((-1, b"", False, False))
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        if self.fails:
            raise self.fails.pop(0)
        return {"show_card": self.front, "turn_over": self.back}.get(self.wanted, NOTHING)

    async def still(self, image: memoryview | bytes, width: int = 0, height: int = 0) -> Still:
        return await super().still(image[:4], width, height)

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
        return await super().analyse(pixels[:4], width, height, reference=reference, template=template, pad=pad)

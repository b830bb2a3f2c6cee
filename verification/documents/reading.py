"""What a document reader answers. Sans I/O.

Lengths of ``Line`` and ``portrait`` are pixels of the card laid flat (``CARD`` or ``PAGE`` large); corners are pixels of the picture.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from verification.reasons import ReasonCode

PIXELS_PER_MM = 12.0
CARD_MM = (85.60, 53.98)
"""ID-1 (ISO/IEC 7810)."""
PAGE_MM = (125.0, 88.0)
"""ID-3: one page of a passport."""
CARD = (round(CARD_MM[0] * PIXELS_PER_MM), round(CARD_MM[1] * PIXELS_PER_MM))
PAGE = (round(PAGE_MM[0] * PIXELS_PER_MM), round(PAGE_MM[1] * PIXELS_PER_MM))


class DocumentType(StrEnum):
    CN_ID_FRONT = "cn_resident_id_front"
    """Name, birth, number and portrait."""
    CN_ID_BACK = "cn_resident_id_back"
    """Who issued it and how long it is valid."""
    TD1 = "mrz_td1"
    """The side with the zone of a card of the size of a bank card."""
    TD2 = "mrz_td2"
    PASSPORT = "passport_td3"


HAS_PORTRAIT = frozenset({DocumentType.CN_ID_FRONT, DocumentType.TD2, DocumentType.PASSPORT})
"""Sides that cannot be without one; a TD1 has its zone on the back, and its portrait on the other side."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text as it was read. ``box``: x0, y0, x1, y1. ``sure``: of its characters, 0 to 1."""

    text: str
    sure: float
    box: tuple[float, float, float, float]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def middle(self) -> float:
        return (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True, slots=True)
class DocumentField:
    """``value``: dates as 2026-11-22, ``long_term`` for a validity without end. ``confidence``: of the reader, 0 to 1, no probability.

    ``proven``: a check digit that was right is over it, or it agrees with what one is over. ``corrected``: and characters of it were put right by that.
    ``repeated``: it stands there a second time, and was read the same.
    """

    name: str
    value: str
    confidence: float
    proven: bool = False
    corrected: bool = False
    repeated: bool = False

    @property
    def confirmed(self) -> bool:
        """Something beside this one reading says so."""
        return self.proven or self.repeated


NAMES = frozenset({"name", "surname", "given_names"})


@dataclass(frozen=True, slots=True)
class Clarity:
    """``width_px``: of the card's longer side in the picture. ``sharpness``: of its edges, 0 to about 1. ``glare``: share of its
    area that is burnt out. ``brightness``: mean luma of it, 0 to 1. ``hidden``: share of it that is outside of the picture."""

    width_px: float
    sharpness: float
    glare: float
    brightness: float
    hidden: float


@dataclass(frozen=True, slots=True)
class DocumentReading:
    """``accepted`` only without ``reasons``. ``fields`` are told also where something is wrong, so that a person can see what was read.

    ``type``: None where it is none of those that are known. ``expired``: None where it does not say until when it is valid. ``portrait``: x0, y0, x1,
    y1 of the face in it. ``width``, ``height``: of the upright picture. ``models``: SHA-256 of the files that read it, joined.
    """

    type: DocumentType | None
    fields: tuple[DocumentField, ...]
    reasons: tuple[ReasonCode, ...]
    width: int
    height: int
    corners: tuple[tuple[float, float], ...] = ()
    clarity: Clarity | None = None
    expired: bool | None = None
    portrait: tuple[float, float, float, float] | None = None
    models: str = ""

    @property
    def cautions(self) -> tuple[ReasonCode, ...]:
        """What is not wrong, but to be looked at before the fields are relied on."""
        unsure = any(field.name in NAMES and not field.confirmed for field in self.fields)
        return (ReasonCode.DOCUMENT_NAME_UNCONFIRMED,) if unsure else ()

    @property
    def accepted(self) -> bool:
        return self.type is not None and not self.reasons

    @property
    def values(self) -> MappingProxyType[str, str]:
        """Name → value."""
        return MappingProxyType({field.name: field.value for field in self.fields})

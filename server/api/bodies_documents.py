"""What goes in and out of checks of identity documents. A picture is the file as it came: a part of ``multipart/form-data``, or base64 in JSON."""

from enum import StrEnum

import msgspec

from server.api.bodies import Answer, Request
from server.api.bodies_faces import FaceComparison, FacePack, FaceReason, Fmr


class ReadDocument(Request, frozen=True, kw_only=True):
    """A photograph of one side of one document: alone, flat, with all four corners in it."""

    image: bytes


class CompareDocument(Request, frozen=True, kw_only=True):
    """``document``: as in ReadDocument; ``probe``: a picture of its bearer."""

    document: bytes
    probe: bytes
    fmr: Fmr | None = None


class DocumentKind(StrEnum):
    """Two sides of the Chinese resident identity card; machine readable zones of ICAO Doc 9303. Nothing else is read."""

    CN_ID_FRONT = "cn_resident_id_front"
    CN_ID_BACK = "cn_resident_id_back"
    TD1 = "mrz_td1"
    TD2 = "mrz_td2"
    PASSPORT = "passport_td3"


class DocumentValue(Answer, frozen=True, kw_only=True):
    """Dates as 2026-11-22; ``long_term``: valid without end. ``confidence``: of the reader, 0 to 1, no probability. ``confirmed``: something beside this one
    reading says so: it is ``proven``, or it stands on the document twice and was read the same. What is not confirmed may be wrong, however sure the reader
    is. ``proven``: a check digit that was right is over it, or over what it agrees with; ``corrected``: characters of it were put right by that."""

    name: str
    value: str
    confidence: float
    confirmed: bool
    proven: bool
    corrected: bool


class DocumentClarity(Answer, frozen=True, kw_only=True):
    """``width_px``: of the document's longer side. ``sharpness``: 0 to about 1. ``brightness``: 0 to 1. ``glare``, ``hidden``: shares of its area."""

    width_px: float
    sharpness: float
    glare: float
    brightness: float
    hidden: float


class DocumentRead(Answer, frozen=True, kw_only=True):
    """``accepted``: it is of a kind that is known, could be read, contradicts itself nowhere and is valid today; it says nothing of whether the document is
    genuine. ``reasons``: what is against it, with what to do for the next picture. ``cautions``: what is against nothing, and to be looked at before the
    fields are relied on. ``kind``: null: none that is known, and nothing is told of it.
    ``corners``: of it in pixels of the upright picture, from its own top left. ``portrait``: whether a face was found on it. ``reader``: hexadecimal SHA-256
    of the models that read it."""

    accepted: bool
    kind: DocumentKind | None
    fields: list[DocumentValue]
    expired: bool | None
    reasons: list[FaceReason]
    cautions: list[FaceReason]
    corners: list[list[float]]
    clarity: DocumentClarity | None
    portrait: bool
    reader: str
    pack: FacePack


class DocumentCompared(Answer, frozen=True, kw_only=True):
    """``comparison``: null where the document was not accepted, or has no portrait."""

    document: DocumentRead
    comparison: FaceComparison | None


class DocumentSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Inside the server only: ``template`` is of the portrait, b"" without one."""

    read: DocumentRead
    template: bytes

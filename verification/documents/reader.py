"""Reads the identity document in a photograph, or says why not and what would help. SHELL: it runs models, in a worker.

Find the card, lay it flat, look whether it can be read, read it, put it to its own checks, cut its portrait out. Nothing is accepted
without its checks; of a document of another kind nothing is told.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import numpy as np

from verification.documents import clarity, fields_cn, mrz, portrait, read, rectify, twice, zone
from verification.documents.find import Corners, Found, candidates
from verification.documents.mrz import Format, Mrz, MrzRefused
from verification.documents.read import Reader, Region, TooMuch
from verification.documents.reading import DocumentField, DocumentReading, DocumentType, Line
from verification.documents.twice import Twice
from verification.reasons import ReasonCode
from verification.types import Face, Picture

TYPES = {Format.TD1: DocumentType.TD1, Format.TD2: DocumentType.TD2, Format.TD3: DocumentType.PASSPORT}
LEAST_ZONE_SURE = 0.5
"""Of the least sure character of a zone."""
TRIED_LINES = 3


class Faces(Protocol):
    """``verification.faces.analyser.Analyser``, as far as it is used here."""

    def detect(self, picture: Picture) -> list[Face]: ...


@dataclass(frozen=True, slots=True)
class Portrait:
    """A face on a card laid flat; both None where there is none."""

    card: Picture | None
    face: Face | None


@dataclass(frozen=True, slots=True)
class _Read:
    type: DocumentType | None
    fields: tuple[DocumentField, ...] = ()
    reasons: tuple[ReasonCode, ...] = ()
    expired: bool | None = None


class DocumentReader:
    """``faces``: finds the portrait. Not for two threads at a time. Raises PackError: the models of the OCR are not there, or others."""

    def __init__(self, faces: Faces, *, threads: int = 1) -> None:
        self._faces = faces
        self._reader = Reader(threads=threads)

    def read(self, picture: Picture, today: date) -> tuple[DocumentReading, Portrait]:
        """``today``: in the place whose documents they are; a document is valid until the end of its last day."""
        height, width = picture.shape[:2]
        empty = DocumentReading(None, (), (ReasonCode.DOCUMENT_NOT_FOUND,), width, height, models=read.MODELS)
        first: DocumentReading | None = None
        self._reader.begin()
        for found in candidates(picture):
            try:
                reading, cut_out = self._card(picture, found, today, empty)
            except TooMuch:
                first = first or replace(empty, reasons=(ReasonCode.DOCUMENT_TYPE_UNKNOWN,))
                break
            if reading.type is not None:
                return reading, cut_out
            first = first or reading
        return first or empty, Portrait(None, None)

    def _card(self, picture: Picture, found: Found, today: date, empty: DocumentReading) -> tuple[DocumentReading, Portrait]:
        """What is there, if it is the card."""
        corners = rectify.upright_corners(found.corners)
        found = Found(corners, found.cut, found.support)
        card = rectify.flat(picture, corners)
        clear = clarity.clarity(picture, found, card)
        wrong = clarity.reasons(clear, found)
        if set(wrong) & {ReasonCode.DOCUMENT_CUT_OFF, ReasonCode.DOCUMENT_TOO_SMALL, ReasonCode.DOCUMENT_TOO_DARK}:
            return replace(empty, reasons=wrong, corners=_plain(corners), clarity=clear), Portrait(None, None)
        card, regions, quarters = self._upright(card)
        what = self._what(card, regions, today)
        corners = np.roll(corners, quarters, 0)
        if what.type is None:
            reasons = wrong or what.reasons
            if found.cut and not wrong:  # the whole picture was taken for a card, and is none
                reasons = (ReasonCode.DOCUMENT_NOT_FOUND,)
            return replace(empty, reasons=reasons, corners=_plain(corners), clarity=clear), Portrait(None, None)
        face, unclear = portrait.choose(what.type, self._faces.detect(card), card.shape[1], card.shape[0])
        reading = replace(
            empty,
            type=what.type,
            fields=what.fields,
            reasons=(*wrong, *what.reasons, *unclear),
            corners=_plain(corners),
            clarity=clear,
            expired=what.expired,
            portrait=_box(face),
        )
        return reading, Portrait(card, face)

    def try_models(self, card: Picture) -> None:
        """Run every model once on whatever this is."""
        self._reader.begin()
        regions = self._reader.regions(card)
        height, width = card.shape[:2]
        corners = np.array([(0, 0), (width, 0), (width, height / 8), (0, height / 8)], np.float32)
        for region in (*regions[:1], Region(corners)):
            self._reader.characters(card, region)
            self._reader.characters(card, region, zone=True)
        candidates(card)

    def _upright(self, card: Picture) -> tuple[Picture, list[Region], int]:
        """The card as one reads it, its lines, and by how many right angles it was turned. It lies across already, as all that are known do."""
        regions = self._reader.regions(card)
        quarters = 0
        longest = sorted(regions, key=lambda region: region.box[0] - region.box[2])[:TRIED_LINES]
        if self._sure(card, longest) < self._sure(card, [Region(np.roll(region.corners, 2, 0)) for region in longest]):
            quarters, card = 2, rectify.turned(card, 2)
            height, width = card.shape[:2]
            size = np.array([width - 1, height - 1], np.float32)
            regions = [Region(np.roll(size - region.corners, 2, 0)) for region in reversed(regions)]
        return card, regions, quarters

    def _sure(self, card: Picture, regions: Sequence[Region]) -> float:
        return sum(character.sure**2 for region in regions for character in self._reader.characters(card, region))

    def _what(self, card: Picture, regions: Sequence[Region], today: date) -> _Read:
        lines = [self._reader.line(card, region) for region in regions]
        zones = [region for region, line in zip(regions, lines, strict=True) if zone.looks_like_zone(line)]
        if len(zones) >= 2:
            return self._zone(card, zones, [line.text for line in lines if not zone.looks_like_zone(line)], today)
        rows = fields_cn.rows(lines)
        for fits, type_, side in (
            (fields_cn.is_front, DocumentType.CN_ID_FRONT, fields_cn.front),
            (fields_cn.is_back, DocumentType.CN_ID_BACK, fields_cn.back),
        ):
            if fits(rows):
                found = side(rows, today)
                if ReasonCode.DOCUMENT_TYPE_UNKNOWN in found.reasons:
                    break
                if ReasonCode.DOCUMENT_UNREADABLE in found.reasons and type_ is DocumentType.CN_ID_FRONT:
                    again = side(fields_cn.rows(self._strips(card, lines)), today)
                    found = min(found, again, key=lambda side: len(side.reasons))
                expired = found.expires is not None and found.expires < today if found.begins is not None else None
                return _Read(type_, found.fields, found.reasons, expired)
        return _Read(None, reasons=(ReasonCode.DOCUMENT_TYPE_UNKNOWN,))

    def _strips(self, card: Picture, lines: Sequence[Line]) -> list[Line]:
        """Rows with labels read again as wide as they can be: the detector loses single characters, such as an ethnicity's."""
        end = card.shape[1] * fields_cn.TEXT_SHARE
        found: list[Line] = []
        for line in lines:
            _, y0, x1, y1 = line.box
            if any(before.box[1] < line.middle < before.box[3] and before.box[2] > x1 for before in found):
                continue  # in a row that was read again already
            if any(label in line.text for label in fields_cn.ROW_LABELS):
                first = min(other.box[0] for other in lines if abs(other.middle - line.middle) < line.height / 2)
                corners = np.array([(first, y0), (end, y0), (end, y1), (first, y1)], np.float32)
                found = [other for other in found if not y0 < other.middle < y1]
                line = self._reader.line(card, Region(corners))
            found.append(line)
        return found

    def _zone(self, card: Picture, regions: Sequence[Region], beside: Sequence[str], today: date) -> _Read:
        """``beside``: what was read elsewhere on the card."""
        ordered = sorted(regions, key=lambda region: region.box[1])
        characters = [self._reader.characters(card, region, zone=True) for region in ordered]
        format_ = zone.format_of(characters)
        if format_ is None:
            return _Read(None, reasons=(ReasonCode.DOCUMENT_UNREADABLE,))
        found = zone.lines(format_, characters)
        if found is None:
            return _Read(TYPES[format_], reasons=(ReasonCode.DOCUMENT_UNREADABLE,))
        lines, sure = found
        try:
            parsed = mrz.parse(lines, correct=True)
            birth, expiry = parsed.birth_date(today), parsed.expiry_date(today)
        except MrzRefused as refused:
            if refused.code == "format":
                return _Read(None, reasons=(ReasonCode.DOCUMENT_TYPE_UNKNOWN,))
            failed = refused.code in ("check", "date")
            return _Read(
                TYPES[format_], reasons=(ReasonCode.DOCUMENT_CHECK_FAILED if failed else ReasonCode.DOCUMENT_UNREADABLE,)
            )
        expired = expiry < today
        reasons = [ReasonCode.DOCUMENT_EXPIRED] if expired else []
        names = {
            name: twice.in_zone(parsed, value, beside)
            for name, value in (("surname", parsed.surname), ("given_names", parsed.given_names))
        }
        if min(sure) < LEAST_ZONE_SURE or Twice.NEARLY in names.values():
            reasons.append(ReasonCode.DOCUMENT_UNREADABLE)
        repeated = {name for name, found in names.items() if found is Twice.SAME}
        return _Read(TYPES[format_], _zone_fields(parsed, birth, expiry, sure, repeated), tuple(reasons), expired)


def _zone_fields(
    parsed: Mrz, birth: date, expiry: date, sure: Sequence[float], repeated: Collection[str]
) -> tuple[DocumentField, ...]:
    """Names, sex and countries are under no check digit."""
    places = mrz.places(parsed.format)
    least = {name: min(sure[first:last]) for name, (first, last) in places.items()}
    proven = {"number": parsed.number, "birth": birth.isoformat(), "valid_until": expiry.isoformat()}
    plain = {
        "surname": parsed.surname,
        "given_names": parsed.given_names,
        "sex": parsed.sex,
        "nationality": parsed.nationality,
        "issuer": parsed.issuer,
        "document_code": parsed.kind,
    }
    names = {"expiry": "valid_until"}
    corrected = {names.get(name, name) for name in parsed.corrected}
    return (
        *(DocumentField(name, value, least[name], True, name in corrected) for name, value in proven.items()),
        *(DocumentField(name, value, least[name], repeated=name in repeated) for name, value in plain.items() if value),
    )


def _plain(corners: Corners) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in corners)


def _box(face: Face | None) -> tuple[float, float, float, float] | None:
    if face is None:
        return None
    x0, y0, x1, y1 = (float(value) for value in face.box)
    return x0, y0, x1, y1

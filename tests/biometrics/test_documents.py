"""Photographs of drawn documents, through every model: what is read, what is refused, and with which reason. Never a real document."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support import analysers, cards, desks, portraits, zones
from tests.support.cards import Person, Shot
from verification.documents import clarity, read
from verification.documents.find import MOST_TRIED, Found, candidates, find
from verification.documents.read import Reader
from verification.documents.reader import DocumentReader
from verification.documents.reading import Clarity, DocumentReading, DocumentType
from verification.documents.rectify import upright_corners
from verification.errors import HashMismatch, NotInstalled
from verification.reasons import ReasonCode
from verification.types import Picture

TODAY = date(2026, 11, 22)


@pytest.fixture(scope="module")
def reader() -> Iterator[DocumentReader]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield DocumentReader(analysers.base())
    cv2.setNumThreads(threads)


def look(reader: DocumentReader, card: Picture, shot: Shot | None = None, today: date = TODAY) -> DocumentReading:
    return reader.read(cards.photograph(card, shot), today)[0]


# ---- finding, without a model


@pytest.mark.parametrize(
    "shot",
    [
        Shot(),
        Shot(lean=8, tilt=0.5),
        Shot(lean=-14, tilt=-0.4, fill=0.6, cluttered=True),
        Shot(turn=90, fill=0.5),
        Shot(turn=180, light=0.4, noise=4),
        Shot(fill=0.4, shift=(-0.2, 0.15), seed=3),
        Shot(blur=4),
    ],
    ids=["straight", "aside", "cluttered", "upright", "dark", "far", "blurred"],
)
@pytest.mark.parametrize("make", [cards.front, cards.passport], ids=["card", "page"])
def test_a_card_is_found_where_it_lies(make: Any, shot: Shot) -> None:
    card = make(face=portraits.portrait())
    found = find(cards.photograph(card, shot))
    assert found is not None
    assert found.cut == 0
    truth = cards.corners(card, shot)
    nearest = min(float(np.abs(np.roll(found.corners, turn, 0) - truth).max()) for turn in range(4))
    assert nearest < 0.012 * shot.size[0]
    across = upright_corners(found.corners)
    assert np.linalg.norm(across[1] - across[0]) > np.linalg.norm(across[2] - across[1])


@pytest.mark.parametrize("scene", ["touched", "shadowed", "on card", "crossed", "cluttered"])
def test_a_card_is_found_among_what_touches_it(scene: str) -> None:
    """By the best outline, or one that is tried next; how often in all is measured by tests/bench/finding.py."""
    hits = 0
    for seed, make in enumerate((cards.front, cards.back, cards.passport, cards.td1)):
        rng = np.random.default_rng([seed, 5])
        shot = Shot(fill=0.55, lean=float(rng.uniform(-10, 10)), tilt=float(rng.uniform(-0.4, 0.4)), seed=seed)
        picture, truth = desks.scene(scene, make(), shot, rng)
        near = [
            min(float(np.abs(np.roll(found.corners, turn, 0) - truth).max()) for turn in range(4)) < 0.012 * shot.size[0]
            for found in candidates(picture)
        ]
        assert len(near) <= MOST_TRIED
        hits += any(near)
    assert hits >= {"cluttered": 2, "touched": 3, "on card": 2}.get(scene, 4)


def test_lines_that_are_no_card_are_none() -> None:
    """Too few of them, or none."""
    few = np.full((900, 1200, 3), 60, np.uint8)
    cv2.line(few, (100, 300), (1000, 320), (220, 220, 220), 6)
    assert candidates(few) == []
    assert candidates(np.full((900, 1210, 3), 128, np.uint8)) == []


def test_a_card_on_a_sheet_is_read_where_the_sheet_is_no_document(reader: DocumentReader) -> None:
    """The sheet has the shape of a page and is larger, so that it is tried first."""
    below = np.full((1200, 1600, 3), (70, 60, 50), np.float32)
    cv2.fillPoly(below, [cv2.boxPoints(((800, 600), (1250, 884), 3)).astype(np.int32)], (150, 165, 190))
    shot = Shot(fill=0.46, lean=-5)
    picture = cards.finished(cards.laid(cards.front(face=portraits.portrait()), shot, below), shot)
    assert len(candidates(picture)) > 1
    reading, _ = reader.read(picture, TODAY)
    assert reading.type is DocumentType.CN_ID_FRONT
    assert reading.accepted, reading.reasons


@pytest.mark.parametrize("cluttered", [False, True])
def test_where_no_card_lies_none_is_found(cluttered: bool) -> None:
    for seed in range(1, 9):
        assert find(cards.table(1200, 900, seed=seed, cluttered=cluttered)) is None


def test_sharpness_falls_with_blur_and_glare_is_what_is_burnt_out() -> None:
    card = cards.front()
    grey = np.asarray(cv2.cvtColor(card, cv2.COLOR_RGB2GRAY), np.uint8)
    values = [clarity.sharpness(np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma), np.uint8)) for sigma in (0.3, 1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.6 > clarity.LEAST_SHARPNESS > values[-1]
    assert clarity.glare(card) == 0
    card[100:200, 100:300] = 255
    assert clarity.glare(card) == pytest.approx(100 * 200 / card.shape[0] / card.shape[1], rel=0.01)
    assert clarity.hidden(np.array([(-50, 0), (50, 0), (50, 100), (-50, 100)], np.float32), 200, 200) == pytest.approx(
        0.5, abs=0.02
    )


def test_a_card_of_which_a_corner_is_outside_is_cut_off() -> None:
    found = Found(np.array([(0, 0), (100, 0), (100, 60), (0, 60)], np.float32), 0, 1.0)
    clear = Clarity(width_px=900, sharpness=0.8, glare=0, brightness=0.6, hidden=0.001)
    assert clarity.reasons(clear, found) == ()
    assert clarity.reasons(replace(clear, hidden=0.01), found) == (ReasonCode.DOCUMENT_CUT_OFF,)
    assert clarity.reasons(clear, replace(found, cut=1)) == (ReasonCode.DOCUMENT_CUT_OFF,)
    assert clarity.reasons(clear, replace(found, cut=4)) == ()  # a scan


# ---- reading


def test_the_front_of_a_resident_identity_card(reader: DocumentReader) -> None:
    person = Person(
        name="欧阳小芳", sex="女", ethnicity="维吾尔", number=cards.resident_number("65010219851104246"), birth=(1985, 11, 4)
    )
    picture = cards.photograph(cards.front(person, face=portraits.portrait()), Shot(lean=6, tilt=0.4, cluttered=True))
    reading, portrait = reader.read(picture, TODAY)
    assert reading.accepted, reading.reasons
    assert reading.type is DocumentType.CN_ID_FRONT
    assert dict(reading.values) == {
        "name": "欧阳小芳",
        "sex": "F",
        "ethnicity": "维吾尔",
        "birth": "1985-11-04",
        "address": "".join(Person().address),
        "number": person.number,
    }
    assert {field.name for field in reading.fields if field.proven} == {"sex", "birth", "number"}
    assert reading.cautions == (ReasonCode.DOCUMENT_NAME_UNCONFIRMED,)
    assert reading.models == read.MODELS
    assert portrait.card is not None
    assert portrait.face is not None
    analyser = analysers.base()
    live = portraits.light(portraits.portrait(), 0.8)
    kept = analyser.embed(portrait.card, portrait.face)
    assert analyser.compare(kept, analyser.embed(live, analyser.one_face(live))).match


@pytest.mark.parametrize("turn", [90, 180])
def test_a_card_may_lie_any_way_round(reader: DocumentReader, turn: int) -> None:
    reading = look(reader, cards.front(face=portraits.portrait()), Shot(turn=turn, fill=0.5, lean=4))
    assert reading.accepted, reading.reasons
    truth = cards.corners(cards.front(), Shot(turn=turn, fill=0.5, lean=4))
    assert np.abs(np.array(reading.corners) - truth).max() < 12  # its own top left first


def test_the_back_and_its_validity(reader: DocumentReader) -> None:
    reading = look(reader, cards.back(), Shot(lean=-5))
    assert reading.accepted
    assert dict(reading.values) == {
        "issuer": "北京市公安局朝阳分局",
        "valid_from": "2016-05-09",
        "valid_until": "2036-05-09",
    }
    assert reading.expired is False
    over = look(reader, cards.back(begins="2006.05.09", ends="2016.05.09"))
    assert (over.type, over.expired, over.accepted) == (DocumentType.CN_ID_BACK, True, False)
    assert over.reasons == (ReasonCode.DOCUMENT_EXPIRED,)


@pytest.mark.parametrize(
    ("make", "zone", "type_"),
    [
        (cards.td1, zones.td1, DocumentType.TD1),
        (cards.td2, zones.td2, DocumentType.TD2),
        (cards.passport, zones.td3, DocumentType.PASSPORT),
    ],
)
def test_machine_readable_zones(reader: DocumentReader, make: Any, zone: Any, type_: DocumentType) -> None:
    face = portraits.portrait()
    reading = look(reader, make(zone(names="OBRIEN<<SOO<BO", number="B0S5I1Z28"), face=face), Shot(lean=5, tilt=0.3))
    assert reading.accepted, reading.reasons
    values = reading.values
    assert reading.type is type_
    assert (values["surname"], values["given_names"], values["number"]) == ("OBRIEN", "SOO BO", "B0S5I1Z28")
    assert (values["birth"], values["valid_until"], values["issuer"]) == ("1974-08-12", "2032-04-15", "UTO")
    assert {field.name for field in reading.fields if field.proven} == {"number", "birth", "valid_until"}
    assert {field.name for field in reading.fields if field.confirmed} == {"number", "birth", "valid_until"}
    assert reading.cautions == (ReasonCode.DOCUMENT_NAME_UNCONFIRMED,)  # another name is printed there, or none
    if type_ is DocumentType.TD1:
        over = look(reader, make(zone(expiry="190415")))
        assert over.reasons == (ReasonCode.DOCUMENT_EXPIRED,)
        assert over.expired


@pytest.mark.parametrize(("make", "zone"), [(cards.td2, zones.td2), (cards.passport, zones.td3)])
def test_names_that_are_printed_twice(reader: DocumentReader, make: Any, zone: Any) -> None:
    face = portraits.portrait()
    same = look(reader, make(zone(names="WOJCIK<<QUENTIN"), face=face, names=("WÓJCIK", "QUENTIN")), Shot(lean=4, tilt=0.2))
    assert same.accepted, same.reasons
    assert {"surname", "given_names"} <= {field.name for field in same.fields if field.confirmed}
    assert same.cautions == ()
    other = look(reader, make(zone(names="WOJCIK<<QUENTIN"), face=face, names=("WOJCIK", "OUENTIN")))
    assert other.reasons == (ReasonCode.DOCUMENT_UNREADABLE,)
    assert {field.name: field.confirmed for field in other.fields}["given_names"] is False
    assert other.cautions == (ReasonCode.DOCUMENT_NAME_UNCONFIRMED,)


def test_a_zone_whose_check_digit_is_wrong(reader: DocumentReader) -> None:
    first, second = zones.td3()
    reading = look(reader, cards.passport((first, second[:-1] + str((int(second[-1]) + 1) % 10)), face=portraits.portrait()))
    assert reading.reasons == (ReasonCode.DOCUMENT_CHECK_FAILED,)
    assert reading.fields == ()


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (Person(birth=(1990, 3, 8)), ReasonCode.DOCUMENT_CONTRADICTORY),
        (Person(number="110105199003071230"), ReasonCode.DOCUMENT_CHECK_FAILED),
        (Person(name=""), ReasonCode.DOCUMENT_UNREADABLE),
    ],
    ids=["birth", "number", "name"],
)
def test_a_front_that_contradicts_itself(reader: DocumentReader, person: Person, reason: ReasonCode) -> None:
    reading = look(reader, cards.front(person, face=portraits.portrait()))
    assert reading.type is DocumentType.CN_ID_FRONT
    assert reading.reasons == (reason,)


@pytest.mark.parametrize(
    ("shot", "reason"),
    [
        (Shot(shift=(0.25, 0)), ReasonCode.DOCUMENT_CUT_OFF),
        (Shot(fill=0.3), ReasonCode.DOCUMENT_TOO_SMALL),
        (Shot(light=0.2), ReasonCode.DOCUMENT_TOO_DARK),
        (Shot(blur=6), ReasonCode.DOCUMENT_BLURRED),
        (Shot(glare=0.16), ReasonCode.DOCUMENT_GLARE),
    ],
    ids=["cut", "small", "dark", "blurred", "glare"],
)
def test_a_picture_that_cannot_be_relied_on(reader: DocumentReader, shot: Shot, reason: ReasonCode) -> None:
    reading = look(reader, cards.front(face=portraits.portrait()), shot)
    assert not reading.accepted
    assert reading.reasons[0] is reason
    assert len(reading.corners) == 4


def test_what_is_no_document(reader: DocumentReader) -> None:
    unknown = look(reader, cards.bank_card())
    assert (unknown.type, unknown.reasons, unknown.fields) == (None, (ReasonCode.DOCUMENT_TYPE_UNKNOWN,), ())
    none, portrait = reader.read(cards.table(1200, 900), TODAY)
    assert (none.reasons, none.clarity, portrait.card) == ((ReasonCode.DOCUMENT_NOT_FOUND,), None, None)
    face, _ = reader.read(np.asarray(cv2.resize(portraits.portrait(), (900, 640)), np.uint8), TODAY)
    assert face.reasons == (ReasonCode.DOCUMENT_NOT_FOUND,)


def test_a_number_of_a_residence_permit_is_of_no_known_document(reader: DocumentReader) -> None:
    person = Person(number=cards.resident_number("81000019900307123"))
    unknown = look(reader, cards.front(person, face=portraits.portrait()))
    assert (unknown.type, unknown.reasons, unknown.fields) == (None, (ReasonCode.DOCUMENT_TYPE_UNKNOWN,), ())


def test_a_card_full_of_print_takes_no_longer_than_a_document(reader: DocumentReader) -> None:
    """Labels of the card on every line: each would be read again."""
    sheet = cards.printed("姓名性别民族出生住址公民身份号码" * 6, lines=26, height=1.4)
    took = []
    for card in (cards.back(), sheet):
        begun = time.process_time()
        reading = look(reader, card, Shot(size=(2560, 1920), fill=0.9))
        took.append(time.process_time() - begun)
    assert took[1] < 5 * took[0]  # 2.6 times; without a bound 13
    assert (reading.type, reading.reasons) == (None, (ReasonCode.DOCUMENT_TYPE_UNKNOWN,))
    assert look(reader, cards.back()).accepted  # what was spent is not held against the next


def test_a_front_without_a_portrait(reader: DocumentReader) -> None:
    assert look(reader, cards.front()).reasons == (ReasonCode.DOCUMENT_NO_PORTRAIT,)


@pytest.mark.parametrize("make", [cards.td2, cards.passport])
def test_a_photograph_laid_over_the_text_is_not_its_portrait(reader: DocumentReader, make: Any) -> None:
    face = portraits.portrait()
    card = make(face=face)
    assert look(reader, card).accepted
    height, width = card.shape[:2]
    stuck = np.asarray(cv2.resize(face[:, ::-1], (round(width * 0.36), round(height * 0.5))), np.uint8)
    at = round(height * 0.08), round(width * 0.56)
    card[at[0] : at[0] + stuck.shape[0], at[1] : at[1] + stuck.shape[1]] = stuck
    assert ReasonCode.DOCUMENT_PORTRAIT_UNCLEAR in look(reader, card).reasons


def test_a_zone_alone_has_no_portrait_to_compare_with(reader: DocumentReader) -> None:
    reading, portrait = reader.read(cards.photograph(cards.td1(face=portraits.portrait())), TODAY)
    assert (reading.accepted, reading.portrait, portrait.face) == (True, None, None)


def test_a_scan_is_a_card_and_nothing_else(reader: DocumentReader) -> None:
    reading, _ = reader.read(cards.back(), TODAY)
    assert reading.accepted, reading.reasons


def test_nothing_is_fetched_and_no_other_model_is_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*arguments: Any, **more: Any) -> None:
        raise AssertionError("it asked the network")

    with monkeypatch.context() as offline:
        offline.setattr(socket.socket, "connect", refuse)
        offline.setattr(socket, "getaddrinfo", refuse)
        Reader()
    with monkeypatch.context() as other:
        other.setattr(read, "DETECTOR", (read.DETECTOR[0], "0" * 64))
        with pytest.raises(HashMismatch):
            Reader()
    with monkeypatch.context() as gone:
        gone.setattr(read, "RECOGNISER", ("not_there.onnx", read.RECOGNISER[1]))
        with pytest.raises(NotInstalled):
            Reader()
        gone.setattr(read, "find_spec", lambda name: None)
        with pytest.raises(NotInstalled):
            Reader()


@pytest.mark.parametrize("size", [(16, 16), (40, 900), (900, 40), (100, 158), (480, 640)])
def test_any_picture_is_read_or_refused(reader: DocumentReader, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(size[0])
    lines = np.zeros((*size, 3), np.uint8)
    for _ in range(30):
        ends = rng.integers(0, size[::-1], (2, 2)).tolist()
        cv2.line(lines, ends[0], ends[1], rng.integers(0, 256, 3).tolist(), int(rng.integers(1, 5)))
    for picture in (lines, rng.integers(0, 256, (*size, 3), np.uint8), np.full((*size, 3), 255, np.uint8)):
        reading, portrait = reader.read(picture, TODAY)
        assert reading.reasons
        assert reading.fields == ()
        assert portrait.face is None

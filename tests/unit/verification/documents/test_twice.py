"""Names in a zone and printed for people: the same, nearly the same, or nowhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import zones
from verification.documents import mrz
from verification.documents.reading import DocumentField, DocumentReading, DocumentType
from verification.documents.twice import Twice, in_zone, look
from verification.reasons import ReasonCode

CAPITALS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=12)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("ERIKSSON", ["UTOPIA", "Eriksson", "ANNA MARIA"]),
        ("ANNA MARIA", ["ERIKSSON, ANNA MARIA"]),
        ("ANNA MARIA", ["Given names ANNAMARIA"]),
        ("ANNA MARIA", ["ANNA-MARIA"]),
        ("ZHANG", ["姓名 张小明", "ZHANG,XIAOMING"]),
        ("MUELLER", ["MÜLLER"]),
        ("MULLER", ["MÜLLER"]),
        ("STRAUSS", ["Strauß"]),
        ("SOERENSEN", ["SØRENSEN"]),
        ("SORENSEN", ["SØRENSEN"]),
        ("NUNEZ", ["NÚÑEZ"]),
        ("YILDIZ", ["YILDIZ"]),
        ("YILDIZ", ["Yıldız"]),
        ("OBRIEN", ["O'BRIEN"]),
    ],
)
def test_the_same_in_every_way_of_writing_it(name: str, lines: list[str]) -> None:
    assert look(name, lines) is Twice.SAME


@pytest.mark.parametrize(
    ("name", "lines", "found"),
    [
        ("QUENTIN", ["OUENTIN"], Twice.NEARLY),
        ("QUENTIN", ["OUENTIN", "QUENTIN"], Twice.SAME),
        ("WILLIAMSON", ["WLLIAMSON"], Twice.NEARLY),
        ("ERIKSSON", ["ERICSON"], Twice.NEARLY),
        ("ERIKSSON", ["ANNA MARIA", "UTOPIA", "12 AUG 1974"], Twice.NOWHERE),
        ("LI", ["LU"], Twice.NOWHERE),
        ("LI", ["LI MING"], Twice.SAME),
        ("X", ["X"], Twice.NOWHERE),
        ("", [""], Twice.NOWHERE),
        ("ERIKSSON", [], Twice.NOWHERE),
    ],
)
def test_nearly_and_nowhere(name: str, lines: list[str], found: Twice) -> None:
    assert look(name, lines) is found


def test_a_name_that_the_zone_had_no_room_for() -> None:
    assert look("PAPANDROPOULO", ["PAPANDROPOULOS"]) is Twice.NEARLY
    assert look("PAPANDROPOULO", ["PAPANDROPOULOSIDES"], cut=True) is Twice.SAME


@given(CAPITALS, CAPITALS, st.lists(st.text(max_size=40), max_size=6))
def test_what_stands_there_is_found_among_anything(name: str, other: str, lines: list[str]) -> None:
    assert look(name, [*lines, f"{other} {name}"]) is Twice.SAME


@given(st.text(max_size=40), st.lists(st.text(max_size=200), max_size=10))
def test_whatever_was_read_has_an_answer(name: str, lines: list[str]) -> None:
    assert look(name, lines) in Twice


def test_a_name_that_only_one_reading_has_is_a_caution() -> None:
    number = DocumentField("number", "D23145890", 0.9, proven=True)
    surname = DocumentField("surname", "ERIKSSON", 0.99)
    reading = DocumentReading(DocumentType.TD1, (number, surname), (), 640, 480)
    assert (number.confirmed, surname.confirmed) == (True, False)
    assert reading.accepted
    assert reading.cautions == (ReasonCode.DOCUMENT_NAME_UNCONFIRMED,)
    twice = DocumentReading(DocumentType.TD2, (number, DocumentField("surname", "ERIKSSON", 0.9, repeated=True)), (), 640, 480)
    assert twice.cautions == ()
    assert DocumentReading(DocumentType.TD1, (), (), 640, 480).cautions == ()


@pytest.mark.parametrize(
    ("names", "name", "printed", "found"),
    [
        ("LI<<ALEXANDER<BENJAMIN<RAFAELI", "surname", "LIANG", Twice.NOWHERE),
        ("LI<<ALEXANDER<BENJAMIN<RAFAELI", "given_names", "ALEXANDER BENJAMIN RAFAELITO", Twice.SAME),
        ("PAPADIMITRIOUGEORGOPOULOSIDESX", "surname", "PAPADIMITRIOUGEORGOPOULOSIDESXENIDES", Twice.SAME),
        ("LI<<ALEXANDER", "given_names", "ALEXANDERSEN", Twice.NOWHERE),
    ],
)
def test_only_the_last_name_of_a_full_zone_may_go_on(names: str, name: str, printed: str, found: Twice) -> None:
    parsed = mrz.parse(zones.td1(names=names))
    assert in_zone(parsed, getattr(parsed, name), [printed]) is found

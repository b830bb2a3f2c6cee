"""The face that counts on each kind of document, and those that must not."""

import numpy as np
import pytest

from verification.documents.portrait import choose
from verification.documents.reading import DocumentType
from verification.reasons import ReasonCode
from verification.types import Box, Face

WIDTH, HEIGHT = 1000, 630


def face(x: float, y: float, wide: float) -> Face:
    """Its middle in shares of the card, its width in pixels."""
    middle = x * WIDTH, y * HEIGHT
    box = Box(middle[0] - wide / 2, middle[1] - wide / 2, middle[0] + wide / 2, middle[1] + wide / 2)
    return Face(box, 1.0, np.zeros((5, 2), np.float32))


RIGHT, LEFT = face(0.8, 0.35, 180), face(0.17, 0.4, 200)


@pytest.mark.parametrize(
    ("kind", "own"), [(DocumentType.CN_ID_FRONT, RIGHT), (DocumentType.TD2, LEFT), (DocumentType.PASSPORT, LEFT)]
)
def test_the_face_in_its_place(kind: DocumentType, own: Face) -> None:
    other = LEFT if own is RIGHT else RIGHT
    assert choose(kind, [own], WIDTH, HEIGHT) == (own, ())
    assert choose(kind, [face(0.5, 0.5, 90), own], WIDTH, HEIGHT) == (own, ())  # a small second portrait
    assert choose(kind, [other, own], WIDTH, HEIGHT) == (own, (ReasonCode.DOCUMENT_PORTRAIT_UNCLEAR,))
    assert choose(kind, [other], WIDTH, HEIGHT) == (None, (ReasonCode.DOCUMENT_PORTRAIT_UNCLEAR,))
    assert choose(kind, [], WIDTH, HEIGHT) == (None, (ReasonCode.DOCUMENT_NO_PORTRAIT,))


def test_the_largest_of_those_in_its_place_and_no_other_of_its_size() -> None:
    near = face(0.72, 0.4, 120)
    assert choose(DocumentType.CN_ID_FRONT, [near, RIGHT], WIDTH, HEIGHT) == (RIGHT, (ReasonCode.DOCUMENT_PORTRAIT_UNCLEAR,))


@pytest.mark.parametrize("kind", [DocumentType.TD1, DocumentType.CN_ID_BACK])
def test_sides_without_a_portrait(kind: DocumentType) -> None:
    for faces in ([], [RIGHT], [LEFT, RIGHT]):
        assert choose(kind, faces, WIDTH, HEIGHT) == (None, ())

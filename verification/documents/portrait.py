"""Which of the faces on a card is its bearer's: the one where its kind has the portrait, and no other as large. Sans I/O.

Places after ICAO Doc 9303-3 and -4 (zone IV, left) and GA 448 (right). A photograph laid over the printed text is a face, too, and often the larger one; small
second portraits, as many cards have, are none that counts. Whether the portrait in its place is the one that was printed there, nothing here can tell.
"""

from collections.abc import Sequence

import numpy as np

from verification.documents.reading import HAS_PORTRAIT, DocumentType
from verification.reasons import ReasonCode
from verification.types import Face

PLACES: dict[DocumentType, tuple[float, float, float, float]] = {
    DocumentType.CN_ID_FRONT: (0.62, 0.0, 1.0, 0.8),
    DocumentType.TD2: (0.0, 0.0, 0.42, 0.85),
    DocumentType.PASSPORT: (0.0, 0.0, 0.42, 0.85),
}
"""Left, top, right, bottom, shares of the card: where the middle of the face must be. A TD1 has its zone on the back, and no portrait that counts."""
SECOND = 0.65
"""Of the portrait's width: a face from there on is not one of the small second ones."""


def choose(kind: DocumentType, faces: Sequence[Face], width: int, height: int) -> tuple[Face | None, tuple[ReasonCode, ...]]:
    """The portrait on a card laid flat, so wide and high; and what is wrong with that, whatever else is."""
    place = PLACES.get(kind)
    if place is None:
        return None, ()
    inside = [face for face in faces if _in(place, face, width, height)]
    if not inside:
        wrong = ReasonCode.DOCUMENT_PORTRAIT_UNCLEAR if faces else ReasonCode.DOCUMENT_NO_PORTRAIT
        return None, ((wrong,) if kind in HAS_PORTRAIT else ())
    portrait = max(inside, key=lambda face: face.box.area)
    others = [face for face in faces if face is not portrait]
    if any(_wide(other) >= SECOND * _wide(portrait) for other in others):
        return portrait, (ReasonCode.DOCUMENT_PORTRAIT_UNCLEAR,)
    return portrait, ()


def _wide(face: Face) -> float:
    return float(np.sqrt(face.box.area))


def _in(place: tuple[float, float, float, float], face: Face, width: int, height: int) -> bool:
    x0, y0, x1, y1 = (float(value) for value in face.box)
    x, y = (x0 + x1) / 2 / width, (y0 + y1) / 2 / height
    return place[0] <= x <= place[2] and place[1] <= y <= place[3]

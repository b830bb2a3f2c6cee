"""Answers of a verification worker as it may give them, for tests that make them worse."""

from verification.documents.reading import Clarity, DocumentField, DocumentReading, DocumentType
from verification.ports import Analysis, DocumentSeen, Examined, FaceSeen, PackInfo
from verification.reasons import ReasonCode
from verification.types import Ability, Comparison, Pad, Quality

QUALITY = Quality(60.0, 1.0, None, 0.0, 0.5, 0.5, 0.2, 0.0, 0.0, None, 0.3, (ReasonCode.BLURRED,), 0.7)
FACE = FaceSeen((1.0, 2.0, 30.0, 40.0), 0.9, ((1.0, 1.0),) * 5)
EXAMINED = Examined(640, 480, FACE, QUALITY)
SAME = Comparison(0.8, 0.4, True, 1e-3)
OTHER = Comparison(0.3, 0.4, False, 1e-3, (ReasonCode.NO_MATCH,))
PAD = Pad(0.9, (0.8, 1.0), ("a", "b"))
ANALYSIS = Analysis(
    640, 480, 1, FACE, 0.1, 1.0, 2.0, 3.0, 0.3, 0.1, PAD, 0.8, QUALITY, (1.0, 2.0, 3.0), None, bytes(64), b"template"
)  # fmt: skip
INFO = PackInfo(
    "base",
    "1",
    "ab" * 32,
    frozenset({Ability.NOD, Ability.BLINK}),
    True,
    False,
    False,
    ("cpu",),
    ((1e-3, 0.4),),
    1e-3,
    0.7,
    0.5,
    "cd" * 32,
    ("limits", "privileges", "calls"),
)
READING = DocumentReading(
    DocumentType.CN_ID_FRONT, (DocumentField("name", "张三", 0.9),), (), 1600, 1200, ((1.0, 1.0),) * 4, Clarity(900.0, 0.5, 0.0, 0.6, 0.0),
    False, (1.0, 2.0, 3.0, 4.0), "ab" * 32,
)  # fmt: skip
DOCUMENT = DocumentSeen(READING, EXAMINED, b"template")

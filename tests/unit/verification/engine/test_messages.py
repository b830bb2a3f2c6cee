"""What pool and worker believe of each other."""

from dataclasses import replace
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.engine_samples import ANALYSIS, DOCUMENT, EXAMINED, FACE, INFO, OTHER, PAD, QUALITY, READING, SAME
from verification.documents.reading import Clarity, DocumentField
from verification.engine import messages
from verification.engine.messages import (
    Analyse,
    AnalysisIs,
    At,
    Clip,
    Compare,
    ComparedIs,
    DocumentIs,
    Embed,
    EmbeddedIs,
    Examine,
    ExaminedIs,
    Leave,
    Liveness,
    LivenessIs,
    MakeStill,
    Match,
    MatchedIs,
    Open,
    PadIs,
    PadPictures,
    Ping,
    Pong,
    ReadDocument,
    Ready,
    Refused,
    StillIs,
    check_answer,
    decode_for_worker,
    decode_from_worker,
    encode,
)
from verification.errors import BadMessage
from verification.ports import Analysis, Compared, Embedded, FrameStill, LivenessMaterial, Matched, PadAnswer, Still

STILL = Still(b"\xff\xd8\xff small \xff\xd9", 20, 16)
REQUESTS: list[Any] = [
    Examine(1, (10,)),
    Embed(2, (10,)),
    Compare(3, (10, 20), 1e-4),
    Match(4, (10,), b"template", None),
    PadPictures(5, (1, 2, 3)),
    Liveness(6, (1, 2)),
    Analyse(7, (3 * 16 * 20,), 20, 16, b"reference", True, False),
    Clip(8, (100,), 2),
    ReadDocument(9, (100,), date(2026, 11, 22)),
    ReadDocument(10, (3 * 16 * 20,), date(2026, 11, 22), True, 20, 16, (b"one", b"other")),
    MakeStill(11, (3 * 16 * 20,), 20, 16),
    Clip(12, (100,), 2, b"template", 1e-4, 1),
]
ANSWERS: list[Any] = [
    ExaminedIs(1, EXAMINED),
    EmbeddedIs(2, Embedded(b"template", EXAMINED)),
    ComparedIs(3, Compared(SAME, EXAMINED, EXAMINED)),
    MatchedIs(4, Matched(OTHER, EXAMINED)),
    PadIs(5, PadAnswer(PAD, (PAD, None, PAD), (EXAMINED,) * 3, ())),
    LivenessIs(6, LivenessMaterial((ANALYSIS, Analysis(640, 480, 0)), PAD, ())),
    AnalysisIs(7, replace(ANALYSIS, width=20, height=16)),
    LivenessIs(8, LivenessMaterial((ANALYSIS,), PAD, (), (0.5,))),
    DocumentIs(9, DOCUMENT),
    DocumentIs(10, replace(DOCUMENT, reading=replace(DOCUMENT.reading, width=20, height=16), alike=(0.5, 0.25))),
    StillIs(11, STILL),
    LivenessIs(12, LivenessMaterial((ANALYSIS, Analysis(64, 48, 0)), PAD, (), (0, 1), (SAME, None), (FrameStill(1, STILL),))),
]


@pytest.mark.parametrize("message", [Open("base", "/models", 1, ("cpu",), 1 << 29), Ping(9), Leave(8), *REQUESTS])
def test_to_the_worker_and_understood(message: messages.Message) -> None:
    assert decode_for_worker(encode(message)) == message


@pytest.mark.parametrize("message", [Ready(INFO), Pong(9), At(8), Refused(3, "image", "image_broken", "a detail", 1), *ANSWERS])
def test_from_the_worker_and_understood(message: messages.Message) -> None:
    assert decode_from_worker(encode(message)) == message


@pytest.mark.parametrize("number", range(len(REQUESTS)))
def test_each_request_has_its_own_answer(number: int) -> None:
    request = REQUESTS[number]
    check_answer(request, ANSWERS[number])
    check_answer(request, Refused(request.request, "work", "failed", "why"))
    for other in ANSWERS[:number] + ANSWERS[number + 1 :]:
        with pytest.raises(BadMessage):
            check_answer(request, msgspec.structs.replace(other, request=request.request))
    for wrong in (
        msgspec.structs.replace(ANSWERS[number], request=99),
        Pong(request.request),
        At(request.request),
        Ready(INFO),
    ):
        with pytest.raises(BadMessage):
            check_answer(request, wrong)


@pytest.mark.parametrize(
    "answer",
    [
        Refused(3, "start", "why", ""),
        Refused(4, "image", "why", ""),
        Refused(3, "image", "why", "", 2),
        Refused(3, "image", "why", "", -1),
    ],
)
def test_a_refusal_of_something_else(answer: Refused) -> None:
    with pytest.raises(BadMessage):
        check_answer(Compare(3, (1, 1)), answer)


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (PadPictures(5, (1, 2)), ANSWERS[4]),
        (Liveness(6, (1, 2, 3)), ANSWERS[5]),
        (Analyse(7, (3 * 16 * 20,), 16, 20), ANSWERS[6]),
        (ReadDocument(9, (100,), references=(b"one",)), DocumentIs(9, DOCUMENT)),
        (ReadDocument(9, (100,)), DocumentIs(9, replace(DOCUMENT, alike=(0.5,)))),
        (ReadDocument(10, (3 * 16 * 20,), width=16, height=20), DocumentIs(10, DOCUMENT)),
        (Clip(6, (1,), 2), ANSWERS[5]),
        (Clip(8, (1,), 2), LivenessIs(8, LivenessMaterial((), None, (), ()))),
        (Clip(8, (1,), 2, b"one"), LivenessIs(8, LivenessMaterial((ANALYSIS,), PAD, (), (0.5,)))),
        (Clip(8, (1,), 2, b"one"), LivenessIs(8, LivenessMaterial((ANALYSIS,), PAD, (), (0.5,), (None,)))),
        (Clip(8, (1,), 2), LivenessIs(8, LivenessMaterial((ANALYSIS,), PAD, (), (0.5,), (SAME,)))),
        (Clip(8, (1,), 2, stills=1), LivenessIs(8, LivenessMaterial((ANALYSIS,), PAD, (), (0.5,)))),
        (
            Clip(8, (1,), 2, stills=1),
            LivenessIs(8, LivenessMaterial((ANALYSIS,), PAD, (), (0.5,), (), (FrameStill(1, STILL),))),
        ),
        (Clip(8, (1,), 2), LivenessIs(8, LivenessMaterial((ANALYSIS,), PAD, (), (0.5,), (), (FrameStill(0, STILL),)))),
        (Liveness(8, (1,)), LivenessIs(8, LivenessMaterial((ANALYSIS,), PAD, (), (), (SAME,)))),
        (Clip(8, (1,), 2), LivenessIs(8, LivenessMaterial((ANALYSIS,) * 3, None, (), (0.0, 1.0, 2.0)))),
    ],
)
def test_an_answer_of_another_length(request_: messages.AnyRequest, answer: messages.AnyAnswer) -> None:
    with pytest.raises(BadMessage):
        check_answer(request_, answer)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    "answer",
    [
        ComparedIs(3, Compared(replace(SAME, match=False), EXAMINED, EXAMINED)),
        ComparedIs(3, Compared(replace(OTHER, match=True), EXAMINED, EXAMINED)),
        ComparedIs(3, Compared(replace(SAME, comparison_score=INF), EXAMINED, EXAMINED)),
        ComparedIs(3, Compared(replace(SAME, threshold=-INF), EXAMINED, EXAMINED)),
        ComparedIs(3, Compared(replace(SAME, comparison_score=NAN, match=False), EXAMINED, EXAMINED)),
        ComparedIs(3, Compared(replace(SAME, fmr=0.0), EXAMINED, EXAMINED)),
        MatchedIs(4, Matched(replace(SAME, fmr=1.0), EXAMINED)),
        MatchedIs(4, Matched(SAME, replace(EXAMINED, width=0))),
        EmbeddedIs(2, Embedded(b"", EXAMINED)),
        EmbeddedIs(2, Embedded(bytes(30_000), EXAMINED)),
        ExaminedIs(1, replace(EXAMINED, quality=replace(QUALITY, score=1.5))),
        ExaminedIs(1, replace(EXAMINED, quality=replace(QUALITY, yaw=NAN))),
        ExaminedIs(1, replace(EXAMINED, face=replace(FACE, points=((1.0, 1.0),) * 4))),
        ExaminedIs(1, replace(EXAMINED, face=replace(FACE, box=(NAN, 0.0, 1.0, 1.0)))),
        PadIs(5, PadAnswer(replace(PAD, score=1.01), (PAD,), (EXAMINED,), ())),
        PadIs(5, PadAnswer(PAD, (replace(PAD, each=(NAN,)),), (EXAMINED,), ())),
        AnalysisIs(7, replace(ANALYSIS, pad=replace(PAD, score=-0.1))),
        AnalysisIs(7, replace(ANALYSIS, identity=NAN)),
        AnalysisIs(7, replace(ANALYSIS, faces=-1)),
        AnalysisIs(7, replace(ANALYSIS, thumbnail=bytes(63))),
        AnalysisIs(7, replace(ANALYSIS, face_colour=(NAN, 1.0, 1.0))),
        LivenessIs(6, LivenessMaterial((replace(ANALYSIS, yaw=INF),), None, ())),
        LivenessIs(8, LivenessMaterial((ANALYSIS,), None, (), (NAN,))),
        LivenessIs(8, LivenessMaterial((ANALYSIS,), None, (), (0.5,), (replace(SAME, comparison_score=NAN),))),
        LivenessIs(
            8, LivenessMaterial((ANALYSIS,), None, (), (0.5,), (), (FrameStill(0, replace(STILL, jpeg=b"no picture")),))
        ),
        LivenessIs(
            8,
            LivenessMaterial(
                (ANALYSIS,),
                None,
                (),
                (0.5,),
                (),
                (FrameStill(0, replace(STILL, jpeg=b"\xff\xd8\xff" + bytes(24 << 10) + b"\xff\xd9")),),
            ),
        ),
        DocumentIs(9, replace(DOCUMENT, template=b"")),
        DocumentIs(9, replace(DOCUMENT, portrait=None)),
        DocumentIs(9, replace(DOCUMENT, reading=replace(READING, type=None))),
        DocumentIs(9, replace(DOCUMENT, reading=replace(READING, type=None, fields=()))),
        DocumentIs(9, replace(DOCUMENT, reading=replace(READING, fields=READING.fields * 65))),
        DocumentIs(9, replace(DOCUMENT, reading=replace(READING, fields=(DocumentField("name", "x", 1.1),)))),
        DocumentIs(9, replace(DOCUMENT, reading=replace(READING, portrait=(NAN, 1.0, 1.0, 1.0)))),
        DocumentIs(9, replace(DOCUMENT, reading=replace(READING, clarity=Clarity(NAN, 1.0, 1.0, 1.0, 1.0)))),
        StillIs(11, replace(STILL, width=0)),
        StillIs(11, replace(STILL, height=961)),
        StillIs(11, replace(STILL, jpeg=b"\xff\xd8\xff")),
        StillIs(11, replace(STILL, jpeg=b"<svg>\xff\xd9")),
        StillIs(11, replace(STILL, jpeg=b"\xff\xd8\xff" + bytes(96 << 10) + b"\xff\xd9")),
    ],
)
def test_answers_that_cannot_be(answer: messages.AnyAnswer) -> None:
    with pytest.raises(BadMessage):
        decode_from_worker(encode(answer))


@pytest.mark.parametrize(
    "request_",
    [
        Examine(1, ()),
        Examine(1, (1, 2)),
        Compare(1, (1,)),
        PadPictures(1, (1,) * 33),
        Liveness(1, ()),
        Match(1, (1,), bytes(30_000)),
        Clip(1, (1,), 0),
        Clip(1, (1,), 33),
        Clip(1, (1,), 2, bytes(30_000)),
        Clip(1, (1,), 2, stills=5),
        Analyse(1, (100,), 20, 16),
        Analyse(1, (3 * 15 * 20,), 20, 15),
        Analyse(1, (3 * 9000 * 16,), 9000, 16),
        Analyse(1, (3 * 8000 * 8000,), 8000, 8000),
        Analyse(1, (3 * 16 * 20,), 20, 16, bytes(30_000)),
        Analyse(1, (3 * 16 * 20,), -20, -16),
        ReadDocument(1, (100,), width=20, height=16),
        ReadDocument(1, (3 * 16 * 20,), width=0, height=16),
        ReadDocument(1, (100,), references=(bytes(30_000),)),
        ReadDocument(1, (100,), references=(b"one",) * 5),
    ],
)
def test_requests_that_cannot_be(request_: messages.Message) -> None:
    with pytest.raises(BadMessage):
        decode_for_worker(encode(request_))


def test_a_message_is_one_datagram() -> None:
    with pytest.raises(BadMessage):
        encode(Refused(0, "start", "code", "x" * 200_000))
    with pytest.raises(BadMessage):
        decode_from_worker(bytes(200_000))
    with pytest.raises(BadMessage):
        decode_for_worker(bytes(200_000))


def test_each_side_reads_only_the_other() -> None:
    with pytest.raises(BadMessage):
        decode_for_worker(encode(Pong(1)))
    with pytest.raises(BadMessage):
        decode_from_worker(encode(Ping(1)))


@given(st.binary(max_size=300))
def test_no_bytes_do_harm(data: bytes) -> None:
    for decode in (decode_for_worker, decode_from_worker):
        try:
            decode(data)
        except BadMessage:
            pass


@given(st.integers(0, len(ANSWERS) - 1), st.integers(0, 400), st.integers(0, 255))
def test_no_spoilt_answer_does_harm(which: int, at: int, value: int) -> None:
    data = bytearray(encode(ANSWERS[which]))
    data[at % len(data)] = value
    try:
        answer = decode_from_worker(bytes(data))
    except BadMessage:
        return
    if isinstance(answer, ComparedIs | MatchedIs):
        found = answer.result.comparison
        assert found.match == (found.comparison_score >= found.threshold)

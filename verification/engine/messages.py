"""What the pool and a worker say to each other: one datagram of msgpack each, a tagged union of the structs below. Sans I/O.

The pool says ``Open`` once and first; the worker answers ``Ready``, or ``Refused`` and ends. Then one request at a time, each answered by
the struct that its docstring names or by ``Refused``; before that the worker may say ``At``, the pool ``Leave``. Pictures do not travel in messages: a request that has any comes with a
descriptor of sealed memory (``frames.py``), ``sizes`` says where each part of it ends. What cannot be read is a ``BadMessage``, and the side
that sees it believes no other word.
"""

import math
from collections.abc import Iterable
from datetime import date
from typing import Literal

import msgspec

from verification.errors import BadMessage
from verification.ports import (
    Analysis,
    Compared,
    DocumentSeen,
    Embedded,
    Examined,
    FaceSeen,
    LivenessMaterial,
    Matched,
    PackInfo,
    PadAnswer,
    Still,
)
from verification.types import Comparison, Pad, Quality

MAX_MESSAGE_BYTES = 128 * 1024
MAX_PICTURES = 32
MAX_TEMPLATE_BYTES = 20_000
MAX_PIXELS = 3840 * 2160
MIN_SIDE, MAX_SIDE = 16, 8192
MAX_FIELDS = 64
STILL_WIDTH, STILL_HEIGHT = 640, 960
STILL_BYTES = 96 * 1024
"""It fits into one message."""
CLIP_STILLS, CLIP_STILL_BYTES = 4, 24 * 1024
"""Of a clip: all of them fit into one message, with what was seen in its frames."""
MAX_REFERENCES = 4


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """Base of all messages; the tag is the class name."""


# ---- to the worker


class Open(Message, frozen=True):
    """Load this pack: ``Ready``. ``memory_bytes``: address space beyond what it takes when loaded. ``documents``: the reader of documents, too."""

    pack: str
    models_dir: str
    threads: int
    providers: tuple[str, ...]
    memory_bytes: int
    documents: bool = False


class Ping(Message, frozen=True):
    """``Pong``."""

    request: int


class Request(Message, frozen=True):
    """Base. ``sizes``: bytes of each part of the memory that comes with it."""

    request: int
    sizes: tuple[int, ...]


class Examine(Request, frozen=True):
    """One picture: ``ExaminedIs``."""


class Embed(Request, frozen=True):
    """One picture: ``EmbeddedIs``."""


class Compare(Request, frozen=True):
    """Two pictures: ``ComparedIs``."""

    fmr: float | None = None


class Match(Request, frozen=True):
    """One picture: ``MatchedIs``."""

    template: bytes = b""
    fmr: float | None = None


class PadPictures(Request, frozen=True):
    """Pictures: ``PadIs``."""


class Liveness(Request, frozen=True):
    """Pictures: ``LivenessIs``. Those of one person may be asked for one after the other: ``template``: with one of the first face, as ``reference`` of what
    follows. ``earlier``: passive detection of those before, for the mean of all."""

    reference: bytes = b""
    template: bool = False
    earlier: tuple[Pad | None, ...] = ()


class Clip(Request, frozen=True):
    """A clip: ``LivenessIs`` of at most so many of its frames. ``template``: what each is compared with, at ``fmr``. ``stills``: that are wanted of them."""

    frames: int = 16
    template: bytes = b""
    fmr: float | None = None
    stills: int = 0


class ReadDocument(Request, frozen=True):
    """One picture: ``DocumentIs``. ``portrait``: with a template of it. ``width``, ``height``: of pixels in place of a file; 0: it is a file.
    ``references``: templates that the portrait is compared with."""

    today: date = date.min
    portrait: bool = True
    width: int = 0
    height: int = 0
    references: tuple[bytes, ...] = ()


class Analyse(Request, frozen=True):
    """Pixels: ``AnalysisIs``."""

    width: int = 0
    height: int = 0
    reference: bytes = b""
    template: bool = False
    pad: bool = True


class MakeStill(Request, frozen=True):
    """One picture: ``StillIs``. ``width``, ``height``: of pixels in place of a file; 0: it is a file."""

    width: int = 0
    height: int = 0


class Leave(Message, frozen=True):
    """Nobody waits for this request any more. Not answered; whoever is at it ends it with ``Refused`` at its next picture, or answers after all."""

    request: int


AnyRequest = Examine | Embed | Compare | Match | PadPictures | Liveness | Clip | ReadDocument | Analyse | MakeStill

# ---- from the worker


class Ready(Message, frozen=True):
    """It has loaded everything and holds nothing else any more."""

    info: PackInfo


class Pong(Message, frozen=True):
    request: int


class At(Message, frozen=True):
    """It is at the next picture of this request."""

    request: int


RefusedWhat = Literal["start", "image", "face", "template", "operating_point", "work"]


class Refused(Message, frozen=True):
    """``what``: of which kind; ``work``: something in the worker failed. ``picture``: which of several, from 0. ``request`` 0: it cannot start."""

    request: int
    what: RefusedWhat
    code: str
    detail: str
    picture: int = 0


class ExaminedIs(Message, frozen=True):
    request: int
    result: Examined


class EmbeddedIs(Message, frozen=True):
    request: int
    result: Embedded


class ComparedIs(Message, frozen=True):
    request: int
    result: Compared


class MatchedIs(Message, frozen=True):
    request: int
    result: Matched


class PadIs(Message, frozen=True):
    request: int
    result: PadAnswer


class LivenessIs(Message, frozen=True):
    request: int
    result: LivenessMaterial


class DocumentIs(Message, frozen=True):
    request: int
    result: DocumentSeen


class AnalysisIs(Message, frozen=True):
    request: int
    result: Analysis


class StillIs(Message, frozen=True):
    request: int
    result: Still


AnyAnswer = ExaminedIs | EmbeddedIs | ComparedIs | MatchedIs | PadIs | LivenessIs | DocumentIs | AnalysisIs | StillIs
FromWorker = Ready | Pong | At | Refused | AnyAnswer

ANSWERS: dict[type[AnyRequest], type[AnyAnswer]] = {
    Examine: ExaminedIs,
    Embed: EmbeddedIs,
    Compare: ComparedIs,
    Match: MatchedIs,
    PadPictures: PadIs,
    Liveness: LivenessIs,
    Clip: LivenessIs,
    ReadDocument: DocumentIs,
    Analyse: AnalysisIs,
    MakeStill: StillIs,
}
PICTURES: dict[type[AnyRequest], tuple[int, int]] = {
    Examine: (1, 1),
    Embed: (1, 1),
    Compare: (2, 2),
    Match: (1, 1),
    PadPictures: (1, MAX_PICTURES),
    Liveness: (1, MAX_PICTURES),
    Clip: (1, 1),
    ReadDocument: (1, 1),
    Analyse: (1, 1),
    MakeStill: (1, 1),
}
"""Fewest and most parts of each request."""

STEPS: dict[type[AnyRequest], str] = {
    Examine: "quality",
    Embed: "embed",
    Compare: "compare",
    Match: "match",
    PadPictures: "pad",
    Liveness: "liveness",
    Clip: "clip",
    ReadDocument: "document",
    Analyse: "analyse",
    MakeStill: "still",
}
"""What each request is called where its work is counted: as the port calls it."""

_encoder = msgspec.msgpack.Encoder()
_to_worker = msgspec.msgpack.Decoder(Open | Ping | Leave | AnyRequest)
_from_worker = msgspec.msgpack.Decoder(FromWorker)


def encode(message: Message) -> bytes:
    """Raises BadMessage: it is too long for one datagram."""
    data = _encoder.encode(message)
    if len(data) > MAX_MESSAGE_BYTES:
        raise BadMessage(f"a message of {len(data)} bytes")
    return data


def decode_for_worker(data: bytes) -> Open | Ping | Leave | AnyRequest:
    """Raises BadMessage."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise BadMessage("a message too long")
    try:
        message: Open | Ping | Leave | AnyRequest = _to_worker.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage("a message that is none") from error
    if isinstance(message, Request):
        check_request(message)
    return message


def check_request(message: Request) -> None:
    """Sizes, counts and limits that hold on both sides. Raises BadMessage."""
    kind = type(message)
    assert kind in PICTURES
    fewest, most = PICTURES[kind]
    if not fewest <= len(message.sizes) <= most:
        raise BadMessage(f"{len(message.sizes)} pictures in a {kind.__name__}")
    if isinstance(message, Analyse) or (isinstance(message, ReadDocument | MakeStill) and (message.width or message.height)):
        sides_fit = MIN_SIDE <= message.width <= MAX_SIDE and MIN_SIDE <= message.height <= MAX_SIDE
        if not sides_fit or message.width * message.height > MAX_PIXELS:
            raise BadMessage(f"a frame of {message.width} × {message.height}")
        if message.sizes[0] != 3 * message.width * message.height:
            raise BadMessage("a frame whose pixels are not as many as it says")
    if isinstance(message, Clip) and not 1 <= message.frames <= MAX_PICTURES:
        raise BadMessage(f"{message.frames} frames of a clip")
    if isinstance(message, Clip) and not 0 <= message.stills <= CLIP_STILLS:
        raise BadMessage(f"{message.stills} stills of a clip")
    if isinstance(message, Liveness) and len(message.earlier) + len(message.sizes) > MAX_PICTURES:
        raise BadMessage(f"{len(message.earlier)} pictures before {len(message.sizes)}")
    templates = _templates(message)
    if any(len(template) > MAX_TEMPLATE_BYTES for template in templates):
        raise BadMessage("a template too long")
    if len(templates) > MAX_REFERENCES:
        raise BadMessage(f"{len(templates)} templates")


def _templates(message: Request) -> tuple[bytes, ...]:
    match message:
        case Match() | Clip():
            return (message.template,)
        case Analyse() | Liveness():
            return (message.reference,)
        case ReadDocument():
            return message.references
        case _:
            return ()


def decode_from_worker(data: bytes) -> FromWorker:
    """Raises BadMessage: also for numbers that no picture gives, and for a match that its own score denies."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise BadMessage("a message too long")
    try:
        message: FromWorker = _from_worker.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage("a message that is none") from error
    if isinstance(message, AnyAnswer):
        _check_result(message.result)
    return message


def check_answer(request: AnyRequest, answer: FromWorker) -> None:
    """That it answers this request. Raises BadMessage."""
    if isinstance(answer, Refused):
        fits = answer.request == request.request and answer.what != "start" and 0 <= answer.picture < len(request.sizes)
    elif isinstance(answer, AnyAnswer):
        fits = answer.request == request.request and type(answer) is ANSWERS[type(request)]
    else:
        fits = False
    result = answer.result if fits and isinstance(answer, AnyAnswer) else None
    if isinstance(result, PadAnswer):
        fits = len(result.pictures) == len(result.examined) == len(request.sizes)
    elif isinstance(result, LivenessMaterial):
        if isinstance(request, Clip):
            fits = 1 <= len(result.frames) == len(result.times) <= request.frames and _fits_clip(request, result)
        else:
            fits = len(result.frames) == len(request.sizes) and not (result.times or result.compared or result.stills)
    elif isinstance(result, Analysis) and isinstance(request, Analyse):
        fits = (result.width, result.height) == (request.width, request.height)
    elif isinstance(result, DocumentSeen) and isinstance(request, ReadDocument):
        fits = len(result.alike) == (len(request.references) if result.template else 0)
        if request.width:
            fits = fits and (result.reading.width, result.reading.height) == (request.width, request.height)
    if not fits:
        raise BadMessage("an answer to something else")


def _fits_clip(request: Clip, result: LivenessMaterial) -> bool:
    """As many comparisons and stills as were asked for, each of a frame that can have one."""
    if request.template:
        compared = [one is not None for one in result.compared] == [frame.faces == 1 for frame in result.frames]
    else:
        compared = not result.compared
    places = [one.frame for one in result.stills]
    in_order = places == sorted({place for place in places if 0 <= place < len(result.frames)})
    return compared and in_order and len(places) == min(request.stills, len(result.frames))


# ---- what an answer may say


def _check_result(
    result: Examined | Embedded | Compared | Matched | PadAnswer | LivenessMaterial | DocumentSeen | Analysis | Still,
) -> None:
    match result:
        case Still():
            _check_still(result, STILL_BYTES)
        case Examined():
            _check_examined(result)
        case Embedded():
            _check_examined(result.examined)
            _need(0 < len(result.template) <= MAX_TEMPLATE_BYTES)
        case Compared():
            _check_comparison(result.comparison)
            _check_examined(result.a)
            _check_examined(result.b)
        case Matched():
            _check_comparison(result.comparison)
            _check_examined(result.examined)
        case PadAnswer():
            for each in (result.pad, *result.pictures):
                _check_pad(each)
            for examined in result.examined:
                _check_examined(examined)
        case LivenessMaterial():
            _check_pad(result.pad)
            _numbers(result.times)
            for frame in result.frames:
                _check_analysis(frame)
            for comparison in result.compared:
                if comparison is not None:
                    _check_comparison(comparison)
            for one in result.stills:
                _check_still(one.still, CLIP_STILL_BYTES)
        case DocumentSeen():
            _check_document(result)
        case Analysis():
            _check_analysis(result)


def _need(condition: bool) -> None:
    if not condition:
        raise BadMessage("an answer that cannot be")


def _check_still(still: Still, most: int) -> None:
    _need(0 < still.width <= STILL_WIDTH and 0 < still.height <= STILL_HEIGHT)
    _need(len(still.jpeg) <= most and still.jpeg[:3] == b"\xff\xd8\xff" and still.jpeg[-2:] == b"\xff\xd9")


def _numbers(values: Iterable[float | None]) -> None:
    _need(all(value is None or math.isfinite(value) for value in values))


def _check_face(face: FaceSeen) -> None:
    _numbers((*face.box, face.score, *(number for point in face.points for number in point)))
    _need(len(face.points) == 5)


def _check_quality(quality: Quality) -> None:
    measures = (quality.size_px, quality.yaw, quality.pitch, quality.roll, quality.occlusion, quality.eyes_open)
    _numbers((*measures, quality.sharpness, quality.brightness, quality.contrast, quality.over_exposed, quality.under_exposed))
    _need(0 <= quality.score <= 1)


def _check_examined(examined: Examined) -> None:
    _need(0 < examined.width <= MAX_SIDE and 0 < examined.height <= MAX_SIDE)
    _check_face(examined.face)
    _check_quality(examined.quality)


def _check_comparison(comparison: Comparison) -> None:
    _numbers((comparison.comparison_score, comparison.threshold))
    _need(0 < comparison.fmr < 1)
    _need(comparison.match == (comparison.comparison_score >= comparison.threshold))


def _check_pad(pad: Pad | None) -> None:
    if pad is not None:
        _need(0 <= pad.score <= 1 and all(0 <= score <= 1 for score in pad.each))


def _check_document(seen: DocumentSeen) -> None:
    reading = seen.reading
    _need(0 < reading.width <= MAX_SIDE and 0 < reading.height <= MAX_SIDE)
    _numbers((*(reading.portrait or ()), *(number for corner in reading.corners for number in corner)))
    _need(all(0 <= field.confidence <= 1 for field in reading.fields) and len(reading.fields) <= MAX_FIELDS)
    _need(reading.type is not None or (not reading.fields and bool(reading.reasons)))
    if reading.clarity is not None:
        clear = reading.clarity
        _numbers((clear.width_px, clear.sharpness, clear.glare, clear.brightness, clear.hidden))
    if seen.portrait is not None:
        _check_examined(seen.portrait)
    _numbers(seen.alike)
    _need((seen.portrait is None) == (not seen.template) and len(seen.template) <= MAX_TEMPLATE_BYTES)


def _check_analysis(analysis: Analysis) -> None:
    _need(analysis.faces >= 0 and len(analysis.thumbnail) in (0, 64) and len(analysis.template) <= MAX_TEMPLATE_BYTES)
    numbers = (analysis.scale, analysis.yaw, analysis.pitch, analysis.roll, analysis.eyes, analysis.mouth, analysis.identity)
    _numbers((*numbers, *(analysis.face_colour or ()), *(analysis.background_colour or ())))
    _check_pad(analysis.pad)
    if analysis.face is not None:
        _check_face(analysis.face)
    if analysis.quality is not None:
        _check_quality(analysis.quality)

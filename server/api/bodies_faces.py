"""What goes in and out of face checks. A picture is the file as it came: a part of ``multipart/form-data``, or base64 in JSON.

ISO/IEC 2382-37 words: a *reference* is what a *probe* is compared with; ``comparison_score`` is the higher the more alike, ``threshold`` is that of
the operating point ``fmr`` (false match rate). ISO/IEC 30107-3: bona fide and attack presentations.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

from server.api.bodies import Answer, Problem, Request
from server.domain.ids import TemplateId
from server.domain.model import Language

MAX_PAIRS = 16
MAX_IMAGES = 16

TemplateRef = Annotated[str, msgspec.Meta(max_length=40, description="The id of a template; empty: `reference` is given.")]
Fmr = Annotated[float, msgspec.Meta(gt=0, lt=1, description="An operating point of the pack; without it the configured one.")]
Subject = Annotated[
    str,
    msgspec.Meta(
        pattern="^[A-Za-z0-9._:-]{1,120}$",
        description="Your pseudonym of the person, which says nothing of who it is to anybody else. One template each.",
    ),
]
KeepPicture = Annotated[
    bool,
    msgspec.Meta(
        description="The consent is also to keeping a small copy of this picture, sealed with the template, for people of the bank who review what was compared with it."
    ),
]
ConsentRef = Annotated[
    str,
    msgspec.Meta(
        pattern="^[A-Za-z0-9._:/-]{1,120}$",
        description="Where you keep this person's separate consent to have their face kept.",
    ),
]


class CompareFaces(Request, frozen=True, kw_only=True):
    """One to one: ``reference`` or ``template``, and ``probe``."""

    probe: bytes
    reference: bytes = b""
    template: TemplateRef = ""
    fmr: Fmr | None = None


class CompareBatch(Request, frozen=True, kw_only=True):
    """Pairs, one to one each: the first ``reference`` with the first ``probe``, and so on."""

    reference: Annotated[list[bytes], msgspec.Meta(min_length=1, max_length=MAX_PAIRS)]
    probe: Annotated[list[bytes], msgspec.Meta(min_length=1, max_length=MAX_PAIRS)]
    fmr: Fmr | None = None


class ExamineFace(Request, frozen=True, kw_only=True):
    image: bytes


class CheckLiveness(Request, frozen=True, kw_only=True):
    """``image``: pictures of one person, in their order, at least ten different ones for a yes; or ``clip``: WebM or MP4, 30 seconds at most."""

    image: Annotated[list[bytes], msgspec.Meta(max_length=MAX_IMAGES)] = msgspec.field(default_factory=list)
    clip: bytes = b""


class EnrolTemplate(Request, frozen=True, kw_only=True):
    image: bytes
    subject: Subject
    consent: ConsentRef
    keep_picture: KeepPicture = False


class ReplaceTemplate(Request, frozen=True, kw_only=True):
    """``consent``: a newer one; left out, the one that is known still holds. ``keep_picture``: left out, as it was."""

    image: bytes
    consent: ConsentRef | None = None
    keep_picture: KeepPicture | None = None


class FaceReason(Answer, frozen=True, kw_only=True):
    """What is wrong, as a stable code, and what the person can do about it."""

    code: str
    advice: dict[Language, str]


class FaceQuality(Answer, frozen=True, kw_only=True):
    """``good``: no ``reasons``. ``score``: the worst of all measures, 0 useless, 1 beyond reproach. ``size_px``: between the eyes. Degrees;
    null: this pack cannot tell. The other measures as shares from 0 to 1."""

    good: bool
    score: float
    size_px: float
    yaw: float | None
    pitch: float | None
    roll: float | None
    sharpness: float
    brightness: float
    contrast: float
    over_exposed: float
    under_exposed: float
    occlusion: float | None
    eyes_open: float | None
    reasons: list[FaceReason]


class FacePicture(Answer, frozen=True, kw_only=True):
    """A picture with one face. ``box``: x0, y0, x1, y1 of it in pixels of the upright picture."""

    width: int
    height: int
    box: list[float]
    quality: FaceQuality


class FacePack(Answer, frozen=True, kw_only=True):
    """The model pack that worked. ``hash``: hexadecimal SHA-256 of its manifest, models and thresholds in it."""

    name: str
    version: str
    hash: str


class FaceComparison(Answer, frozen=True, kw_only=True):
    """``match``: ``comparison_score`` ≥ ``threshold``, and nothing more: whether that is enough is the bank's policy. ``comparison_score``: null where a
    customer asks, who is told no scores. ``reference``: null where it was ``template``."""

    match: bool
    comparison_score: float | None
    threshold: float
    fmr: float
    reasons: list[FaceReason]
    reference: FacePicture | None
    template: TemplateId | None
    probe: FacePicture
    pack: FacePack


class FaceFault(Answer, frozen=True, kw_only=True):
    """Why a pair was not compared. ``picture`` 0: its reference, 1: its probe. ``reasons``: none where it was no picture's fault."""

    code: str
    picture: int | None
    reasons: list[FaceReason]


class ComparedPair(Answer, frozen=True, kw_only=True):
    """One of the two is null."""

    comparison: FaceComparison | None
    fault: FaceFault | None


class ComparedBatch(Answer, frozen=True, kw_only=True):
    """In the order of the request."""

    pairs: list[ComparedPair]


class FaceExamined(Answer, frozen=True, kw_only=True):
    picture: FacePicture
    pack: FacePack


class Presentation(StrEnum):
    """``undetermined`` is not a yes: there was too little to see, the pack cannot tell, or the scores are between its limits."""

    BONA_FIDE = "bona_fide"
    ATTACK = "attack"
    UNDETERMINED = "undetermined"


class Assurance(StrEnum):
    """Where pictures came from. Either can have been made beforehand or put in place of a camera's; a clip shows a face over time, and still
    answers nothing that was asked. An attempt on the live stream is another thing."""

    UPLOADED_PICTURES = "uploaded_pictures"
    UPLOADED_CLIP = "uploaded_clip"


class LivenessFrame(Answer, frozen=True, kw_only=True):
    """``at_s``: seconds since the clip's first picture. ``faces``: how many; all else is null without exactly one. ``comparison_score``: with the
    first frame that has a face. Scores are null where a customer asks."""

    at_s: float | None
    faces: int
    pad_score: float | None
    comparison_score: float | None
    quality: FaceQuality | None


class LivenessChecked(Answer, frozen=True, kw_only=True):
    """Passive presentation attack detection. ``pad_score``: mean over the frames with a face, 1 is bona fide; from ``pad_accept`` on it is taken
    for that, of ten different pictures at least, under ``pad_refer`` for an attack. Null: this pack has no such models, or a customer asks, who is told
    no scores. ``assurance_note``: what ``assurance`` means."""

    presentation: Presentation
    pad_score: float | None
    pad_accept: float | None
    pad_refer: float | None
    reasons: list[FaceReason]
    assurance: Assurance
    assurance_note: dict[Language, str]
    frames: list[LivenessFrame]
    pack: FacePack


class TemplateState(StrEnum):
    """``pack_changed``: another recogniser works now than made it: enrol the person anew (``PUT``)."""

    READY = "ready"
    PACK_CHANGED = "pack_changed"


class TemplateView(Answer, frozen=True, kw_only=True):
    """What is known of a template; the template itself never leaves, nor does its picture. ``state`` is null while no pack works. ``picture_kept``: whether the
    picture that it was made from is kept with it."""

    id: TemplateId
    subject: str
    consent: str
    state: TemplateState | None
    pack_hash: str
    picture_kept: bool
    created_at: datetime
    replaced_at: datetime | None


class TemplateEnrolled(Answer, frozen=True, kw_only=True):
    template: TemplateView
    picture: FacePicture


class FaceProblem(Problem, frozen=True, kw_only=True):
    """A picture that was refused. ``picture``: which, from 0 in the order of the request. ``reasons``: all of them; ``code`` is the first."""

    picture: int
    reasons: list[FaceReason]

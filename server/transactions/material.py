"""What is kept of an attempt for whoever looks at it later: pictures with what was seen in them, and the facts that it was decided by. Sans-I/O."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from server.domain.ids import AttemptId, CaseId, ConsentId, ParticipantId, SessionId
from server.domain.model import Consent, ConsentScope, Language
from server.transactions.decision import AttemptKind, CheckedAttempt

MAX_PICTURES = 16
MAX_WIDTH = 640
"""Pixels."""
REFERENCE = "reference"
"""Name of the one picture of a portrait that came with a case."""


ENROLMENT = "reference-1"
"""Name, among the pictures of an attempt, of the one that the template was made from with which they were compared."""
_NAME = re.compile(r"[a-z]{1,20}-[0-9]{1,3}")


def is_name(text: str) -> bool:
    """Whether a picture of an attempt may be called that: its kind, and a number."""
    return _NAME.fullmatch(text) is not None


class PictureKind(StrEnum):
    """Why it was kept: the first good one, an action at its peak, a colour of the screen, the one that is most like the reference, the last one; one that was
    uploaded; an identity document; the reference."""

    FIRST = "first"
    ACTION = "action"
    COLOUR = "colour"
    MATCH = "match"
    LAST = "last"
    UPLOAD = "upload"
    DOCUMENT = "document"
    REFERENCE = "reference"


class ReferenceShown(StrEnum):
    """What there is to hold an attempt against. ``portrait``: it came with the case and is kept beside its attempts. ``enrolment``: the picture that the template
    was made from, kept with the attempt. ``none``: none was kept. ``changed``: the template was replaced or erased before it was kept. ``lost``: it cannot be read."""

    PORTRAIT = "portrait"
    ENROLMENT = "enrolment"
    NONE = "none"
    CHANGED = "changed"
    LOST = "lost"


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A picture that was kept. ``name``: its own among those of the attempt. ``at_ms``: since the first picture that was looked at. ``asked``: what was asked for
    just then. Scores: None where it was not measured."""

    name: str
    kind: PictureKind
    at_ms: int = 0
    asked: str = ""
    match: float | None = None
    pad: float | None = None
    quality: float | None = None


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """``jpeg``: at most ``MAX_WIDTH`` wide."""

    shown: Shown
    jpeg: bytes


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """Of one attempt, in order. ``played``: what was asked of the person and when, as the check tells it; plain JSON. ``complete``: nothing
    is missing for a fault of ours. ``reference``: a JPEG of the enrolment that they were compared with, b"" where there is none to be kept;
    ``reference_shown`` says why."""

    pictures: tuple[Picture, ...] = ()
    played: dict[str, Any] = {}
    complete: bool = True
    reference: bytes = b""
    reference_shown: ReferenceShown = ReferenceShown.NONE

    @property
    def kept(self) -> tuple[Picture, ...]:
        """All of it. The reference alone shows nobody anything, and is left out."""
        if not (self.reference and self.pictures):
            return self.pictures
        return (Picture(shown=Shown(name=ENROLMENT, kind=PictureKind.REFERENCE), jpeg=self.reference), *self.pictures)


class Agreed(msgspec.Struct, frozen=True, kw_only=True):
    """A consent that stood when the attempt was sealed. ``text``: SHA-256 of the text that was shown (``consent_texts.py``), ``""`` for one of no page of ours."""

    id: ConsentId
    participant: ParticipantId
    scope: ConsentScope
    wording: str
    language: Language
    text: str
    given_at: datetime

    @staticmethod
    def to(consent: Consent) -> "Agreed":
        return Agreed(
            id=consent.id,
            participant=consent.participant_id,
            scope=consent.scope,
            wording=consent.wording,
            language=consent.language,
            text=consent.text,
            given_at=consent.decided_at,
        )


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt was decided by, beside its pictures: sealed before the decision. ``consents``: where the bank keeps the customer's, and ids of those that
    were given in the session; ``agreed``: what these were to (from schema 2 on). What is assessed of risk in the transaction that decides stands in the record and in the audit."""

    schema: int = 2
    case: CaseId
    type: str
    attempt: AttemptId
    number: int
    assurance: AttemptKind
    session: SessionId | None
    started_at: datetime
    started_by: str
    sealed_at: datetime
    consents: tuple[str, ...]
    agreed: tuple[Agreed, ...] = ()
    policy_hash: str
    details_hash: str
    checked: CheckedAttempt
    played: dict[str, Any]
    pictures: tuple[Shown, ...]
    reference: ReferenceShown = ReferenceShown.NONE

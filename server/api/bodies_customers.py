"""What goes in and out of everything that is kept of one customer (``docs/evidence.md``)."""

from datetime import datetime
from typing import Annotated

import msgspec

from server.api.bodies import Answer, Request
from server.api.bodies_faces import Subject
from server.domain.ids import RecordingId, SessionId

RequestName = Annotated[
    str, msgspec.Meta(pattern="^[A-Za-z0-9._:/-]{0,64}$", description="Your own name for this request; it is in the audit.")
]


class ExportCustomer(Request, frozen=True, kw_only=True):
    customer: Subject


class EraseCustomer(Request, frozen=True, kw_only=True):
    """``recordings``: those of the customer's sessions too. The law may ask that they, and evidence of what was accepted, be kept: you decide before you ask."""

    customer: Subject
    request: RequestName = ""
    recordings: bool = False


class ErasedCounts(Answer, frozen=True, kw_only=True):
    """Of what was there. ``evidence``: sealed parts, of attempts and portraits."""

    cases: int
    evidence: int
    templates: int
    sessions: int
    recordings: int


class CustomerErased(Answer, frozen=True, kw_only=True):
    """``receipt``: the same, signed (JWS, keys at ``/audit/keys``); the server keeps no copy. ``recordings_kept``: of the customer's sessions.
    ``sessions_kept``: those with a verification of theirs that are another customer's, or of several."""

    id: str
    at: datetime
    erased: ErasedCounts
    recordings_kept: list[RecordingId]
    sessions_kept: list[SessionId]
    receipt: str

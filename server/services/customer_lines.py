"""What a customer gets of a conversation in which others were, too. Pure.

Theirs is what they said, wrote, sent and decided, and what was said to them. Of the others it says which role they had, not who they are: neither name, nor
account, nor what they agreed to for themselves. A line that somebody wrote while no customer was there to read it was not said to them, and is counted only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.domain import ids
from server.domain.ids import ParticipantId
from server.domain.model import ChatMessage, Consent, FileRecord, Participant, Role, Session, staff_of
from server.services.file_types import EXTENSIONS
from server.store.ports_customers import Told

OF_THE_BANK = frozenset({"created_by", "taken_by", "handover_from", "handover_to"})
"""Of a session: who works for the bank is not the customer's."""
ABOUT_SESSION = frozenset(
    {
        AuditAction.SESSION_CREATED,
        AuditAction.SESSION_TAKEN,
        AuditAction.SESSION_UPDATED,
        AuditAction.SESSION_LOCKED,
        AuditAction.SESSION_UNLOCKED,
        AuditAction.SESSION_REQUEUED,
        AuditAction.SESSION_ASKED,
        AuditAction.SESSION_ENDED,
    }
)
"""Events of the session itself: what the bank's systems were told of it is its customer's."""
_ACCOUNTS = (ids.STAFF, ids.API_KEY, ids.LOGIN)


class People:
    """Everybody who ever was in one session."""

    def __init__(self, session: Session, people: Sequence[Participant]) -> None:
        self._people: Mapping[ParticipantId, Participant] = {one.id: one for one in people}
        self._customers = [one for one in people if is_customer(one)]
        self._labels: dict[ParticipantId, str] = {}
        counts: dict[Role, int] = {}
        for one in people:
            counts[one.role] = counts.get(one.role, 0) + 1
            self._labels[one.id] = one.role.value if counts[one.role] == 1 else f"{one.role.value} {counts[one.role]}"
        names = {one.name for one in self._customers if one.name}
        self._names = names if len(names) == 1 else {session.customer_name} - {""}

    def label(self, id: ParticipantId) -> str:
        """``customer``, ``agent``, ``agent 2``: who it was, by role, in the order in which they came."""
        return self._labels.get(id, "")

    def is_customers(self, id: ParticipantId) -> bool:
        return id in self._people and is_customer(self._people[id])

    def told(self) -> list[dict[str, Any]]:
        """Without those who only listened or waited, of whom the customer was not told. The name of a customer who may be another than the one who asks is left out."""
        told: list[dict[str, Any]] = []
        for one in self._people.values():
            if is_customer(one):
                name = one.name if one.name in self._names else ""
                told.append(
                    {
                        "who": self.label(one.id),
                        "role": one.role,
                        "name": name,
                        "joined_at": one.joined_at,
                        "left_at": one.left_at,
                    }
                )
            elif one.listens_at is None and one.waits_at is None:
                told.append({"who": self.label(one.id), "role": one.role, "name": ""})
        return told  # fmt: skip

    def line(self, line: ChatMessage) -> dict[str, Any] | None:
        """None: it was not said to the customer."""
        own = self.is_customers(line.participant_id)
        if not own and not any(_was_there(one, line) for one in self._customers):
            return None
        return {"at": line.sent_at, "by": self.label(line.participant_id), "own": own, "text": line.text, "file": line.file_id}

    def consents(self, decisions: Sequence[Consent]) -> list[dict[str, Any]]:
        """Of customers alone: every decision, the earliest first. ``until``: when the next one about the same followed."""
        mine = [one for one in decisions if self.is_customers(one.participant_id)]
        told = []
        for place, one in enumerate(mine):
            later = (x for x in mine[place + 1 :] if (x.participant_id, x.scope) == (one.participant_id, one.scope))
            following = next(later, None)
            told.append(
                {"by": self.label(one.participant_id), "scope": one.scope, "decision": one.decision, "at": one.decided_at,
                 "until": None if following is None else following.decided_at, "wording": one.wording, "language": one.language,
                 "text_sha256": one.text}
            )  # fmt: skip
        return told


def is_customer(person: Participant) -> bool:
    return person.role is Role.CUSTOMER and staff_of(person) is None


def _was_there(person: Participant, line: ChatMessage) -> bool:
    """Whether they could read it: whoever comes in is shown what was written before."""
    return person.joined_at is not None and (person.left_at is None or line.sent_at <= person.left_at)


def session(session: Session) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(session).items() if name not in OF_THE_BANK}


def file_path(file: FileRecord) -> str:
    """In the archive: by id, never by the name that somebody gave it."""
    extension = EXTENSIONS[file.media_type][0] if file.media_type in EXTENSIONS else ""
    return f"files/{file.session_id}/{file.id}{extension}"


def of_case(event: AuditEvent, case: str) -> bool:
    """Whether it is about this case. What else is said of the session in which it was, is not."""
    return event.subject == case


def of_session(event: AuditEvent, session: str, people: People) -> bool:
    """Whether it is about the session itself, or what a customer in it agreed to. A session may have cases of somebody else in it, and people of whom a
    customer is not told: so what is theirs is listed (``ABOUT_SESSION``), and everything else is not.
    """
    if event.session != session:
        return False
    if event.action is AuditAction.CONSENT_DECIDED:
        return people.is_customers(ParticipantId(event.actor))
    return event.action in ABOUT_SESSION and event.subject == session


def callback(told: Told, theirs: frozenset[str], people: People | None) -> dict[str, Any]:
    """One delivery. The address is the one that was given for this case alone, else the receiver's origin. Who acted is told where it is no account of the bank,
    and nobody but a customer among the ``people`` of the session (None: there is none)."""
    delivery, event = told.delivery, told.entry.event
    return {
        "id": delivery.id,
        "to": told.webhook.url if told.webhook.subject in theirs and told.webhook.url else delivery.origin,
        "state": delivery.state,
        "created_at": delivery.created_at,
        "last_at": delivery.last_at,
        "attempts": delivery.attempts,
        "status": delivery.last_status,
        "sent": {
            "type": event.action,
            "timestamp": event.at,
            "number": told.entry.number,
            "actor": _no_other(event.actor, people),
            "subject": _no_other(event.subject, people),
            "session": event.session,
            "details": {name: _no_other(value, people) for name, value in event.details.items()},
        },
    }


def _no_other(value: str, people: People | None) -> str:
    if ids.is_id(value, ids.PARTICIPANT):
        return value if people is not None and people.is_customers(ParticipantId(value)) else ""
    return "" if any(ids.is_id(value, kind) for kind in _ACCOUNTS) else value

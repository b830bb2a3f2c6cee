"""What goes into the events of a recording, as ``media.recording.events`` reads it. Pure.

A name, a line of chat and a file's name are in there only of those who agreed to be recorded.
"""

from collections.abc import Iterable, Mapping

from server.domain.ids import ParticipantId
from server.domain.model import ChatMessage, Consent, ConsentDecision, FileRecord, Language, Participant
from server.signalling.messages_recording import ChecklistItem

Event = Mapping[str, object]


def joined(participant: Participant, *, named: bool) -> Event:
    name = participant.name if named else ""
    return {"type": "joined", "participant": participant.id, "role": participant.role.value, "name": name}


def left(participant: ParticipantId, reason: str) -> Event:
    return {"type": "left", "participant": participant, "reason": reason}


def speaking(participants: Iterable[ParticipantId]) -> Event:
    return {"type": "speaking", "participants": list(participants)}


def chat(message: ChatMessage) -> Event:
    return {"type": "chat", "participant": message.participant_id, "text": message.text}


def file(participant: ParticipantId, sent: FileRecord) -> Event:
    return {
        "type": "file",
        "participant": participant,
        "name": sent.name,
        "size": sent.size_bytes,
        "sha256": sent.sha256,
    }


def checkpoint(participant: ParticipantId, item: ChecklistItem, language: Language, *, done: bool, note: str) -> Event:
    """In both languages: a reviewer reads another one than the session's, maybe when the checklist has long been changed."""
    return {
        "type": "checkpoint",
        "participant": participant,
        "key": item.item,
        "label": item.en if language is Language.EN else item.zh,
        "zh": item.zh,
        "en": item.en,
        "done": done,
        "note": note,
    }


def note(participant: ParticipantId, text: str) -> Event:
    """By itself, beside no item."""
    return {"type": "checkpoint", "participant": participant, "key": "", "note": text}


def screen(participant: ParticipantId, on: bool) -> Event:
    return {"type": "screen", "participant": participant, "on": on}


def paused(by: str) -> Event:
    return {"type": "paused", "by": by}


def resumed(by: str) -> Event:
    return {"type": "resumed", "by": by}


def consent(decided: Consent) -> Event:
    given = decided.decision is ConsentDecision.GIVEN
    return {"type": "consent", "participant": decided.participant_id, "scope": decided.scope.value, "given": given}

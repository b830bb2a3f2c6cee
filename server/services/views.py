"""From records to what others may see of them. Pure."""

from collections.abc import Iterable, Mapping

import msgspec

from server.domain.grants import Grant
from server.domain.ids import FileId, ParticipantId
from server.domain.model import (
    ChatMessage,
    Consent,
    ConsentDecision,
    FileRecord,
    Participant,
    ParticipantState,
    Session,
    Source,
)
from server.domain.views import (
    ChatMessageView,
    ConsentView,
    FileView,
    ParticipantView,
    SessionView,
    TrackView,
    WaitingEntry,
)


def session_view(session: Session, grants: Iterable[Grant]) -> SessionView:
    """Reference, reason and context are for those who have ``session.read``."""
    reads = Grant.SESSION_READ in frozenset(grants)
    return SessionView(
        id=session.id,
        kind=session.kind,
        status=session.status,
        language=session.language,
        customer_name=session.customer_name,
        customer_reference=session.customer_reference if reads else "",
        reason=session.reason if reads else "",
        context=session.context if reads else "",
        created_at=session.created_at,
        waiting_since=session.waiting_since,
        ended_at=session.ended_at,
        end_reason=session.end_reason,
        locked=session.locked_at is not None,
        waiting_room=session.waiting_room_at is not None,
    )


def veiled(view: SessionView) -> SessionView:
    """Without anything of what or whom it is about: for who waits to be let in."""
    return msgspec.structs.replace(view, customer_name="", customer_reference="", reason="", context="")


def participant_view(
    participant: Participant,
    *,
    on: Iterable[Source] = (),
    open_sources: Iterable[Source] = (),
    state: ParticipantState | None = None,
) -> ParticipantView:
    """All three sources, always, in the order of ``Source``. ``state`` overrides the stored one with the live one."""
    sending, forwarded = frozenset(on), frozenset(open_sources)
    return ParticipantView(
        id=participant.id,
        role=participant.role,
        name=participant.name,
        state=state or participant.state,
        tracks=[TrackView(source=source, on=source in sending, open=source in forwarded) for source in Source],
        on_hold=participant.held_at is not None,
        muted=participant.muted_at is not None,
        listens=participant.listens_at is not None,
        waits=participant.waits_at is not None,
    )


def consented_sources(consents: Iterable[Consent], participant: ParticipantId) -> frozenset[Source]:
    """The sources whose consent stands, from the newest consent of each scope (``Transaction.latest_consents``)."""
    given = {
        consent.scope.value
        for consent in consents
        if consent.participant_id == participant and consent.decision is ConsentDecision.GIVEN
    }
    return frozenset(source for source in Source if source.value in given)


def consent_view(consent: Consent) -> ConsentView:
    return ConsentView(
        participant=consent.participant_id,
        scope=consent.scope,
        decision=consent.decision,
        decided_at=consent.decided_at,
    )


def file_view(file: FileRecord) -> FileView:
    return FileView(id=file.id, name=file.name, media_type=file.media_type, size_bytes=file.size_bytes)


def message_view(
    message: ChatMessage, participants: Mapping[ParticipantId, Participant], files: Mapping[FileId, FileRecord]
) -> ChatMessageView:
    """``participants`` holds the writer (KeyError otherwise); a file that is not in ``files`` is left out."""
    writer = participants[message.participant_id]
    file = files.get(message.file_id) if message.file_id is not None else None
    return ChatMessageView(
        id=message.id,
        number=message.number,
        participant=writer.id,
        name=writer.name,
        role=writer.role,
        client_id=message.client_id,
        text=message.text,
        file=file_view(file) if file is not None else None,
        sent_at=message.sent_at,
    )


def waiting_entry(session: Session, *, connected: bool) -> WaitingEntry:
    return WaitingEntry(
        session=session.id,
        customer_name=session.customer_name,
        reason=session.reason,
        language=session.language,
        waiting_since=session.waiting_since or session.created_at,
        connected=connected,
    )

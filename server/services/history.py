"""What was said, decided and recorded: chat, consents, people, audit."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from server.api.bodies import AuditEntryView
from server.audit.events import AuditAction, AuditEntry, AuditEvent
from server.domain.ids import ParticipantId, SessionId
from server.domain.model import ChatMessage, Consent, Participant, ParticipantState
from server.domain.views import ChatMessageView, ParticipantView
from server.services.sessions import existing
from server.services.views import consented_sources, message_view, participant_view
from server.store.ports import Store, Transaction

NOTED_EVERY = timedelta(minutes=1)
MOST_NOTED = 10_000
"""Readings that are remembered; of more each is noted."""


class History:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._noted: dict[tuple[AuditAction, str, SessionId, str], datetime] = {}

    async def messages(self, session: SessionId, *, after: int, limit: int) -> list[ChatMessageView]:
        """Ascending from the first with a number greater than ``after``. Raises NotFound."""
        async with self._store.read() as tx:
            await existing(tx, session)
            return await message_views(tx, session, await tx.list_messages(session, after=after, limit=limit))

    async def consents(self, session: SessionId) -> list[Consent]:
        """The newest of each participant and scope. Raises NotFound."""
        async with self._store.read() as tx:
            await existing(tx, session)
            return await tx.latest_consents(session)

    async def participants(self, session: SessionId, states: Mapping[ParticipantId, ParticipantState]) -> list[ParticipantView]:
        """Everybody who ever was in it, with the live ``states`` of those who are. Raises NotFound.

        ``open`` says that consent stands; whether they send now is told over signalling only.
        """
        async with self._store.read() as tx:
            await existing(tx, session)
            people = await tx.list_participants(session)
            consents = await tx.latest_consents(session)
        return [
            participant_view(person, open_sources=consented_sources(consents, person.id), state=states.get(person.id))
            for person in people
        ]

    async def read_from_outside(
        self, action: AuditAction, at: datetime, actor: str, session: SessionId, subject: str = ""
    ) -> None:
        """Somebody who has no place in this session reads what was said or sent in it. Noted once in ``NOTED_EVERY`` for the same reader and the same thing:
        who asks again and again, or for parts of a file, does not write the trail full. Raises what the store raises: then they get nothing."""
        read = (action, actor, session, subject)
        if timedelta() <= at - self._noted.get(read, datetime.min.replace(tzinfo=UTC)) < NOTED_EVERY:
            return
        async with self._store.begin() as tx:
            await tx.append_audit(AuditEvent(action=action, at=at, actor=actor, session=session, subject=subject))
        if len(self._noted) >= MOST_NOTED:
            self._noted = {one: noted for one, noted in self._noted.items() if timedelta() <= at - noted < NOTED_EVERY}
        if len(self._noted) < MOST_NOTED:
            self._noted[read] = at

    async def audit(self, *, after: int, limit: int) -> list[AuditEntryView]:
        async with self._store.read() as tx:
            return [audit_view(entry) for entry in await tx.list_audit(after=after, limit=limit)]


async def message_views(tx: Transaction, session: SessionId, messages: Sequence[ChatMessage]) -> list[ChatMessageView]:
    """Messages of one session with their writers and files, inside a transaction."""
    people: dict[ParticipantId, Participant] = {person.id: person for person in await tx.list_participants(session)}
    files = {}
    for message in messages:
        if message.file_id is not None and (file := await tx.get_file(message.file_id)) is not None:
            files[file.id] = file
    return [message_view(message, people, files) for message in messages]


def audit_view(entry: AuditEntry) -> AuditEntryView:
    return AuditEntryView(
        number=entry.number,
        at=entry.event.at,
        action=entry.event.action.value,
        actor=entry.event.actor,
        session=entry.event.session,
        subject=entry.event.subject,
        details=entry.event.details,
        hash=entry.hash.hex(),
    )

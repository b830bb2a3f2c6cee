"""The waiting room of a session: who newly comes by an invitation hears, sees and learns nothing until they are let in.

Those who wait are not among the session's members: nothing that is told to those reaches them.
"""

import logging
from typing import TYPE_CHECKING, Final

import msgspec

from server.domain.ids import ParticipantId
from server.domain.model import LeaveReason, ParticipantState
from server.errors import Conflict, DependencyError, NotFound
from server.live import ice
from server.live.member import Member, keep
from server.live.people import handover, places
from server.services.views import session_view, veiled
from server.signalling.messages import (
    Admitted,
    CloseCode,
    ConsentSet,
    Leave,
    MediaOffer,
    ReceiveSet,
    Snapshot,
    TrackState,
)
from server.signalling.messages_recording import RecordingChanged

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)
ALLOWED: Final = frozenset({MediaOffer, ReceiveSet, ConsentSet, TrackState, Leave})
"""What who waits may say: everything else reaches others, or tells of them."""


async def set(session: "LiveSession", member: Member, on: bool) -> None:
    """Raises StoreUnavailable."""
    await session.changed(await session.needs.people.set_session(session.id, member.id, waiting_room=on))


async def admit(session: "LiveSession", member: Member, participant: ParticipantId, admitted: bool) -> None:
    """Raises NotFound (nobody who waits here), Conflict (the session is full), StoreUnavailable."""
    other = session.waiting.get(participant)
    if other is None:
        raise NotFound("Nobody of this name waits here.")
    if not admitted:
        await session.depart(other, LeaveReason.REFUSED, member.id)
        return
    if not places.room_for(session, msgspec.structs.replace(other.participant, waits_at=None)):
        raise Conflict("This session is full.")
    stored = await session.needs.people.admit(participant, member.id)
    session.people[participant] = stored
    keep(other, stored, "waits_at")
    other.aside = handover.aside(session, other.id)
    try:
        snapshot = await session.snapshot(other)
    except DependencyError:
        log.warning("snapshot not read", extra={"session": session.id, "participant": participant})
        snapshot = None
    del session.waiting[participant]
    session.members[participant] = other
    if snapshot is not None:
        other.send(Admitted(snapshot=snapshot))
        session.greeted(other, snapshot)
    elif other.connection is not None:  # they come again, and are in
        other.connection.close(CloseCode.INTERNAL, "Please connect again.")
    await session.apply_gate(other)
    session.tell_view(other)
    session.note_people()


def snapshot(session: "LiveSession", member: Member) -> Snapshot:
    """Themselves only."""
    record = session.record
    assert record is not None  # loaded before anybody is seated
    return Snapshot(
        session=veiled(session_view(record, ())),
        you=msgspec.structs.replace(member.view(), state=ParticipantState.JOINED),
        grants=[],
        participants=[],
        consents=[],
        chat=[],
        media=ice.limits(session.needs, member),
        files=session.needs.settings.files,
        recording=RecordingChanged(),
    )

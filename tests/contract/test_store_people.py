"""What the stores keep of locked sessions, waiting rooms, hand-overs under way, who waits and by which login staff came."""

import msgspec

from server.domain.ids import LoginId
from server.domain.model import Participant, Session
from server.store.ports import Store
from tests.support.records import Records, at


async def test_they_come_back_equal_and_can_be_taken_back(
    store: Store, make: Records, session: Session, participant: Participant
) -> None:
    """Each alone, so that no column stands for another."""
    for field, value in (
        ("locked_at", at(1)),
        ("waiting_room_at", at(2)),
        ("handover_from", participant.id),
        ("handover_to", participant.id),
        ("consults_at", at(3)),
    ):
        changed = msgspec.structs.replace(session, **{field: value})
        for record in (changed, session):
            async with store.begin() as tx:
                await tx.save_session(record)
            async with store.read() as tx:
                assert await tx.get_session(session.id) == record, field
    for field, kept in (("waits_at", at(4)), ("login_id", LoginId(make.id("LO")))):
        place = msgspec.structs.replace(participant, **{field: kept})
        for one in (place, participant):
            async with store.begin() as tx:
                await tx.save_participant(one)
            async with store.read() as tx:
                assert await tx.get_participant(participant.id) == one, field
                assert await tx.list_participants(session.id) == [one], field

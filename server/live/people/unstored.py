"""Who was put on hold, muted, or set to listen although that could not be written down: so it stays, also when they are lost
and come back, and it is written again until it is stored, they leave for good, or it is lifted."""

import logging
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from server.domain.ids import ParticipantId
from server.domain.model import LeaveReason, Participant, SupervisionMode
from server.errors import DependencyError, TongpingError
from server.live.member import Member
from server.live.records import Standing

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)
LISTENS = "listens_at"


class Tight(NamedTuple):
    """``again_at``: monotonic seconds, when it is tried again."""

    since: datetime
    actor: str
    again_at: float


Unstored = dict[tuple[ParticipantId, str], Tight]
"""By whose, and by the field of the record: at most three for each person who was here."""


def keep(session: "LiveSession", member: Member, field: str, actor: str) -> None:
    """It is in force, and was not stored."""
    needs = session.needs
    session.unstored[member.id, field] = Tight(needs.clock.now(), actor, needs.clock.monotonic() + needs.settings.retry_s)


def seated(session: "LiveSession", participant: Participant) -> Participant:
    """As they were left, when they come (back)."""
    fields = {field: tight.since for (whose, field), tight in session.unstored.items() if whose == participant.id}
    return msgspec.structs.replace(participant, **fields) if fields else participant


def stored(session: "LiveSession", participant: ParticipantId, field: str) -> None:
    """It is written down, or lifted."""
    session.unstored.pop((participant, field), None)


def left(session: "LiveSession", member: Member, reason: LeaveReason) -> None:
    if reason is not LeaveReason.LOST:
        forget(session, member.id)


def forget(session: "LiveSession", participant: ParticipantId) -> None:
    """It is not so any more."""
    for key in [key for key in session.unstored if key[0] == participant]:
        del session.unstored[key]


def due(session: "LiveSession", now: float) -> bool:
    return any(now >= tight.again_at for tight in session.unstored.values())


async def write(session: "LiveSession") -> None:
    """Try again what is due."""
    now = session.needs.clock.monotonic()
    for key, tight in list(session.unstored.items()):
        if now < tight.again_at:
            continue
        whose, field = key
        try:
            if field == LISTENS:
                record = await session.needs.records.supervise(whose, SupervisionMode.LISTEN, None)
            else:
                record = await session.needs.records.stand(whose, Standing(field), True, tight.actor)
        except DependencyError:
            session.unstored[key] = tight._replace(again_at=now + session.needs.settings.retry_s)
            log.warning("standing not stored, tried again", extra={"session": session.id, "participant": whose})
            continue
        except TongpingError as error:
            log.info("standing given up", extra={"session": session.id, "participant": whose, "code": error.code})
        else:
            session.people[whose] = record
        session.unstored.pop(key, None)

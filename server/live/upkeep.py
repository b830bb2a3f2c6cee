"""What a live session does as time passes: tokens are renewed, the lost are let go, who gave up waiting is ended."""

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from server.domain.model import LeaveReason, SessionStatus
from server.errors import DependencyError, TongpingError
from server.live import ice
from server.live.due import AT_ONCE, earliest
from server.live.member import Member
from server.live.people import asking, handover, lost, unstored
from server.live.records import Loaded
from server.services.sessions import ABANDONED
from server.signalling.messages import CloseCode, TokenRenewed
from server.signalling.protocol import State

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)


async def restore(session: "LiveSession", loaded: Loaded) -> None:
    """What was open here before this server knew of the session. Raises StoreUnavailable."""
    if loaded.pdf is not None and (pdfs := session.needs.pdfs()) is not None:
        await pdfs.restore(session, loaded.pdf)


def tick(session: "LiveSession") -> None:
    """Deadlines; what must await is queued."""
    needs = session.needs
    now, wall = needs.clock.monotonic(), needs.clock.now()
    for member in session.everybody:
        if member.connection is not None:
            member.connection.tick()
        if _lost(session, member, now):
            session.queue("lost", partial(_drop_lost, session))
        if member.cut and now >= member.retry_at:
            session.queue("sent away", partial(_send_away, session))
        if member.applied is None and now >= member.retry_at:
            session.queue("gates", session.reapply)
        _check_token(session, member, wall)
        ice.renew(needs, member, wall)
    if session.alone.due(now):
        session.note_people()
    if abandoned(session, now):
        session.queue("abandoned", partial(_abandon, session))
    if (pdfs := needs.pdfs()) is not None:
        pdfs.refresh(session)
    session.recording.tick()
    session.verifying.briefing.tick(now)
    if unstored.due(session, now):
        session.queue("unstored", partial(unstored.write, session))
    if session.room.due(now):
        session.queue("media", lambda: session.room.retry(now))
    lost.watch(session)
    handover.poke(session)
    session.due.at = next_due(session)


def next_due(session: "LiveSession") -> float:
    """When ``session.tick`` may have something to do (monotonic seconds), unless something happens before: then ``due.stir``. At once, where it depends on
    more than this session's own people and their connections."""
    undone = session.handing or session.leaving or session.lost or session.unstored
    if undone or not session.members or not session.actor.idle or session.room.undone or session.recording.undone:
        return AT_ONCE
    pdfs, needs = session.needs.pdfs(), session.needs
    if (pdfs is not None and pdfs.open_in(session)) or session.verifying.briefing.reads_again:
        return AT_ONCE
    now, wall = needs.clock.monotonic(), needs.clock.now()
    found = [session.alone.next_deadline()]
    for member in session.everybody:
        connection = member.connection
        if connection is None or member.away_since is not None or member.cut or member.applied is None:
            return AT_ONCE
        found.append(connection.protocol.next_deadline())
        for at in (member.expires_at, member.renew_at, member.ice_renew_at):
            found.append(None if at is None else now + (at - wall).total_seconds())
    return earliest(found, now)


def _check_token(session: "LiveSession", member: Member, wall: datetime) -> None:
    connection = member.connection
    if connection is None or connection.state is not State.OPEN or member.expires_at is None:
        return
    if wall >= member.expires_at:
        connection.close(CloseCode.TOKEN_EXPIRED, "The token has ended and could not be renewed.")
    elif member.renew_at is not None and wall >= member.renew_at and not member.renewing:
        member.renewing = session.actor.post(partial(renew, session, member))


def renew_at(session: "LiveSession", expires_at: datetime) -> datetime:
    """When a token that ends then is renewed."""
    now = session.needs.clock.now()
    life_s = (expires_at - now).total_seconds()
    return now + timedelta(seconds=max(life_s - session.needs.settings.renew_before_s, life_s / 2))


async def renew(session: "LiveSession", member: Member) -> None:
    """A new token for somebody who is here; tried again soon where it fails."""
    try:
        token, expires_at = await session.needs.entries.renew(session.id, member.id)
    except TongpingError as error:
        log.warning("token not renewed", extra={"session": session.id, "participant": member.id, "code": error.code})
        member.renew_at = session.needs.clock.now() + timedelta(seconds=5)
        return
    finally:
        member.renewing = False
    member.expires_at = expires_at
    member.renew_at = renew_at(session, expires_at)
    member.send(TokenRenewed(token=token, expires_at=expires_at))


def _lost(session: "LiveSession", member: Member, now: float) -> bool:
    return member.away_since is not None and now - member.away_since >= lost.keep_s(session, member)


async def _send_away(session: "LiveSession") -> None:
    """Those whose leaving could not be stored."""
    for member in session.everybody:
        if member.sent_away is not None:
            try:
                await session.depart(member, *member.sent_away)
            except DependencyError:
                log.warning("leaving not stored, tried again", extra={"session": session.id, "participant": member.id})


async def _drop_lost(session: "LiveSession") -> None:
    now = session.needs.clock.monotonic()
    for member in session.everybody:
        if _lost(session, member, now):
            try:
                await session.depart(member, LeaveReason.LOST, member.id)
            except DependencyError:
                log.warning("leaving not stored, tried again", extra={"session": session.id})


def abandoned(session: "LiveSession", now: float) -> bool:
    """Whether this waiting customer has been gone for too long, or never came."""
    if session.record is None or session.record.status is not SessionStatus.WAITING or session.members:
        return False
    came = any(participant.joined_at is not None for participant in session.people.values())
    settings = session.needs.settings
    return now - session.empty_since >= (settings.wait_keep_s if came else settings.wait_connect_s)


async def _abandon(session: "LiveSession") -> None:
    if abandoned(session, session.needs.clock.monotonic()):
        try:
            if not await asking.given_up(session, ""):
                await session.end(ABANDONED, "")
        except DependencyError:
            session.empty_since = session.needs.clock.monotonic()

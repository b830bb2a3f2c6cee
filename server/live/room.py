"""The media side of one live session: gates set at the relay, offers answered, connections taken down."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from server.domain.grants import Grant
from server.domain.ids import ParticipantId, SessionId
from server.domain.model import SessionStatus
from server.errors import MediaPlaneUnavailable, NotAllowed
from server.live.gates import PUBLISH, Forwarded
from server.live.member import NOTHING, Member, Offer
from server.live.ports import MediaPort, MediaRefused, MediaUnavailable
from server.live.settings import LiveSettings
from server.signalling.connection import Connection
from server.signalling.messages import ErrorCode, MediaAnswer, MessageError

log = logging.getLogger(__name__)
FIRST_AGAIN_S, LONGEST_AGAIN_S = 1.0, 30.0
MOST_TRIES = 30  # about a quarter of an hour: by then the supervisor has ended a worker that does not answer
_MEDIA_GRANTS = frozenset(PUBLISH.values()) | {Grant.SUBSCRIBE}


@dataclass(slots=True)
class _Undone:
    """``again_at``: None until it is known when."""

    tries: int = 1
    again_at: float | None = None


class Inside(Protocol):
    """``session.LiveSession``: who is here."""

    @property
    def everybody(self) -> list[Member]: ...
    @property
    def status(self) -> SessionStatus: ...
    def gates_changed(self, member: Member) -> None: ...
    async def before_gates(self) -> None: ...


class Room:
    def __init__(self, id: SessionId, media: MediaPort, settings: LiveSettings, inside: Inside) -> None:
        self.id = id
        self._media = media
        self._settings = settings
        self._inside = inside
        self._epoch = 0  # grows whenever the relay forgets somebody: a worker lost, a connection taken down
        self._lost = 0  # counts the workers this room has lost
        self._undone: dict[ParticipantId | None, _Undone] = {}  # taken down, and not confirmed; None: the whole room
        self._taking_down = asyncio.Lock()  # so that what has been given up on takes nobody down who came after it

    async def apply(self, member: Member) -> bool:
        """Make the relay forward exactly what may be forwarded; whether that changed what is known of it.

        Failing to shut a gate takes the person's whole media connection down; failing to open one is tried again.
        """
        async with member.applying:
            before, wanted = member.applied, member.wanted(self._inside.status)
            if before == wanted:
                return False
            try:
                await self._set_gates(member, wanted)
            except MediaUnavailable:
                log.warning("gates not set", extra={"session": self.id, "participant": member.id})
                if before is None or wanted.tightens(before):
                    await self.disconnect(member)
            return True

    async def _set_gates(self, member: Member, wanted: Forwarded) -> None:
        """Raises MediaUnavailable. Where it was interrupted nobody knows what the relay has."""
        await self._inside.before_gates()
        known, epoch = None, self._epoch
        sources = frozenset(source.value for source in wanted.sources)
        try:
            async with asyncio.timeout(self._settings.media_control_s):
                await self._media.set_gates(self.id, member.id, sources, wanted.circle, wanted.only)
            known = wanted if epoch == self._epoch else None
        except TimeoutError as error:
            raise MediaUnavailable("the gates were not confirmed in time") from error
        finally:
            member.applied = known

    async def _prepare(self, member: Member) -> None:
        """Nobody connects before the relay has confirmed what is forwarded of them, and to whom. Raises MediaUnavailable."""
        if not await self._finish(member.id):
            raise MediaUnavailable("an older connection could not be taken down")
        async with member.applying:
            wanted = member.wanted(self._inside.status)
            if member.applied != wanted:
                await self._set_gates(member, wanted)
                self._inside.gates_changed(member)
            if member.applied is None:
                raise MediaUnavailable("the relay has forgotten them meanwhile")

    async def replace(self, old: ParticipantId, new: ParticipantId) -> None:
        """In every page ``new`` takes the slots of ``old``. Where the relay does not answer they get others, as if they had just come."""
        try:
            async with asyncio.timeout(self._settings.media_control_s):
                await self._media.replace(self.id, old, new)
        except (MediaUnavailable, TimeoutError):
            log.warning("not replaced", extra={"session": self.id, "participant": new})

    async def receive(self, member: Member, video: int, sizes: Mapping[str, int]) -> None:
        """Send this person at most so many pictures, drawn so tall. Raises MediaPlaneUnavailable: it may not be so yet."""
        try:
            async with asyncio.timeout(self._settings.media_control_s):
                await self._media.set_receive(self.id, member.id, video, sizes)
        except (MediaUnavailable, TimeoutError):
            raise MediaPlaneUnavailable("The media relay did not answer. Try again.") from None

    def lost(self, members: list[Member]) -> None:
        """The worker is gone, and with it every connection: a new one starts with all gates shut."""
        self._epoch += 1
        self._lost += 1
        self._undone.clear()
        for member in members:
            member.applied = NOTHING
            member.peer = None

    def offer(self, member: Member, connection: Connection, re: int, sdp: str) -> None:
        """Answer in a task of its own: the newest offer of a page replaces the one before. Raises NotAllowed."""
        if not member.grants & _MEDIA_GRANTS:
            raise NotAllowed("No media for this role.")
        if member.offer is not None and not member.offer.task.done():
            member.offer.task.cancel()
            member.offer.connection.send(
                MessageError(re=member.offer.re, code=ErrorCode.CONFLICT, detail="A newer offer came before this was answered.")
            )
        task = asyncio.create_task(self._answer(member, connection, re, sdp), name="media-offer")
        member.offer = Offer(task, connection, re)

    async def _answer(self, member: Member, connection: Connection, re: int, sdp: str) -> None:
        async with member.negotiating:  # one at a time, in order; a cancelled one is over before the next begins
            await self._connect(member, connection, re, sdp)

    async def _connect(self, member: Member, connection: Connection, re: int, sdp: str) -> None:
        try:
            await self._prepare(member)
            async with asyncio.timeout(self._settings.media_connect_s):
                answer = await self._media.connect(self.id, member.id, sdp)
        except MediaRefused as refused:
            connection.send(MessageError(re=re, code=ErrorCode.SDP_REFUSED, detail=f"{refused.code}: {refused.detail}"[:300]))
        except (MediaUnavailable, TimeoutError):
            connection.send(
                MessageError(re=re, code=ErrorCode.MEDIA_UNAVAILABLE, detail="The media relay did not answer. Offer again.")
            )
        except Exception:
            log.exception("offer failed", extra={"session": self.id, "participant": member.id})
            connection.send(MessageError(re=re, code=ErrorCode.INTERNAL, detail="The offer could not be answered."))
        else:
            connection.send(MediaAnswer(sdp=answer))

    async def stop_offer(self, member: Member) -> None:
        """Nothing of an older page is answered any more."""
        offer, member.offer = member.offer, None
        if offer is not None and not offer.task.done():
            offer.task.cancel()
            await asyncio.wait([offer.task])

    async def disconnect(self, member: Member) -> None:
        """Take the person's media connection down."""
        await self.stop_offer(member)
        member.peer = None
        await self._take_down(member.id)

    async def close(self) -> None:
        """Everybody's, and the room."""
        await self._take_down(None)

    # ------------------------------------------------------------ what the relay has not confirmed

    @property
    def undone(self) -> bool:
        """Whether somebody's media may still be passing who should be out: call ``retry``."""
        return bool(self._undone)

    def due(self, now: float) -> bool:
        """Whether ``retry`` would try something. ``now``: monotonic seconds."""
        for undone in self._undone.values():
            if undone.again_at is None:
                undone.again_at = now + min(FIRST_AGAIN_S * 2 ** (undone.tries - 1), LONGEST_AGAIN_S)
        return any(undone.again_at is not None and now >= undone.again_at for undone in self._undone.values())

    async def retry(self, now: float) -> None:
        """Take down again what was not confirmed; given up after ``MOST_TRIES``."""
        due = [whose for whose, undone in self._undone.items() if undone.again_at is not None and now >= undone.again_at]
        for whose in due:
            async with self._taking_down:
                if whose in self._undone:
                    await self._attempt(whose)

    async def _finish(self, participant: ParticipantId) -> bool:
        """Before somebody connects anew: nothing that is still to be taken down may take the new connection with it."""
        async with self._taking_down:
            for whose in (None, participant):
                if whose in self._undone:
                    await self._attempt(whose)
        return None not in self._undone and participant not in self._undone

    async def _take_down(self, whose: ParticipantId | None) -> None:
        async with self._taking_down:
            await self._attempt(whose)

    async def _attempt(self, whose: ParticipantId | None) -> None:
        lost = self._lost
        self._forgotten(whose)  # from the moment it is asked to, confirmed or not
        try:
            async with asyncio.timeout(self._settings.media_control_s):
                if whose is None:
                    await self._media.close_room(self.id)
                else:
                    await self._media.disconnect(self.id, whose)
        except (MediaUnavailable, TimeoutError):
            if lost == self._lost:
                self._failed(whose)
            return
        self._forgotten(whose)
        if whose is None:
            self._undone.clear()
        else:
            self._undone.pop(whose, None)

    def _forgotten(self, whose: ParticipantId | None) -> None:
        """The relay may know nothing of them any more, their circle included: it is told again at once."""
        self._epoch += 1
        for member in self._inside.everybody:
            if whose in (None, member.id):
                member.applied, member.retry_at = None, 0.0

    def _failed(self, whose: ParticipantId | None) -> None:
        undone = self._undone.get(whose)
        tries = 1
        if undone is not None:  # what is tried more than once before it is known when to try again counts as one
            tries = undone.tries + (undone.again_at is not None)
        who = {"session": self.id, "participant": whose or "", "tries": tries}
        if tries >= MOST_TRIES:
            self._undone.pop(whose, None)
            log.error("media not taken down, given up", extra=who)
        else:
            self._undone[whose] = _Undone(tries)
            log.warning("media not taken down, tried again", extra=who)

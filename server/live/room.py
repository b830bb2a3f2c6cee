"""The media side of one live session: gates set at the relay, offers answered, connections taken down."""

import asyncio
import logging
from collections.abc import Mapping

from server.domain.grants import Grant
from server.domain.ids import SessionId
from server.domain.model import SessionStatus
from server.errors import MediaPlaneUnavailable, NotAllowed
from server.live.gates import PUBLISH
from server.live.member import Member, Offer
from server.live.ports import MediaPort, MediaRefused, MediaUnavailable
from server.live.settings import LiveSettings
from server.signalling.connection import Connection
from server.signalling.messages import ErrorCode, MediaAnswer, MessageError

log = logging.getLogger(__name__)
_MEDIA_GRANTS = frozenset(PUBLISH.values()) | {Grant.SUBSCRIBE}


class Room:
    def __init__(self, id: SessionId, media: MediaPort, settings: LiveSettings) -> None:
        self.id = id
        self._media = media
        self._settings = settings
        self._epoch = 0  # counts the workers this room has lost

    async def apply(self, member: Member, status: SessionStatus) -> bool:
        """Make the relay forward exactly what may be forwarded; whether that changed what is known of it.

        Failing to shut a gate takes the person's whole media connection down; failing to open one is tried again.
        """
        wanted = frozenset() if member.gone else member.gate.open_sources(status)
        if member.applied == wanted:
            return False
        before, epoch = member.applied, self._epoch
        try:
            async with asyncio.timeout(self._settings.media_control_s):
                await self._media.set_gates(self.id, member.id, frozenset(source.value for source in wanted))
        except (MediaUnavailable, TimeoutError):
            log.warning("gates not set", extra={"session": self.id, "participant": member.id})
            member.applied = None
            if before is None or before - wanted:
                await self.disconnect(member)
            return True
        member.applied = wanted if epoch == self._epoch else None
        return True

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
        for member in members:
            member.applied = frozenset()
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
        try:
            async with asyncio.timeout(self._settings.media_control_s):
                await self._media.disconnect(self.id, member.id)
        except (MediaUnavailable, TimeoutError):
            log.warning("media connection not taken down", extra={"session": self.id, "participant": member.id})

    async def close(self) -> None:
        try:
            async with asyncio.timeout(self._settings.media_control_s):
                await self._media.close_room(self.id)
        except (MediaUnavailable, TimeoutError):
            log.warning("room not closed", extra={"session": self.id})

"""Who may look at the pictures of somebody's camera as pictures: only a check of a face, and of a document with it, only with that person's stored consent,
and never unseen.

A tap is bound to a nonce (its attempt), written into the audit trail before it is opened and when it is over, and shut at once
when the consent is taken back, they leave, or are put on hold. Shutting waits for nothing.
"""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain.ids import ParticipantId, SessionId
from server.domain.model import ConsentDecision, ConsentScope, Source
from server.errors import Conflict, Invalid, NotAllowed, StoreUnavailable
from server.live.ports import MediaPort, OpenTap, TapEnded, TapRefused
from server.store.ports import Store, Transaction

log = logging.getLogger(__name__)
NONCE_BYTES = 16
FACE = frozenset({ConsentScope.FACE})
SCOPES = {
    ConsentScope.FACE: "This person has not agreed to a check of their face.",
    ConsentScope.DOCUMENT: "This person has not agreed that their identity document is read.",
}
"""What somebody who is looked at may have to agree to, and what is said where they have not."""


class _Place:
    """One that is open, or about to be. ``scopes``: what they must have agreed to; ``shut``: why it must not be any more."""

    def __init__(self, scopes: frozenset[ConsentScope]) -> None:
        self.scopes = scopes
        self.shut = ""
        self.tap: OpenTap | None = None

    def end(self, reason: str) -> None:
        self.shut = self.shut or reason
        if self.tap is not None:
            self.tap.end(self.shut)


class Taps:
    """``here``: whether somebody is in that session now, and not on hold, waiting, or on the way out."""

    def __init__(
        self,
        store: Store,
        media: MediaPort,
        clock: Clock,
        deadline_s: float,
        here: Callable[[SessionId, ParticipantId], bool],
    ) -> None:
        self._store = store
        self._media = media
        self._clock = clock
        self._deadline_s = deadline_s
        self._here = here
        self._open: dict[ParticipantId, set[_Place]] = {}
        self._withdrawn: set[tuple[ParticipantId, ConsentScope]] = set()

    @asynccontextmanager
    async def open(
        self,
        session: SessionId,
        participant: ParticipantId,
        source: Source,
        *,
        nonce: bytes,
        actor: str,
        fps: float = 10.0,
        frames: int = 300,
        seconds: float = 30.0,
        height: int | None = None,
        scopes: frozenset[ConsentScope] = FACE,
    ) -> AsyncIterator[OpenTap]:
        """Pictures of their camera or screen; iterate. ``actor``: who looks, as the audit trail names them. ``scopes``: what for, of ``SCOPES``.

        Raises Invalid (a nonce under 16 bytes, or bounds past those of ``media.tap.wire``), NotAllowed (no consent to one of them), Conflict (not here, or on
        hold), StoreUnavailable, MediaUnavailable, TapRefused; while iterating TapEnded.
        """
        if len(nonce) < NONCE_BYTES:
            raise Invalid(f"A nonce has {NONCE_BYTES} bytes or more.")
        if source is Source.MICROPHONE:
            raise Invalid("There are no pictures in a voice.")
        place = _Place(scopes)
        self._open.setdefault(participant, set()).add(place)
        facts = {"source": source.value, "nonce": hashlib.sha256(nonce).hexdigest()}
        if scopes != FACE:
            facts["scopes"] = " ".join(sorted(scopes))
        try:
            await self._may(session, participant, actor, facts, scopes)
            reason, counted = "done", 0
            try:
                self._need_here(session, participant)  # it took a while to write it down
                async with self._media.open_tap(
                    session, participant, source.value, nonce=nonce, fps=fps, frames=frames, seconds=seconds, height=height
                ) as tap:
                    place.tap = tap
                    if place.shut:
                        tap.end(place.shut)
                    try:
                        yield tap
                    finally:
                        counted = tap.frames
            except (TapRefused, TapEnded) as error:
                reason = error.code
                raise
            except BaseException:
                reason = place.shut or "interrupted"
                raise
            finally:
                await self._over(session, participant, actor, {**facts, "reason": reason, "frames": str(counted)})
        finally:
            self._open[participant].discard(place)
            if not self._open[participant]:
                del self._open[participant]

    async def _may(
        self, session: SessionId, participant: ParticipantId, actor: str, facts: dict[str, str], scopes: frozenset[ConsentScope]
    ) -> None:
        """Consent and the entry that it is used, in one transaction."""
        self._need_no_withdrawal(participant, scopes)
        self._need_here(session, participant)
        try:
            async with asyncio.timeout(self._deadline_s), self._store.begin() as tx:
                for scope in sorted(scopes - await _given(tx, session, participant)):
                    raise NotAllowed(SCOPES[scope])
                await tx.append_audit(self._event(AuditAction.TAP_OPENED, session, participant, actor, facts))
        except TimeoutError as error:
            raise StoreUnavailable("It could not be stored in time.") from error

    async def agreed(self, session: SessionId, participant: ParticipantId, scopes: frozenset[ConsentScope] = FACE) -> bool:
        """Whether they still agree to what they were looked at for. Raises StoreUnavailable."""
        try:
            async with asyncio.timeout(self._deadline_s), self._store.read() as tx:
                given = await _given(tx, session, participant)
            self._need_no_withdrawal(participant, scopes)
        except TimeoutError as error:
            raise StoreUnavailable("It could not be read in time.") from error
        except NotAllowed:
            return False
        return scopes <= given

    async def stands(
        self, session: SessionId, participant: ParticipantId, scopes: frozenset[ConsentScope], tx: Transaction
    ) -> bool:
        """The same in a transaction of the caller's."""
        return scopes <= await _given(tx, session, participant) and not any(
            (participant, one) in self._withdrawn for one in scopes
        )

    def _need_no_withdrawal(self, participant: ParticipantId, scopes: frozenset[ConsentScope]) -> None:
        for scope in sorted(scopes):
            if (participant, scope) in self._withdrawn:
                raise NotAllowed(SCOPES[scope])

    def _need_here(self, session: SessionId, participant: ParticipantId) -> None:
        if not self._here(session, participant):
            raise Conflict("This person is not here, or on hold.")

    async def _over(self, session: SessionId, participant: ParticipantId, actor: str, facts: dict[str, str]) -> None:
        """That it is over is so whether it can be written down or not."""
        try:
            async with asyncio.timeout(self._deadline_s), self._store.begin() as tx:
                await tx.append_audit(self._event(AuditAction.TAP_CLOSED, session, participant, actor, facts))
        except (TimeoutError, StoreUnavailable):
            log.error("the end of a tap could not be stored", extra={"session": session, "participant": participant})

    def _event(
        self, action: AuditAction, session: SessionId, participant: ParticipantId, actor: str, facts: dict[str, str]
    ) -> AuditEvent:
        return AuditEvent(action=action, at=self._clock.now(), actor=actor, session=session, subject=participant, details=facts)

    # ---- what ends them

    def shut(self, participant: ParticipantId, reason: str) -> None:
        """Every one of theirs, at once, also such as are being opened. ``reason``: ``held``, ``withdrawn``, …"""
        for place in self._open.get(participant, ()):
            place.end(reason)

    def withdraw(self, participant: ParticipantId, scope: ConsentScope = ConsentScope.FACE) -> None:
        """They took their consent back, which is not stored yet: nothing is opened for it until ``decided``. Of a scope that is none of ``SCOPES`` nothing
        happens."""
        if scope not in SCOPES:
            return
        self._withdrawn.add((participant, scope))
        for place in self._open.get(participant, ()):
            if scope in place.scopes:
                place.end("withdrawn")

    def decided(self, participant: ParticipantId, scope: ConsentScope = ConsentScope.FACE) -> None:
        """What they decided last is stored."""
        self._withdrawn.discard((participant, scope))

    def over(self, people: Iterable[ParticipantId]) -> None:
        """Their session has ended: nobody of it can be looked at any more."""
        for participant in people:
            self.shut(participant, "sent_away")
            self._withdrawn -= {(participant, scope) for scope in SCOPES}

    def count(self) -> int:
        return sum(len(places) for places in self._open.values())


async def _given(tx: Transaction, session: SessionId, participant: ParticipantId) -> set[ConsentScope]:
    return {
        consent.scope
        for consent in await tx.latest_consents(session)
        if consent.participant_id == participant and consent.decision is ConsentDecision.GIVEN
    }

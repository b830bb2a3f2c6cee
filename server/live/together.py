"""PDFs that are open in live sessions: who may do what with them, and who is told. What they are is ``server/pdf/together.py``.

Told is who is inside and not on hold, on the way out, or in the waiting room; asked again before anything is said, and each tick.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from server.audit.events import AuditAction
from server.clock import Clock
from server.domain.ids import ParticipantId, PdfId
from server.domain.model import PdfRecord, Role, SessionStatus
from server.errors import Conflict, DependencyError, Invalid, NotAllowed, NotFound, StoreUnavailable, TongpingError, TooMany
from server.live.member import Member
from server.live.refusals import message_error
from server.pdf.together import Phase, Together, begun
from server.services.pdfs import Pdfs
from server.signalling.connection import Connection
from server.signalling.messages import ServerBody
from server.signalling.messages_pdf import (
    PdfAsked,
    PdfLook,
    PdfMark,
    PdfOpen,
    PdfSign,
    PdfSignAsk,
    PdfSignCancel,
    PdfSignDecline,
    PdfSigned,
    PdfState,
    PdfUnmark,
)
from server.signalling.rates import TokenBucket

if TYPE_CHECKING:
    from server.live.session import LiveSession

log = logging.getLogger(__name__)
_T = TypeVar("_T")
LOOKS_S, LOOKS_BURST = 10.0, 20.0
MARKS_S, MARKS_BURST = 5.0, 30.0
SMALLEST = 0.02
"""Of the box, in one direction at least: less is no signature."""
KEEP_S = 2.0
"""Where it is looked at and what is marked is written down no more often: so much of it is lost at most where the server is killed."""


class _Table:
    """Of one session. ``told``: the connections that show what is open."""

    def __init__(self) -> None:
        self.together = Together()
        self.told: dict[ParticipantId, Connection] = {}
        self.looks: dict[ParticipantId, TokenBucket] = {}
        self.marks: dict[ParticipantId, TokenBucket] = {}
        self.unkept = False  # turned or marked since it was written down
        self.keep_at = 0.0  # then at the soonest (monotonic seconds)


class Tables:
    """Of all sessions. Each method but ``refresh`` and ``close`` is a message, carried out in the session's actor; raises TongpingError."""

    def __init__(self, pdfs: Pdfs, clock: Clock, store_s: float) -> None:
        self._pdfs, self._clock, self._store_s = pdfs, clock, store_s
        self._tables: WeakKeyDictionary[LiveSession, _Table] = WeakKeyDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

    async def settle(self) -> None:
        """Return when nothing is being signed."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self, deadline_s: float) -> None:
        """What is being signed has so long; then the rest is written down."""
        if self._tasks:
            _, late = await asyncio.wait(list(self._tasks), timeout=deadline_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for session, table in list(self._tables.items()):
            await self._keep(session, table)

    async def restore(self, session: "LiveSession", pdf: PdfRecord) -> None:
        """What was open in this session when it was last seen here, or before the server was started. Raises StoreUnavailable."""
        try:
            kept = await self._stored(self._pdfs.find(session.id, pdf.id))
        except NotFound:
            return  # its file was erased
        if kept.pdf.looked is None:
            return
        table = _Table()
        table.together.restore(kept.shown, kept.pdf.looked, kept.pdf.participant_id, kept.newest)
        self._tables[session] = table

    # ---- staff

    async def open(self, session: "LiveSession", member: Member, body: PdfOpen) -> None:
        _acts(session, member)
        table = self._tables.get(session) or _Table()
        table.together.may_open()
        kept = await self._stored(self._pdfs.opened(session.id, body.pdf, member.id, begun(member.id)))
        self._tables[session] = table
        table.together.open(kept.shown, member.id, kept.newest)
        self._whole(session, table)

    async def close_pdf(self, session: "LiveSession", member: Member) -> None:
        table = self._of(session, member)
        shown = table.together.may_close()
        await self._note(session, AuditAction.PDF_CLOSED, shown.id, member, None)
        table.together.close()
        self._whole(session, table)

    async def ask(self, session: "LiveSession", member: Member, body: PdfSignAsk) -> None:
        table = self._of(session, member)
        shown = table.together.may_ask(body)
        of = _signer(session, body.of)
        asked = table.together.question(body, member.id, of, self._pdfs.new_request())
        details = {"request": asked.request, "page": str(body.page), "of": of}
        looked = table.together.looked(asked)
        await self._note(session, AuditAction.PDF_SIGNATURE_ASKED, shown.id, member, looked, **details)
        table.together.ask(asked)
        self._whole(session, table)

    async def cancel(self, session: "LiveSession", member: Member, body: PdfSignCancel) -> None:
        table = self._of(session, member)
        asked = table.together.may_cancel(body.pdf)
        signing = table.together.phase is Phase.SIGNING
        if signing:
            table.together.cancel()  # at once: it may be written while this is noted
        looked = table.together.looked(None)
        await self._note(session, AuditAction.PDF_SIGNATURE_CANCELLED, body.pdf, member, looked, request=asked.request)
        if not signing:
            table.together.cancel()
            self._whole(session, table)

    # ---- everybody

    def look(self, session: "LiveSession", member: Member, body: PdfLook) -> None:
        table = self._of(session, member)
        self._often(table.looks, member, LOOKS_S, LOOKS_BURST)
        self._turned(session, table, member, table.together.look(body, member.id))

    def mark(self, session: "LiveSession", member: Member, body: PdfMark) -> None:
        table = self._of(session, member)
        self._often(table.marks, member, MARKS_S, MARKS_BURST)
        self._turned(session, table, member, table.together.mark(body, member.id))

    def unmark(self, session: "LiveSession", member: Member, body: PdfUnmark) -> None:
        table = self._of(session, member)
        self._often(table.marks, member, MARKS_S, MARKS_BURST)
        self._turned(session, table, member, table.together.unmark(body.pdf, body.mark, member.id))

    # ---- the customer

    async def decline(self, session: "LiveSession", member: Member, body: PdfSignDecline) -> None:
        table = self._of(session, member)
        asked = table.together.may_decline(body.pdf, body.request, member.id)
        looked = table.together.looked(None)
        await self._note(session, AuditAction.PDF_SIGNATURE_DECLINED, body.pdf, member, looked, request=asked.request)
        table.together.decline()
        self._whole(session, table)

    def sign(self, session: "LiveSession", member: Member, seq: int, body: PdfSign) -> None:
        """Written beside the actor: others go on meanwhile."""
        table = self._of(session, member)
        for axis in (0, 1):
            places = [point[axis] for stroke in body.strokes for point in stroke]
            if max(places) - min(places) >= SMALLEST:
                break
        else:
            raise Invalid("This is no signature.")
        asked = table.together.sign(body.pdf, body.request, member.id)
        task = asyncio.create_task(self._sign(session, table, member, seq, body, asked), name="pdf-sign")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sign(
        self, session: "LiveSession", table: _Table, member: Member, seq: int, body: PdfSign, asked: PdfAsked
    ) -> None:
        connection = member.connection
        strokes = tuple(tuple(stroke) for stroke in body.strokes)
        done: Callable[[], None]

        def still() -> None:
            table.together.still(asked)
            if session.members.get(member.id) is not member:
                raise Conflict("You are not here any more.")
            _acts(session, member)

        try:
            looked = partial(table.together.looked, None)
            signed = await self._pdfs.sign(session.id, body.pdf, asked, strokes, member.id, still, looked)
        except TongpingError as error:
            done = partial(self._failed, session, table, connection, seq, error)
        except Exception:
            log.exception("signature not written", extra={"session": session.id})
            done = partial(self._failed, session, table, connection, seq, DependencyError("It could not be done."))
        else:
            done = partial(self._signed, session, table, signed)

        async def told() -> None:
            done()

        if not session.actor.post(told):  # no room: while it is being written nothing that waits there sets the state
            done()

    def _signed(self, session: "LiveSession", table: _Table, signed: PdfSigned) -> None:
        table.together.signed(signed.sha256, signed.at)
        self._whole(session, table)

    def _failed(
        self, session: "LiveSession", table: _Table, connection: Connection | None, seq: int, error: TongpingError
    ) -> None:
        table.together.failed()
        if table.together.asked is None:
            table.unkept = True
            self._whole(session, table)
        if connection is not None:
            connection.send(message_error(seq, error))

    # ---- telling

    def open_in(self, session: "LiveSession") -> bool:
        """Whether ``refresh`` has something to see to."""
        return session in self._tables

    def refresh(self, session: "LiveSession") -> None:
        """Who came is told what is open, who may see it no longer that nothing is. Each tick."""
        table = self._tables.get(session)
        if table is None:
            return
        if table.unkept and (self._clock.monotonic() >= table.keep_at or not session.members):
            session.queue("pdf", partial(self._keep, session, table))
        showing = self._showing(session, table)
        for id, connection in list(table.told.items()):
            if showing.get(id) is not connection:
                del table.told[id]
                member = session.members.get(id)
                if member is not None and member.connection is connection:
                    connection.send(PdfState())
        new = {id: connection for id, connection in showing.items() if id not in table.told}
        if new:
            state = table.together.state
            for id, connection in new.items():
                table.told[id] = connection
                connection.send(state)

    def _whole(self, session: "LiveSession", table: _Table) -> None:
        showing = self._showing(session, table)
        table.told = {id: connection for id, connection in table.told.items() if id not in showing}
        self.refresh(session)

    def _turned(self, session: "LiveSession", table: _Table, member: Member, body: ServerBody) -> None:
        table.unkept = True
        before = dict(table.told)
        self.refresh(session)
        for id, connection in table.told.items():
            if id != member.id and before.get(id) is connection:
                connection.send(body)

    def _showing(self, session: "LiveSession", table: _Table) -> dict[ParticipantId, Connection]:
        if table.together.shown is None:
            return {}
        members = [one for one in session.members.values() if _sees(one)]
        return {one.id: one.connection for one in members if one.connection is not None}

    # ---- inside

    def _of(self, session: "LiveSession", member: Member) -> _Table:
        _acts(session, member)
        table = self._tables.get(session)
        if table is None:
            raise NotFound("No PDF is open.")
        return table

    def _often(self, rates: dict[ParticipantId, TokenBucket], member: Member, per_s: float, burst: float) -> None:
        now = self._clock.monotonic()
        rate = rates.get(member.id)
        if rate is None:
            rate = rates[member.id] = TokenBucket(per_s, burst, now)
        if not rate.take(now):
            raise TooMany("Too much in a short time.")

    async def _note(
        self, session: "LiveSession", action: AuditAction, pdf: str, member: Member, looked: str | None, **details: str
    ) -> None:
        await self._stored(self._pdfs.noted(action, session.id, PdfId(pdf), member.id, details, looked))

    async def _keep(self, session: "LiveSession", table: _Table) -> None:
        """Written down, but while it is being signed: then the signature itself is. Tried again where it fails and somebody is here."""
        together = table.together
        shown, looked = together.shown, together.looked(together.asked)
        if not table.unkept or together.phase is Phase.SIGNING:
            return
        table.unkept, table.keep_at = False, self._clock.monotonic() + KEEP_S
        if shown is None or looked is None:
            return
        try:
            await self._stored(self._pdfs.looked(shown.id, looked))
        except TongpingError as error:
            table.unkept = bool(session.members)
            log.warning("open PDF not written down", extra={"session": session.id, "code": error.code})

    async def _stored(self, what: Awaitable[_T]) -> _T:
        try:
            async with asyncio.timeout(self._store_s):
                return await what
        except TimeoutError as error:
            raise StoreUnavailable("It could not be stored in time.") from error


def _acts(session: "LiveSession", member: Member) -> None:
    """Raises NotAllowed, Conflict."""
    if member.listens:
        raise NotAllowed("You listen: join in first.")
    if not _sees(member):
        raise NotAllowed("You are on hold.")
    if session.status is not SessionStatus.OPEN:
        raise Conflict("Nobody has taken this customer yet.")


def _signer(session: "LiveSession", of: str) -> ParticipantId:
    """Who is asked to sign. Raises NotFound, Conflict."""
    customers = [one for one in session.members.values() if one.participant.role is Role.CUSTOMER and _sees(one)]
    if of:
        customers = [one for one in customers if one.id == of]
    if not customers:
        raise NotFound("There is no such customer here.")
    if len(customers) > 1:
        raise Conflict("There are several customers: say which one is to sign.")
    return customers[0].id


def _sees(member: Member) -> bool:
    return not (member.gone or member.waits or member.on_hold or member.leaving or member.cut or member.narrowed.out)

"""What is kept of one customer: handed out whole, and erased for good.

Erasing: written down first (``ErasureJournal``), then the evidence (its keys go first), templates, what cases, attempts, sessions, chats and files say, and where
that is asked for the recordings; then the audit has it, and the database's log is cut off. It may be cut off anywhere: the next start does it again, as it
does where an older copy of the database came back; what had not ended in that copy is ended first. What stays has ids, states, times and hashes; nothing of a
person. The count of failures stays, by a keyed hash, for as long as it counts: an erasing would be a way around the lock.
"""

import contextlib
import logging
from collections.abc import Callable

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.audit.receipts import ReceiptSigner
from server.clock import Clock
from server.domain import ids
from server.domain.ids import CaseId, RecordingId, SessionId, TemplateId
from server.domain.model import FaceTemplate, Participant, Recording, Role, Session, SessionStatus, staff_of
from server.errors import Conflict, NotFound
from server.services import face_templates
from server.services.erasure_ports import ErasedPicture, Erasure, ErasureJournal
from server.services.files import Files
from server.services.ports import MakeId
from server.services.principal import Principal
from server.services.recordings import Recordings
from server.services.sessions import Sessions, owner
from server.services.verification_cases import SYSTEM, Cases
from server.services.verification_evidence import VerificationEvidence
from server.store.ports import Store, Transaction
from server.transactions.case import ENDED, Case, Decided
from server.transactions.lock import Failures

log = logging.getLogger(__name__)
PAGE = 100
ERASED_BY_CUSTOMER = "customer"
REPLAYED = "replayed"
ERASED = "erased"
"""Why something is ended that an older copy of the database has as under way."""

Digest = Callable[[str], bytes]
"""Of a customer, as the risk's records have it."""
Forget = Callable[[bytes], None]
"""What is remembered outside the store of the customer with this digest."""


class SomethingRuns(Conflict):
    """A case or a session of this customer has not ended."""

    code = "something_runs"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one customer. ``recordings``: those that were not erased. ``devices``: how many are known on which they have passed. ``others``: sessions
    with a case of theirs that are another's, or nobody's; none that was erased."""

    cases: list[Case]
    template: FaceTemplate | None
    sessions: list[Session]
    others: list[SessionId]
    recordings: list[Recording]
    failures: Failures | None
    devices: int

    @property
    def nothing(self) -> bool:
        return not (self.cases or self.template or self.sessions or self.failures or self.devices)


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """``counts``: of what was there. ``receipt``: a JWS (``server/audit/receipts.py``). ``kept``, ``others``: recordings, and
    sessions of others with a case of theirs, that stay."""

    erasure: Erasure
    counts: dict[str, int]
    kept: list[RecordingId]
    others: list[SessionId]
    receipt: str


class Customers:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        make_id: MakeId,
        cases: Cases,
        evidence: VerificationEvidence,
        sessions: Sessions,
        recordings: Recordings,
        files: Files,
        journal: ErasureJournal,
        signer: ReceiptSigner,
        digest: Digest,
        forget: Forget,
    ) -> None:
        self._store, self._clock, self._make_id = store, clock, make_id
        self._cases, self._evidence, self._files = cases, evidence, files
        self._sessions, self._recordings = sessions, recordings
        self._journal, self._signer, self._digest, self._forget_outside = journal, signer, digest, forget
        self.on_erased: list[Callable[[str], None]] = []
        """Called with the customer when the erasing was written down, and again when it is done."""

    async def find(self, customer: str) -> Found:
        """By the bank's name for them: of cases, of templates, of sessions. Raises DependencyError."""
        erased = await self._erased()
        async with self._store.read() as tx:
            cases: list[Case] = []
            while page := await tx.customer_cases(customer, after=cases[-1].id if cases else "", limit=PAGE):
                cases += page
            sessions = {one.id: one for one in await _sessions(tx, customer)}
            others = list[SessionId]()
            for id in {case.session_id for case in cases if case.session_id is not None} - sessions.keys() - erased:
                session = await tx.get_session(id)
                if session is None:
                    continue
                if await is_theirs(tx, session, customer):
                    sessions[id] = session
                else:
                    others.append(id)
            recordings = [one for session in sessions for one in await _recordings(tx, session)]
            return Found(
                cases=cases,
                template=await tx.customer_template(customer),
                sessions=sorted(sessions.values(), key=lambda one: (one.created_at, one.id)),
                others=sorted(others),
                recordings=recordings,
                failures=await self._cases.failures(tx, customer),
                devices=await tx.count_customer_devices(self._digest(customer), self._clock.now()),
            )

    async def erase(self, who: Principal, customer: str, *, request: str = "", recordings: bool = False) -> Erased:
        """Of nobody known: a receipt of nothing. Raises SomethingRuns, DependencyError (what is not done is done at the next start)."""
        found = await self.find(customer)
        if any(case.state not in ENDED for case in found.cases):
            raise SomethingRuns("A verification of this customer has not ended: cancel it, or let it end.")
        async with self._store.read() as tx:
            others = [case for session in found.sessions for case in await tx.session_cases(session.id)]
        if any(case.state not in ENDED for case in others):
            raise SomethingRuns("A verification in a session of this customer has not ended: cancel it, or let it end.")
        if any(session.status is not SessionStatus.ENDED for session in found.sessions):
            raise SomethingRuns("A session of this customer has not ended: end it first.")
        if recordings and any(one.ended_at is None for one in found.recordings):
            raise SomethingRuns("A session of this customer is still being recorded.")
        erasure = Erasure(
            id=self._make_id(ids.ERASURE),
            at=self._clock.now(),
            actor=who.actor,
            request=request,
            cases=tuple(case.id for case in found.cases),
            templates=(found.template.id,) if found.template is not None else (),
            sessions=tuple(session.id for session in found.sessions),
            recordings=tuple(one.id for one in found.recordings) if recordings else (),
            customer=self._digest(customer).hex(),
            evidence=tuple([name for case in found.cases for name in await self._evidence.names(case)]),
        )
        counts = dict.fromkeys(("cases", "evidence", "templates", "sessions", "recordings"), 0)
        if not found.nothing:
            await self._journal.append(erasure)
            self._tell_erased(customer)
            counts = await self._carry_out(erasure)
            self._tell_erased(customer)
            await self._store.scrub()
        else:
            async with self._store.begin() as tx:
                await self._note(tx, erasure, counts, ERASED_BY_CUSTOMER)
        receipt = self._signer.sign(erasure.id, customer, erasure.at, counts)
        kept = [one.id for one in found.recordings if one.id not in erasure.recordings]
        return Erased(erasure=erasure, counts=counts, kept=kept, others=found.others, receipt=receipt)

    async def _erased(self) -> frozenset[SessionId]:
        """Sessions that are erased whole: they are nobody's, whoever had a case in them. Raises DependencyError."""
        return frozenset(id for one in await self._journal.all() if one.done or not one.customer for id in one.sessions)

    def _tell_erased(self, customer: str) -> None:
        for tell in self.on_erased:
            tell(customer)

    async def replay(self) -> int:
        """Erase again what an older copy of the database brought back, or what was not done to its end; of how many erasures. Before anybody is served.
        Raises DependencyError."""
        again = 0
        keyed = await self._cases.key_failures()
        await self._cases.forget_failures()
        erasures = await self._journal.all()
        for erasure in erasures:
            if not (erasure.done or not erasure.customer) or await self._stands(erasure):
                log.warning("what was erased is erased again", extra={"erasure": erasure.id, "done": erasure.done})
                await self._end(erasure)
                await self._carry_out(erasure, why=REPLAYED)
                again += 1
        if cases := {
            id for erasure in erasures for id in erasure.cases
        }:  # the vault may be newer than the database, and know more of them
            names = {name for erasure in erasures for name in erasure.evidence}
            await self._evidence.erase_again(cases, names, REPLAYED)
        if again or keyed:
            await self._store.scrub()
        return again

    async def erased_cases(self) -> frozenset[CaseId]:
        """Raises DependencyError."""
        return frozenset(id for erasure in await self._journal.all() for id in erasure.cases)

    async def _stands(self, erasure: Erasure) -> bool:
        async with self._store.read() as tx:
            for case_id in erasure.cases:
                case = await tx.get_case(case_id)
                if case is not None and case != _blank(case):
                    return True
            for template_id in erasure.templates:
                template = await tx.get_template(template_id)
                if template is not None and template.erased_at is None:
                    return True
            for picture in erasure.pictures:
                if face_templates.picture_stands(await tx.get_template(picture.template), picture):
                    return True
            for session_id in erasure.sessions:
                session = await tx.get_session(session_id)
                if session is None:
                    continue
                if (
                    session.status is not SessionStatus.ENDED
                    or session != _blank_session(session)
                    or await _named(tx, session_id)
                ):
                    return True
            for recording_id in erasure.recordings:
                recording = await tx.get_recording(recording_id)
                if recording is not None and recording.erased_at is None:
                    return True
            if not erasure.customer:
                return False
            digest = bytes.fromhex(erasure.customer)
            return await tx.count_customer_devices(digest, erasure.at) > 0

    async def _end(self, erasure: Erasure) -> None:
        """What had ended when it was erased, and has not in the database that stands now. Cases first: the end of a session would count theirs as failures."""
        for case_id in erasure.cases:
            async with self._store.begin() as tx:
                if (case := await tx.get_case(case_id)) is not None:
                    await self._cases.taken_back(tx, case, ERASED, SYSTEM)
        for session_id in erasure.sessions:
            with contextlib.suppress(NotFound):
                await self._sessions.end(session_id, ERASED, "")
        for recording_id in erasure.recordings:
            await self._recordings.end_left(recording_id, ERASED)

    async def _carry_out(self, erasure: Erasure, why: str = ERASED_BY_CUSTOMER) -> dict[str, int]:
        """All of it, whatever of it is done already; the audit has it in the end."""
        counts = {"cases": 0, "evidence": 0, "templates": 0, "sessions": 0, "recordings": 0}
        for recording_id in erasure.recordings:
            counts["recordings"] += await self._erase_recording(recording_id, erasure, why)
        for case_id in erasure.cases:
            counts["cases"] += 1
            counts["evidence"] += await self._erase_case(case_id, erasure.actor, why)
        for template_id in erasure.templates:
            counts["templates"] += await self._erase_template(template_id, erasure.actor)
        for picture in erasure.pictures:
            await self._erase_picture(picture, erasure.actor)
        for session_id in erasure.sessions:
            counts["sessions"] += 1
            await self._erase_session(session_id)
        async with self._store.begin() as tx:
            if erasure.customer:
                await tx.forget_customer_devices(bytes.fromhex(erasure.customer), erasure.at)
            await self._note(tx, erasure, counts, why)
        if erasure.customer:
            self._forget_outside(bytes.fromhex(erasure.customer))
        if not erasure.done:
            await self._journal.finish(erasure.id)
        return counts

    async def _note(self, tx: Transaction, erasure: Erasure, counts: dict[str, int], why: str) -> None:
        details = {name: str(count) for name, count in counts.items()} | {"request": erasure.request, "why": why}
        await tx.append_audit(
            AuditEvent(
                action=AuditAction.CUSTOMER_ERASED,
                at=self._clock.now(),
                actor=erasure.actor,
                subject=erasure.id,
                details={name: value for name, value in details.items() if value},
            )
        )

    async def _erase_recording(self, id: RecordingId, erasure: Erasure, why: str) -> int:
        try:
            await self._recordings.erase(id, f"{ERASED_BY_CUSTOMER} {erasure.id}", erasure.actor)
        except NotFound:
            return 0
        except Conflict as error:
            if why != REPLAYED:
                raise
            log.error("a recording is erased at the next start", extra={"recording": id, "code": error.code})
            return 0
        return 1

    async def _erase_case(self, id: CaseId, actor: str, why: str) -> int:
        async with self._store.read() as tx:
            case = await tx.get_case(id)
        if case is None:
            return 0
        parts = await self._evidence.erase(case, actor, why)
        async with self._store.begin() as tx:
            case = await tx.get_case(id)
            if case is None:
                return parts
            await tx.save_case(_blank(case))
            for attempt in await tx.list_attempts(id):
                await tx.save_attempt(msgspec.structs.replace(attempt, reasons=(), checked=None, risk=None))
            await tx.end_callbacks(id, self._clock.now())
            await tx.erase_idempotency(id)
        return parts

    async def _erase_template(self, id: TemplateId, actor: str) -> int:
        now = self._clock.now()
        async with self._store.begin() as tx:
            template = await tx.get_template(id)
            if template is None or template.erased_at is not None:
                return 0
            await tx.save_template(face_templates.erased(template, now))
            await tx.erase_idempotency(id)
            await tx.append_audit(AuditEvent(action=AuditAction.TEMPLATE_ERASED, at=now, actor=actor, subject=id))
        return 1

    async def _erase_picture(self, erased: ErasedPicture, actor: str) -> None:
        async with self._store.begin() as tx:
            template = await tx.get_template(erased.template)
            if template is None or not face_templates.picture_stands(template, erased):
                return
            await tx.save_template(face_templates.without_picture(template))
            action, now = AuditAction.TEMPLATE_PICTURE_ERASED, self._clock.now()
            await tx.append_audit(AuditEvent(action=action, at=now, actor=actor, subject=template.id))

    async def _erase_session(self, id: SessionId) -> None:
        async with self._store.read() as tx:
            files = await tx.session_files(id)
        for file in files:
            await self._files.erase(file)
        async with self._store.begin() as tx:
            session = await tx.get_session(id)
            if session is None:
                return
            await tx.save_session(_blank_session(session))
            for person in await tx.list_participants(id):
                if _of_no_account(person):
                    await tx.save_participant(msgspec.structs.replace(person, name=""))
            for invitation in await tx.list_invitations(id):
                await tx.save_invitation(msgspec.structs.replace(invitation, name=""))
                await tx.erase_idempotency(invitation.id)
            await tx.blank_chat(id)
            await tx.blank_files(id)
            await tx.erase_idempotency(id)


async def is_theirs(tx: Transaction, session: Session, customer: str) -> bool:
    return owner(session, await tx.session_cases(session.id)) == customer


def _of_no_account(person: Participant) -> bool:
    """Whether the name is one that they gave themselves, or that was written into an invitation: whatever role they have now. Staff have accounts."""
    return person.role is Role.CUSTOMER or staff_of(person) is None


async def _named(tx: Transaction, session: SessionId) -> bool:
    """Whether a name of somebody who has no account stands in it."""
    people, invitations = await tx.list_participants(session), await tx.list_invitations(session)
    return any(one.name for one in people if _of_no_account(one)) or any(one.name for one in invitations)


async def _sessions(tx: Transaction, customer: str) -> list[Session]:
    found: list[Session] = []
    cursor: str | None = None
    while True:
        page = await tx.list_sessions(status=None, customer_reference=customer, limit=PAGE, cursor=cursor)
        found += page.sessions
        cursor = page.next
        if cursor is None:
            return found


async def _recordings(tx: Transaction, session: SessionId) -> list[Recording]:
    found: list[Recording] = []
    cursor: str | None = None
    while True:
        page = await tx.list_recordings(session=session, limit=PAGE, cursor=cursor)
        found += [one for one in page.recordings if one.erased_at is None]
        cursor = page.next
        if cursor is None:
            return found


def _blank(case: Case) -> Case:
    """What may stay: that there was one, of which kind, how and when it ended."""
    return msgspec.structs.replace(
        case, customer="", details_hash="", key=b"", sealed=b"", consent="", return_url="", template=None, reference_pack="", reference_key=b"",
        reference_sealed=b"", reviews=tuple(msgspec.structs.replace(one, note="") for one in case.reviews), identified=None, result="",
        result_until=None, decided=_blank_decided(case.decided),
    )  # fmt: skip


def _blank_decided(decided: Decided | None) -> Decided | None:
    return None if decided is None else msgspec.structs.replace(decided, reasons=(), risk_level=None)


def _blank_session(session: Session) -> Session:
    return msgspec.structs.replace(session, customer_reference="", customer_name="", reason="", context="", end_reason="")

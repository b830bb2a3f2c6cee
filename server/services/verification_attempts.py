"""Attempts: one begins, shows something, and is decided. Whatever shows it (uploaded pictures here, the live stream elsewhere) calls
``begin_attempt`` before and ``finish_attempt`` after; nothing else makes a decision.
"""

import asyncio
import contextlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import msgspec

from server.api.bodies_faces import FaceReason
from server.audit.events import AuditAction
from server.domain import ids
from server.domain.ids import AttemptId, CaseId
from server.domain.model import FaceTemplate, Session
from server.errors import (
    Conflict,
    TongpingError,
    VerificationLost,
    VerificationUnavailable,
)
from server.services import face_templates
from server.services.enrolled_pictures import EnrolledPictures
from server.services.face_ports import FaceEngine, SealBroken, TemplateSeal
from server.services.principal import Principal
from server.services.verification_cases import Cases
from server.services.verification_evidence import VerificationEvidence, attempt_name, lost
from server.services.verification_ports import RiskPort, RiskUnavailable
from server.services.verification_uploads import Brought, Uploads, fault_of, faulty
from server.store.ports import Transaction
from server.transactions.again import another_try, person_may, stays_open
from server.transactions.case import Abandon, Attempt, Begin, Case, CaseState, Decided, Finish, WrongState, apply, finished
from server.transactions.decision import (
    AttemptKind,
    CheckedAttempt,
    Decision,
    decide,
)
from server.transactions.details import read_details
from server.transactions.lock import inside_lock, is_excused, is_failure
from server.transactions.material import Material, ReferenceShown
from server.transactions.policy import Policy
from server.transactions.risk.engine import BLOCKED, Asked
from server.transactions.risk.result import UNAVAILABLE, RiskLevel, RiskResult, assessed

log = logging.getLogger(__name__)
__all__ = ["ReferenceMissing", "VerificationAttempts", "fault_of", "faulty"]

CONSENT_WITHDRAWN = "consent_withdrawn"
"""The fault of an attempt whose consent was taken back."""
REFERENCE_CHANGED = "reference_changed"
Agreed = Callable[[Transaction], Awaitable[bool]]
GRACE_S = 30
"""After its time there is so much for what is made, kept and written down of an attempt: else whoever lets the time run out would not be judged."""


class ReferenceMissing(Conflict):
    """There is nothing to compare the customer with."""

    code = "reference_missing"


class VerificationAttempts:
    """``seal``: of stored templates; ``portraits``: of those that came with a case."""

    def __init__(
        self,
        cases: Cases,
        risk: RiskPort,
        engine: FaceEngine,
        seal: TemplateSeal,
        portraits: TemplateSeal,
        evidence: VerificationEvidence,
    ) -> None:
        self._cases = cases
        self.evidence = evidence
        self._risk = risk
        self._engine = engine
        self._seal = seal
        self.enrolled = EnrolledPictures(seal)
        self._portraits = portraits
        self._uploads = Uploads(engine)

    @property
    def cases(self) -> Cases:
        return self._cases

    # ---- for whatever shows a face

    async def begin_attempt(self, id: CaseId, assurance: AttemptKind, actor: str, who: Principal | None = None) -> Attempt:
        """It counts from now on, whatever becomes of it.

        Raises NotFound, WrongState, ReferenceMissing, CustomerLocked, AttemptsRunning (of this customer, in other cases), Conflict.
        """
        cases = self._cases
        async with cases.store.begin() as tx:
            case = await cases.settled(tx, id, who)
            policy = await cases.policy(tx, case)
            if case.state is CaseState.OPEN:
                await cases.may_begin(tx, case.customer)
            if assurance is AttemptKind.AGENT:
                raise ValueError("a person who vouches makes no attempt")
            if assurance is not AttemptKind.LIVE and not policy.clip_allowed:
                raise Conflict("This type of transaction is verified on the live stream only.")
            attempt_id = AttemptId(cases.make_id(ids.ATTEMPT))
            now = cases.clock.now()
            after = apply(case, Begin(attempt=attempt_id, attempt_s=policy.attempt_s, grace_s=GRACE_S), now)
            if case.template is None and not case.reference_sealed:
                raise ReferenceMissing("There is no template and no portrait to compare with.")
            attempt = Attempt(
                id=attempt_id,
                case_id=case.id,
                number=after.attempts_used,
                assurance=assurance,
                started_at=now,
                started_by=actor,
                until=(after.attempt_until or now) - timedelta(seconds=GRACE_S),
            )
            await tx.add_attempt(attempt)
            await cases.begun(tx, case)
            await cases.saved(tx, case, after, actor)
            await cases.note(
                tx, AuditAction.VERIFICATION_ATTEMPT_BEGUN, actor, case, attempt=attempt.id, assurance=assurance.value
            )
        return attempt

    async def finish_attempt(
        self,
        attempt: Attempt,
        checked: CheckedAttempt,
        actor: str,
        *,
        evidence: str,
        seen: bool = True,
        with_agent: bool = False,
        agreed: Agreed | None = None,
    ) -> tuple[Decision, Attempt, Case]:
        """The decision, on disk and signed when this returns. ``evidence``: the digest that ``VerificationEvidence.keep`` answered; nothing counts of what there is
        none of. ``seen``: whether there are pictures in it. ``with_agent``: somebody who leads was there all through it, with the customer. ``agreed``: whether the person still does, in the
        transaction that decides; where they do not, nothing of it counts or is kept.

        Raises WrongState where the attempt is over already: its time, or the case's.
        """
        cases = self._cases
        decision: Decision | None = None
        if not evidence and checked.fault is None:
            checked = lost(checked)
        attempt = msgspec.structs.replace(attempt, evidence=evidence)
        async with cases.store.begin() as tx:
            case = await cases.settled(tx, attempt.case_id)
            if case.attempt == attempt.id:
                if agreed is not None and not await agreed(tx):
                    checked = faulty(checked.assurance, CONSENT_WITHDRAWN)
                    attempt = msgspec.structs.replace(attempt, evidence="")
                policy = await cases.policy(tx, case)
                session = await tx.get_session(case.session_id) if case.session_id is not None else None
                asked = self._asked(case, policy, attempt, session, with_agent=with_agent)
                # Two small reads of this transaction, whichever server wrote what they find: decisions are assessed one after the other.
                risk = await self._risk.assess(tx, asked, policy, cases.clock.now())
                left = case.attempts_allowed - case.attempts_used if cases.clock.now() < case.expires_at else 0
                decision = another_try(checked, decide(policy, checked, risk), seen=seen and bool(attempt.evidence), left=left)
                if await cases.locked(tx, case.customer):
                    decision = inside_lock(decision)
                done, case = await self._finished(tx, case, policy, attempt, checked, risk, decision, asked, actor)
        if decision is None:
            raise WrongState("This attempt is over.")
        if evidence and not done.evidence:
            await self.evidence.forget(attempt_name(done), actor, "withdrawn")
        return decision, done, case

    async def _finished(
        self,
        tx: Transaction,
        case: Case,
        policy: Policy,
        attempt: Attempt,
        checked: CheckedAttempt,
        risk: RiskResult,
        decision: Decision,
        asked: Asked,
        actor: str,
    ) -> tuple[Attempt, Case]:
        cases, now = self._cases, self._cases.clock.now()
        done = finished(attempt, checked, risk, decision, now)
        await tx.save_attempt(done)
        decided = Decided(
            outcome=decision.outcome,
            reasons=decision.reasons,
            assurance=checked.assurance,
            risk_level=risk.level,
            pack_hash=checked.pack_hash,
            rules_hash=risk.rules_hash,
            model_hash=risk.model_hash,
        )
        failure, excused = is_failure(checked, decision), is_excused(checked, decision)
        open_still = stays_open(
            checked, decision, risk.level, left=case.attempts_allowed - case.attempts_used,
            person=person_may(case, policy),
        )  # fmt: skip
        after = apply(case, Finish(decided=decided, review_s=policy.review_s, stays_open=open_still), now)
        await cases.note(
            tx,
            AuditAction.VERIFICATION_ATTEMPT_ENDED,
            actor,
            case,
            attempt=attempt.id,
            outcome=decision.outcome.value,
            reasons=" ".join(decision.reasons),
            assurance=checked.assurance.value,
            pack=checked.pack_hash,
            script=checked.script_hash,
            evidence=attempt.evidence,
            risk=risk.level.value,
            rules=risk.rules_hash,
            model=risk.model_hash,
        )
        if failure or excused:
            after = await cases.failed(tx, case, after, actor, excused=excused)
        return done, await cases.saved(tx, case, after, actor)

    async def abandon_attempt(self, attempt: Attempt, actor: str, why: BaseException) -> Case:
        """It broke here, by ``why``: it is used up, and no failure unless there were too many such. Where it is over already nothing happens."""
        cases = self._cases
        async with cases.store.begin() as tx:
            case = await cases.settled(tx, attempt.case_id)
            event = Abandon(why="attempt_cut" if isinstance(why, asyncio.CancelledError) else "attempt_broken")
            return case if case.attempt != attempt.id else await cases.happened(tx, case, event, actor)

    async def blocked(self, tx: Transaction, case: Case) -> bool:
        """Whether something of this case, which was referred, is on the block list now; of one whose risk could not be assessed whether it is rejected.
        Raises RiskUnavailable."""
        attempts = await tx.list_attempts(case.id)
        risk = await self._assessed(tx, case, attempts[-1] if attempts and case.identified is None else None)
        first = case.decided is not None and UNAVAILABLE in case.decided.reasons
        return any(reason.code.startswith(BLOCKED) for reason in risk.reasons) or (first and risk.level is RiskLevel.REJECT)

    async def assess(self, tx: Transaction, case: Case) -> RiskResult:
        """Of a case whose customer a person has identified. Raises RiskUnavailable."""
        return await self._assessed(tx, case, None)

    async def _assessed(self, tx: Transaction, case: Case, attempt: Attempt | None) -> RiskResult:
        session = await tx.get_session(case.session_id) if case.session_id is not None else None
        policy = await self._cases.policy(tx, case)
        asked = self._asked(case, policy, attempt, session, with_agent=attempt is None)
        risk = await self._risk.assess(tx, asked, policy, self._cases.clock.now())
        if not assessed(risk):
            raise RiskUnavailable(
                "The risk cannot be assessed now: nobody can be passed. Nothing has changed; try again later."
            )
        return risk

    def _asked(
        self, case: Case, policy: Policy, attempt: Attempt | None, session: Session | None, *, with_agent: bool
    ) -> Asked:
        """Pictures that were uploaded come from outside of any session, whichever the case names. ``attempt``: None where a person vouches."""
        kept = self._cases.opened(case)
        details = read_details(kept.details)
        kind = attempt.assurance if attempt is not None else AttemptKind.AGENT
        live = kind in (AttemptKind.LIVE, AttemptKind.AGENT)

        def said(name: str) -> str | None:
            value = details.get(name)
            return value if isinstance(value, str) else None

        return Asked(
            type=case.type,
            customer=case.customer,
            device=kept.device,
            address=kept.address,
            phone=kept.phone,
            account=kept.account,
            amount=said(policy.risk.amount),
            currency=said("currency"),
            session_kind=session.kind.value if session is not None and live else None,
            with_agent=live and with_agent,
            assurance=kind.value,
            attempt=attempt.number if attempt is not None else case.attempts_used + 1,
            customer_age_group=kept.customer_age_group,
            customer_since_days=kept.customer_since_days,
            channel=kept.channel or said("channel"),
            counted=attempt is not None,
        )

    # ---- uploaded pictures

    async def upload(
        self, who: Principal, id: CaseId, images: Sequence[bytes] = (), clip: bytes = b""
    ) -> tuple[Attempt, list[FaceReason], Case]:
        """``images``, or else ``clip``. Refused before it begins where the pack cannot answer what the policy asks (Conflict). Begun, looked at, decided. An attempt that is broken off in the middle, by whomever, has been used up."""
        brought = Brought(images, clip)
        await self._answerable(id, who)
        attempt = await self.begin_attempt(id, brought.kind, who.actor, who)
        try:
            async with self._cases.store.read() as tx:
                case = await self._cases.found(tx, id)
                policy = await self._cases.policy(tx, case)
            compared = b""

            async def reference() -> bytes:
                nonlocal compared
                compared = await self.reference(case)
                return compared

            looked = await self._uploads.look(brought, policy, reference)
            checked = looked.checked
            if compared and (fault := await self.other_reference(id, compared)) is not None:
                checked = faulty(brought.kind, fault)
            material = await self.with_reference(case, policy, compared, looked.material)
            checked, digest = await self.evidence.keep(attempt, checked, material)
            seen = bool(looked.material.pictures)
            _, done, case = await self.finish_attempt(attempt, checked, who.actor, evidence=digest, seen=seen)
        except BaseException as error:
            with contextlib.suppress(TongpingError):  # then it ends with its time
                await self.abandon_attempt(attempt, who.actor, error)
            raise
        return done, looked.advice, case

    async def _answerable(self, id: CaseId, who: Principal) -> None:
        """Raises NotFound, Conflict."""
        async with self._cases.store.read() as tx:
            policy = await self._cases.policy(tx, await self._cases.found(tx, id, who))
        with contextlib.suppress(VerificationUnavailable):  # then the attempt says so
            if not self._engine.has_point(policy.fmr):
                raise Conflict(
                    f"The model pack {self._engine.pack.name} has no operating point {policy.fmr:g}, which the policy asks for."
                )

    async def reference(self, case: Case) -> bytes:
        """The template to compare with. Raises Conflict, VerificationLost."""
        kept: FaceTemplate | None = None
        if case.template is None and not case.reference_sealed:
            raise ReferenceMissing("There is no template and no portrait to compare with.")
        try:
            if case.template is None:
                pack, key, sealed, seal, id = (
                    case.reference_pack, case.reference_key, case.reference_sealed, self._portraits, str(case.id),
                )  # fmt: skip
            else:
                async with self._cases.store.read() as tx:
                    kept = await tx.get_template(case.template)
                if kept is None or kept.erased_at is not None or kept.subject != case.customer:
                    raise Conflict("The customer's template was erased.")
                pack, key, sealed, seal, id = kept.pack_hash, kept.key, kept.sealed, self._seal, str(kept.id)
            if not (face_templates.fits(self._engine, kept) if kept is not None else pack == self._engine.pack.hash):
                raise Conflict("Another model pack works now than made the reference.")
            return seal.open(id, pack, key, sealed)
        except SealBroken:
            raise VerificationLost("The reference cannot be opened.") from None

    async def other_reference(self, id: CaseId, reference: bytes) -> str | None:
        """A fault where they were compared with what is not theirs any more: a portrait that was replaced just before it began, a template that was
        replaced or erased since. None: it stands."""
        try:
            async with self._cases.store.read() as tx:
                case = await self._cases.found(tx, id)
            return None if hmac.compare_digest(await self.reference(case), reference) else REFERENCE_CHANGED
        except Conflict:
            return REFERENCE_CHANGED
        except TongpingError as error:
            return fault_of(error)

    async def with_reference(self, case: Case, policy: Policy, compared: bytes, material: Material) -> Material:
        """With what a person can hold it against. ``compared``: the template that they were compared with, b"" where nothing was: of no other enrolment is the
        picture taken. Where there is none of the attempt there is none of the reference."""
        jpeg, shown = b"", ReferenceShown.NONE
        if case.template is None:
            shown = ReferenceShown.PORTRAIT if case.reference_evidence else ReferenceShown.NONE
        elif policy.evidence.keep_reference and compared and material.pictures:
            jpeg, shown = await self._enrolment(case, compared)
        return msgspec.structs.replace(material, reference=jpeg, reference_shown=shown)

    async def _enrolment(self, case: Case, compared: bytes) -> tuple[bytes, ReferenceShown]:
        try:
            async with self._cases.store.read() as tx:
                kept = await tx.get_template(case.template) if case.template is not None else None
            if kept is None or kept.erased_at is not None or kept.subject != case.customer:
                return b"", ReferenceShown.CHANGED
            if not hmac.compare_digest(self._seal.open(kept.id, kept.pack_hash, kept.key, kept.sealed), compared):
                return b"", ReferenceShown.CHANGED
            jpeg = self.enrolled.opened(kept)
        except (SealBroken, TongpingError):
            log.error("the picture of an enrolment cannot be kept with an attempt", extra={"case": case.id})
            return b"", ReferenceShown.LOST
        return (b"", ReferenceShown.NONE) if jpeg is None else (jpeg, ReferenceShown.ENROLMENT)

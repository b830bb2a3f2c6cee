"""Transactions that are verified: asked for by the bank's system, decided, and redeemed once.

``attempts``, ``reviews`` and ``redemptions`` are parts of it: how something is shown, what a person decides, and that a decision is used once.
"""

from collections.abc import Mapping
from datetime import timedelta

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.api.bodies import KeySet
from server.api.bodies_verifications import CreateVerification, CustomerLinks, Redeemed, SetPortrait, Signals, VerificationView
from server.audit.events import AuditAction, AuditEvent
from server.auth.jwks import key_set
from server.domain import ids
from server.domain.grants import Grant
from server.domain.ids import ApiKeyId, CaseId, SessionId, TemplateId
from server.domain.model import SessionKind, SessionStatus
from server.errors import Conflict, Gone, Invalid, NotFound, PictureRefused
from server.services.evidence_ports import EvidenceStore
from server.services.face_ports import FaceEngine, TemplateSeal
from server.services.principal import Principal
from server.services.redeem_ports import RedeemJournal
from server.services.sessions import SessionOfAnother, of_one
from server.services.verification_attempts import VerificationAttempts
from server.services.verification_cases import Cases, Kept
from server.services.verification_evidence import VerificationEvidence
from server.services.verification_identification import Identifications
from server.services.verification_ports import CallBacks, RiskPort
from server.services.verification_redeems import Redemptions
from server.services.verification_reviews import VerificationReviews
from server.services.verification_sessions import CaseSessions
from server.services.verification_views import verification_view
from server.store.ports import Transaction
from server.transactions.case import Cancel, Case, CaseState
from server.transactions.details import canonical, form_hash, read_details
from server.transactions.risk.lists import IdentifierInvalid, IdentifierKind, normalised

TOLD = ("verification.*", "customer.locked")
"""Of what a callback is told."""


class SessionTaken(Conflict):
    """The session was made for one verification, and that is another one."""

    code = "session_taken"


class OtherCustomer(Conflict):
    """The template is of somebody else."""

    code = "template_of_another"


class Verifications:
    """``keys``: every public key that decisions may be signed with, by its name; the newest first. ``sessions``: of customers by themselves."""

    def __init__(
        self,
        cases: Cases,
        risk: RiskPort,
        engine: FaceEngine,
        callbacks: CallBacks,
        sessions: CaseSessions,
        *,
        templates: TemplateSeal,
        portraits: TemplateSeal,
        keys: Mapping[str, Ed25519PublicKey],
        vault: EvidenceStore,
        redeems: RedeemJournal,
        strict_portraits: bool = True,
    ) -> None:
        self._cases = cases
        self._engine = engine
        self._callbacks = callbacks
        self.sessions = sessions
        self._portraits = portraits
        self._keys = dict(keys)
        self._strict = strict_portraits
        self.evidence = VerificationEvidence(cases, vault)
        self.attempts = VerificationAttempts(cases, risk, engine, templates, portraits, self.evidence)
        self.reviews = VerificationReviews(self.attempts)
        self.identifications = Identifications(self.attempts)
        self.redemptions = Redemptions(cases, redeems, keys)

    @property
    def cases(self) -> Cases:
        return self._cases

    def view(self, case: Case) -> VerificationView:
        return verification_view(case, self._cases.clock.now())

    async def create(self, who: Principal, asked: CreateVerification) -> VerificationView:
        """Raises UnknownType, Invalid (details, signals, callback, link), NotFound, Gone, OtherCustomer, SessionTaken, SessionOfAnother, CustomerLocked,
        TooMany."""
        cases = self._cases
        policy = cases.policies.current(asked.type)
        details = read_details(bytes(asked.details))
        policy.check_details(details)
        _check_signals(asked.signals)
        if asked.callback:
            self._callbacks.check(asked.callback)
        if asked.link is not None:
            self.sessions.check(asked.link, asked.session)
        self.sessions.count(who.actor)
        form = canonical(details)
        id, hash, now = CaseId(cases.make_id(ids.CASE)), form_hash(form), cases.clock.now()
        key, sealed = cases.sealed(id, hash, Kept(details=form, **msgspec.structs.asdict(asked.signals)))
        expires_at = now + timedelta(seconds=policy.expires_s)
        case = Case(
            id=id,
            type=policy.type,
            customer=asked.customer,
            state=CaseState.OPEN,
            details_hash=hash,
            key=key,
            sealed=sealed,
            policy_hash=policy.hash,
            consent=asked.consent,
            created_at=now,
            created_by=ApiKeyId(who.actor),
            expires_at=expires_at,
            attempts_allowed=policy.attempts,
            due_at=expires_at,
            retention_days=policy.retention_days,
            waiting_s=policy.waiting_s,
            template=TemplateId(asked.template) if asked.template else None,
            session_id=SessionId(asked.session) if asked.session else None,
            return_url=asked.link.return_url if asked.link is not None else "",
        )
        links: CustomerLinks | None = None
        async with cases.store.begin() as tx:
            await cases.may_try(tx, asked.customer)
            await cases.may_open(tx, asked.customer, case.created_by)
            await _check_template(tx, case, who)
            await _check_session(tx, case, who)
            await tx.keep_policy(policy.hash, policy.canonical)
            if asked.link is not None:
                link_until = expires_at + timedelta(seconds=policy.waiting_s)
                session, links = await self.sessions.make(tx, policy, asked.link, case.customer, who.actor, link_until)
                case = msgspec.structs.replace(case, session_id=session.id)
            await tx.add_case(case)
            if asked.callback:
                await self._callbacks.call_back(tx, asked.callback, TOLD, case.id, who.actor)
            await cases.note(
                tx,
                AuditAction.VERIFICATION_CREATED,
                who.actor,
                case,
                type=case.type,
                policy=policy.hash,
                template=asked.template,
            )  # without the hash of the details: a plain hash of a telephone number tells the number, and the trail is for good
        return msgspec.structs.replace(self.view(case), links=links)

    async def get(self, who: Principal, id: CaseId) -> VerificationView:
        """Raises NotFound."""
        return self.view(await self._cases.seen(id, who))

    async def cancel(self, who: Principal, id: CaseId) -> VerificationView:
        """An attempt that runs has been broken off: it counts, and whoever watches the camera stops. Raises NotFound, WrongState."""
        cases = self._cases
        async with cases.store.begin() as tx:
            before = await cases.settled(tx, id, who)
            case = await cases.happened(tx, before, Cancel(), who.actor)
        if before.attempt is not None:
            cases.is_over(before.attempt)
        return self.view(case)

    async def set_portrait(self, who: Principal, id: CaseId, asked: SetPortrait) -> VerificationView:
        """Only before the first attempt, and where no template is named. The one before is forgotten. Raises NotFound, Conflict, PictureRefused,
        VerificationUnavailable."""
        cases = self._cases
        before = await cases.seen(id, who)
        _may_have_portrait(before)
        made, picture = await self._engine.embed(asked.image)
        wrong = tuple(reason.code for reason in picture.quality.reasons)
        if wrong and self._strict:
            raise PictureRefused("This portrait is not good enough to compare with.", wrong)
        pack = self._engine.pack.hash
        key, sealed = self._portraits.seal(id, pack, made)
        async with cases.store.read() as tx:
            policy = await cases.policy(tx, before)
        vault = digest = ""
        if policy.evidence.keep_reference:
            still = await self._engine.still(asked.image)
            vault, digest = await self.evidence.keep_reference(before, still, before.retention_days)
        async with cases.store.begin() as tx:
            case = await cases.settled(tx, id, who)
            _may_have_portrait(case)
            former = case.reference_vault
            case = msgspec.structs.replace(
                case,
                reference_pack=pack,
                reference_key=key,
                reference_sealed=sealed,
                reference_vault=vault,
                reference_evidence=digest,
            )
            await tx.save_case(case)
            await cases.note(tx, AuditAction.VERIFICATION_REFERENCE_SET, who.actor, case, pack=pack, evidence=digest)
        await self.evidence.forget(former, who.actor)
        return self.view(case)

    async def redeem(self, who: Principal, id: CaseId, token: str) -> Redeemed:
        """See ``Redemptions.redeem``."""
        return await self.redemptions.redeem(who, id, token)

    async def unlock(self, who: Principal, customer: str) -> None:
        """The customer may try again. Where nothing was counted nothing happens. The audit says by their latest case who that was."""
        cases = self._cases
        async with cases.store.begin() as tx:
            failures, latest = await cases.failures(tx, customer), await tx.latest_case(customer)
            if failures is None:
                return
            was = "locked" if await cases.locked(tx, customer) else "open"
            await cases.unlocked(tx, customer)
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.CUSTOMER_UNLOCKED,
                    at=cases.clock.now(),
                    actor=who.actor,
                    subject=latest.id if latest is not None else "",
                    details={"failures": str(failures.count), "was": was},
                )
            )

    async def settle_due(self) -> int:
        """For housekeeping: see ``Cases.settle_due`` and ``Looks.flush``."""
        settled = await self._cases.settle_due()
        await self.reviews.waiting.looks.flush()
        return settled

    def key_set(self) -> KeySet:
        """The JWKS that decisions are verified with."""
        return msgspec.convert(key_set(self._keys), KeySet)


def _check_signals(signals: Signals) -> None:
    """Raises Invalid, without the value."""
    for kind in (IdentifierKind.DEVICE, IdentifierKind.ADDRESS, IdentifierKind.PHONE, IdentifierKind.ACCOUNT):
        value = getattr(signals, kind.value)
        try:
            if value:
                normalised(kind, value)
        except IdentifierInvalid as error:
            raise Invalid(f"signals.{error}") from None


async def _check_template(tx: Transaction, case: Case, who: Principal) -> None:
    """Who has nothing to do with templates learns no more than whether there is one of this customer."""
    if case.template is None:
        return
    template = await tx.get_template(case.template)
    fits = template is not None and template.erased_at is None and template.subject == case.customer
    if not fits and Grant.FACE_TEMPLATES not in who.grants:
        raise NotFound("There is no such template of this customer.")
    if template is None:
        raise NotFound("There is no such template.")
    if template.erased_at is not None:
        raise Gone("This template was erased.")
    if template.subject != case.customer:
        raise OtherCustomer("This template is of another subject than `customer`.")


async def _check_session(tx: Transaction, case: Case, who: Principal) -> None:
    """A session that was made for a verification is of that one: no other case comes between a customer and what they opened the link for. Any other is of one
    customer, so that nobody in it is taken for the customer of somebody else's case."""
    if case.session_id is None:
        return
    session = await tx.get_session(case.session_id)
    if session is None:
        raise NotFound("There is no such session.")
    if session.status is SessionStatus.ENDED:
        raise Gone("This session has ended.")
    if session.kind is SessionKind.VERIFICATION and ids.is_id(session.created_by, ids.API_KEY):
        if session.created_by != who.actor:
            raise NotFound("There is no such session.")
        if await tx.session_cases(session.id):
            raise SessionTaken("This session is of another verification.")
    if session.customer_reference not in ("", case.customer):
        raise SessionOfAnother("This session is in the name of another customer: its customer_reference is not `customer`.")
    await of_one(tx, session, case.customer)


def _may_have_portrait(case: Case) -> None:
    if case.template is not None:
        raise Conflict("A template is named: there is no portrait beside it.")
    if case.state is not CaseState.OPEN or case.attempts_used:
        raise Conflict("A portrait comes before the first attempt.")

"""What every step of a verification needs: a case as it is now, the policy it began with, what was sealed, the signed result, the audit.

A fact, its audit entry and what follows from it (the end of the case, its signed decision, the customer's failures) are one transaction: what was
acknowledged is on disk.
"""

import asyncio
import contextlib
import logging
from datetime import datetime, timedelta

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain import ids
from server.domain.ids import ApiKeyId, AttemptId, CaseId
from server.errors import Conflict, Locked, NotFound, TongpingError, VerificationUnavailable
from server.services.face_ports import SealBroken, TemplateSeal
from server.services.ports import MakeId
from server.services.principal import Principal, PrincipalKind
from server.services.verification_ports import Noted, PolicySource, RiskPort
from server.store.ports import Store, Transaction
from server.transactions import lock
from server.transactions.again import person_may
from server.transactions.case import (
    ABANDONED,
    CUSTOMER_LOCKED,
    ENDED,
    Abandon,
    Attempt,
    Cancel,
    Case,
    CaseState,
    Event,
    Lock,
    Overdue,
    abandoned,
    apply,
    due,
)
from server.transactions.decision import Outcome
from server.transactions.lock import Failures
from server.transactions.policy import Policy, PolicyInvalid, canonical_hash, restore_policy
from server.transactions.risk.engine import Whom
from server.transactions.token import DecisionSigner

log = logging.getLogger(__name__)
SYSTEM = "server"
"""Who acts in the audit where only time passed."""
DUE_AT_ONCE = 100
MOST_OPEN = 20
"""Cases of one customer that have not ended."""
MOST_OPEN_OF_KEY = 10_000
LOOK_S = 1.0
"""So often is looked whether somebody else, on another server perhaps, has ended an attempt that runs here."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is sealed with a case until it ends. ``details``: in canonical form."""

    details: bytes
    device: str = ""
    address: str = ""
    phone: str = ""
    account: str = ""
    customer_age_group: str | None = None
    customer_since_days: int | None = None
    channel: str | None = None


class CustomerLocked(Locked):
    """Five failures in a row: nothing is asked of this customer for a while."""

    code = CUSTOMER_LOCKED


class TooManyCases(Conflict):
    """So many have not ended yet, of this customer or of this key."""

    code = "too_many_cases"


class AttemptsRunning(Conflict):
    """So many attempts of this customer run that one more could be the sixth failure in a row."""

    code = "attempts_running"


class Cases:
    """``seal``: of what is kept with a case, bound to its id and the hash of its details. ``lock_s``: for how long five failures lock a customer."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        make_id: MakeId,
        policies: PolicySource,
        seal: TemplateSeal,
        signer: DecisionSigner,
        risk: RiskPort,
        *,
        lock_s: int,
    ) -> None:
        self.store = store
        self.clock = clock
        self.make_id = make_id
        self.policies = policies
        self._seal = seal
        self._signer = signer
        self._risk = risk
        self._lock_s = lock_s
        self._running: dict[AttemptId, asyncio.Event] = {}

    # ---- one case

    async def found(self, tx: Transaction, id: CaseId, who: Principal | None = None) -> Case:
        """As time has left it. ``who``: a key sees its own alone. Raises NotFound."""
        case = await tx.get_case(id)
        if case is None or (who is not None and who.kind is PrincipalKind.SERVICE and case.created_by != who.actor):
            raise NotFound("There is no such verification.")
        return case

    async def settled(self, tx: Transaction, id: CaseId, who: Principal | None = None) -> Case:
        """The same after what time has made of it was written down: for whoever is about to change it."""
        case = await self.found(tx, id, who)
        now = self.clock.now()
        while (event := due(case, now)) is not None:
            case = await self.happened(tx, case, event, SYSTEM)
        return case

    async def seen(self, id: CaseId, who: Principal | None = None) -> Case:
        """For whoever only looks. Raises NotFound."""
        async with self.store.read() as tx:
            case = await self.found(tx, id, who)
        if due(case, self.clock.now()) is None:
            return case
        async with self.store.begin() as tx:
            return await self.settled(tx, id, who)

    async def happened(self, tx: Transaction, case: Case, event: Event, actor: str) -> Case:
        """``event`` and all that follows from it, saved. Raises WrongState."""
        now = self.clock.now()
        if isinstance(event, Abandon):
            event = msgspec.structs.replace(event, stays_open=await self._person_may(tx, case))
        after = apply(case, event, now)
        if isinstance(event, Abandon | Cancel) and case.attempt is not None:  # who takes a case back breaks its attempt off
            attempt = await tx.get_attempt(case.attempt)
            why = event.why if isinstance(event, Abandon) else ABANDONED
            if attempt is not None:
                await tx.save_attempt(abandoned(attempt, why, now))
            await self.note(
                tx, AuditAction.VERIFICATION_ATTEMPT_ENDED, actor, case, attempt=case.attempt, outcome="abandoned", reasons=why
            )
            after = await self.failed(tx, case, after, actor, excused=isinstance(event, Abandon))
        elif isinstance(event, Overdue) and case.identified is None:  # who is referred at will must not try without end either
            after = await self.failed(tx, case, after, actor, excused=True)
        return await self.saved(tx, case, after, actor)

    async def taken_back(self, tx: Transaction, case: Case, why: str, actor: str) -> Case:
        """Cancelled, with its attempt, whatever its policy says, and nobody's failure. ``why``: a code. Of one that has ended nothing changes."""
        if case.state in ENDED:
            return case
        now = self.clock.now()
        attempt = await tx.get_attempt(case.attempt) if case.attempt is not None else None
        if attempt is not None:
            await tx.save_attempt(abandoned(attempt, why, now))
            details = {"attempt": attempt.id, "outcome": "abandoned", "reasons": why}
            await self.note(tx, AuditAction.VERIFICATION_ATTEMPT_ENDED, actor, case, **details)
        after = apply(case, Cancel(), now)
        await tx.save_case(after)
        details = {"state": after.state.value, "reasons": why, "policy": after.policy_hash}
        await self.note(tx, AuditAction.VERIFICATION_ENDED, actor, after, **details)
        return after

    async def _person_may(self, tx: Transaction, case: Case) -> bool:
        """Whether a person of the bank can still say who the customer is."""
        with contextlib.suppress(VerificationUnavailable):  # without its policy nobody can
            return person_may(case, await self.policy(tx, case))
        return False

    async def saved(self, tx: Transaction, before: Case, after: Case, actor: str) -> Case:
        """Signed where it has come to a decision, audited where it has ended."""
        now = self.clock.now()
        if after.state in (CaseState.ACCEPTED, CaseState.REJECTED) and not after.result:
            after = self._signed(after, now)
        if after.state is CaseState.ACCEPTED:
            failures = await self.failures(tx, after.customer)
            if lock.is_locked(failures, now):  # whoever decides asks before; nothing but ``unlock`` ends a lock
                raise RuntimeError("accepted while the customer is locked")
            if failures is not None:
                await tx.drop_failures(failures.customer)
            await self._risk.noted(tx, self.whom(before), Noted.PASSED, now)
        await tx.save_case(after)
        if after.state in ENDED and before.state not in ENDED:
            decided = after.decided
            await self.note(
                tx,
                AuditAction.VERIFICATION_ENDED,
                actor,
                after,
                state=after.state.value,
                reasons=" ".join(decided.reasons) if decided is not None else "",
                policy=after.policy_hash,
            )
        return after

    def _signed(self, case: Case, now: datetime) -> Case:
        decided = case.decided
        accepted = case.state is CaseState.ACCEPTED
        if decided is None or (decided.outcome is Outcome.ACCEPT) is not accepted:
            raise RuntimeError("a case without the decision that it ended with")
        token, until = self._signer.sign(
            audience=case.created_by,
            jti=self.make_id(ids.DECISION),
            case=case.id,
            customer=case.customer,
            type=case.type,
            details_hash=case.details_hash,
            decision=decided.outcome,
            reasons=decided.reasons,
            policy_hash=case.policy_hash,
            pack_hash=decided.pack_hash,
            assurance=decided.assurance,
            risk_level=decided.risk_level,
            rules_hash=decided.rules_hash,
            model_hash=decided.model_hash,
            now=now,
        )
        return msgspec.structs.replace(case, result=token, result_until=until)

    # ---- attempts that run here

    async def until_over(self, attempt: Attempt) -> None:
        """Returns when the store has it that this attempt is over: at once where this server did that (``is_over``), else after ``LOOK_S``."""
        told = self._running[attempt.id] = asyncio.Event()
        try:
            while True:
                try:
                    async with self.store.read() as tx:
                        case = await tx.get_case(attempt.case_id)
                    if case is None or case.attempt != attempt.id:
                        return
                except TongpingError as error:  # then it goes on, and its end is another matter
                    log.warning("nobody knows whether an attempt runs", extra={"attempt": attempt.id, "code": error.code})
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await told.wait()
                told.clear()
        finally:
            del self._running[attempt.id]

    def is_over(self, attempt: AttemptId) -> None:
        """After the transaction that ended it."""
        if (running := self._running.get(attempt)) is not None:
            running.set()

    # ---- customers

    async def failed(self, tx: Transaction, before: Case, after: Case, actor: str, *, excused: bool = False) -> Case:
        """One more failure of its customer, which may lock them, and then the case. ``excused``: one that ended through us, if it is not one too many.
        ``before``: with what was sealed, which ``after`` may have forgotten."""
        now, customer = self.clock.now(), after.customer
        earlier = await self.failures(tx, customer)
        failures = (lock.excused if excused else lock.failed)(earlier, self._keyed(customer), now, lock_s=self._lock_s)
        await tx.put_failures(failures)
        if excused and failures.excused <= lock.MAX_EXCUSED:
            return after
        await self._risk.noted(tx, self.whom(before), Noted.FAILED, now)
        if failures.locked_until is None:
            return after
        await self.note(tx, AuditAction.CUSTOMER_LOCKED, actor, after, failures=str(failures.count))
        return apply(after, Lock(), now) if after.state is CaseState.OPEN else after

    async def begun(self, tx: Transaction, case: Case) -> None:
        """One more attempt of its customer."""
        await self._risk.noted(tx, self.whom(case), Noted.BEGUN, self.clock.now())

    def _keyed(self, customer: str) -> str:
        return lock.keyed(self._risk.customer_digest(customer))

    async def failures(self, tx: Transaction, customer: str) -> Failures | None:
        return await tx.get_failures(self._keyed(customer))

    async def forget_failures(self) -> int:
        """Of those whose lock and counts are over; how many. For housekeeping."""
        now = self.clock.now()
        async with self.store.begin() as tx:
            return await tx.forget_failures(now - timedelta(seconds=self._lock_s), now)

    async def key_failures(self) -> int:
        """Those that stand under a pseudonym, as versions before wrote them, stand under its digest; how many. Before anybody is served."""
        changed = 0
        while True:
            async with self.store.begin() as tx:
                plain = await tx.plain_failures(DUE_AT_ONCE)
                for one in plain:
                    await tx.drop_failures(one.customer)
                    digest = self._keyed(one.customer)
                    if await tx.get_failures(digest) is None:
                        await tx.put_failures(msgspec.structs.replace(one, customer=digest))
            changed += len(plain)
            if len(plain) < DUE_AT_ONCE:
                return changed

    async def unlocked(self, tx: Transaction, customer: str) -> None:
        """Nothing that they failed counts any more."""
        await tx.drop_failures(self._keyed(customer))
        await self._risk.noted(tx, Whom(customer=customer), Noted.VOIDED, self.clock.now())

    def whom(self, case: Case) -> Whom:
        """Whose it is; where what is sealed cannot be opened the customer alone."""
        try:
            kept = self.opened(case)
        except VerificationUnavailable:
            return Whom(customer=case.customer)
        return Whom(customer=case.customer, device=kept.device, address=kept.address)

    async def locked(self, tx: Transaction, customer: str) -> bool:
        return lock.is_locked(await self.failures(tx, customer), self.clock.now())

    async def may_try(self, tx: Transaction, customer: str) -> None:
        """Raises CustomerLocked."""
        if await self.locked(tx, customer):
            raise CustomerLocked(
                "Too many attempts of this customer have failed. They can be verified in another way only, for now."
            )

    async def may_open(self, tx: Transaction, customer: str, key: ApiKeyId) -> None:
        """One more case. Raises TooManyCases."""
        theirs, all_of_key = await tx.count_open_cases(customer, key)
        if theirs >= MOST_OPEN:
            raise TooManyCases(f"{MOST_OPEN} verifications of this customer are under way: cancel one, or let one end.")
        if all_of_key >= MOST_OPEN_OF_KEY:
            raise TooManyCases(f"{MOST_OPEN_OF_KEY} verifications of this key are under way.")

    async def may_begin(self, tx: Transaction, customer: str) -> None:
        """One more attempt, beside those that run. Raises CustomerLocked, AttemptsRunning."""
        await self.may_try(tx, customer)
        failures, running = await self.failures(tx, customer), await tx.running_attempts(customer)
        if not lock.may_begin(failures, running, self.clock.now(), lock_s=self._lock_s):
            raise AttemptsRunning("Too many attempts of this customer run already: let one of them end.")

    # ---- what it is made of

    async def policy(self, tx: Transaction, case: Case) -> Policy:
        """The one it began with, whatever is in force now. Raises VerificationUnavailable."""
        policy = self.policies.by_hash(case.policy_hash)
        if policy is None:
            canonical = await tx.get_policy(case.policy_hash)
            if canonical is not None and canonical_hash(canonical) == case.policy_hash:
                with contextlib.suppress(PolicyInvalid):
                    policy = restore_policy(canonical)
        if policy is None:
            raise VerificationUnavailable("The policy of this verification is lost.")
        return policy

    def sealed(self, id: CaseId, details_hash: str, kept: Kept) -> tuple[bytes, bytes]:
        """(wrapped key, sealed)."""
        return self._seal.seal(id, details_hash, msgspec.msgpack.encode(kept))

    def opened(self, case: Case) -> Kept:
        """Raises VerificationUnavailable."""
        try:
            plain = self._seal.open(case.id, case.details_hash, case.key, case.sealed)
            return msgspec.msgpack.decode(plain, type=Kept)
        except (SealBroken, msgspec.MsgspecError):
            raise VerificationUnavailable("What was kept with this verification cannot be opened.") from None

    async def note(self, tx: Transaction, action: AuditAction, actor: str, case: Case, **details: str) -> None:
        """Ids, codes and hashes; neither the customer nor the details."""
        await tx.append_audit(
            AuditEvent(
                action=action,
                at=self.clock.now(),
                actor=actor,
                session=case.session_id or "",
                subject=case.id,
                details={name: value for name, value in details.items() if value},
            )
        )

    async def settle_due(self) -> int:
        """Write down what time has made of all cases that nobody asks for; how many. The longest overdue first, ``DUE_AT_ONCE`` at once."""
        async with self.store.read() as tx:
            overdue = await tx.due_cases(self.clock.now(), DUE_AT_ONCE)
        for case in overdue:
            async with self.store.begin() as tx:
                await self.settled(tx, case.id)
        return len(overdue)

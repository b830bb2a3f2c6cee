"""What is kept of verifications: sealed before the decision, named by the record and the audit, shown to reviewers, erased when its time is over.

``evidence_of`` and ``erase`` are for whoever hands out or erases what is known of a case.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.domain import ids
from server.domain.ids import AttemptId, CaseId
from server.domain.model import ConsentDecision, ConsentScope
from server.errors import Conflict, Gone, NotFound, TongpingError, VerificationUnavailable
from server.services.evidence_ports import EvidenceLost, EvidenceStore
from server.services.verification_cases import SYSTEM, Cases
from server.store.ports import Transaction
from server.transactions.case import ENDED, Attempt, Case, WrongState
from server.transactions.case import LOST as END_UNSEEN
from server.transactions.decision import CheckedAttempt, CheckOutcome
from server.transactions.material import REFERENCE, Agreed, Facts, Material, Picture, PictureKind, Shown

log = logging.getLogger(__name__)
LOST = "evidence_lost"
"""The fault of an attempt whose evidence could not be kept."""
YOUNG_S = 3600.0
"""What is younger may still be written."""
UNSEEN_WAITS = timedelta(days=30)
"""Of an attempt whose end nobody has seen: in an older copy of the database it may be one that was decided by this evidence."""
AT_ONCE = 100
SWEPT_AT_ONCE = 1000


ErasedCases = Callable[[], Awaitable[Collection[CaseId]]]
"""Cases that are erased for good. Raises DependencyError."""


class EvidenceChanged(Conflict):
    """It is not what was sealed before the decision: somebody has to look at it."""

    code = "evidence_changed"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence of a case. ``attempt``: None for the reference. ``name``: in the vault. ``facts``: None where it cannot be read, and ``lost`` says why."""

    attempt: Attempt | None
    name: str
    digest: str
    facts: Facts | None
    pictures: tuple[Shown, ...]
    lost: str = ""


def attempt_name(attempt: Attempt) -> str:
    """Of its evidence in the vault."""
    return attempt.id.lower()


def reference_name(case: CaseId, chance: str) -> str:
    return f"{case.lower()}.{chance}"


class VerificationEvidence:
    def __init__(self, cases: Cases, vault: EvidenceStore) -> None:
        self._cases, self._vault = cases, vault
        self._swept = ""
        self.erased: ErasedCases | None = None  # bound by whoever has the journal of erasures
        self.stuck = 0
        """Cases whose evidence was due and could not be erased, the last time."""

    # ---- keeping

    async def keep(self, attempt: Attempt, checked: CheckedAttempt, material: Material) -> tuple[CheckedAttempt, str]:
        """Before its decision, on disk when this returns: (what was checked, the digest). Where it cannot be kept nothing else of the attempt counts."""
        cases = self._cases
        try:
            async with cases.store.read() as tx:
                case = await cases.found(tx, attempt.case_id)
                policy = await cases.policy(tx, case)
                agreed = await _agreed(tx, case)
            failed = any(one.outcome is CheckOutcome.FAIL for one in checked.checks)  # then there need be nothing to look at
            if checked.fault is None and not failed and not (material.pictures and material.complete):
                log.error("an attempt has no pictures that can be kept", extra={"attempt": attempt.id})
                checked = lost(checked)
            now = cases.clock.now()
            latest = case.expires_at + timedelta(seconds=policy.attempt_s + policy.review_s, days=policy.retention_days)
            facts = Facts(
                case=case.id,
                type=case.type,
                attempt=attempt.id,
                number=attempt.number,
                assurance=attempt.assurance,
                session=case.session_id,
                started_at=attempt.started_at,
                started_by=attempt.started_by,
                sealed_at=now,
                consents=(case.consent, *(one.id for one in agreed)),
                agreed=agreed,
                policy_hash=case.policy_hash,
                details_hash=case.details_hash,
                checked=checked,
                played=material.played,
                pictures=tuple(one.shown for one in material.kept),
                reference=material.reference_shown,
            )
            digest = await self._vault.seal(
                attempt_name(attempt),
                type=case.type,
                created_s=now.timestamp(),
                keep_until_s=max(now, latest).timestamp(),
                facts=msgspec.json.encode(facts),
                pictures=material.kept,
            )
        except (EvidenceLost, TongpingError) as error:
            log.error("the evidence of an attempt cannot be kept", extra={"attempt": attempt.id, "code": error.code})
            return checked if checked.fault is not None else lost(checked), ""
        return checked, digest

    async def keep_reference(self, case: Case, jpeg: bytes, retention_days: int) -> tuple[str, str]:
        """(its name in the vault, the digest). Raises VerificationUnavailable."""
        now = self._cases.clock.now()
        name = reference_name(case.id, self._cases.make_id("EV").removeprefix("EV_").lower())
        shown = Shown(name=REFERENCE, kind=PictureKind.REFERENCE)
        until = max(now, case.expires_at) + timedelta(days=retention_days + 14)
        facts = msgspec.json.encode({"case": case.id, "pictures": [shown]})
        try:
            digest = await self._vault.seal(
                name,
                type=case.type,
                created_s=now.timestamp(),
                keep_until_s=until.timestamp(),
                facts=facts,
                pictures=[Picture(shown=shown, jpeg=jpeg)],
            )
        except EvidenceLost as error:
            log.error("a portrait cannot be kept", extra={"case": case.id, "code": error.code})
            raise VerificationUnavailable("The portrait cannot be kept now.") from None
        return name, digest

    # ---- reading

    async def evidence_of(self, case: Case) -> list[Kept]:
        """The reference first, then each attempt's, by number. Nothing of a case whose evidence was erased."""
        if case.evidence_erased_at is not None:
            return []
        async with self._cases.store.read() as tx:
            attempts = await tx.list_attempts(case.id)
        asked = [self._kept(one, attempt_name(one), one.evidence) for one in attempts if one.evidence]
        if case.reference_evidence:
            asked.insert(0, self._kept(None, case.reference_vault, case.reference_evidence))
        return list(await asyncio.gather(*asked))

    async def _kept(self, attempt: Attempt | None, name: str, digest: str) -> Kept:
        facts: Facts | None = None
        pictures: tuple[Shown, ...] = (Shown(name=REFERENCE, kind=PictureKind.REFERENCE),)
        code = ""
        try:
            text = await self._vault.facts(name, digest)
            if attempt is not None:
                facts = msgspec.json.decode(text, type=Facts)
                pictures = facts.pictures
        except (EvidenceLost, msgspec.MsgspecError) as error:
            code, pictures = getattr(error, "code", "evidence_changed"), ()
            log.error("evidence cannot be read", extra={"evidence": name, "code": code})
        return Kept(attempt=attempt, name=name, digest=digest, facts=facts, pictures=pictures, lost=code)

    async def picture(self, name: str, digest: str, picture: str) -> bytes:
        """Raises NotFound, Gone (it is not there any more), EvidenceChanged, VerificationUnavailable."""
        try:
            return await self._vault.read(name, digest, picture)
        except EvidenceLost as error:
            if error.code == "evidence_not_found" or error.code == "evidence_bad_name":
                raise NotFound("There is no such picture.") from None
            log.error("evidence cannot be read", extra={"evidence": name, "code": error.code})
            if error.code in ("evidence_missing", "evidence_erased"):
                raise Gone("This picture is not there any more.") from None
            if error.code == "evidence_io":
                raise VerificationUnavailable("Evidence cannot be read now.") from None
            raise EvidenceChanged("This picture is not what was kept.") from None

    # ---- erasing

    async def erase(self, case: Case, actor: str = SYSTEM, why: str = "due") -> int:
        """All of it, whatever its time; how many parts there were. Raises WrongState: it has not ended, more may come; VerificationUnavailable: then some of it
        is still there, and it is done again."""
        if case.state not in ENDED:
            raise WrongState("It has not ended.")
        async with self._cases.store.read() as tx:
            attempts = await tx.list_attempts(case.id)
        names = [attempt_name(one) for one in attempts if one.evidence]
        names += [case.reference_vault] if case.reference_vault else []
        left = [attempt_name(one) for one in attempts if not one.evidence]  # sealed, and the attempt ended before it was named
        for name in [*left, *names]:
            try:
                if await self._vault.erase(name) and name in left:
                    names.append(name)
            except EvidenceLost as error:
                log.error("evidence cannot be erased", extra={"evidence": name, "code": error.code})
                raise VerificationUnavailable("Evidence cannot be erased now.") from None
        cases = self._cases
        async with cases.store.begin() as tx:
            now_is = await cases.found(tx, case.id)
            await tx.save_case(
                msgspec.structs.replace(now_is, evidence_until=None, evidence_erased_at=cases.clock.now() if names else None)
            )
            if names:
                await cases.note(tx, AuditAction.EVIDENCE_ERASED, actor, now_is, count=str(len(names)), why=why)
        return len(names)

    async def names(self, case: Case) -> list[str]:
        """In the vault, of all that there is or may be of it."""
        async with self._cases.store.read() as tx:
            attempts = await tx.list_attempts(case.id)
        return [attempt_name(one) for one in attempts] + ([case.reference_vault] if case.reference_vault else [])

    async def erase_again(self, cases: Collection[CaseId], names: Collection[str], why: str) -> int:
        """What stands in the vault under these names, or under the name of one of these cases, known to the store or not: how many pieces. Raises
        VerificationUnavailable."""
        again = 0
        try:
            for name in await self._vault.names():
                if (name in names or _id(name) in cases) and await self._vault.erase(name):
                    again += 1
                    await self._gone(name, SYSTEM, why)
        except EvidenceLost as error:
            log.error("evidence that was erased before stands still", extra={"code": error.code})
            raise VerificationUnavailable("Evidence cannot be erased now.") from None
        return again

    async def forget(self, name: str, actor: str = SYSTEM, why: str = "replaced") -> None:
        """Of a portrait that was replaced, of an attempt that is not to be kept. Where that fails it is swept."""
        if not name:
            return
        try:
            gone = await self._vault.erase(name)
        except EvidenceLost as error:
            log.warning("evidence that is not to be kept is swept later", extra={"evidence": name, "code": error.code})
        else:
            if gone:
                await self._gone(name, actor, why)

    async def _gone(self, name: str, actor: str, why: str) -> None:
        """The audit has it that one piece is there no more."""
        async with self._cases.store.begin() as tx:
            owner = await _owner(tx, name)
            subject, session = (owner[0].id, owner[0].session_id or "") if owner is not None else ("", "")
            details = {"count": "1", "why": why, "evidence": name}
            at = self._cases.clock.now()
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.EVIDENCE_ERASED, at=at, actor=actor, session=session, subject=subject, details=details
                )
            )

    async def erase_due(self) -> int:
        """Of cases whose time is over; of how many. For housekeeping. One that cannot be erased (``stuck``) is tried again the next time, and keeps no other."""
        done = stuck = 0
        last: Case | None = None
        while True:
            async with self._cases.store.read() as tx:
                due = await tx.evidence_due(self._cases.clock.now(), AT_ONCE, last)
            for last in due:
                try:
                    await self.erase(last)
                    done += 1
                except TongpingError as error:
                    log.error("evidence that is due is still there", extra={"case": last.id, "code": error.code})
                    stuck += 1
            if len(due) < AT_ONCE:
                self.stuck = stuck
                return done

    async def sweep(self) -> int:
        """Erase what was written and belongs to nothing: of an attempt that ended without it, of a portrait that was replaced, of a case whose evidence was
        erased. What the store does not know at all stays until it is due by its own word, as the store may be the wrong one, unless the journal of erasures has its
        case. How many; some at once."""
        now = self._cases.clock.now()
        for_good = await self._for_good()
        erased = 0
        try:
            names = await self._vault.old(self._swept, now.timestamp() - YOUNG_S, SWEPT_AT_ONCE)
            self._swept = names[-1] if len(names) == SWEPT_AT_ONCE else ""
            for name in names:
                try:
                    if await self._belongs_to_nothing(name, now, for_good) and await self._vault.erase(name):
                        erased += 1
                        await self._gone(name, SYSTEM, "swept")
                except EvidenceLost as error:
                    log.error("evidence was not swept", extra={"evidence": name, "code": error.code})
        except EvidenceLost as error:
            log.error("evidence was not swept", extra={"code": error.code})
        if erased:
            log.info("evidence that belonged to nothing was erased", extra={"count": erased})
        return erased

    async def _for_good(self) -> Collection[CaseId]:
        try:
            return await self.erased() if self.erased is not None else ()
        except TongpingError as error:
            log.error("nobody knows what was erased for good", extra={"code": error.code})
            return ()

    async def _belongs_to_nothing(self, name: str, now: datetime, for_good: Collection[CaseId]) -> bool:
        async with self._cases.store.read() as tx:
            owner = await _owner(tx, name)
        if owner is None:
            if await self._case_of(name) in for_good:
                return True
            until = await self._vault.keep_until_s(name)
            if until is None or until > now.timestamp():
                log.warning("evidence of nothing that is known", extra={"evidence": name})
                return False
            return True
        case, attempt = owner
        if case.evidence_erased_at is not None:
            return True
        if attempt is None:
            return name != case.reference_vault
        if attempt.ended_at is None or attempt.evidence:
            return False
        return END_UNSEEN not in attempt.reasons or attempt.ended_at + UNSEEN_WAITS <= now

    async def _case_of(self, name: str) -> CaseId | None:
        """By its name, else by what was sealed with it."""
        if ids.is_id(_id(name), ids.CASE):
            return CaseId(_id(name))
        facts = await self._vault.facts_sealed(name)
        try:
            return None if facts is None else msgspec.json.decode(facts, type=_OfCase).case
        except msgspec.MsgspecError:
            return None


class _OfCase(msgspec.Struct, frozen=True):
    case: CaseId


def lost(checked: CheckedAttempt) -> CheckedAttempt:
    """The same, of which nothing counts, as there is no evidence of it."""
    return msgspec.structs.replace(checked, checks=(), match_score=None, match_threshold=None, fault=LOST)


def _id(name: str) -> str:
    """Of the attempt, or of the case whose portrait it is."""
    return name.upper().partition(".")[0]


async def _owner(tx: Transaction, name: str) -> tuple[Case, Attempt | None] | None:
    id = _id(name)
    attempt = await tx.get_attempt(AttemptId(id)) if ids.is_id(id, ids.ATTEMPT) else None
    case_id = attempt.case_id if attempt is not None else CaseId(id)
    case = await tx.get_case(case_id) if ids.is_id(case_id, ids.CASE) else None
    return None if case is None else (case, attempt)


async def _agreed(tx: Transaction, case: Case) -> tuple[Agreed, ...]:
    """What was consented to in the session, to checks of a face and of a document."""
    if case.session_id is None:
        return ()
    found = await tx.latest_consents(case.session_id)
    asked = (ConsentScope.FACE, ConsentScope.DOCUMENT)
    return tuple(Agreed.to(one) for one in found if one.scope in asked and one.decision is ConsentDecision.GIVEN)

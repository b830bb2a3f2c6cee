"""The way without a face: whoever declines the check, or cannot do it, is identified by a person of the bank, and others review that."""

from collections.abc import Sequence

from server.audit.events import AuditAction
from server.domain.ids import CaseId, StaffId
from server.domain.model import Role, SessionStatus, staff_of
from server.errors import Conflict, Gone, Invalid, NotAllowed, NotFound
from server.services.principal import Principal, PrincipalKind
from server.services.verification_attempts import VerificationAttempts
from server.store.ports import Transaction
from server.transactions.case import Case, CaseState, Identified, Identify, Proof, WrongState
from server.transactions.risk.result import RiskLevel


class RiskRejected(Conflict):
    """Of such a risk nobody may approve it."""

    code = "risk_rejected"


class Identifications:
    def __init__(self, attempts: VerificationAttempts) -> None:
        self._cases, self._attempts = attempts.cases, attempts

    async def identify(self, who: Principal, id: CaseId, methods: Sequence[Proof], note: str) -> Case:
        """``who``: staff with a place in the case's session. It uses up no attempt and passes nobody: it is referred to people who were not there.

        Raises NotAllowed, NotFound, Gone (the session has ended), Invalid (the methods), WrongState, CustomerLocked, Conflict (the policy has no such way, the risk), RiskUnavailable.
        """
        if who.kind is not PrincipalKind.PARTICIPANT or who.role is Role.CUSTOMER:
            raise NotAllowed("A person of the bank identifies the customer, in their session.")
        if not note.strip():
            raise Invalid("note: say what you saw or heard.")
        if len(set(methods)) != len(methods):
            raise Invalid("methods: something is there twice.")
        cases = self._cases
        await cases.seen(id)  # what time has made of it is a transaction of its own: this one may be refused
        async with cases.store.begin() as tx:
            case = await cases.settled(tx, id)
            if case.session_id is None or case.session_id != who.session:
                raise NotFound("There is no such verification in this session.")
            session = await tx.get_session(case.session_id)
            if session is None or session.status is SessionStatus.ENDED:
                raise Gone("This session has ended.")
            staff = await self._staff(tx, who)
            policy = await cases.policy(tx, case)
            if not policy.without_face.allowed:
                raise Conflict("This type of transaction is not verified without a face check.")
            if len(methods) < policy.without_face.methods:
                raise Invalid(f"methods: {policy.without_face.methods} at least are needed.")
            if case.state is not CaseState.OPEN:
                raise WrongState("Nobody is identified for this verification now.")
            await cases.may_try(tx, case.customer)
            risk = await self._attempts.assess(tx, case)
            if risk.level is RiskLevel.REJECT:
                raise RiskRejected("For its risk nobody may approve it.")
            identified = Identified(by=staff, at=cases.clock.now(), methods=tuple(methods), note=note)
            event = Identify(
                identified=identified,
                risk_level=risk.level,
                review_s=policy.review_s,
                rules_hash=risk.rules_hash,
                model_hash=risk.model_hash,
            )
            await cases.begun(tx, case)
            case = await cases.happened(tx, case, event, staff)
            await cases.note(
                tx,
                AuditAction.VERIFICATION_IDENTIFIED,
                staff,
                case,
                methods=" ".join(methods),
                risk=risk.level.value,
                rules=risk.rules_hash,
                model=risk.model_hash,
            )
        return case

    async def _staff(self, tx: Transaction, who: Principal) -> StaffId:
        place = await tx.get_participant(who.participant) if who.participant is not None else None
        staff = staff_of(place) if place is not None else None
        if staff is None or place is None or place.listens_at is not None:
            raise NotAllowed("Only staff of the bank whom the customer has met identify them.")
        return staff

"""A decision is redeemed once, also where an older copy of the database comes back: who was told that it was redeemed was told so after a journal beside the database had it.

The database comes first, and the journal before the answer: it never names what the database that it was written beside does not know as redeemed. Killed between the two, nobody
was answered: as the database stands it is redeemed, and in an older copy of it it is not, and nobody acted upon it.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from server.api.bodies_verifications import Redeemed
from server.audit.events import AuditAction
from server.audit.ports import EntryUnreadable
from server.domain.ids import CaseId
from server.errors import Conflict, Gone, Invalid
from server.services.principal import Principal
from server.services.redeem_ports import HOLDS, RedeemJournal, named
from server.services.verification_cases import SYSTEM, Cases
from server.store.ports import Transaction
from server.transactions.case import Case, CaseState
from server.transactions.token import DecisionClaims, DecisionRefused, read_decision

log = logging.getLogger(__name__)
REPLAYED = "replayed"
PAGE = 1000
"""Entries of the audit that are read at once."""


class AlreadyRedeemed(Conflict):
    """``detail`` says when."""

    code = "already_redeemed"


class NotAccepted(Conflict):
    """Only what was accepted is redeemed."""

    code = "not_accepted"


class Redemptions:
    """``keys``: every public key that decisions may be signed with, by its name."""

    def __init__(self, cases: Cases, journal: RedeemJournal, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._cases = cases
        self._journal = journal
        self._keys = dict(keys)

    async def redeem(self, who: Principal, id: CaseId, token: str) -> Redeemed:
        """Once, whoever asks again and why: who gets an answer may execute. Raises NotFound, Invalid (not a decision of this case), Gone (expired), NotAccepted,
        AlreadyRedeemed, DependencyError (nobody may execute by it, and ``redeemed_at`` says whether it was redeemed)."""
        cases = self._cases
        now = cases.clock.now()
        read = self._read(token)
        decision = named(read.jti) if isinstance(read, DecisionClaims) else ""
        before = await self._journal.find(decision) if decision else None
        refused: Exception | None = None
        async with cases.store.begin() as tx:
            case = await cases.settled(tx, id, who)
            if before is not None and token == case.result:
                case = await self._as_it_was(tx, case, before)
            try:
                _check_redeemable(case, token, read)
            except (Invalid, Gone, Conflict) as error:
                refused = error
                await cases.note(tx, AuditAction.VERIFICATION_REDEEM_REFUSED, who.actor, case, why=error.code)
            else:
                await tx.save_case(msgspec.structs.replace(case, redeemed_at=now))
                await cases.note(tx, AuditAction.VERIFICATION_REDEEMED, who.actor, case)
        if refused is not None:
            raise refused
        if not await self._journal.append(decision, now):  # the database went back while this ran
            raise AlreadyRedeemed("This decision was redeemed before.")
        return Redeemed(id=case.id, redeemed_at=now)

    async def replay(self) -> int:
        """What the journal names is redeemed, whatever an older copy of the database says; of how many cases it did not. Before anybody is served. Raises
        DependencyError."""
        redeemed = await self._journal.tidy(self._cases.clock.now())
        if not redeemed:
            return 0
        again = 0
        for id in await self._unredeemed(min(redeemed.values())):
            async with self._cases.store.begin() as tx:
                case = await tx.get_case(id)
                if case is None:
                    continue
                read = self._read(case.result)
                at = redeemed.get(named(read.jti)) if isinstance(read, DecisionClaims) else None
                if at is not None:
                    after = await self._as_it_was(tx, case, at)
                    again += after is not case
        if again:
            log.warning("decisions were redeemed after this copy of the database was made", extra={"count": again})
        return again

    async def tidy(self) -> None:
        """For housekeeping."""
        await self._journal.tidy(self._cases.clock.now())

    async def _unredeemed(self, first: datetime) -> list[CaseId]:
        """Of cases that were accepted as long before as a decision holds, or since, those that the audit does not know as redeemed; the newest first."""
        oldest = first - HOLDS
        accepted: dict[CaseId, None] = {}
        redeemed: set[str] = set()
        async with self._cases.store.read() as tx:
            end = await tx.audit_head()
            while end > 0:
                start = max(end - PAGE, 0)
                try:
                    entries = await tx.list_audit(after=start, limit=end - start)
                except (
                    EntryUnreadable
                ):  # the trail is broken, which is told elsewhere; whoever redeems is told by the journal all the same
                    break
                for event in reversed([entry.event for entry in entries]):
                    if event.action is AuditAction.VERIFICATION_REDEEMED:
                        redeemed.add(event.subject)
                    elif (
                        event.action is AuditAction.VERIFICATION_ENDED
                        and event.details.get("state") == CaseState.ACCEPTED.value
                    ):
                        accepted[CaseId(event.subject)] = None
                if not entries or entries[0].event.at < oldest:
                    break
                end = start
        return [id for id in accepted if id not in redeemed]

    async def _as_it_was(self, tx: Transaction, case: Case, at: datetime) -> Case:
        if case.redeemed_at is not None or case.state is not CaseState.ACCEPTED:
            return case
        after = msgspec.structs.replace(case, redeemed_at=at)
        await tx.save_case(after)
        await self._cases.note(tx, AuditAction.VERIFICATION_REDEEMED, SYSTEM, after, why=REPLAYED)
        return after

    def _read(self, token: str) -> DecisionClaims | DecisionRefused:
        try:
            return read_decision(token, self._keys, now=self._cases.clock.now())
        except DecisionRefused as error:
            return error


def _check_redeemable(case: Case, token: str, read: DecisionClaims | DecisionRefused) -> None:
    if isinstance(read, DecisionRefused):
        if read.code == "expired":
            raise Gone("This decision has expired.")
        raise Invalid("token: not a signed decision of this server.")
    if token != case.result or read.case != case.id or read.aud != case.created_by:
        raise Invalid("token: not the decision of this verification.")
    if not read.accepted or case.state is not CaseState.ACCEPTED:
        raise NotAccepted("It was not accepted.")
    if case.redeemed_at is not None:
        when = case.redeemed_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        raise AlreadyRedeemed(f"This decision was redeemed at {when}.")

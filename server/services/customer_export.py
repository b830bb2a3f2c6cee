"""Everything that is kept of one customer, as a file for them (GDPR art. 15, PIPL art. 45): a ZIP of ``data.json`` and the pictures.

Sealed details of a case that has ended are gone; templates are numbers under seal and say nothing to a person: that there is one is told.
"""

import asyncio
import io
import zipfile
from datetime import datetime
from typing import Any

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain.model import Role
from server.errors import NotFound, TongpingError, TooLarge, VerificationUnavailable
from server.services.customers import Customers, Found
from server.services.principal import Principal
from server.services.verification_cases import Cases
from server.services.verification_evidence import VerificationEvidence
from server.store.ports import Store
from server.transactions.case import Case
from server.transactions.details import read_details

MOST_BYTES = 256 * 1024 * 1024
LINES = 500


class CustomerExport:
    """``most_bytes``: of pictures and text before they are packed."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        customers: Customers,
        cases: Cases,
        evidence: VerificationEvidence,
        *,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._store, self._clock, self._customers = store, clock, customers
        self._cases, self._evidence, self._most = cases, evidence, most_bytes

    async def export(self, who: Principal, customer: str) -> bytes:
        """The ZIP. Each is in the audit. Raises NotFound (nothing is kept), TooLarge."""
        found = await self._customers.find(customer)
        if found.nothing:
            raise NotFound("Nothing is kept of this customer.")
        files: dict[str, bytes] = {}
        for case in found.cases:
            await self._pictures(case, files)
        data = await self._data(customer, found, files)
        files["data.json"] = msgspec.json.format(msgspec.json.encode(data), indent=2)
        self._check(files)
        async with self._store.begin() as tx:
            counts = {"cases": len(found.cases), "sessions": len(found.sessions), "files": len(files)}
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.CUSTOMER_EXPORTED,
                    at=self._clock.now(),
                    actor=who.actor,
                    subject=found.cases[-1].id if found.cases else found.sessions[-1].id if found.sessions else "",
                    details={name: str(count) for name, count in counts.items()},
                )
            )
        return await asyncio.to_thread(_packed, files, self._clock.now())

    async def _pictures(self, case: Case, files: dict[str, bytes]) -> None:
        for kept in await self._evidence.evidence_of(case):
            folder = f"{case.id}/{kept.attempt.number if kept.attempt is not None else 'reference'}"
            for shown in kept.pictures:
                try:
                    files[f"{folder}/{shown.name}.jpg"] = await self._evidence.picture(kept.name, kept.digest, shown.name)
                except TongpingError as error:  # told in data.json: what is there is handed out all the same
                    files[f"{folder}/{shown.name}.missing.txt"] = error.code.encode()
            self._check(files)

    def _check(self, files: dict[str, bytes]) -> None:
        if sum(map(len, files.values())) > self._most:
            raise TooLarge("There is more than fits into one file: erase or export by case.")

    async def _data(self, customer: str, found: Found, files: dict[str, bytes]) -> dict[str, Any]:
        template = found.template
        return {
            "customer": customer,
            "exported_at": self._clock.now(),
            "verifications": [await self._case(case, files) for case in found.cases],
            "face_template": None
            if template is None
            else {"id": template.id, "consent": template.consent, "created_at": template.created_at, "replaced_at": template.replaced_at},
            "sessions": [await self._session(session.id, session) for session in found.sessions],
            "failures": None
            if found.failures is None
            else {"count": found.failures.count, "last_at": found.failures.last_at, "locked_until": found.failures.locked_until},
            "known_devices": found.devices,
            "recordings": [
                {"id": one.id, "session": one.session_id, "started_at": one.started_at, "ended_at": one.ended_at, "duration_ms": one.duration_ms}
                for one in found.recordings
            ],
        }  # fmt: skip

    async def _case(self, case: Case, files: dict[str, bytes]) -> dict[str, Any]:
        async with self._store.read() as tx:
            attempts = await tx.list_attempts(case.id)
        details: Any = None
        signals: dict[str, Any] = {}
        vouched: dict[str, Any] | None = None  # by whom is not the customer's
        if (by := case.identified) is not None:
            vouched = {"at": by.at, "methods": by.methods, "note": by.note}
        if case.sealed:
            try:
                opened = self._cases.opened(case)
                details = read_details(opened.details)
                signals = {name: value for name, value in msgspec.to_builtins(opened).items() if name != "details" and value}
            except VerificationUnavailable as error:
                details = {"missing": error.code}
        return {
            "id": case.id, "type": case.type, "state": case.state, "created_at": case.created_at, "ended_at": case.ended_at, "consent": case.consent,
            "details": details, "signals": signals, "decided": case.decided, "identified": vouched, "redeemed_at": case.redeemed_at, "decision": case.result,
            "reviews": [{"at": one.at, "approved": one.approved, "reason": one.note} for one in case.reviews],
            "attempts": [
                {"number": one.number, "assurance": one.assurance, "started_at": one.started_at, "ended_at": one.ended_at, "outcome": one.outcome,
                 "reasons": one.reasons, "checked": one.checked, "risk": one.risk}
                for one in attempts
            ],
            "evidence_until": case.evidence_until, "evidence_erased_at": case.evidence_erased_at,
            "files": sorted(name for name in files if name.startswith(f"{case.id}/")),
        }  # fmt: skip

    async def _session(self, id: Any, session: msgspec.Struct) -> dict[str, Any]:
        lines: list[Any] = []
        async with self._store.read() as tx:
            people = {one.id: one for one in await tx.list_participants(id)}
            consents = await tx.latest_consents(id)
            after = 0
            while page := await tx.list_messages(id, after=after, limit=LINES):
                after = page[-1].number
                lines += [
                    {"at": one.sent_at, "by": people[one.participant_id].role, "text": one.text, "file": one.file_id}
                    for one in page
                ]
        kept = msgspec.to_builtins(session)
        hidden = {"created_by", "taken_by", "handover_from", "handover_to"}  # who works for the bank is not the customer's
        return {
            **{name: value for name, value in kept.items() if name not in hidden},
            "people": [{"role": one.role, "name": one.name if one.role is Role.CUSTOMER else "", "joined_at": one.joined_at, "left_at": one.left_at} for one in people.values()],
            "consents": [{"scope": one.scope, "decision": one.decision, "by": people[one.participant_id].role, "at": one.decided_at} for one in consents],
            "chat": lines,
        }  # fmt: skip


def _packed(files: dict[str, bytes], at: datetime) -> bytes:
    """Pictures as they are, text deflated."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name, at.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".jpg") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return out.getvalue()

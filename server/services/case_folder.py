"""One verification as a folder that a court could read: a report with pictures and hashes, and beside it everything that it is checked with, offline."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from server.audit.chain import GENESIS, Checkpoint
from server.audit.events import AuditAction, AuditEntry, AuditEvent
from server.audit.signed import SignedCheckpoint
from server.audit.verify import checkpoint_text, export_line
from server.case_report import Page
from server.domain import ids
from server.domain.ids import CaseId
from server.domain.model import Consent, Language, Staff
from server.errors import NotFound, TongpingError, TooLarge
from server.services.staff_names import staff_named
from server.services.verification_cases import Cases
from server.services.verification_evidence import Kept, VerificationEvidence
from server.transactions.case import Attempt, Case
from server.transactions.lock import ended_through_us
from server.transactions.policy import Policy

PAGE = 500
MOST_ENTRIES = 200_000
"""Of the trail in one folder."""

README = """\
{id}

report.html            the verification, told; pictures with their SHA-256
case.json              the record, with attempts, checks, scores, risk and reviews; whose the staff's ids are; what was agreed to in its session, by the
                       SHA-256 of the text that was shown (the trail says the same: consent.decided)
facts/N.json           what attempt N was decided by, as it was sealed before the decision; with what the customer had agreed to then (`agreed`): scope, version
                       and language of the text that was shown, its SHA-256, when, who
pictures/…             pictures, as they were sealed
policy.json            what the type of transaction asked for, under the record's policy_hash
decision.jws           the signed decision, decision-keys.json the keys (JWKS)
audit/trail.jsonl      entries {first} to {last} of the audit trail, among them all of this case
audit/checkpoint.jws   a signed checkpoint that the trail leads to, audit/keys.json the keys (JWKS){no_checkpoint}
SHA256SUMS             of every file here

To check it, on a machine that has never seen this server:

    sha256sum -c SHA256SUMS
    tongping audit verify audit/trail.jsonl --start {start} --signed audit/checkpoint.jws --keys audit/keys.json
    tongping verify-decision --jwks decision-keys.json --details DETAILS.json --audience {audience} --case {id} --at {issued} "$(cat decision.jws)"

Compare audit/checkpoint.jws and the keys with the copies that were kept elsewhere at the time. decision-keys.json has the keys that the server verifies by when
this folder is made; where the decision's is no longer among them (sixteen newer ones, or withdrawn), its copy from the time is what decides. The digest of each attempt's sealed manifest stands in the
trail (verification.attempt_ended, `evidence`); who holds the server's evidence checks it by `tongping evidence verify audit/trail.jsonl`.
"""


class CaseFolder:
    """``checkpoints``: kept ones, oldest first. ``keys``: JWKS of decisions and of the trail."""

    def __init__(
        self,
        cases: Cases,
        evidence: VerificationEvidence,
        checkpoints: Sequence[SignedCheckpoint],
        decision_keys: Mapping[str, Any],
        audit_keys: Mapping[str, Any],
    ) -> None:
        self._cases, self._evidence, self._checkpoints = cases, evidence, checkpoints
        self._decision_keys, self._audit_keys = decision_keys, audit_keys

    async def files(self, id: CaseId, language: Language, actor: str) -> dict[str, bytes]:
        """By path. That it was made is in the audit. Raises NotFound, TooLarge."""
        cases = self._cases
        async with cases.store.begin() as tx:
            case = await cases.found(tx, id)
            await cases.note(tx, AuditAction.EVIDENCE_EXPORTED, actor, case)
        async with cases.store.read() as tx:
            attempts = await tx.list_attempts(id)
            canonical = await tx.get_policy(case.policy_hash)
            try:
                policy: Policy | None = await cases.policy(tx, case)
            except TongpingError:
                policy = None
        now = cases.clock.now()
        kept = await self._evidence.evidence_of(case)
        files: dict[str, bytes] = {}
        for one in kept:
            await self._pictures(one, files)
        hashes = {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
        trail, start, point, why_none = await self._trail(case)
        own = [entry for entry in trail if _is_about(entry.event, case, attempts)]
        async with cases.store.read() as tx:
            staff = await staff_named(tx, _people(case, own))
            consents = await tx.all_consents(case.session_id) if case.session_id is not None else []
        files["report.html"] = Page(language, hashes, staff).written(case, attempts, policy, kept, own, now).encode()
        files["case.json"] = _json(_record(case, attempts, staff, consents))
        files["policy.json"] = canonical or b""
        files["decision.jws"] = case.result.encode()
        files["decision-keys.json"] = _json(self._decision_keys)
        files["audit/trail.jsonl"] = b"".join(export_line(entry) + b"\n" for entry in trail)
        files["audit/keys.json"] = _json(self._audit_keys)
        if point is not None:
            files["audit/checkpoint.jws"] = point.text.encode() + b"\n"
        issued = (case.ended_at or now).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        files["README.txt"] = README.format(
            id=case.id, audience=case.created_by, issued=issued, first=trail[0].number, last=trail[-1].number, start=checkpoint_text(start),
            no_checkpoint="" if point is not None else f" ({why_none})",
        ).encode()  # fmt: skip
        sums = sorted((path, hashlib.sha256(data).hexdigest()) for path, data in files.items())
        files["SHA256SUMS"] = "".join(f"{digest}  {path}\n" for path, digest in sums).encode()
        return files

    async def _pictures(self, kept: Kept, files: dict[str, bytes]) -> None:
        folder = "pictures" if kept.attempt is None else f"pictures/{kept.attempt.number}"
        if kept.facts is not None and kept.attempt is not None:
            files[f"facts/{kept.attempt.number}.json"] = _json(kept.facts)
        for shown in kept.pictures:
            try:
                files[f"{folder}/{shown.name}.jpg"] = await self._evidence.picture(kept.name, kept.digest, shown.name)
            except TongpingError:
                continue  # the report says that it is not there

    async def _trail(self, case: Case) -> tuple[list[AuditEntry], Checkpoint, SignedCheckpoint | None, str]:
        """From the first entry of the case to a checkpoint after its last one, or to that; the entry before; the checkpoint, and why there is none. What
        came later does not count: that may be years after. Raises NotFound, TooLarge."""
        async with self._cases.store.read() as tx:
            attempts = await tx.list_attempts(case.id)
            first, last, after = 0, 0, 0
            before = Checkpoint(number=0, hash=GENESIS)
            while entries := await tx.list_audit(after=after, limit=PAGE):
                for entry in entries:
                    if _is_about(entry.event, case, attempts) and not _later(entry.event, case):
                        first, last = first or entry.number, entry.number
                    if not first:
                        before = Checkpoint(number=entry.number, hash=entry.hash)
                after = entries[-1].number
            if not first:
                raise NotFound("The audit trail does not know this verification.")
            following = [one for one in self._checkpoints if one.point.number >= last]
            point = next(
                (one for one in following if one.point.number <= after), None
            )  # of what is not there nothing can be shown
            end = point.point.number if point is not None else last
            if end - first >= MOST_ENTRIES:
                raise TooLarge(f"Entries {first} to {end} of the audit trail are too many for one folder.")
            found: list[AuditEntry] = []
            while (at := found[-1].number if found else first - 1) < end:
                found += await tx.list_audit(after=at, limit=min(PAGE, end - at))
        return found, before, point, BEYOND if following else NOT_YET


NOT_YET = "none was made yet: make the folder again after the next one"
BEYOND = (
    "those that were kept saw entries that are not there: an older copy of the database came back, or the trail was cut short"
)
_LATER = frozenset(
    {AuditAction.EVIDENCE_EXPORTED, AuditAction.EVIDENCE_ERASED, AuditAction.EVIDENCE_READ, AuditAction.CUSTOMER_UNLOCKED}
)


def _later(event: AuditEvent, case: Case) -> bool:
    """Whether it is no part of what was decided and why. Whoever has the token may show it whenever they like: refused is that for ever."""
    if event.action is AuditAction.VERIFICATION_REDEEM_REFUSED:
        return case.result_until is None or event.at >= case.result_until
    return event.action in _LATER


_OF_SESSION = frozenset(
    {
        AuditAction.CONSENT_DECIDED,
        AuditAction.PARTICIPANT_JOINED,
        AuditAction.PARTICIPANT_LEFT,
        AuditAction.TAP_OPENED,
        AuditAction.TAP_CLOSED,
    }
)
"""Who was there and agreed to what: also before the case was made."""


def _is_about(event: AuditEvent, case: Case, attempts: Sequence[Attempt]) -> bool:
    named = {case.id, *(attempt.id for attempt in attempts)}
    if event.subject in named or event.details.get("attempt", "") in named:
        return True
    return case.session_id is not None and event.session == case.session_id and event.action in _OF_SESSION


def _people(case: Case, trail: Sequence[AuditEntry]) -> set[str]:
    """Ids of staff who did something in it."""
    named = {one.by for one in case.reviews} | {entry.event.actor for entry in trail}
    return {id for id in named | ({case.identified.by} if case.identified is not None else set()) if ids.is_id(id, ids.STAFF)}


def _record(case: Case, attempts: Sequence[Attempt], staff: Mapping[str, Staff], consents: Sequence[Consent]) -> dict[str, Any]:
    """Without what is sealed. ``consents``: all of its session, with the hash of each text; the trail has the same of each (``consent.decided``). ``staff``: names of those whose ids stand in the record and the trail."""
    hidden = ("key", "sealed", "reference_key", "reference_sealed", "return_url")
    record = {name: value for name, value in msgspec.structs.asdict(case).items() if name not in hidden}
    tried = [{**msgspec.structs.asdict(attempt), "excused": ended_through_us(attempt)} for attempt in attempts]
    people = {id: {"name": one.name, "role": one.role, "disabled_at": one.disabled_at} for id, one in staff.items()}
    return {**record, "attempts": tried, "staff": people, "consents": list(map(msgspec.structs.asdict, consents))}


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2) + b"\n"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)

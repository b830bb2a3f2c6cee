"""Transactions to be verified, in memory: a part of ``memory.MemoryTransaction``."""

from abc import abstractmethod
from collections import Counter
from datetime import datetime

from server.domain import ids
from server.domain.ids import ApiKeyId, AttemptId, CaseId, SessionId
from server.domain.model import Session, SessionKind, SessionStatus
from server.errors import Conflict, NotFound
from server.store.codec import check_limit, check_record
from server.store.memory_access import TableAccess
from server.transactions.case import IN_REVIEW, Attempt, Case, CaseState
from server.transactions.lock import KEYED, Failures


class CaseTables(TableAccess):
    @abstractmethod
    def _need_session(self, id: SessionId) -> None: ...

    def _owned(self, case: Case) -> None:
        if case.policy_hash not in self._look().policies:
            raise NotFound("no such policy")
        if case.session_id is not None:
            self._need_session(case.session_id)

    async def add_case(self, case: Case) -> None:
        self._change("cases")
        check_record(case)
        self._owned(case)
        self._add("cases", case.id, case)

    async def save_case(self, case: Case) -> None:
        self._change("cases")
        if case.id in self._look().cases:
            self._owned(case)
        self._save("cases", case.id, case)

    async def get_case(self, id: CaseId) -> Case | None:
        found: Case | None = self._look().cases.get(id)
        return found

    async def session_cases(self, session: SessionId) -> list[Case]:
        found: list[Case] = [case for case in self._look().cases.values() if case.session_id == session]
        return sorted(found, key=lambda case: (case.created_at, case.id), reverse=True)

    async def over_sessions(self, before: datetime, after: SessionId, limit: int) -> list[SessionId]:
        check_limit(limit)
        by_session: dict[SessionId, list[Case]] = {}
        for case in self._look().cases.values():
            if case.session_id is not None:
                by_session.setdefault(case.session_id, []).append(case)
        found = []
        for id, cases in by_session.items():
            session: Session = self._look().sessions[id]
            ours = session.kind is SessionKind.VERIFICATION and ids.is_id(session.created_by, ids.API_KEY)
            over = all(case.state in IN_REVIEW or (case.ended_at is not None and case.ended_at <= before) for case in cases)
            if ours and over and session.status is SessionStatus.OPEN and id > after:
                found.append(id)
        return sorted(found)[:limit]

    async def reviewed_cases(
        self,
        limit: int,
        after: tuple[datetime, str] | None = None,
        *,
        type: str | None = None,
        due_before: datetime | None = None,
    ) -> list[Case]:
        check_limit(limit)
        found = [
            (case.review_until, case.id, case)
            for case in self._look().cases.values()
            if case.state in IN_REVIEW and case.review_until is not None
            if type is None or case.type == type
            if due_before is None or case.review_until <= due_before
            if after is None or (case.review_until, case.id) > after
        ]
        return [case for _, _, case in sorted(found, key=lambda item: item[:2])[:limit]]

    async def count_reviewed(self) -> dict[str, int]:
        waiting = [one for one in self._look().cases.values() if one.state in IN_REVIEW and one.review_until is not None]
        return dict(Counter(one.type for one in waiting))

    async def due_cases(self, now: datetime, limit: int) -> list[Case]:
        check_limit(limit)
        found = [
            (case.due_at, case.id, case)
            for case in self._look().cases.values()
            if case.due_at is not None and case.due_at <= now
        ]
        return [case for _, _, case in sorted(found, key=lambda item: item[:2])[:limit]]

    async def sealed_cases(self, after: str, limit: int) -> list[Case]:
        check_limit(limit)
        found: list[Case] = sorted(self._look().cases.values(), key=lambda case: case.id)
        return [case for case in found if (case.key or case.reference_key) and case.id > after][:limit]

    async def evidence_due(self, now: datetime, limit: int, after: Case | None = None) -> list[Case]:
        check_limit(limit)
        past = (after.evidence_until, after.id) if after is not None and after.evidence_until is not None else None
        found = [
            (case.evidence_until, case.id, case)
            for case in self._look().cases.values()
            if case.evidence_until is not None and case.evidence_until <= now
            if past is None or (case.evidence_until, case.id) > past
        ]
        return [case for _, _, case in sorted(found, key=lambda item: item[:2])[:limit]]

    async def count_open_cases(self, customer: str, key: ApiKeyId) -> tuple[int, int]:
        running = [one for one in self._look().cases.values() if one.due_at is not None]
        return sum(one.customer == customer for one in running), sum(one.created_by == key for one in running)

    async def latest_case(self, customer: str) -> Case | None:
        found: list[Case] = [case for case in self._look().cases.values() if case.customer == customer]
        return max(found, key=lambda case: (case.created_at, case.id), default=None)

    async def running_attempts(self, customer: str) -> int:
        found = self._look().cases.values()
        return sum(case.customer == customer and case.state is CaseState.CHECKING for case in found)

    async def add_attempt(self, attempt: Attempt) -> None:
        rows = self._change("attempts")
        if any(one.case_id == attempt.case_id and one.number == attempt.number for one in rows.values()):
            raise Conflict("it exists already")
        if attempt.case_id not in self._look().cases:
            raise NotFound("no such case")
        self._add("attempts", attempt.id, attempt)

    async def save_attempt(self, attempt: Attempt) -> None:
        self._save("attempts", attempt.id, attempt)

    async def get_attempt(self, id: AttemptId) -> Attempt | None:
        found: Attempt | None = self._look().attempts.get(id)
        return found

    async def list_attempts(self, case: CaseId) -> list[Attempt]:
        found = [one for one in self._look().attempts.values() if one.case_id == case]
        return sorted(found, key=lambda one: one.number)

    async def keep_policy(self, hash: str, canonical: bytes) -> None:
        self._change("policies").setdefault(hash, canonical)

    async def get_policy(self, hash: str) -> bytes | None:
        found: bytes | None = self._look().policies.get(hash)
        return found

    async def get_failures(self, customer: str) -> Failures | None:
        found: Failures | None = self._look().failures.get(customer)
        return found

    async def put_failures(self, failures: Failures) -> None:
        rows = self._change("failures")
        check_record(failures)
        rows[failures.customer] = failures

    async def forget_failures(self, last_before: datetime, now: datetime) -> int:
        rows = self._change("failures")
        gone = [
            key
            for key, one in rows.items()
            if one.last_at <= last_before and (one.excused_at is None or one.excused_at <= last_before)
            if one.locked_until is None or one.locked_until <= now
        ]
        for key in gone:
            del rows[key]
        return len(gone)

    async def plain_failures(self, limit: int) -> list[Failures]:
        check_limit(limit)
        plain = [one for one in self._look().failures.values() if not one.customer.startswith(KEYED)]
        return sorted(plain, key=lambda one: one.customer)[:limit]

    async def drop_failures(self, customer: str) -> None:
        self._change("failures").pop(customer, None)

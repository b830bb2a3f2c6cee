"""Transactions to be verified, in SQL: a part of ``sql_transaction.SqlTransaction``."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select

from server.domain import ids
from server.domain.ids import ApiKeyId, AttemptId, CaseId, SessionId
from server.domain.model import SessionKind, SessionStatus
from server.store import tables as t
from server.store.codec import check_limit
from server.store.rows import from_row
from server.store.sql_access import RowAccess
from server.transactions.case import IN_REVIEW, Attempt, Case, CaseState
from server.transactions.lock import KEYED, Failures


class CaseRows(RowAccess):
    _failures: dict[str, Failures | None]
    """As this transaction has read them."""

    async def add_case(self, case: Case) -> None:
        await self._add(t.verification_cases, case)

    async def save_case(self, case: Case) -> None:
        await self._save(t.verification_cases, case.id, case)

    async def get_case(self, id: CaseId) -> Case | None:
        return await self._get(Case, t.verification_cases, id)

    async def session_cases(self, session: SessionId) -> list[Case]:
        c = t.verification_cases.c
        query = select(t.verification_cases).where(c.session_id == session).order_by(c.created_at.desc(), c.id.desc())
        return [from_row(row, Case) for row in await self._rows(query)]

    async def over_sessions(self, before: datetime, after: SessionId, limit: int) -> list[SessionId]:
        check_limit(limit)
        s, c = t.sessions.c, t.verification_cases.c
        cases = select(c.id).where(c.session_id == s.id)
        over = or_(c.state.in_([state.value for state in IN_REVIEW]), c.ended_at <= before)
        query = (
            select(s.id)
            .where(s.status == SessionStatus.OPEN.value, s.kind == SessionKind.VERIFICATION.value, s.id > after)
            .where(s.created_by.startswith(f"{ids.API_KEY}_", autoescape=True))
            .where(cases.exists(), ~cases.where(~func.coalesce(over, False)).exists())
        )
        return [SessionId(row["id"]) for row in await self._rows(query.order_by(s.id).limit(limit))]

    async def reviewed_cases(
        self,
        limit: int,
        after: tuple[datetime, str] | None = None,
        *,
        type: str | None = None,
        due_before: datetime | None = None,
    ) -> list[Case]:
        check_limit(limit)
        c = t.verification_cases.c
        query = select(t.verification_cases).where(_in_review(), c.review_until.is_not(None))
        if type is not None:
            query = query.where(c.type == type)
        if due_before is not None:
            query = query.where(c.review_until <= due_before)
        if after is not None:
            until, id = after
            query = query.where(or_(c.review_until > until, and_(c.review_until == until, c.id > id)))
        return [from_row(row, Case) for row in await self._rows(query.order_by(c.review_until, c.id).limit(limit))]

    async def count_reviewed(self) -> dict[str, int]:
        c = t.verification_cases.c
        query = select(c.type, func.count().label("count")).where(_in_review(), c.review_until.is_not(None)).group_by(c.type)
        return {str(row["type"]): int(row["count"]) for row in await self._rows(query)}

    async def due_cases(self, now: datetime, limit: int) -> list[Case]:
        check_limit(limit)
        c = t.verification_cases.c
        query = select(t.verification_cases).where(c.due_at <= now).order_by(c.due_at, c.id).limit(limit)
        return [from_row(row, Case) for row in await self._rows(query)]

    async def sealed_cases(self, after: str, limit: int) -> list[Case]:
        check_limit(limit)
        c = t.verification_cases.c
        query = select(t.verification_cases).where((c.key != b"") | (c.reference_key != b""), c.id > after)
        return [from_row(row, Case) for row in await self._rows(query.order_by(c.id).limit(limit))]

    async def evidence_due(self, now: datetime, limit: int, after: Case | None = None) -> list[Case]:
        check_limit(limit)
        c = t.verification_cases.c
        query = select(t.verification_cases).where(c.evidence_until <= now).order_by(c.evidence_until, c.id).limit(limit)
        if after is not None:
            until = after.evidence_until
            query = query.where(or_(c.evidence_until > until, and_(c.evidence_until == until, c.id > after.id)))
        return [from_row(row, Case) for row in await self._rows(query)]

    async def count_open_cases(self, customer: str, key: ApiKeyId) -> tuple[int, int]:
        c = t.verification_cases.c
        running = select(func.count()).where(c.due_at.is_not(None))
        theirs, of_key = running.where(c.customer == customer), running.where(c.created_by == key)
        [row] = await self._rows(select(theirs.scalar_subquery().label("theirs"), of_key.scalar_subquery().label("of_key")))
        return int(row["theirs"]), int(row["of_key"])

    async def latest_case(self, customer: str) -> Case | None:
        c = t.verification_cases.c
        query = select(t.verification_cases).where(c.customer == customer).order_by(c.created_at.desc(), c.id.desc()).limit(1)
        rows = await self._rows(query)
        return from_row(rows[0], Case) if rows else None

    async def running_attempts(self, customer: str) -> int:
        c = t.verification_cases.c
        rows = await self._rows(select(c.id).where(c.customer == customer, c.state == CaseState.CHECKING.value))
        return len(rows)

    async def add_attempt(self, attempt: Attempt) -> None:
        await self._add(t.verification_attempts, attempt)

    async def save_attempt(self, attempt: Attempt) -> None:
        await self._save(t.verification_attempts, attempt.id, attempt)

    async def get_attempt(self, id: AttemptId) -> Attempt | None:
        return await self._get(Attempt, t.verification_attempts, id)

    async def list_attempts(self, case: CaseId) -> list[Attempt]:
        c = t.verification_attempts.c
        query = select(t.verification_attempts).where(c.case_id == case).order_by(c.number)
        return [from_row(row, Attempt) for row in await self._rows(query)]

    async def keep_policy(self, hash: str, canonical: bytes) -> None:
        self._check_writable()
        if await self.get_policy(hash) is None:
            await self._change(insert(t.verification_policies).values(hash=hash, canonical=canonical))

    async def get_policy(self, hash: str) -> bytes | None:
        rows = await self._rows(select(t.verification_policies).where(t.verification_policies.c.hash == hash))
        return bytes(rows[0]["canonical"]) if rows else None

    async def get_failures(self, customer: str) -> Failures | None:
        if customer not in self._failures:  # nobody else writes meanwhile
            found = await self._get(Failures, t.verification_failures, customer)
            self._failures[customer] = found
        return self._failures[customer]

    async def put_failures(self, failures: Failures) -> None:
        self._failures.pop(failures.customer, None)
        await self._put(t.verification_failures, failures)

    async def forget_failures(self, last_before: datetime, now: datetime) -> int:
        c = t.verification_failures.c
        quiet = and_(c.last_at <= last_before, or_(c.excused_at.is_(None), c.excused_at <= last_before))
        self._failures.clear()
        return await self._change(
            delete(t.verification_failures).where(quiet, or_(c.locked_until.is_(None), c.locked_until <= now))
        )

    async def plain_failures(self, limit: int) -> list[Failures]:
        check_limit(limit)
        c = t.verification_failures.c
        query = select(t.verification_failures).where(~c.customer.startswith(KEYED)).order_by(c.customer).limit(limit)
        return [from_row(row, Failures) for row in await self._rows(query)]

    async def drop_failures(self, customer: str) -> None:
        self._failures.pop(customer, None)
        await self._change(delete(t.verification_failures).where(t.verification_failures.c.customer == customer))


def _in_review() -> ColumnElement[bool]:
    return t.verification_cases.c.state.in_([state.value for state in IN_REVIEW])

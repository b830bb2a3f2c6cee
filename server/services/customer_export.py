"""Everything that is kept of one customer, as a file for them (GDPR art. 15, PIPL art. 45): a ZIP of pictures, the files of their conversations, and ``data.json``.

It is read, opened and sent piece by piece: nothing is put on disk in plain text, and memory holds one picture or one page at a time, however much there is.
What is said is as it stands when its turn comes: what was erased meanwhile is told as missing, and an erasing of the customer ends it.
Sealed details of a case that has ended are gone; templates are numbers under seal and say nothing to a person: that there is one is told, and
the picture that it was made from, where that is kept, is handed out.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import msgspec

from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.domain.ids import FileId, SessionId
from server.domain.model import FileRecord, Session
from server.errors import Conflict, NotFound, TongpingError, TooMany, VerificationUnavailable
from server.services import customer_lines
from server.services.customer_lines import People, callback, file_path, of_case, of_session
from server.services.customers import Customers, Found, is_theirs
from server.services.enrolled_pictures import EnrolledPictures
from server.services.face_ports import SealBroken
from server.services.files import Files
from server.services.principal import Principal
from server.services.verification_cases import Cases
from server.services.verification_evidence import VerificationEvidence
from server.services.zip_stream import ZipStream
from server.store.ports import Store
from server.store.ports_customers import FIRST, Told
from server.transactions.case import Case
from server.transactions.details import read_details

LINES = 500
PART = 256 * 1024
AT_ONCE = 3
"""Exports: each opens pictures and reads a lot. Fewer than a database's readers (``store.sql.READERS``): whatever they wait for, others can read."""
OF_ONE = 2
"""Of these for one account or key: who reads slowly does not take all."""


class ErasedMeanwhile(Conflict):
    """The customer was erased while this was being read."""

    code = "erased_meanwhile"


class Package:
    """One export. Iterate once; call ``close`` in the end, however that comes."""

    def __init__(self, customer: str, actor: str, pieces: AsyncGenerator[bytes, None], export: "CustomerExport") -> None:
        self.customer, self.actor, self.cut = customer, actor, False
        self._pieces, self._export = pieces, export

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Raises ErasedMeanwhile, DependencyError: what came so far is no archive."""
        async for piece in self._pieces:
            self.check()
            yield piece

    def check(self) -> None:
        if self.cut:
            raise ErasedMeanwhile("This customer is being erased.")

    async def close(self) -> None:
        self._export.leave(self)
        await self._pieces.aclose()


class CustomerExport:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        customers: Customers,
        cases: Cases,
        evidence: VerificationEvidence,
        files: Files,
        enrolled: EnrolledPictures,
    ) -> None:
        self._store, self._clock, self._customers = store, clock, customers
        self._cases, self._evidence, self._files, self._enrolled = cases, evidence, files, enrolled
        self._open: set[Package] = set()
        customers.on_erased.append(self._erased)

    def _erased(self, customer: str) -> None:
        for one in self._open:
            one.cut = one.cut or one.customer == customer

    def leave(self, package: Package) -> None:
        self._open.discard(package)

    async def export(self, who: Principal, customer: str) -> Package:
        """The ZIP. That it was asked for is in the audit before anything is handed out, also where nothing is kept. Raises NotFound, TooMany."""
        if len(self._open) >= AT_ONCE or sum(one.actor == who.actor for one in self._open) >= OF_ONE:
            raise TooMany("Too many exports at once.", retry_after_s=30)
        package = Package(customer, who.actor, self._pieces(customer), self)
        self._open.add(package)
        try:
            found = await self._customers.find(customer)
            async with self._store.begin() as tx:
                counts = {"cases": len(found.cases), "sessions": len(found.sessions)}
                await tx.append_audit(
                    AuditEvent(
                        action=AuditAction.CUSTOMER_EXPORTED,
                        at=self._clock.now(),
                        actor=who.actor,
                        subject=found.cases[-1].id if found.cases else found.sessions[-1].id if found.sessions else "",
                        details={name: str(count) for name, count in counts.items()},
                    )
                )
            if found.nothing:
                raise NotFound("Nothing is kept of this customer.")
        except BaseException:
            await package.close()
            raise
        return package

    async def _pieces(self, customer: str) -> AsyncGenerator[bytes, None]:
        """Pictures and files first, so that ``data.json`` can say what is there of them, and by which hash."""
        found = await self._customers.find(customer)
        archive, listed = ZipStream(), list[dict[str, Any]]()
        async with aclosing(self._enrolment(archive, customer, listed)) as pieces:
            async for piece in pieces:
                yield piece
        for case in found.cases:
            async with aclosing(self._pictures(archive, case, listed)) as pieces:
                async for piece in pieces:
                    yield piece
        for session in found.sessions:
            async with aclosing(self._sent(archive, session.id, listed)) as pieces:
                async for piece in pieces:
                    yield piece
        with archive.file("data.json") as out:
            async for text in self._data(customer, found, listed):
                out.write(text)
                yield archive.take()
        archive.close()
        yield archive.take()

    async def _pictures(self, archive: ZipStream, case: Case, listed: list[dict[str, Any]]) -> AsyncGenerator[bytes, None]:
        for kept in await self._evidence.evidence_of(case):
            folder = f"{case.id}/{kept.attempt.number if kept.attempt is not None else 'reference'}"
            if kept.lost:
                listed.append({"name": folder, "missing": kept.lost})
            for shown in kept.pictures:
                name = f"{folder}/{shown.name}.jpg"
                try:
                    jpeg = await self._evidence.picture(kept.name, kept.digest, shown.name)
                except TongpingError as error:  # what is there is handed out all the same
                    listed.append({"name": name, "missing": error.code})
                    continue
                yield await _put(archive, name, jpeg, listed)

    async def _enrolment(self, archive: ZipStream, customer: str, listed: list[dict[str, Any]]) -> AsyncGenerator[bytes, None]:
        """The picture that their template was made from, where it is kept."""
        async with self._store.read() as tx:
            template = await tx.customer_template(customer)
        if template is None or template.picture is None:
            return
        name = f"{template.id}.jpg"
        try:
            jpeg = self._enrolled.opened(template)
        except SealBroken:
            jpeg = None
        if jpeg is None:
            listed.append({"name": name, "missing": "seal_broken"})
        else:
            yield await _put(archive, name, jpeg, listed)

    async def _sent(self, archive: ZipStream, session: SessionId, listed: list[dict[str, Any]]) -> AsyncGenerator[bytes, None]:
        """Files of the chat that are a line of it which the customer gets."""
        async for record, by in self._records(session):
            name = file_path(record)
            told = {"name": name, "called": record.name, "by": by, "media_type": record.media_type, "at": record.created_at}
            try:
                _, path = await self._files.find(session, record.id)
                file = await asyncio.to_thread(path.open, "rb")
            except (TongpingError, OSError) as error:
                listed.append(told | {"missing": getattr(error, "code", "file_unreadable")})
                continue
            size, digest = 0, hashlib.sha256()
            try:
                with archive.file(name) as out:
                    while part := await asyncio.to_thread(file.read, PART):
                        size += len(part)
                        digest.update(part)
                        out.write(part)
                        yield archive.take()
            finally:
                file.close()
            as_sent = (size, digest.hexdigest()) == (record.size_bytes, record.sha256)
            listed.append(told | {"bytes": size, "sha256": digest.hexdigest(), "as_it_was_sent": as_sent})

    async def _records(self, session: SessionId) -> AsyncIterator[tuple[FileRecord, str]]:
        """(a file, who sent it, by role), by id."""
        async with self._store.read() as tx:
            where = await tx.get_session(session)
            wanted = await tx.session_files(session)
            people = await tx.list_participants(session)
            opened = {pdf.file_id for pdf in await tx.session_pdfs(session) if pdf.opened_at is not None}
        if where is None:
            return
        those = People(where, people)
        said: set[FileId] = set()
        async for line in self._lines(session, those):
            if line is not None and line["file"] is not None:
                said.add(line["file"])
        for id in wanted:
            async with self._store.read() as tx:
                record = await tx.get_file(id)
            if record is not None and (id in said or id in opened or those.is_customers(record.participant_id)):
                yield record, those.label(record.participant_id)

    async def _lines(self, session: SessionId, people: People) -> AsyncIterator[dict[str, Any] | None]:
        """Page by page: no transaction is open while somebody waits for the next."""
        after = 0
        while True:
            async with self._store.read() as tx:
                page = await tx.list_messages(session, after=after, limit=LINES)
            for line in page:
                yield people.line(line)
            if not page:
                return
            after = page[-1].number

    # ---- data.json

    async def _data(self, customer: str, found: Found, listed: list[dict[str, Any]]) -> AsyncIterator[bytes]:
        """One JSON object, in parts."""
        template = found.template
        yield _open({
            "customer": customer,
            "exported_at": self._clock.now(),
            "face_template": None
            if template is None
            else {"id": template.id, "consent": template.consent, "created_at": template.created_at, "replaced_at": template.replaced_at},
            "failures": None
            if found.failures is None
            else {"count": found.failures.count, "last_at": found.failures.last_at, "locked_until": found.failures.locked_until},
            "known_devices": found.devices,
            "sessions_left_out": found.others,
            "recordings": [
                {"id": one.id, "session": one.session_id, "started_at": one.started_at, "ended_at": one.ended_at, "duration_ms": one.duration_ms}
                for one in found.recordings
            ],
        })  # fmt: skip
        names = [one["name"] for one in listed if "missing" not in one]
        yield b',\n"verifications": ['
        for number, case in enumerate(found.cases):
            now_is = await self._still(case, customer)
            yield (b",\n" if number else b"\n") + _text(await self._case(now_is, names))
        yield b'],\n"callbacks": ['
        first = True
        async for told in self._callbacks(found):
            yield (b"\n" if first else b",\n") + _text(told)
            first = False
        yield b'],\n"sessions": ['
        for number, session in enumerate(found.sessions):
            yield b",\n" if number else b"\n"
            async for part in self._session(session, customer):
                yield part
        yield b'],\n"files": ' + _text(listed) + b"\n}\n"

    async def _still(self, case: Case, customer: str) -> Case:
        """As it is now. Raises ErasedMeanwhile, where another server has erased it."""
        async with self._store.read() as tx:
            now_is = await tx.get_case(case.id)
        if now_is is None or now_is.customer != customer:
            raise ErasedMeanwhile("This customer was erased.")
        return now_is

    async def _callbacks(self, found: Found) -> AsyncIterator[dict[str, Any]]:
        """Of the cases, then of the sessions; no event is of both."""
        theirs = frozenset[str](case.id for case in found.cases)
        for case in found.cases:
            people = None if case.session_id is None else await self._people(case.session_id)
            async for told in self._told(case.id):
                if of_case(told.entry.event, case.id):
                    yield callback(told, theirs, people)
        for session in found.sessions:
            those = await self._people(session.id)
            async for told in self._told(session.id):
                if those is not None and of_session(told.entry.event, session.id, those):
                    yield callback(told, theirs, those)

    async def _people(self, session: SessionId) -> People | None:
        async with self._store.read() as tx:
            where = await tx.get_session(session)
            return None if where is None else People(where, await tx.list_participants(session))

    async def _told(self, about: str) -> AsyncIterator[Told]:
        """Page by page: no transaction is open while somebody waits for the next."""
        after = FIRST
        while True:
            async with self._store.read() as tx:
                page = await tx.told_about(about, after=after, limit=LINES)
            for told in page:
                yield told
            if len(page) < LINES:
                return
            after = page[-1].place

    async def _case(self, case: Case, names: list[str]) -> dict[str, Any]:
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
            "files": [name for name in names if name.startswith(f"{case.id}/")],
        }  # fmt: skip

    async def _session(self, session: Session, customer: str) -> AsyncIterator[bytes]:
        async with self._store.read() as tx:
            now_is = await tx.get_session(session.id)
            theirs = now_is is not None and await is_theirs(tx, now_is, customer)
            people = People(session, await tx.list_participants(session.id))
            decisions = await tx.all_consents(session.id)
        if now_is is None or not theirs or now_is.customer_reference != session.customer_reference:
            raise ErasedMeanwhile("This customer was erased, or the session is another's now.")
        yield _open(customer_lines.session(now_is) | {"people": people.told(), "consents": people.consents(decisions)})
        yield b',\n"chat": ['
        first, withheld = True, 0
        async for line in self._lines(session.id, people):
            if line is None:
                withheld += 1
                continue
            yield (b"\n" if first else b",\n") + _text(line)
            first = False
        yield b'],\n"lines_not_said_to_the_customer": ' + str(withheld).encode() + b"}"


async def _put(archive: ZipStream, name: str, jpeg: bytes, listed: list[dict[str, Any]]) -> bytes:
    """What is to be sent now."""
    with archive.file(name) as out:
        out.write(jpeg)
    digest = (await asyncio.to_thread(hashlib.sha256, jpeg)).hexdigest()
    listed.append({"name": name, "bytes": len(jpeg), "sha256": digest})
    return archive.take()


def _text(what: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(what), indent=2)


def _open(what: dict[str, Any]) -> bytes:
    """An object that goes on."""
    return _text(what)[:-2]

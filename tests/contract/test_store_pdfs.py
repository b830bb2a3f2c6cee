"""The contract of ``server.store.ports``: PDFs that are looked at together."""

import msgspec
import pytest

from server.domain import ids
from server.domain.ids import FileId, PdfId, SessionId
from server.domain.model import Participant, PdfRecord, Session
from server.errors import Conflict, NotFound
from server.store.ports import Store
from tests.support.records import Records, at


async def test_pdfs_of_a_session(store: Store, make: Records, session: Session, participant: Participant) -> None:
    file, signed = make.file(session.id, participant.id), make.file(session.id, participant.id)
    first, second = (
        PdfRecord(
            id=PdfId(make.id(ids.PDF)),
            session_id=session.id,
            participant_id=participant.id,
            file_id=file.id,
            pages=2,
            sizes=((595.0, 842.0), (842.5, 595.25)),
            created_at=at(seconds),
        )
        for seconds in (1, 2)
    )
    async with store.begin() as tx:
        await tx.add_file(file)
        await tx.add_file(signed)
        await tx.add_pdf(second)
        await tx.add_pdf(first)
        assert await tx.session_pdfs(session.id) == [first, second]
    later = msgspec.structs.replace(
        first, opened_at=at(3), signed_file_id=signed.id, signed_at=at(4), signatures=1, looked='{"page":2}'
    )
    async with store.begin() as tx:
        await tx.save_pdf(later)
    async with store.read() as tx:
        assert await tx.get_pdf(first.id) == later
        assert await tx.get_pdf(PdfId(make.id(ids.PDF))) is None
        assert await tx.session_pdfs(SessionId(make.id(ids.SESSION))) == []
    with pytest.raises(Conflict):
        async with store.begin() as tx:
            await tx.add_pdf(first)
    for stray in (
        msgspec.structs.replace(second, id=PdfId(make.id(ids.PDF)), file_id=FileId(make.id(ids.FILE))),
        msgspec.structs.replace(second, id=PdfId(make.id(ids.PDF)), session_id=SessionId(make.id(ids.SESSION))),
    ):
        with pytest.raises(NotFound):
            async with store.begin() as tx:
                await tx.add_pdf(stray)
    with pytest.raises(NotFound):
        async with store.begin() as tx:
            await tx.save_pdf(msgspec.structs.replace(second, id=PdfId(make.id(ids.PDF))))

"""Checks of identity documents: what is asked of the engine, and what is written down. Nothing of a picture or of what it says is kept."""

from collections.abc import Awaitable, Callable
from datetime import date, timedelta, timezone

from server.api.bodies_documents import DocumentCompared, DocumentRead
from server.api.bodies_faces import FaceComparison
from server.audit.events import AuditAction
from server.clock import Clock
from server.errors import PictureRefused, TongpingError
from server.services import face_told
from server.services.face_ports import FaceEngine
from server.services.principal import Principal

CHINA = timezone(timedelta(hours=8))
"""Whose day it is that a document must be valid on."""

Note = Callable[[AuditAction, Principal, dict[str, str]], Awaitable[None]]


class Documents:
    """``note``: appends to the audit. Who may ask at all is settled before (``Faces.admitted``)."""

    def __init__(self, clock: Clock, engine: FaceEngine, note: Note) -> None:
        self._clock = clock
        self._engine = engine
        self._note = note

    async def read(self, who: Principal, image: bytes) -> DocumentRead:
        """Of its portrait no more than whether there is one: whoever agrees to this has not agreed to a check of a face."""
        try:
            found = (await self._engine.document(image, today=self._today(), portrait=False)).read
        except TongpingError as error:
            await self._note(AuditAction.DOCUMENT_READ, who, {"outcome": error.code})
            raise
        await self._note(AuditAction.DOCUMENT_READ, who, _facts(found))
        return found

    async def compare(self, who: Principal, document: bytes, probe: bytes, fmr: float | None) -> DocumentCompared:
        """Compares only with the portrait of a document that was accepted. A picture that is refused: 0 the document's, 1 the probe."""
        face_told.check_point(who, fmr)
        comparison = None
        try:
            seen = await self._engine.document(document, today=self._today())
            if seen.read.accepted and seen.template:
                if probe == document:
                    raise PictureRefused("The two pictures are one.", ("picture_of_document",), 1)
                comparison = await self._match(seen.template, probe, fmr)
                if comparison.match:
                    await self._no_document(probe)
        except TongpingError as error:
            await self._note(AuditAction.DOCUMENT_COMPARED, who, {"outcome": error.code})
            raise
        facts = _facts(seen.read)
        if comparison is not None:
            facts |= {"comparison": "match" if comparison.match else "no_match", "fmr": f"{comparison.fmr:g}"}
            comparison = face_told.comparison(who, comparison)
        await self._note(AuditAction.DOCUMENT_COMPARED, who, facts)
        return DocumentCompared(document=seen.read, comparison=comparison)

    def _today(self) -> date:
        return self._clock.now().astimezone(CHINA).date()

    async def _no_document(self, probe: bytes) -> None:
        """Raises PictureRefused: it shows a document, which whoever found one could photograph twice."""
        if (await self._engine.document(probe, today=self._today(), portrait=False)).read.kind is not None:
            raise PictureRefused("The picture shows a document.", ("picture_of_document",), 1)

    async def _match(self, template: bytes, probe: bytes, fmr: float | None) -> FaceComparison:
        try:
            return await self._engine.match(template, probe, fmr=fmr)
        except PictureRefused as error:
            raise PictureRefused(error.detail, error.reasons, 1) from error


def _facts(found: DocumentRead) -> dict[str, str]:
    """Codes and hashes; nothing that stands on it."""
    outcome = "accepted" if found.accepted else found.reasons[0].code if found.reasons else "refused"
    return {"outcome": outcome, "kind": found.kind.value if found.kind else "", "reader": found.reader, "pack": found.pack.hash}

"""Face checks without a call, and the templates that they compare with: who may, what is kept, what is written down.

Whatever goes wrong is an error and never an answer: no caller can take it for a match. Nothing of a picture is kept, in a record, a log or
the audit, but sealed, with the template that was made from it, where the bank asks for that; of a template only what is sealed.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from server.api.bodies_faces import (
    ComparedBatch,
    ComparedPair,
    FaceComparison,
    FaceExamined,
    FaceFault,
    FacePicture,
    LivenessChecked,
    TemplateEnrolled,
    TemplateState,
    TemplateView,
)
from server.audit.events import AuditAction, AuditEvent
from server.clock import Clock
from server.config_verification import VerificationConfig
from server.domain import ids
from server.domain.ids import TemplateId
from server.domain.model import (
    Consent,
    ConsentDecision,
    ConsentScope,
    FaceTemplate,
    Participant,
    ParticipantState,
    Role,
    SessionStatus,
    by_themselves,
)
from server.errors import (
    Conflict,
    Gone,
    NotAllowed,
    NotFound,
    PictureRefused,
    TongpingError,
    VerificationUnavailable,
)
from server.services import face_templates, face_told
from server.services.documents import Documents
from server.services.enrolled_pictures import EnrolledPictures
from server.services.erasure_ports import ErasedPicture, Erasure, ErasureJournal
from server.services.face_limits import FaceLimits
from server.services.face_ports import CLIP_PICTURES, FaceEngine, SealBroken, TemplateSeal
from server.services.ports import MakeId
from server.services.principal import Principal, PrincipalKind
from server.store.ports import Store

SCRUB_TRIES = 20
SCRUB_PAUSE_S = 0.1


class PackChanged(Conflict):
    """Another recogniser works now than made the template."""

    code = "pack_changed"


class TemplateExists(Conflict):
    code = "template_exists"


class TemplateChanged(Conflict):
    """It was replaced while another one was being made: what was agreed to meanwhile stands."""

    code = "template_changed"


class Faces:
    """``pictures_wanted``: whether any policy in force shows reviewers what a template was made from; else no picture is kept, whoever asks for it.
    ``journal``: where it is written down that a template was erased, outside the store."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        make_id: MakeId,
        engine: FaceEngine,
        seal: TemplateSeal,
        config: VerificationConfig,
        pictures_wanted: Callable[[], bool] = lambda: True,
        journal: ErasureJournal | None = None,
    ) -> None:
        self._store, self._journal = store, journal
        self._clock = clock
        self._make_id = make_id
        self._seal = seal
        self._pictures, self._pictures_wanted = EnrolledPictures(seal), pictures_wanted
        self._config = config
        self._limits = FaceLimits(at_once=config.max_requests, at_once_each=config.max_requests_per_caller)
        self._adopted = ""
        self.engine = engine
        self.documents = Documents(clock, engine, self._note_facts)

    # ---- who may, and how much

    @asynccontextmanager
    async def admitted(self, who: Principal, to: Sequence[ConsentScope] = (ConsentScope.FACE,)) -> AsyncIterator[None]:
        """Around a request: before a byte of a picture is read, and until the answer is given. ``to``: what customers must have agreed to. Raises
        VerificationUnavailable, NotAllowed, Gone, TooMany."""
        readiness = self.engine.readiness
        if not readiness.ready:
            raise VerificationUnavailable(readiness.detail)
        await self._adopt()
        await self._consented(who, to)
        person = who.kind is not PrincipalKind.SERVICE
        with self._limits.request(who.actor, self._rate(who), self._clock.monotonic(), person=person):
            self._spend(who, 1)
            yield
        await self._consented(who, to)  # taken back meanwhile: no answer

    def count(self, who: Principal, more: int) -> None:
        """So many checks more of a request that is admitted already. Raises TooMany, NotAllowed."""
        self._limits.more(who.actor, self._rate(who), self._clock.monotonic(), more)
        self._spend(who, more)

    def _spend(self, who: Principal, checks: int) -> None:
        if who.session is not None:
            self._limits.spend(who.session, self._config.session_checks, checks)

    def _rate(self, who: Principal) -> int:
        return self._config.key_rate_per_min if who.kind is PrincipalKind.SERVICE else self._config.person_rate_per_min

    async def _consented(self, who: Principal, to: Sequence[ConsentScope]) -> None:
        """With a session token: the customer who asks, or every customer of the session, has agreed to each of these, and it is stored."""
        if who.kind is not PrincipalKind.PARTICIPANT or who.session is None:
            return
        async with self._store.read() as tx:
            session = await tx.get_session(who.session)
            people = await tx.list_participants(who.session)
            consents = await tx.latest_consents(who.session)
        if session is None or session.status is SessionStatus.ENDED:
            raise Gone("This session has ended.")
        if (
            session.status is SessionStatus.WAITING and not self._config.waiting_checks
        ):  # anybody may wait, and agree to what they like
            raise NotAllowed("Nobody has taken this conversation yet.")
        if who.role is Role.CUSTOMER and by_themselves(
            session
        ):  # what is checked there is checked on the live stream, by the same workers
            raise NotAllowed("Nobody is with you who asked for this check.")
        customers = [one for one in people if one.role is Role.CUSTOMER and one.state is not ParticipantState.LEFT]
        whose = [one for one in customers if one.id == who.actor] if who.role is Role.CUSTOMER else customers
        for scope in to:
            agreed = [one for one in whose if _agreed(one, scope, consents)]
            if not agreed or any(one not in agreed and one.state is not ParticipantState.JOINING for one in whose):
                raise NotAllowed(_UNASKED[scope])

    # ---- checks

    async def compare(self, who: Principal, reference: bytes, probe: bytes, fmr: float | None) -> FaceComparison:
        face_told.check_point(who, fmr)
        try:
            found = await self.engine.compare(reference, probe, fmr=fmr)
        except TongpingError as error:
            await self._note(AuditAction.FACE_COMPARED, who, outcome=error.code)
            raise
        await self._note(AuditAction.FACE_COMPARED, who, outcome=_outcome(found), fmr=f"{found.fmr:g}", pack=found.pack.hash)
        return face_told.comparison(who, found)

    async def compare_with(self, who: Principal, id: TemplateId, probe: bytes, fmr: float | None) -> FaceComparison:
        """Raises NotFound, Gone, PackChanged."""
        try:
            record = await self._kept(id)
            found = await self._match(record, probe, fmr)
        except TongpingError as error:
            await self._note(AuditAction.FACE_COMPARED, who, id, outcome=error.code)
            raise
        await self._note(
            AuditAction.FACE_COMPARED, who, id, outcome=_outcome(found), fmr=f"{found.fmr:g}", pack=found.pack.hash
        )
        return face_told.comparison(who, msgspec.structs.replace(found, template=id))

    async def compare_batch(
        self, who: Principal, references: list[bytes], probes: list[bytes], fmr: float | None
    ) -> ComparedBatch:
        """One after the other. A pair that fails says why; one whose operating point is unknown fails all."""
        face_told.check_point(who, fmr)
        self.count(who, len(probes) - 1)
        pairs: list[ComparedPair] = []
        for reference, probe in zip(references, probes, strict=True):
            try:
                pairs.append(ComparedPair(comparison=await self.engine.compare(reference, probe, fmr=fmr), fault=None))
            except PictureRefused as error:
                reasons = self.engine.reasons(error.reasons)
                pairs.append(_failed(FaceFault(code=error.code, picture=error.picture, reasons=reasons)))
            except VerificationUnavailable as error:
                pairs.append(_failed(FaceFault(code=error.code, picture=None, reasons=[])))
            except TongpingError as error:
                await self._note(AuditAction.FACE_COMPARED, who, outcome=error.code, pairs=str(len(probes)))
                raise
        compared = [pair.comparison for pair in pairs if pair.comparison is not None]
        known = {"fmr": f"{compared[0].fmr:g}", "pack": compared[0].pack.hash} if compared else {}
        await self._note(
            AuditAction.FACE_COMPARED,
            who,
            outcome="batch",
            pairs=str(len(pairs)),
            compared=str(len(compared)),
            matches=str(sum(one.match for one in compared)),
            **known,
        )
        return face_told.batch(who, ComparedBatch(pairs=pairs))

    async def examine(self, who: Principal, image: bytes) -> FaceExamined:
        try:
            found = FaceExamined(picture=await self.engine.examine(image), pack=self.engine.pack)
        except TongpingError as error:
            await self._note(AuditAction.FACE_EXAMINED, who, outcome=error.code)
            raise
        await self._note(
            AuditAction.FACE_EXAMINED, who, outcome="good" if found.picture.quality.good else "poor", pack=found.pack.hash
        )
        return found

    async def liveness(self, who: Principal, images: list[bytes], clip: bytes) -> LivenessChecked:
        """Each picture is a check, and a clip as many as are taken out of it."""
        checks = CLIP_PICTURES if clip else len(images)
        self.count(who, checks - 1)
        try:
            found = await (self.engine.clip(clip) if clip else self.engine.liveness(images))
        except TongpingError as error:
            await self._note(AuditAction.FACE_LIVENESS_CHECKED, who, outcome=error.code)
            raise
        await self._note(
            AuditAction.FACE_LIVENESS_CHECKED,
            who,
            outcome=found.presentation.value,
            assurance=found.assurance.value,
            pack=found.pack.hash,
        )
        return face_told.liveness(who, found)

    # ---- templates

    async def enrol(
        self, who: Principal, image: bytes, subject: str, consent: str, *, keep_picture: bool = False
    ) -> TemplateEnrolled:
        """``keep_picture``: the consent is to that, too. Raises TemplateExists: one to a subject."""
        made, picture, pack, recogniser = await self._template_of(image)
        jpeg = await self._small(image, keep_picture)
        id = TemplateId(self._make_id(ids.TEMPLATE))
        key, sealed = self._seal.seal(id, pack, made)
        kept = self._pictures.sealed(id, pack, key, jpeg) if jpeg else None
        record = FaceTemplate(
            id=id,
            subject=subject,
            consent=consent,
            pack_hash=pack,
            recogniser=recogniser,
            key=key,
            sealed=sealed,
            picture=kept,
            created_at=self._clock.now(),
            created_by=who.actor,
        )
        try:
            async with self._store.begin() as tx:
                await tx.add_template(record)
                await tx.append_audit(self._event(AuditAction.TEMPLATE_ENROLLED, who, id, pack=pack, **_kept_too(record)))
        except Conflict:
            raise TemplateExists("There is a template of this subject: replace it.") from None
        return TemplateEnrolled(template=self._view(record), picture=picture)

    async def template(self, id: TemplateId) -> TemplateView:
        return self._view(await self._kept(id))

    async def replace(
        self, who: Principal, id: TemplateId, image: bytes, consent: str | None, *, keep_picture: bool | None = None
    ) -> TemplateEnrolled:
        """The same subject, another picture, or another recogniser. The one before is erased, and its picture, if that was kept. ``keep_picture``: None: as it
        was. Whether both show one person is in the audit. Raises TemplateChanged."""
        before = await self._kept(id)
        same = await self._same(before, image)
        made, picture, pack, recogniser = await self._template_of(image)
        jpeg = await self._small(image, before.picture is not None if keep_picture is None else keep_picture)
        key, sealed = self._seal.seal(id, pack, made)
        kept = self._pictures.sealed(id, pack, key, jpeg) if jpeg else None
        async with self._store.begin() as tx:
            record = _there(await tx.get_template(id))
            if (record.key, record.picture) != (before.key, before.picture):
                raise TemplateChanged("This template was replaced meanwhile.")
            record = msgspec.structs.replace(
                record,
                consent=consent or record.consent,
                pack_hash=pack,
                recogniser=recogniser,
                key=key,
                sealed=sealed,
                picture=kept,
                replaced_at=self._clock.now(),
            )
            await tx.save_template(record)
            event = self._event(AuditAction.TEMPLATE_REPLACED, who, id, outcome=same, pack=pack, **_kept_too(record))
            await tx.append_audit(event)
        await self._scrub()
        return TemplateEnrolled(template=self._view(record), picture=picture)

    async def _same(self, record: FaceTemplate, image: bytes) -> str:
        """``match``, ``no_match``; ``unknown``: another recogniser made the template, or nothing opens it."""
        if not face_templates.fits(self.engine, record):
            return "unknown"
        try:
            template = self._seal.open(record.id, record.pack_hash, record.key, record.sealed)
        except SealBroken:
            return "unknown"
        return _outcome(await self.engine.match(template, image, fmr=None))

    async def erase(self, who: Principal, id: TemplateId) -> None:
        """For good: its key and what was sealed under it are overwritten, also again where an older copy of the database comes back. Again: Gone. Works without
        an engine. Raises DependencyError: nothing was erased."""
        await self._kept(id)
        await self._write_down(who, templates=(id,))
        async with self._store.begin() as tx:
            record = _there(await tx.get_template(id))
            await tx.save_template(face_templates.erased(record, self._clock.now()))
            await tx.erase_idempotency(id)
            await tx.append_audit(self._event(AuditAction.TEMPLATE_ERASED, who, id))
        await self._scrub()

    async def erase_picture(self, who: Principal, id: TemplateId) -> None:
        """Of its enrolment, for good, as ``erase``; the template stays. Again: NotFound. Raises TemplateChanged, DependencyError: nothing was erased."""
        before = await self._kept(id)
        if before.picture is None:
            raise NotFound("No picture of this enrolment is kept.")
        await self._write_down(who, pictures=(face_templates.picture_of(before),))
        async with self._store.begin() as tx:
            record = _there(await tx.get_template(id))
            if record.picture is None:
                raise NotFound("No picture of this enrolment is kept.")
            if (record.key, record.picture) != (before.key, before.picture):
                raise TemplateChanged("This template was replaced meanwhile.")
            await tx.save_template(face_templates.without_picture(record))
            await tx.append_audit(self._event(AuditAction.TEMPLATE_PICTURE_ERASED, who, id))
        await self._scrub()

    async def _write_down(
        self, who: Principal, *, templates: tuple[TemplateId, ...] = (), pictures: tuple[ErasedPicture, ...] = ()
    ) -> None:
        """Outside the store, that these are erased. Raises DependencyError."""
        if self._journal is None:
            return
        await self._journal.append(
            Erasure(
                id=self._make_id(ids.ERASURE),
                at=self._clock.now(),
                actor=who.actor,
                request="",
                cases=(),
                templates=templates,
                sessions=(),
                recordings=(),
                pictures=pictures,
                done=True,  # the start looks whether it stands
            )
        )

    async def _template_of(self, image: bytes) -> tuple[bytes, FacePicture, str, str]:
        made, picture = await self.engine.embed(image)
        wrong = tuple(reason.code for reason in picture.quality.reasons)
        if wrong and self._config.strict_enrolment:
            raise PictureRefused("This picture is not good enough to be kept as a template.", wrong)
        return made, picture, self.engine.pack.hash, self.engine.recogniser

    async def _small(self, image: bytes, keep: bool) -> bytes:
        """The picture as it is kept; b"": it is not. Raises PictureRefused, VerificationUnavailable: then nothing of it is."""
        return await self.engine.still(image) if keep and self._pictures_wanted() else b""

    async def _kept(self, id: TemplateId) -> FaceTemplate:
        async with self._store.read() as tx:
            return _there(await tx.get_template(id))

    async def _match(self, record: FaceTemplate, probe: bytes, fmr: float | None) -> FaceComparison:
        if not face_templates.fits(self.engine, record):
            raise PackChanged("Another recogniser works now than made this template: enrol the person anew.")
        try:
            template = self._seal.open(record.id, record.pack_hash, record.key, record.sealed)
        except SealBroken:
            raise VerificationUnavailable("This template cannot be opened.") from None
        return await self.engine.match(template, probe, fmr=fmr)

    async def _scrub(self) -> None:
        """What was erased is nowhere in the database's files. Readers may hold the log for a moment; housekeeping goes on then."""
        for _ in range(SCRUB_TRIES):
            if await self._store.scrub():
                return
            await asyncio.sleep(SCRUB_PAUSE_S)

    async def scrub(self) -> None:
        """Housekeeping: again, for what was erased while somebody was reading; and what old templates are of is written down."""
        await self._adopt()
        await self._store.scrub()

    async def _adopt(self) -> None:
        """Once for each pack that works."""
        if self.engine.readiness.ready and self._adopted != (pack := self.engine.pack.hash):
            await face_templates.adopt(self._store, self.engine)
            self._adopted = pack

    def _view(self, record: FaceTemplate) -> TemplateView:
        state: TemplateState | None = None
        if self.engine.readiness.ready:
            state = TemplateState.READY if face_templates.fits(self.engine, record) else TemplateState.PACK_CHANGED
        return TemplateView(
            id=record.id,
            subject=record.subject or "",
            consent=record.consent,
            state=state,
            pack_hash=record.pack_hash,
            picture_kept=record.picture is not None,
            created_at=record.created_at,
            replaced_at=record.replaced_at,
        )

    # ---- what is written down

    def _event(self, action: AuditAction, who: Principal, subject: str = "", **details: str) -> AuditEvent:
        return AuditEvent(
            action=action,
            at=self._clock.now(),
            actor=who.actor,
            session=who.session or "",
            subject=subject,
            details=details,
        )

    async def _note_facts(self, action: AuditAction, who: Principal, facts: dict[str, str]) -> None:
        await self._note(action, who, **facts)

    async def _note(self, action: AuditAction, who: Principal, subject: str = "", **details: str) -> None:
        async with self._store.begin() as tx:
            await tx.append_audit(self._event(action, who, subject, **details))


_UNASKED = {
    ConsentScope.FACE: "The customer has not agreed to a check of their face.",
    ConsentScope.DOCUMENT: "The customer has not agreed to have their document read.",
}


def _agreed(person: Participant, scope: ConsentScope, consents: list[Consent]) -> bool:
    return any(
        consent.participant_id == person.id and consent.scope is scope and consent.decision is ConsentDecision.GIVEN
        for consent in consents
    )


def _there(record: FaceTemplate | None) -> FaceTemplate:
    """Raises NotFound, Gone."""
    if record is None:
        raise NotFound("There is no such template.")
    if record.erased_at is not None:
        raise Gone("This template was erased.")
    return record


def _kept_too(record: FaceTemplate) -> dict[str, str]:
    """What the audit says beside the rest."""
    return {"picture": "kept"} if record.picture is not None else {}


def _outcome(found: FaceComparison) -> str:
    return "match" if found.match else "no_match"


def _failed(fault: FaceFault) -> ComparedPair:
    return ComparedPair(comparison=None, fault=fault)

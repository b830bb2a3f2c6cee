"""The service of face checks on a fake engine and a store in memory, with a clock that stands."""

import base64
from pathlib import Path
from typing import Any

import msgspec

from server.config import load
from server.domain.ids import ApiKeyId, TemplateId
from server.domain.model import ConsentDecision, ConsentScope, ParticipantState, Role
from server.errors import NotAllowed
from server.faces import FaceWorkers, RingSeal, template_keys
from server.services.faces import Faces
from server.services.principal import Principal, PrincipalKind
from server.store.memory import MemoryStore
from tests.support.fake_engine import FakeEngine
from tests.support.records import Records, at
from tests.support.tiny_engine import ALICE, draw

KEY = base64.b64encode(bytes(range(32))).decode()


class Clock:
    def __init__(self) -> None:
        self.mono = 0.0

    def now(self) -> Any:
        return at(self.mono)

    def monotonic(self) -> float:
        return self.mono


class Place:
    """A service on a fake engine and a store in memory."""

    def __init__(self, folder: Path, **settings: object) -> None:
        overrides = {"data_dir": str(folder), "verification.key": KEY}
        self.config = load(environment={}, overrides=overrides | {f"verification.{name}": at for name, at in settings.items()})
        self.engine = FakeEngine()
        self.store = MemoryStore()
        self.clock = Clock()
        self.make = Records()
        self.workers = FaceWorkers(self.config, self.engine)
        self.seal = RingSeal(template_keys(self.config))
        self.faces = Faces(self.store, self.clock, self.make.id, self.workers, self.seal, self.config.verification)
        self.key = Principal(PrincipalKind.SERVICE, ApiKeyId("AK_X"), Role.SERVICE, frozenset())

    async def enrol(self, subject: str = "c-1", colour: tuple[int, int, int] = ALICE) -> TemplateId:
        return (await self.faces.enrol(self.key, draw(colour), subject, "consents/1")).template.id

    async def audit(self) -> list[tuple[str, str, dict[str, str]]]:
        async with self.store.read() as tx:
            entries = await tx.list_audit(after=0, limit=1000)
        return [(entry.event.action.value, entry.event.subject, entry.event.details) for entry in entries]


async def somebody(place: Place, role: Role, *, state: ParticipantState = ParticipantState.ACTIVE) -> Principal:
    async with place.store.begin() as tx:
        sessions = (await tx.list_sessions(status=None, customer_reference=None, limit=1, cursor=None)).sessions
        session = sessions[0] if sessions else place.make.session()
        if not sessions:
            await tx.add_session(session)
        person = msgspec.structs.replace(place.make.participant(session.id), role=role, state=state)
        await tx.add_participant(msgspec.structs.replace(person, identity=f"invitation:{person.id}"))
    return Principal(PrincipalKind.PARTICIPANT, person.id, role, frozenset(), session.id, person.id)


async def decide(place: Place, who: Principal, decision: ConsentDecision, scope: ConsentScope = ConsentScope.FACE) -> None:
    assert who.session is not None
    assert who.participant is not None
    async with place.store.begin() as tx:
        consent = place.make.consent(who.session, who.participant)
        await tx.add_consent(msgspec.structs.replace(consent, scope=scope, decision=decision))


async def may(place: Place, who: Principal, *to: ConsentScope) -> bool:
    try:
        async with place.faces.admitted(who, to or (ConsentScope.FACE,)):
            return True
    except NotAllowed:
        return False

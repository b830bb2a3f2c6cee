"""Live sessions on a memory store and a media plane without packets, with pages that need no network and a clock that is moved."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server.auth.tokens import TokenSigner, TokenVerifier
from server.domain import ids
from server.domain.grants import Grant, desk_grants, session_grants
from server.domain.ids import FileId, LoginId, ParticipantId, SessionId, StaffId
from server.domain.model import (
    FileRecord,
    Language,
    Participant,
    ParticipantState,
    Role,
    Session,
    SessionKind,
    SessionStatus,
    Staff,
    StaffLogin,
)
from server.errors import StoreUnavailable
from server.live.hub import LiveSessions
from server.live.ice import IceIssuer
from server.live.settings import LiveSettings
from server.services.entries import Entries
from server.services.invitations import Invitations
from server.services.sessions import Sessions
from server.signalling.connection import Connection
from server.signalling.protocol import Greeted, Incoming, Refused
from server.store.memory import MemoryStore
from tests.support.fake_media import FakeMedia
from tests.support.fake_recorder import FakeRecorder

START = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


class ManualClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Page:
    """A client's socket without a network: what was written lies in ``frames``."""

    def __init__(self, house: "House", connection: Connection) -> None:
        self.house = house
        self.connection = connection
        self.frames: list[dict[str, Any]] = []
        self.number: int | None = None  # WebSocket close code
        self.seq = 0
        connection.attach(self)

    def wake(self) -> None:
        self.frames += [json.loads(frame) for frame in self.connection.take_output(self)]

    def finish(self, frames: list[bytes], number: int) -> None:
        self.frames += [json.loads(frame) for frame in frames]
        self.number = number

    def raw(self, frame: dict[str, Any]) -> None:
        event = self.connection.receive(self, json.dumps(frame))
        if isinstance(event, Incoming | Refused) and self.connection.owner is not None:
            self.connection.owner.deliver(self.connection, event)

    def post(self, type: str, **fields: Any) -> int:
        """Send a message and do not wait."""
        self.seq += 1
        self.raw({"t": "msg", "seq": self.seq, "ack": self.handled, "body": {"type": type, **fields}})
        return self.seq

    async def say(self, type: str, **fields: Any) -> int:
        """Send a message and wait until everything it caused has happened."""
        seq = self.post(type, **fields)
        await self.house.live.settle()
        return seq

    async def error(self, type: str, **fields: Any) -> str | None:
        """Say it; the code it was refused with, or None."""
        seq = await self.say(type, **fields)
        return self.errors().get(seq)

    @property
    def handled(self) -> int:
        return max((frame["seq"] for frame in self.frames if frame["t"] == "msg"), default=0)

    @property
    def welcome(self) -> dict[str, Any]:
        return [frame for frame in self.frames if frame["t"] == "welcome"][-1]

    @property
    def snapshot(self) -> dict[str, Any]:
        found: dict[str, Any] = self.welcome["snapshot"]
        return found

    @property
    def bye(self) -> str | None:
        found = [frame["code"] for frame in self.frames if frame["t"] == "bye"]
        return found[-1] if found else None

    def got(self, type: str) -> list[dict[str, Any]]:
        return [frame["body"] for frame in self.frames if frame["t"] == "msg" and frame["body"]["type"] == type]

    def errors(self) -> dict[int, str]:
        return {body["re"]: body["code"] for body in self.got("error")}

    def cut(self) -> None:
        self.connection.lost(self)

    def resume(self) -> dict[str, Any]:
        return {"key": self.welcome["resume_key"], "ack": self.handled}


class BrittleStore(MemoryStore):
    """Set ``broken`` and nothing can be written."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False

    def begin(self) -> Any:
        if self.broken:
            raise StoreUnavailable("The disk is full.")
        return super().begin()


class House:
    """Everything a live session needs. Make one, use ``settle`` and ``advance``, and ``close`` it."""

    media_class: type[FakeMedia] = FakeMedia
    store_class: type[BrittleStore] = BrittleStore

    def __init__(
        self,
        settings: LiveSettings | None = None,
        *,
        store: BrittleStore | None = None,
        ice: Callable[[ManualClock], IceIssuer] | None = None,
        recorder: FakeRecorder | None = None,
    ) -> None:
        """``store``: the records of a house before this one. ``ice``: makes its TURN relay."""
        numbers = count(1 if store is None else 1_000_000)
        self.make_id = lambda prefix: ids.make_id(prefix, next(numbers).to_bytes(ids.ID_BYTES, "big"))
        self.clock = ManualClock()
        self.store = store or self.store_class()
        self.media = self.media_class()
        key = Ed25519PrivateKey.from_private_bytes(bytes(32))
        self.signer = TokenSigner(key, "k", new_jti=lambda: str(next(numbers)))
        self.verifier = TokenVerifier({"k": key.public_key()})
        self.sessions = Sessions(self.store, self.clock, self.make_id)
        self.invitations = Invitations(self.store, self.clock, self.make_id, code_key=bytes(32), public_url="http://localhost")
        self.entries = Entries(
            self.store,
            self.clock,
            self.make_id,
            self.invitations,
            self.signer,
            max_participants=12,
            max_waiting=9,
            walk_in=True,
        )
        self.live = LiveSessions(
            store=self.store,
            sessions=self.sessions,
            entries=self.entries,
            verifier=self.verifier,
            desk_tokens=self.signer,
            media=self.media,
            clock=self.clock,
            make_id=self.make_id,
            new_key=lambda: f"key-{next(numbers)}",
            settings=settings,
            ice=ice(self.clock) if ice is not None else None,
            recorder=recorder,
        )

    async def session(self, status: SessionStatus = SessionStatus.OPEN, *, created_by: str = "") -> SessionId:
        session = Session(
            id=SessionId(self.make_id(ids.SESSION)),
            kind=SessionKind.VIDEO,
            status=status,
            language=Language.ZH,
            customer_reference="C-1",
            customer_name="王芳",
            reason="loan",
            context="summary",
            created_at=self.clock.now(),
            created_by=created_by,
            waiting_since=self.clock.now() if status is SessionStatus.WAITING else None,
        )
        async with self.store.begin() as tx:
            await tx.add_session(session)
        return session.id

    async def place(self, session: SessionId, role: Role = Role.CUSTOMER) -> tuple[ParticipantId, str]:
        """A participant who has not come yet, and their token."""
        id = ParticipantId(self.make_id(ids.PARTICIPANT))
        participant = Participant(
            id=id,
            session_id=session,
            identity=f"test:{id}",
            role=role,
            name=role.value,
            state=ParticipantState.JOINING,
            created_at=self.clock.now(),
        )
        async with self.store.begin() as tx:
            await tx.add_participant(participant)
        return id, self.token(session, id, role)

    def token(self, session: SessionId, participant: ParticipantId, role: Role, grants: frozenset[Grant] | None = None) -> str:
        wanted = session_grants(role, SessionKind.VIDEO) if grants is None else grants
        return self.signer.session_token(
            session=session, participant=participant, role=role, grants=wanted, now=self.clock.now()
        )[0]

    async def staff(self, role: Role = Role.AGENT, *, login_s: float = 12 * 3600) -> tuple[StaffId, str]:
        """An account and the desk token of a login of it that lasts so long."""
        id = StaffId(self.make_id(ids.STAFF))
        staff = Staff(id=id, username=id.lower(), name="李雷", role=role, password_hash="x", created_at=self.clock.now())
        async with self.store.begin() as tx:
            await tx.add_staff(staff)
        return id, await self.sign_in(id, role, login_s=login_s)

    async def sign_in(self, staff: StaffId, role: Role = Role.AGENT, *, login_s: float = 12 * 3600) -> str:
        """A desk token of a new login."""
        now = self.clock.now()
        login = StaffLogin(
            id=LoginId(self.make_id(ids.LOGIN)), staff_id=staff, created_at=now, ends_at=now + timedelta(seconds=login_s)
        )
        async with self.store.begin() as tx:
            await tx.add_login(login)
        return self.signer.desk_token(
            staff=staff, login=login.id, role=role, grants=desk_grants(role), now=now, until=login.ends_at
        )[0]

    async def file(self, session: SessionId, participant: ParticipantId) -> FileId:
        file = FileRecord(
            id=FileId(self.make_id(ids.FILE)),
            session_id=session,
            participant_id=participant,
            name="a.png",
            media_type="image/png",
            size_bytes=10,
            sha256="0" * 64,
            created_at=self.clock.now(),
        )
        async with self.store.begin() as tx:
            await tx.add_file(file)
        return file.id

    async def connect(self, token: str, resume: dict[str, Any] | None = None) -> Page:
        page = Page(self, self.live.new_connection())
        await self.greet(page, token, resume)
        await self.live.settle()
        return page

    async def greet(self, page: Page, token: str, resume: dict[str, Any] | None = None) -> None:
        hello = {"t": "hello", "version": 1, "token": token, "resume": resume}
        event = page.connection.receive(page, json.dumps(hello))
        assert isinstance(event, Greeted)
        connection = await self.live.greet(page.connection, event.hello)
        if connection is not None:
            page.connection = connection
            page.wake()

    async def enter(self, session: SessionId, role: Role = Role.CUSTOMER) -> tuple[ParticipantId, Page]:
        """Come and connect."""
        id, token = await self.place(session, role)
        return id, await self.connect(token)

    async def advance(self, seconds: float, *talking: Page) -> None:
        """Time passes in steps of a second; ``talking`` pages ping."""
        while seconds > 0:
            step = min(1.0, seconds)
            seconds -= step
            self.clock.seconds += step
            for page in talking:
                page.raw({"t": "ping", "n": 1})
            self.live.tick()
            await self.live.settle()

    async def participant(self, id: ParticipantId) -> Participant:
        async with self.store.read() as tx:
            found = await tx.get_participant(id)
        assert found is not None
        return found

    async def audit(self) -> list[tuple[str, str]]:
        """Action and subject of every entry."""
        async with self.store.read() as tx:
            entries = await tx.list_audit(after=0, limit=1000)
        return [(entry.event.action.value, entry.event.subject) for entry in entries]

    @contextmanager
    def broken_store(self) -> Iterator[None]:
        self.store.broken = True
        try:
            yield
        finally:
            self.store.broken = False

    async def close(self) -> None:
        await self.live.close()


def replaced(record: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(record, **changes)

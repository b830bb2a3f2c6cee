"""The real application in this process on a free port: store in memory, media plane without packets, cheap passwords.

``async with app(tmp_path) as here: await here.post("/sessions", {...}, token=here.agent)``
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from media.supervisor import WorkerState
from server.app import MediaPlane, Server, running
from server.auth.passwords import Passwords
from server.clock import Clock
from server.config import Config, load
from server.live.ports import RecorderPort
from server.store.memory import MemoryStore
from server.store.ports import Store
from tests.support.fake_media import FakeMedia
from verification.ports import EnginePort


class FakePlane(FakeMedia):
    """The fake media plane with a life: ready unless it is ``down``."""

    def ready(self) -> bool:
        return not self.down

    def workers(self) -> tuple[WorkerState, ...]:
        return (WorkerState(0, self.ready(), 0, None),)

    async def start(self) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        """Of a problem; "" when it is none."""
        if self.headers.get("Content-Type") != "application/problem+json":
            return ""
        return str(self.json["code"])


@dataclass(slots=True)
class Here:
    """``agent`` and ``supervisor`` are desk tokens, ``key`` is an API key."""

    server: Server
    http: aiohttp.ClientSession
    media: Any
    agent: str = ""
    supervisor: str = ""
    key: str = ""
    agent_id: str = ""
    supervisor_id: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """``path`` under ``/api/v1``, or a whole one from ``//`` on."""
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        url = self.url + (path[1:] if path.startswith("//") else f"/api/v1{path}")
        more: dict[str, Any] = {} if body is None else {"json": body}
        if data is not None:
            more = {"data": data}
        async with self.http.request(method, url, headers=sent, allow_redirects=False, **more) as answer:
            return Answer(answer.status, answer.headers.copy(), await answer.read())

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.call("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return await self.call("POST", path, {} if body is None and "data" not in more else body, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        return await self.call("DELETE", path, **more)

    async def login(self, username: str, password: str) -> str:
        return str((await self.post("/login", {"username": username, "password": password})).json["token"])

    async def session(self, **fields: Any) -> str:
        """A new session of the agent."""
        body = {"kind": "video", "customer_reference": "C-7", "reason": "card", "context": "lost", **fields}
        return str((await self.post("/sessions", body, token=self.agent)).json["id"])

    async def invitation(self, session: str, role: str = "customer", **fields: Any) -> Any:
        return (await self.post(f"/sessions/{session}/invitations", {"role": role, **fields}, token=self.agent)).json

    async def place(self, session: str, role: str = "customer") -> Any:
        """An entry into the session by an invitation."""
        link = (await self.invitation(session, role))["link"]
        return (await self.post("/invitations/redeem", {"secret": link.rpartition("/")[2], "name": role})).json


def config(folder: Path, **overrides: object) -> Config:
    """``overrides`` by dotted path, with ``__`` for the dot."""
    values = {name.replace("__", "."): value for name, value in overrides.items()}
    return load(environment={}, overrides={"port": 0, "data_dir": str(folder / "data"), **values})


@asynccontextmanager
async def app(
    folder: Path,
    *,
    store: Store | None = None,
    media: MediaPlane | None = None,
    clock: Clock | None = None,
    engine: EnginePort | None = None,
    recorder: RecorderPort | None = None,
    **overrides: object,
) -> AsyncIterator[Here]:
    media = media or FakePlane()
    passwords = Passwords(memory_kib=64, passes=1, lanes=1)
    async with (
        running(
            config(folder, **overrides),
            store=store or MemoryStore(),
            media=media,
            clock=clock,
            passwords=passwords,
            engine=engine,
            recorder=recorder,
        ) as server,
        aiohttp.ClientSession() as http,
    ):
        here = Here(server, http, media)
        for name in ("agent", "supervisor"):
            answer = (await here.post("/login", {"username": name, "password": server.first_passwords[name]})).json
            setattr(here, name, answer["token"])
            setattr(here, f"{name}_id", answer["staff"]["id"])
        here.key = (await here.post("/keys", {"name": "core"}, token=here.supervisor)).json["secret"]
        yield here

"""The whole server with real media workers and a real recorder in a folder, and people who come to it over WebSocket and DTLS-SRTP."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from media.recording.keyfile import load_ring
from media.recording.records import Record
from media.recording.store import RecordingStore
from server.app import running
from server.auth.passwords import Passwords
from server.recordings import KEY_FILE
from tests.support.media_lab import DEADLINE_S, LabClient, loopback
from tests.support.server import Here, config


class Visitor:
    """Somebody with a page: what they were told lies in ``told``; ``lab`` is their media."""

    def __init__(self, here: Here, place: Any, **media: Any) -> None:
        self.here = here
        self.token = place["token"]
        self.id = place["participant"]
        self.session = place["session"]["id"]
        self.told: list[dict[str, Any]] = []
        self.snapshot: dict[str, Any] = {}
        self.lab = LabClient(self.id, **media)
        self._media = media
        self._changed = asyncio.Condition()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None
        self._seq = 0

    async def come(self) -> None:
        self._socket = await self.here.http.ws_connect(f"{self.here.url}/api/v1/signal", max_msg_size=0)
        await self._socket.send_json({"t": "hello", "version": 1, "token": self.token})
        self._reading = asyncio.create_task(self._read())
        await self.until(lambda: bool(self.snapshot))
        await self.connect()

    async def connect(self) -> None:
        """A media connection; offered again while no worker answers."""
        before = len(self.got("media.answer"))
        while len(self.got("media.answer")) == before:
            await self._media_is_ready()
            await self.say("media.offer", sdp=await self.lab.offer())
            seq = self._seq
            await self.until(
                lambda seq=seq: len(self.got("media.answer")) > before or any(one["re"] == seq for one in self.got("error"))  # type: ignore[misc]
            )
        await self.lab.accept(self.got("media.answer")[-1]["sdp"])
        async with asyncio.timeout(DEADLINE_S):
            await self.lab.connected.wait()

    async def _media_is_ready(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not (await self.here.get("//readyz")).json["media"]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0)

    async def connect_anew(self) -> None:
        await self.lab.close()
        self.lab = LabClient(self.id, **self._media)
        await self.connect()

    async def _read(self) -> None:
        assert self._socket is not None
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                return
            frame = json.loads(message.data)
            async with self._changed:
                if frame["t"] == "welcome":
                    self.snapshot = frame["snapshot"]
                elif frame["t"] == "msg":
                    self.told.append(frame["body"])
                self._changed.notify_all()
            if frame["t"] == "msg":
                await self._socket.send_json({"t": "ack", "ack": frame["seq"]})

    async def until(self, test: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S), self._changed:
            await self._changed.wait_for(test)

    def got(self, type: str) -> list[dict[str, Any]]:
        return [body for body in self.told if body["type"] == type]

    @property
    def recording(self) -> dict[str, Any]:
        """As their page shows it."""
        told = self.got("recording")
        shown: dict[str, Any] = told[-1] if told else self.snapshot["recording"]
        return shown

    async def shows(self, state: str) -> None:
        await self.until(lambda: self.recording["state"] == state)

    async def say(self, type: str, **fields: Any) -> None:
        assert self._socket is not None
        self._seq += 1
        await self._socket.send_json({"t": "msg", "seq": self._seq, "ack": 0, "body": {"type": type, **fields}})

    async def decide(self, scope: str, decision: str = "given") -> None:
        before = len(self.got("consent.changed"))
        await self.say("consent.set", scope=scope, decision=decision, wording=f"{scope}-1", language="en")
        await self.until(
            lambda: any(
                (one["consent"]["participant"], one["consent"]["scope"]) == (self.id, scope)
                for one in self.got("consent.changed")[before:]
            )
        )

    async def go(self) -> None:
        await self.lab.close()
        if self._socket is not None:
            await self._socket.close()
        if self._reading is not None:
            await self._reading


class Site:
    """A server and what lies in its folder."""

    def __init__(self, here: Here, folder: Path) -> None:
        self.here = here
        self.folder = folder / "data"

    @property
    def store(self) -> RecordingStore:
        return RecordingStore(self.folder / "recordings", load_ring(str(self.folder / KEY_FILE), ""))

    def records(self, recording: str) -> dict[str, list[Record]]:
        """Of each file, by its name."""
        store = self.store
        key = store.data_key(recording)
        found = {}
        for path in store.parts(recording):
            with store.track(path, key) as reader:
                found[path.name] = list(reader.records())
        return found

    async def written(self, more: int) -> None:
        """Until the recorder has taken so many records more."""
        before = await self.measured("tongping_recorder_records")
        async with asyncio.timeout(DEADLINE_S):
            while await self.measured("tongping_recorder_records") < before + more:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0)

    async def measured(self, name: str) -> float:
        lines = (await self.here.get("//metrics")).raw.decode().splitlines()
        return next((float(line.split()[1]) for line in lines if line.startswith(f"{name} ")), 0.0)

    async def ended(self, recording: str) -> dict[str, Any]:
        """Until it is over; how."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                page = (await self.here.get("/recordings", token=self.here.supervisor)).json["recordings"]
                found: dict[str, Any] = next(one for one in page if one["id"] == recording)
                if found["standing"] != "open":
                    return found
                await asyncio.sleep(0)


def children(module: str) -> list[int]:
    """Processes of this one that run the module."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and module.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def kill(module: str) -> None:
    for pid in children(module):
        os.kill(pid, signal.SIGKILL)


@asynccontextmanager
async def site(folder: Path, passwords: dict[str, str]) -> AsyncIterator[Site]:
    """``passwords``: of the first accounts, filled in by the first start in a folder."""
    chosen = config(
        folder,
        media__workers=1,
        media__bind_addresses=["127.0.0.1"],
        throttle__attempts=1000,
    )
    cheap = Passwords(memory_kib=64, passes=1, lanes=1)
    with loopback():
        async with running(chosen, passwords=cheap) as server, aiohttp.ClientSession() as http:
            passwords.update(server.first_passwords)
            here = Here(server, http, None)
            for name in ("agent", "supervisor"):
                answer = (await here.post("/login", {"username": name, "password": passwords[name]})).json
                setattr(here, name, answer["token"])
            yield Site(here, folder)

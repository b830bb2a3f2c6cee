"""A participant that is no browser: GStreamer's webrtcbin for the media, REST and a WebSocket as ``docs/protocol.md`` says.

``async with participant(http, url, link) as one: row = await one.receives("camera")``. The media part is a process of its own
under the system's Python (``gstreamer_bin.py``), because Debian's bindings belong to that one.
"""

import asyncio
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp

PACKAGES = (
    "gir1.2-gst-plugins-bad-1.0",
    "gir1.2-gst-plugins-base-1.0",
    "gstreamer1.0-nice",
    "gstreamer1.0-plugins-bad",
    "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good",
    "python3-gi",
)
PYTHON = "/usr/bin/python3"
BIN = Path(__file__).resolve().with_name("gstreamer_bin.py")
ELEMENTS = (
    "webrtcbin",
    "nicesrc",
    "dtlssrtpdec",
    "srtpdec",
    "vp8enc",
    "vp8dec",
    "opusenc",
    "opusdec",
    "rtpvp8pay",
    "videotestsrc",
)
DEADLINE_S = 30.0
_PROBE = """
import sys, gi
for name in ("Gst", "GstSdp", "GstWebRTC"): gi.require_version(name, "1.0")
from gi.repository import Gst, GstSdp, GstWebRTC
Gst.init(None)
sys.exit(not all(Gst.ElementFactory.find(name) for name in sys.argv[1:]))
"""


@cache
def available() -> bool:
    """Whether everything is installed; else a test is skipped with ``PACKAGES``."""
    if not Path(PYTHON).exists():
        return False
    return subprocess.run([PYTHON, "-c", _PROBE, *ELEMENTS], check=False, capture_output=True).returncode == 0


class Participant:
    """Somebody in a session. Use ``participant``."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, process: asyncio.subprocess.Process) -> None:
        self._socket = socket
        self._process = process
        self._sent = 0
        self._handled = 0
        self._changed = asyncio.Condition()
        self.snapshot: dict[str, Any] = {}
        self.slots: dict[str, dict[str, Any]] = {}
        self.people: dict[str, dict[str, Any]] = {}
        self.chat: list[str] = []
        self.errors: list[dict[str, Any]] = []
        self.states: dict[str, str] = {}
        """Of webrtcbin, by name: connection-state, ice-connection-state, signaling-state."""
        self.complaints: list[str] = []
        self.offer = ""
        self.answer = ""
        self.received: list[dict[str, Any]] = []
        self._reports = 0

    async def enter(self, token: str) -> None:
        """Hello, welcome."""
        await self._socket.send_json({"t": "hello", "version": 1, "token": token, "resume": None})
        async with asyncio.timeout(DEADLINE_S):
            welcome = await self._socket.receive_json()
        assert welcome["t"] == "welcome", welcome
        self._heartbeat_s: float = welcome["heartbeat_s"]
        self.snapshot = welcome["snapshot"]
        for person in (self.snapshot["you"], *self.snapshot["participants"]):
            self.people[person["id"]] = person

    # ------------------------------------------------------------ tasks

    async def listen(self) -> None:
        """Handle what the server says and answer for it, until the socket is closed."""
        while True:
            try:
                frame = await self._socket.receive(timeout=self._heartbeat_s / 2)
            except TimeoutError:
                await self._socket.send_json({"t": "ping", "n": 1})
                continue
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return
            message = json.loads(frame.data)
            if message["t"] != "msg":
                continue
            async with self._changed:
                self._handled = message["seq"]
                await self._handle(message["body"])
                self._changed.notify_all()
            await self._socket.send_json({"t": "ack", "ack": self._handled})

    async def _handle(self, body: dict[str, Any]) -> None:
        match body["type"]:
            case "media.answer":
                self.answer = body["sdp"]
                await self._tell(type="answer", sdp=self.answer)
            case "slots":
                self.slots = {slot["mid"]: slot for slot in body["slots"]}
            case "participant.changed":
                self.people[body["participant"]["id"]] = body["participant"]
            case "chat.message":
                self.chat.append(body["message"]["text"])
            case "error":
                self.errors.append(body)

    async def watch(self) -> None:
        """Read what GStreamer says, until it ends."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            async with self._changed:
                match message["type"]:
                    case "offer":
                        self.offer = message["sdp"]
                    case "state":
                        self.states[message["name"]] = message["value"]
                    case "stats":
                        self.received = message["received"]
                        self._reports += 1
                    case "complaint":
                        self.complaints.append(message["text"])
                self._changed.notify_all()

    async def _tell(self, **command: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        await self._process.stdin.drain()

    async def _until(self, test: Callable[[], bool], what: str, timeout_s: float = DEADLINE_S) -> None:
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(test)
        except TimeoutError:
            raise AssertionError(
                f"not within {timeout_s:.0f} s: {what}; {self.states} {self.received} {self.errors} {self.complaints}"
            ) from None

    # ------------------------------------------------------------ doing and watching

    async def send(self, kind: str, **fields: Any) -> None:
        """A message of the protocol."""
        self._sent += 1
        await self._socket.send_json({"t": "msg", "seq": self._sent, "ack": self._handled, "body": {"type": kind, **fields}})

    async def consent(self, *scopes: str, decision: str = "given") -> None:
        for scope in scopes:
            await self.send("consent.set", scope=scope, decision=decision, wording=f"{scope}-1", language="en")

    async def connect(self, *sources: str) -> None:
        """Consent to these sources, offer, and wait until media flow can begin."""
        await self.consent(*sources)
        await self._until(lambda: bool(self.offer), "an offer of webrtcbin")
        await self.send("media.offer", sdp=self.offer)
        for source in sources:
            await self.send("track.state", source=source, on=True)
        await self._until(lambda: self.states.get("connection-state") == "connected", "connected")

    async def stats(self) -> list[dict[str, Any]]:
        """One row for each slot that ever received: mid, kind, frames (pictures or chunks of sound), width, height, energy."""
        before = self._reports
        await self._tell(type="stats")
        await self._until(lambda: self._reports > before, "statistics")
        return self.received

    async def receives(self, role: str, source: str, more_than: int = 0) -> dict[str, Any]:
        """The row of the slot that shows this source of somebody in this role, once that many frames of it were decoded."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for row in await self.stats():
                    slot = self.slots.get(row["mid"], {})
                    person = self.people.get(slot.get("participant") or "", {})
                    if person.get("role") == role and slot.get("source") == source and row["frames"] > more_than:
                        return row

    async def reads(self, text: str) -> None:
        await self._until(lambda: text in self.chat, f"the message {text!r}")


async def redeem(http: aiohttp.ClientSession, url: str, link: str, name: str) -> str:
    """The session token for an invitation's link."""
    body = {"secret": link.rpartition("/")[2], "name": name}
    async with http.post(f"{url}/api/v1/invitations/redeem", json=body) as answer:
        assert answer.status < 300, await answer.text()
        token: str = (await answer.json())["token"]
        return token


@asynccontextmanager
async def participant(
    http: aiohttp.ClientSession,
    url: str,
    link: str,
    *,
    name: str = "Kiosk 3",
    codec: str = "VP8",
    slots: tuple[int, int] = (2, 2),
) -> AsyncIterator[Participant]:
    """Somebody who came in by a link; ``slots``: voices and pictures that they offer to receive. Leaves at the end."""
    token = await redeem(http, url, link, name)
    process = await asyncio.create_subprocess_exec(
        *(PYTHON, str(BIN), str(slots[0]), str(slots[1]), codec),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=1 << 20,
    )
    tasks: list[asyncio.Task[None]] = []
    try:
        async with http.ws_connect(f"{url}/api/v1/signal", max_msg_size=0) as socket:
            one = Participant(socket, process)
            tasks.append(asyncio.create_task(one.watch()))
            await one.enter(token)
            tasks.append(asyncio.create_task(one.listen()))
            yield one
            await one.send("leave")
    finally:
        with contextlib.suppress(ConnectionError):
            await process.communicate(b'{"type": "stop"}\n') if not tasks else await _stop(process)
        for task in tasks:
            await task


async def _stop(process: asyncio.subprocess.Process) -> None:
    assert process.stdin is not None
    process.stdin.write(b'{"type": "stop"}\n')
    process.stdin.close()
    try:
        async with asyncio.timeout(60):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()

"""A page of the bank's that is shown and recorded: the server with a real recorder, real sanitisers and sockets, and no media."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from media.recording.errors import RecordingFormatError
from media.recording.keyfile import load_ring
from media.recording.store import RecordingStore
from server.recorder import RecorderProcess
from server.recordings import KEY_FILE
from tests.support.cobrowsing import Branch, Person, branch
from tests.support.server import config

NDJSON = "application/x-ndjson"
Line = dict[str, Any]


class Kept:
    """``process``: the recorder."""

    def __init__(self, at: Branch, process: RecorderProcess) -> None:
        self.at = at
        self.process = process

    async def decide(self, who: Person, decision: str = "given", wording: str = "recording-2") -> None:
        told = len(who.got("consent.changed"))
        await who.tell("consent.set", scope="recording", decision=decision, wording=wording, language="en")
        await who.until(
            lambda: any(one["consent"]["participant"] == who.participant for one in who.got("consent.changed")[told:])
        )

    async def recorded(self, wording: str = "recording-2") -> str:
        """Both agreed, and it is on; the recording."""
        await self.at.agent.tell("recording.set", state="on")
        await self.decide(self.at.customer, wording=wording)
        await self.decide(self.at.agent)
        await self.shows("on")
        return str(self.at.agent.got("recording")[-1]["id"])

    async def shows(self, state: str) -> None:
        await self.at.agent.until(
            lambda: self.at.agent.got("recording") and self.at.agent.got("recording")[-1]["state"] == state
        )

    async def ended(self, recording: str) -> None:
        await self.at.agent.tell("recording.set", state="off")
        async with asyncio.timeout(30):
            while (await self.detail(recording)).status != 200:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.02)

    async def detail(self, recording: str) -> Any:
        return await self.at.here.get(f"/recordings/{recording}", token=self.at.here.supervisor)

    async def track(self, recording: str) -> dict[str, Any] | None:
        """That of the page, where there is one."""
        found = [one for one in (await self.detail(recording)).json["tracks"] if one["source"] == "page"]
        assert len(found) <= 1
        return found[0] if found else None

    async def lines(self, recording: str, from_ms: int = 0) -> list[Line]:
        """As a player gets them."""
        track = await self.track(recording)
        assert track is not None
        assert track["mime"] == NDJSON
        path = f"/recordings/{recording}/tracks/{track['track']}/media?from_ms={from_ms}"
        answer = await self.at.here.get(path, token=self.at.here.supervisor)
        assert answer.headers["Content-Type"] == NDJSON
        return [json.loads(one) for one in answer.raw.decode().splitlines()]


def events(lines: list[Line]) -> list[Any]:
    """The page's events in them, put together."""
    found, text, number = [], "", 0
    for one in (line["line"] for line in lines):
        if one["type"] != "view.dom":
            continue
        text = (text if one["n"] == number else "") + one["text"]
        number = one["n"]
        if one["last"]:
            found.append(json.loads(text))
            text = ""
    return found


def of(lines: list[Line], type: str) -> list[Line]:
    return [line["line"] for line in lines if line["line"]["type"] == type]


async def on_disk(folder: Path, recording: str, words: str) -> None:
    """Within a second, as the machine goes."""
    store = RecordingStore(folder / "data" / "recordings", load_ring(str(folder / "data" / KEY_FILE), ""))
    key = store.data_key(recording)
    async with asyncio.timeout(30):
        while not any(words.encode() in one for one in payloads(store, recording, key)):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


def payloads(store: RecordingStore, recording: str, key: bytes) -> list[bytes]:
    found = []
    for path in store.parts(recording):
        if path.name.startswith("page-"):
            with contextlib.suppress(RecordingFormatError), store.track(path, key) as reader:  # its header may be half written
                found += [record.payload for record in reader.records()]
    return found


@asynccontextmanager
async def kept(folder: Path, **overrides: object) -> AsyncIterator[Kept]:
    process = RecorderProcess(config(folder), stop_s=10.0)
    await process.start()
    try:
        async with branch(folder, recorder=process, **overrides) as at:
            yield Kept(at, process)
    finally:
        await process.close()

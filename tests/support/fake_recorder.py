"""A recorder without a process or a disk: keeps what a real one would be told."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from media.recording import events
from server.domain.model import RecordingEnding
from server.live.ports import PageLine, RecorderEvents, RecorderUnavailable, RecordingEnd

ZERO_US = 5_000_000


class FakeRecorder:
    """Set ``down`` and every call fails, ``full`` and nothing can be begun; clear ``answers`` and it hangs. ``said``: the events of each recording that it got, in order.

    ``under_way``: recording → whether it is paused. ``calls``: every call, as (name, recording). ``log``: where the calls of a media plane
    beside it are noted too, a test may see what came first.
    """

    def __init__(self, log: list[tuple[str, str, str]] | None = None) -> None:
        self.down = False
        self.full = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.said: dict[str, list[dict[str, Any]]] = {}
        self.pages: dict[str, list[tuple[PageLine, int]]] = {}
        self.under_way: dict[str, bool] = {}
        self.ended: list[str] = []
        self.calls = log if log is not None else []
        self._events: RecorderEvents | None = None

    @property
    def ready(self) -> bool:
        return not self.down

    def listen(self, events: RecorderEvents) -> None:
        self._events = events

    async def begin(self, recording: str) -> int:
        await self._called("begin", recording)
        if self.full:
            raise RecorderUnavailable("cannot_write", disk=True)
        self.under_way[recording] = False
        self.said[recording] = []
        return ZERO_US

    async def tell(self, recording: str, event: Mapping[str, object], mono_us: int) -> None:
        await self._called("tell", recording)
        if recording not in self.under_way:
            raise RecorderUnavailable("no_recording")
        known = events.decode(msgspec.json.encode(event))
        assert known is not None, event
        self.said[recording].append({**event, "mono_us": mono_us})

    async def page(self, recording: str, line: PageLine, mono_us: int) -> None:
        await self._called("page", recording)
        if recording not in self.under_way:
            raise RecorderUnavailable("no_recording")
        self.pages.setdefault(recording, []).append((line, mono_us))

    async def pause(self, recording: str, paused: bool) -> None:
        if recording in self.under_way:
            self.under_way[recording] = paused
        await self._called("pause" if paused else "resume", recording)

    async def end(self, recording: str) -> RecordingEnd:
        await self._called("end", recording)
        self.ended.append(recording)
        if self.under_way.pop(recording, None) is None:
            return RecordingEnd(RecordingEnding.FAILED, 0, 0)
        return RecordingEnd(RecordingEnding.COMPLETE, 1000, 2000)

    # ---- what a test says happened

    def lose(self) -> None:
        """The process died."""
        self.down = True
        assert self._events is not None
        self._events.on_recorder(False)

    def come_back(self) -> None:
        self.down = False
        assert self._events is not None
        self._events.on_recorder(True)

    def fail(self, recording: str) -> None:
        """The disk refused."""
        assert self._events is not None
        self._events.on_recording_failed(recording)

    async def _called(self, name: str, recording: str) -> None:
        self.calls.append((f"recorder.{name}", recording, ""))
        await self.answers.wait()
        if self.down:
            raise RecorderUnavailable("no_recorder")

"""Starts the recorder as a child process (``media.child``), and tells it which recordings begin and end. SHELL.

One that is started again goes on with every recording that had begun and not ended, each track as a new part.
"""

import asyncio
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from media.child import Child, ChildConfig
from media.errors import MediaUnavailableError
from media.recording import events, messages
from media.recording.errors import RecordingStoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderConfig(ChildConfig):
    """``folder``: of all recordings. ``master_key``: keys in base64 (told to the recorder alone, over its control stream), else ``master_key_file``.

    ``end_timeout_s``: ending a recording that went on after a crash reads all of it once.
    """

    folder: Path
    master_key_file: str = ""
    master_key: str = field(default="", repr=False)
    configure: messages.Configure = field(default_factory=lambda: messages.Configure(folder="", socket=""))
    end_timeout_s: float = 120.0


class RecorderEvents(Protocol):
    """Told from the client's loop; must be quick and never raise."""

    def on_recording_failed(self, recording: str, reason: str) -> None:
        """The disk refused, or it could not go on after a crash: what was kept is whole, nothing more is kept."""
        ...

    def on_track_refused(self, recording: str, track: str, code: str) -> None: ...

    def on_recorder(self, ready: bool) -> None:
        """It is there again (with every recording under way), or lost: packets wait in the workers meanwhile, for some seconds."""
        ...


class RecorderClient:
    """Use as ``await start()`` … ``await close()``. All methods belong to one event loop."""

    def __init__(self, config: RecorderConfig, told: RecorderEvents) -> None:
        self._config = config
        self._told = told
        self._recorder: Child[messages.Ready, messages.Heartbeat, messages.Reply] = Child(
            config,
            "recorder",
            "recorder",
            "media.recording.process",
            configure=self._configure,
            take=self._take,
            lost=self._lost,
        )
        self._sockets: tempfile.TemporaryDirectory[str] | None = None
        self._changed = asyncio.Event()
        self._begun: dict[str, messages.Begun] = {}
        self._request = 0
        self._refused = ""

    # ---- life

    @property
    def socket_path(self) -> str:
        """Where media workers connect to: for ``media.recording.feed.Feed``. The same for as long as this client lives."""
        assert self._sockets is not None
        return f"{self._sockets.name}/recorder"

    @property
    def pid(self) -> int | None:
        return self._recorder.pid

    @property
    def heartbeat(self) -> messages.Heartbeat | None:
        return self._recorder.heartbeat

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return self._recorder.restarts

    def launch(self) -> None:
        """Begin to start it, and do not wait."""
        if self._sockets is None:
            self._sockets = tempfile.TemporaryDirectory(
                prefix="tongping-"
            )  # mode 0700, and short: a socket's path has 107 bytes
        self._recorder.start()

    async def start(self) -> None:
        """Returns when it is ready. Raises MediaUnavailableError, with the recorder's own words where the key or folder is wrong."""
        self.launch()
        try:
            await self.wait_ready(self._config.ready_timeout_s)
        except MediaUnavailableError:
            await self.close()
            raise

    async def wait_ready(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while self._recorder.ready is None:
                    if self._refused:
                        raise MediaUnavailableError("recorder_refused", self._refused)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise MediaUnavailableError("no_recorder", "the recorder is not ready") from None

    async def close(self) -> None:
        """Stop it: tracks are closed; recordings that have not been ended can be resumed or finished later."""
        await self._recorder.close()
        if self._sockets is not None:
            self._sockets.cleanup()
            self._sockets = None

    # ---- recordings

    async def start_recording(self, recording: str, zero_wall_us: int = 0, zero_mono_us: int = 0) -> messages.Begun:
        """A new one, with a key of its own; then tracks may be opened in it. The zero of its times is now where none is given.

        Raises MediaUnavailableError, RecordingStoreError (``recording_exists``, ``cannot_write``, …).
        """
        begun = messages.Begun(recording, zero_wall_us or int(time.time() * 1e6), zero_mono_us or int(time.monotonic() * 1e6))
        await self._ask(messages.StartRecording(self._next(), recording, begun.zero_wall_us, begun.zero_mono_us))
        self._begun[recording] = begun
        return begun

    def resume_recording(self, begun: messages.Begun) -> None:
        """Of a server before this one: the recorder takes it up when it starts anew, so call it before ``start``."""
        self._begun[begun.recording] = begun

    async def add_event(self, recording: str, event: events.Event, mono_us: int = 0) -> None:
        await self._ask(messages.AddEvent(self._next(), recording, events.encode(event), mono_us))

    async def add_page(
        self, recording: str, track: str, participant: str, line: bytes, flags: int = 0, mono_us: int = 0
    ) -> None:
        """A line of a shared page. Raises as ``start_recording``, and RecordingStoreError(``recorder_busy``, ``failed``, ``too_many_tracks``, ``page_too_large``)."""
        await self._ask(messages.AddPage(self._next(), recording, track, participant, line, flags, mono_us))

    async def pause(self, recording: str, paused: bool) -> None:
        """Raises as ``start_recording``. A recorder that starts again later keeps to it."""
        begun = self._begun.get(recording)
        if begun is not None:
            self._begun[recording] = msgspec.structs.replace(begun, paused=paused)
        await self._ask(messages.PauseRecording(self._next(), recording, paused))

    async def end_recording(self, recording: str) -> messages.Ended:
        """With its manifest on the disk. Where this fails it stays as it is: ``RecordingStore.finish`` ends it later."""
        self._begun.pop(recording, None)
        reply = await self._ask(messages.EndRecording(self._next(), recording), self._config.end_timeout_s)
        if not isinstance(reply, messages.Ended):
            raise MediaUnavailableError("bad_reply", "the recorder answered something else")
        return reply

    async def stats(self) -> dict[str, int | float]:
        reply = await self._ask(messages.Stats(self._next()))
        return reply.stats if isinstance(reply, messages.StatsReport) else {}

    def _next(self) -> int:
        self._request += 1
        return self._request

    async def _ask(self, command: messages.Request, timeout_s: float = 0.0) -> messages.Reply:
        reply = await self._recorder.reply(self._recorder.send(command, command.request), timeout_s)
        if isinstance(reply, messages.Failed):
            raise RecordingStoreError(reply.code, reply.detail)
        return reply

    # ---- what the recorder is told and says

    def _configure(self) -> messages.Configure:
        config = self._config
        return msgspec.structs.replace(
            config.configure,
            folder=str(config.folder),
            socket=self.socket_path,
            master_key_file=config.master_key_file,
            master_key=config.master_key,
            resume=tuple(self._begun.values()),
        )

    def _take(self, frame: bytes) -> None:
        message = messages.decode_from_recorder(frame)
        if isinstance(message, messages.Ready):
            self._recorder.is_ready(message)
            self._refused = ""
            self._changed.set()
            for recording, reason in message.failed:
                self._begun.pop(recording, None)
                self._told.on_recording_failed(recording, reason)
            self._told.on_recorder(True)
        elif isinstance(message, messages.Heartbeat):
            self._recorder.heartbeat = message
        elif isinstance(message, messages.RecordingFailed):
            self._begun.pop(message.recording, None)
            self._told.on_recording_failed(message.recording, message.reason)
        elif isinstance(message, messages.TrackRefused):
            self._told.on_track_refused(message.recording, message.track, message.code)
        elif isinstance(message, messages.Failed) and self._recorder.ready is None:
            self._refused = message.detail or message.code
            self._changed.set()
        else:
            self._recorder.answered(message.request, message)

    def _lost(self) -> None:
        self._told.on_recorder(False)

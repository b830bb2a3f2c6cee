"""The recorder process as live sessions see it. A part of the composition root: it knows the server and ``media``."""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from media.errors import MediaUnavailableError
from media.recording import events, messages, pages
from media.recording.client import RecorderClient, RecorderConfig
from media.recording.errors import RecordingError
from media.recording.store import RecordingStore
from server import recordings
from server.config import Config
from server.domain.model import RecordingEnding
from server.errors import ConfigError
from server.live.ports import PageLine, RecorderEvents, RecorderUnavailable, RecordingEnd

log = logging.getLogger(__name__)
ANSWER_S = 3.0  # of the recorder


class RecorderProcess:
    """``server/live/ports.py: RecorderPort``. Use as ``await start()`` … ``await close()``."""

    def __init__(self, config: Config, *, stop_s: float) -> None:
        self._config = config
        self._told: RecorderEvents | None = None
        self._client = RecorderClient(
            RecorderConfig(
                folder=recordings.folder(config),
                master_key_file=str(config.data_dir / recordings.KEY_FILE),
                master_key=config.recording.key,
                request_timeout_s=ANSWER_S,
                stop_timeout_s=stop_s,
            ),
            self,
        )
        self._ready = False

    async def launch(self) -> None:
        """Begin to start it, and do not wait. Raises ConfigError: a key that is not right, a folder that cannot be written."""
        await asyncio.to_thread(recordings.ring, self._config, make=True)
        self._client.launch()

    async def start(self) -> None:
        """Returns when it is ready, launched before or not. Raises ConfigError, as ``launch`` does."""
        await self.launch()
        try:
            await self._client.start()
        except MediaUnavailableError as error:
            raise ConfigError(f"the recorder cannot be started: {error.detail or error.code}") from None

    async def close(self) -> None:
        self._told = None
        await self._client.close()

    @property
    def socket_path(self) -> str:
        """For media workers; once it was launched."""
        return self._client.socket_path

    @property
    def pid(self) -> int | None:
        return self._client.pid

    @property
    def restarts(self) -> int:
        return self._client.restarts

    @property
    def heartbeat(self) -> messages.Heartbeat | None:
        return self._client.heartbeat

    # ---- RecorderPort

    @property
    def ready(self) -> bool:
        return self._ready

    def listen(self, events: RecorderEvents) -> None:
        self._told = events

    async def begin(self, recording: str) -> int:
        with _errors():
            begun = await self._client.start_recording(recording)
        return begun.zero_mono_us

    async def tell(self, recording: str, event: Mapping[str, object], mono_us: int) -> None:
        """An event that this version does not know is a bug: ValueError."""
        found = events.decode(msgspec.json.encode(event))
        if found is None:
            raise ValueError(f"no such event: {event.get('type')}")
        with _errors():
            await self._client.add_event(recording, found, mono_us)

    async def page(self, recording: str, line: PageLine, mono_us: int) -> None:
        flags = pages.BEGINS * line.begins | pages.BLANK * line.blank
        with _errors():
            await self._client.add_page(recording, line.track, line.participant, line.text, flags, mono_us)

    async def pause(self, recording: str, paused: bool) -> None:
        with _errors():
            await self._client.pause(recording, paused)

    async def end(self, recording: str) -> RecordingEnd:
        try:
            await self._client.end_recording(recording)
        except (MediaUnavailableError, RecordingError) as error:
            log.info("recording ended from its files", extra={"recording": recording, "code": error.code})
        return await asyncio.to_thread(self._finished, recording)

    def _finished(self, recording: str) -> RecordingEnd:
        """By its manifest, which is written where there is none."""
        try:
            store = RecordingStore(recordings.folder(self._config), recordings.ring(self._config))
            ended = recordings.ended(store, recording, int(time.time() * 1e6))
        except (RecordingError, ConfigError) as error:
            raise RecorderUnavailable("the recording cannot be ended now") from error
        return RecordingEnd(RecordingEnding(ended.ending), ended.size, ended.duration_ms)

    # ---- what the recorder says

    def on_recorder(self, ready: bool) -> None:
        self._ready = ready
        if self._told is not None:
            self._told.on_recorder(ready)

    def on_recording_failed(self, recording: str, reason: str) -> None:
        log.error("recording failed", extra={"recording": recording})
        if self._told is not None:
            self._told.on_recording_failed(recording)

    def on_track_refused(self, recording: str, track: str, code: str) -> None:
        log.error("track not recorded", extra={"recording": recording, "track": track, "code": code})


@contextmanager
def _errors() -> Iterator[None]:
    """The server's, of those of ``media``."""
    try:
        yield
    except (MediaUnavailableError, RecordingError) as error:
        raise RecorderUnavailable(error.code, disk=error.code == "cannot_write") from error

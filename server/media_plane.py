"""The media plane as live sessions want it: ``media.client`` with the server's types and the server's errors."""

import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Protocol

from media import control
from media import ports as media_ports
from media.client import MediaClient
from media.errors import MediaError, MediaRefusedError, MediaUnavailableError
from media.supervisor import SupervisorConfig, WorkerState
from media.tap.client import Frame, Tap, TapClient, TapConfig
from media.tap.errors import TapRefused as RefusedTap
from server import addresses
from server.config import Config
from server.errors import ConfigError, MediaPlaneUnavailable
from server.live.ports import (
    MediaEvents,
    MediaPort,
    MediaRefused,
    MediaUnavailable,
    NetworkState,
    OpenTap,
    RecordingState,
    SlotAssignment,
    TapEnded,
    TapRefused,
)

STOP_S = 1.0
"""For a worker to end."""
FEWEST_TAPS, MOST_TAPS = 4, 64
"""At once; each is a process that decodes."""


class MediaPlane(MediaPort, Protocol):
    """A media port with a life."""

    def ready(self) -> bool: ...
    def workers(self) -> Sequence[WorkerState]: ...
    async def start(self) -> None: ...
    async def close(self) -> None: ...


def taps_at_once(config: Config) -> int:
    """One for each live attempt that there is room for, and never fewer than before there was such a bound."""
    room = config.verification.workers * config.verification.live_attempts_per_worker
    return max(FEWEST_TAPS, room) if room else MOST_TAPS


@contextmanager
def _errors() -> Iterator[None]:
    """The server's, of those of ``media``."""
    try:
        yield
    except MediaRefusedError as error:
        raise MediaRefused(error.code, error.detail) from error
    except RefusedTap as error:
        raise TapRefused(error.code, error.detail) from error
    except MediaUnavailableError as error:
        raise MediaUnavailable(error.code) from error


class _Told:
    """What the media plane says, in the server's types."""

    def __init__(self, events: MediaEvents) -> None:
        self._events = events
        self.on_speaking = events.on_speaking
        self.on_peer = events.on_peer
        self.on_track = events.on_track
        self.on_encodings = events.on_encodings
        self.on_rooms_lost = events.on_rooms_lost

    def on_slots(self, room: str, participant: str, slots: Sequence[media_ports.SlotAssignment]) -> None:
        self._events.on_slots(room, participant, [SlotAssignment(*slot) for slot in slots])

    def on_network(self, room: str, participant: str, state: media_ports.NetworkState) -> None:
        self._events.on_network(room, participant, NetworkState(*state))


class _Pictures:
    """A ``media.tap.client.Tap``, with the server's errors."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self.end = tap.end

    @property
    def frames(self) -> int:
        return self._tap.frames

    async def __aiter__(self) -> AsyncIterator[Frame]:
        try:
            async for frame in self._tap:
                yield frame
        except MediaError as error:
            raise TapEnded(error.code) from error


class WorkerMedia:
    """``media.client.MediaClient`` as ``server/live/ports.py: MediaPort``, with the server's errors."""

    def __init__(self, config: Config) -> None:
        """Raises ConfigError."""
        chosen = config.media
        try:
            settings = SupervisorConfig(
                workers=chosen.workers or os.cpu_count() or 1,
                worker=control.Configure(
                    bind=addresses.media_addresses(chosen.bind_addresses, chosen.announced_addresses),
                    port=chosen.udp_port_base,
                    announced=tuple(chosen.announced_addresses),
                    video_codecs=tuple(chosen.video_codecs),
                    native=chosen.native,
                ),
                request_timeout_s=chosen.answer_timeout_s,
                stop_timeout_s=STOP_S,
            )
        except ValueError as error:
            raise ConfigError(f"media: {error}") from None
        self._client = MediaClient(settings)
        self._taps = TapClient(self._client, TapConfig(most=taps_at_once(config)))

    def use_recorder(self, socket_path: str) -> None:
        """Before ``launch``: where the media workers hand what is recorded."""
        self._client.use_recorder(socket_path)

    def ready(self) -> bool:
        return bool(self._client.supervisor.ready())

    def workers(self) -> Sequence[WorkerState]:
        return self._client.supervisor.states()

    def launch(self) -> None:
        """Begin to start the first worker, and do not wait."""
        self._client.launch()

    async def start(self) -> None:
        """Raises MediaPlaneUnavailable when no worker is ready in time."""
        try:
            await self._client.start()
        except MediaUnavailableError as error:
            raise MediaPlaneUnavailable("no media worker could be started; see the log") from error

    async def close(self) -> None:
        await self._taps.close()
        await self._client.close()

    def listen(self, events: MediaEvents) -> None:
        self._client.listen(_Told(events))

    async def connect(self, room: str, participant: str, offer_sdp: str) -> str:
        with _errors():
            return await self._client.connect(room, participant, offer_sdp)

    async def set_gates(
        self, room: str, participant: str, open_sources: frozenset[str], circle: str = "", only: frozenset[str] | None = None
    ) -> None:
        with _errors():
            await self._client.set_gates(room, participant, open_sources, circle, only)

    async def set_receive(self, room: str, participant: str, video: int, sizes: Mapping[str, int]) -> None:
        with _errors():
            await self._client.set_receive(room, participant, video, sizes)

    async def replace(self, room: str, old: str, new: str) -> None:
        with _errors():
            await self._client.replace(room, old, new)

    async def set_recording(
        self, room: str, recording: str, zero_mono_us: int, whom: Mapping[str, frozenset[str]], state: RecordingState
    ) -> None:
        with _errors():
            await self._client.set_recording(room, recording, zero_mono_us, whom, state)

    @asynccontextmanager
    async def open_tap(
        self,
        room: str,
        participant: str,
        source: str,
        *,
        nonce: bytes,
        fps: float,
        frames: int,
        seconds: float,
        height: int | None = None,
    ) -> AsyncIterator[OpenTap]:
        opening = self._taps.open(
            room, participant, source, nonce=nonce, fps=fps, frames=frames, seconds=seconds, height=height
        )
        async with AsyncExitStack() as stack:
            with _errors():
                tap = await stack.enter_async_context(opening)
            yield _Pictures(tap)

    async def disconnect(self, room: str, participant: str) -> None:
        with _errors():
            await self._client.disconnect(room, participant)

    async def close_room(self, room: str) -> None:
        with _errors():
            await self._client.close_room(room)

    async def stats(self, room: str) -> Mapping[str, object]:
        with _errors():
            return await self._client.stats(room)

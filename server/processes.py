"""The processes that a server cannot do without, launched before it reads most of its own modules, which is the longest part of a start: they read theirs meanwhile.

A part of the composition root: it knows the server and ``media``.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from server import data_lock
from server.config import Config
from server.live.ports import RecorderPort
from server.media_plane import MediaPlane, WorkerMedia
from server.recorder import RecorderProcess

STOP_S = 1.0
"""For the recorder to end."""


@dataclass(frozen=True, slots=True)
class Processes:
    """Launched; none has to be ready. ``recorder``: None where nothing is recorded."""

    media: MediaPlane
    recorder: RecorderPort | None


@asynccontextmanager
async def launched(
    config: Config, media: MediaPlane | None = None, recorder: RecorderPort | None = None
) -> AsyncIterator[Processes]:
    """Those that are not given, in a data folder that is ours from then on; gone on leaving. Raises ConfigError."""
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(data_lock.make_folder, config.data_dir)
        stack.enter_context(data_lock.held(config.data_dir))
        if media is None:
            media = workers = WorkerMedia(config)
            if recorder is None and config.recording.enabled:
                recorder = process = RecorderProcess(config, stop_s=STOP_S)
                stack.push_async_callback(process.close)
                await process.launch()
                workers.use_recorder(process.socket_path)
            stack.push_async_callback(workers.close)
            workers.launch()
        yield Processes(media, recorder)

"""A camera of any size for a real Chromium: a short uncompressed film that it plays over and over, and a browser that has it."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.support.browser import FLAGS, chromium_path

FRAMES = 8


def film(path: Path, width: int, height: int) -> Path:
    """A YUV4MPEG2 file of a moving pattern with some grain, at 30 frames/s; always the same."""
    grain = random.Random(1).randbytes(width + height + 4096)
    rows = [bytes((x + y) % 256 // 2 + grain[(7 * y + x) % len(grain)] // 16 for x in range(width + 64)) for y in range(height)]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode())
        for frame in range(FRAMES):
            file.write(b"FRAME\n")
            for row in rows:
                file.write(row[8 * frame : 8 * frame + width])
            file.write(bytes((128,)) * (width * height // 2))
    return path


@asynccontextmanager
async def browser_with_camera(film_of_it: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=chromium_path(),
            args=[*FLAGS, "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film_of_it}"],
            ignore_default_args=["--mute-audio", "--hide-scrollbars"],
        )
        try:
            yield chromium
        finally:
            await chromium.close()

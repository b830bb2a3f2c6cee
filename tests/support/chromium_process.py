"""A Chromium of its own as a process that a test may stop, let go on and kill, driven over the DevTools protocol."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Playwright

from tests.support.browser import chromium_path, flags

STARTS_WITHIN_S = 60.0
_ENDPOINT = re.compile(rb"DevTools listening on (ws://\S+)")


@dataclass(slots=True)
class ChromiumProcess:
    """``browser`` is of no use any more once the process was stopped or killed."""

    process: asyncio.subprocess.Process
    browser: Browser

    def signal(self, number: signal.Signals) -> None:
        """To all its processes: SIGSTOP is a machine that lost its power, SIGKILL a browser that crashed."""
        os.killpg(self.process.pid, number)


async def _ignore(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


@contextlib.asynccontextmanager
async def chromium_process(playwright: Playwright, folder: Path) -> AsyncIterator[ChromiumProcess]:
    """Killed at the end, whatever became of it."""
    process = await asyncio.create_subprocess_exec(
        chromium_path(), *flags(), "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    draining: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(STARTS_WITHIN_S):
            found = None
            while found is None:
                line = await process.stderr.readline()
                assert line, "Chromium ended before it listened"
                found = _ENDPOINT.search(line)
        draining = asyncio.create_task(_ignore(process.stderr))
        browser = await playwright.chromium.connect_over_cdp(found[1].decode())
        yield ChromiumProcess(process, browser)
        with contextlib.suppress(Exception):  # a dead browser cannot be closed
            async with asyncio.timeout(5):
                await browser.close()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        async with asyncio.timeout(STARTS_WITHIN_S):
            await process.wait()
            if draining is not None:
                await draining

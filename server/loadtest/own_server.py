"""A server of its own for a load test: ``tongping serve`` with its defaults in a temporary folder, and an API key for it."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from server.loadtest.settings import LoadtestFailed

START_S, STOP_S = 30.0, 15.0
LONGEST_FOLDER = 75
"""A server's Unix sockets lie in its temporary folder, and their paths have 107 bytes."""
CONNECTIONS = 5000
"""All people come from this address."""


@dataclass(frozen=True, slots=True)
class OwnServer:
    url: str
    authorization: str
    pid: int


@asynccontextmanager
async def own_server(settings: Mapping[str, str] | None = None) -> AsyncIterator[OwnServer]:
    """``settings``: more variables of its environment. Raises LoadtestFailed when it does not start. On this machine's loopback address only."""
    with tempfile.TemporaryDirectory(prefix="tongping-loadtest-", ignore_cleanup_errors=True) as folder:
        env = {name: value for name, value in os.environ.items() if not name.startswith("TONGPING_") and name != "PORT"}
        env |= {
            "TONGPING_DATA_DIR": str(Path(folder) / "data"),
            "TONGPING_PORT": "0",
            "TONGPING_LOG_LEVEL": "error",
            "TONGPING_MEDIA_BIND_ADDRESSES": "127.0.0.1",
            "TONGPING_LIMITS_MAX_CONNECTIONS_PER_ADDRESS": str(CONNECTIONS),
            **(settings or {}),
        }
        if len(os.fsencode(folder)) <= LONGEST_FOLDER:
            env["TMPDIR"] = folder  # also what a server that was killed leaves there is gone with ours
        key = await _key(env)
        process = await _start(env, "serve")
        try:
            yield OwnServer(await _address(process), f"Bearer {key}", process.pid)
        finally:
            await _stop(process)


async def _start(env: Mapping[str, str], *arguments: str) -> asyncio.subprocess.Process:
    """In a group of its own: an interrupt at the keyboard is for us, who end it when the load is gone."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", *arguments, env=dict(env), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


async def _key(env: Mapping[str, str]) -> str:
    process = await _start(env, "token", "loadtest")
    try:
        async with asyncio.timeout(START_S):
            out, _ = await process.communicate()
    except TimeoutError:
        raise LoadtestFailed("no API key could be made in time") from None
    finally:
        await _stop(process)
    if process.returncode or not out.strip():
        raise LoadtestFailed("no API key could be made; the server's own message is above")
    return out.decode().strip().splitlines()[-1]


async def _address(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            while line := await process.stdout.readline():
                word, _, url = line.decode().strip().partition("  ")
                if word == "ready":
                    return url
    except TimeoutError:
        raise LoadtestFailed(f"the server was not ready within {START_S:.0f} s") from None
    raise LoadtestFailed("the server ended before it was ready; its own message is above")


async def _stop(process: asyncio.subprocess.Process) -> None:
    """It stops its workers itself; all of them are killed when it does not."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await process.wait()
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

"""``tongping loadtest`` as an operator starts it: real sessions at a real server, figures, a plot, nothing left behind."""

import asyncio
import json
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.machine import quick_or_skip
from tests.support.server_process import ServerProcess
from tests.unit.server.test_loadtest import KEYS

MARK = "LOADTEST_MARK"
WITHIN_S = 90.0
ROOT = Path(__file__).resolve().parents[2]


async def start(mark: str, *arguments: str, **env: str) -> asyncio.subprocess.Process:
    """All processes that come of it have ``mark`` in their environment."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "loadtest", *arguments, cwd=ROOT, env={**os.environ, MARK: mark, **env},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """(exit status, standard output, standard error)."""
    async with asyncio.timeout(WITHIN_S):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def running(mark: str) -> dict[int, str]:
    """Process id → command line, of the processes with the mark: those that this test started, and nobody else's."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # ended meanwhile, or somebody else's
            continue
    return found


@pytest.mark.quiet
async def test_two_rooms_of_three_lose_nothing(tmp_path: Path) -> None:
    mark, plot = secrets.token_hex(8), tmp_path / "plot.png"
    process = await start(
        mark, "--rooms", "2", "--people", "3", "--duration", "3", "--json", "--plot", str(plot), TMPDIR=str(tmp_path)
    )
    status, out, err = await ended(process)
    found: dict[str, Any] = json.loads(out)
    assert found.keys() == KEYS
    assert (found["rooms"], found["people"], found["own_server"]) == (2, 3, True)
    assert len(found["series"]) == 3
    quick_or_skip((status, err, found["failures"], found["joined"]) == (0, "", {}, 6), found)
    # six cameras of 30 pictures and six microphones of 50 voices a second, each to two others
    enough = found["packets"] >= 0.9 * 3 * 6 * 2 * (30 + 50)
    quick_or_skip(enough and found["flows"] and found["loss"] == 0, found)
    assert found["received"] == found["packets"]
    assert 0 < found["latency_p50_ms"] <= found["latency_p95_ms"] <= found["latency_p99_ms"]
    assert found["join_p95_ms"] > 0
    assert found["joins_per_s"] > 0
    assert found["cpu_us_per_forward"] > 0
    assert found["worker_cpu_percent"] > 0
    assert found["server_cpu_percent"] > 0
    assert found["event_loop_lag_p99_ms"] >= 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert running(mark) == {}
    assert os.listdir(tmp_path) == ["plot.png"]


async def measuring(process: asyncio.subprocess.Process) -> None:
    """Everybody is in."""
    assert process.stderr is not None
    async with asyncio.timeout(WITHIN_S):
        while b"measuring" not in (line := await process.stderr.readline()):
            assert line, "it ended by itself"


@pytest.fixture
def short() -> Iterator[str]:
    """A temporary folder with a short path, as an operator has it: a server's Unix sockets lie below it."""
    with tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp") as folder:
        yield folder


async def test_a_server_that_dies_is_told_and_nothing_is_left(short: str) -> None:
    mark = secrets.token_hex(8)
    process = await start(mark, "--rooms", "1", "--people", "2", "--duration", "3", "--plot", f"{short}/a.png", TMPDIR=short)
    await measuring(process)
    (server,) = [pid for pid, command in running(mark).items() if "server serve" in command]
    os.kill(server, signal.SIGKILL)
    status, out, err = await ended(process)
    assert status == 1, err
    assert "failed 2 times: signalling ended: cut" in out
    assert "Traceback" not in err
    assert running(mark) == {}
    assert os.listdir(short) == ["a.png"]


async def test_an_interrupt_ends_everything(short: str) -> None:
    mark = secrets.token_hex(8)
    process = await start(mark, "--rooms", "1", "--people", "2", "--duration", "600", TMPDIR=short)
    await measuring(process)
    assert len(running(mark)) >= 3
    process.send_signal(signal.SIGINT)
    status, out, err = await ended(process)
    assert (status, out) == (130, "")
    assert "interrupted" in err
    assert running(mark) == {}
    assert os.listdir(short) == []


async def test_a_server_that_runs_is_loaded_and_its_sessions_are_ended(tmp_path: Path) -> None:
    mark = secrets.token_hex(8)
    with ServerProcess(tmp_path) as server:
        username, password = server.agent
        process = await start(
            mark, "--url", server.url, "--username", username, "--rooms", "1", "--people", "2", "--duration", "1",
            TONGPING_LOADTEST_PASSWORD=password,
        )  # fmt: skip
        status, out, err = await ended(process)
        assert status == 0, (out, err)
        assert "people who came              2" in out
        async with aiohttp.ClientSession(base_url=server.url) as http:
            login = await (await http.post("/api/v1/login", json={"username": username, "password": password})).json()
            listed = await http.get("/api/v1/sessions", headers={"Authorization": f"Bearer {login['token']}"})
            sessions = [one for one in (await listed.json())["sessions"] if one["customer_reference"].startswith("LOADTEST")]
        assert [one["status"] for one in sessions] == ["ended"]
        refused = await start(mark, "--url", server.url, "--rooms", "1", "--people", "2", TONGPING_LOADTEST_KEY="wrong")
        status, out, err = await ended(refused)
        assert (status, out) == (1, "")
        assert "nobody came in: POST /sessions was answered 401" in err
    assert running(mark) == {}

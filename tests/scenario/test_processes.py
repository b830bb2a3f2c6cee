"""The processes that a server launches before it reads the rest of itself."""

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from server import processes
from server.app import running
from server.errors import ConfigError
from server.recorder import RecorderProcess
from tests.support.server import config


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def children() -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that is over has none
            found.update(map(int, (task / "children").read_text().split()))
    return found


async def launched_pids(before: set[int], number: int) -> set[int]:
    async with asyncio.timeout(30):
        while len(found := children() - before) < number:  # noqa: ASYNC110 - the system does not tell
            await asyncio.sleep(0)
    return found


async def test_one_worker_and_the_recorder_are_launched_and_gone_on_leaving(tmp_path: Path) -> None:
    before = children()
    async with processes.launched(config(tmp_path, media__workers=2)) as made:
        assert isinstance(made.recorder, RecorderProcess)
        pids = await launched_pids(before, 2)
        assert not made.media.ready(), "nobody waited"
        with pytest.raises(ConfigError, match="another server uses"):
            async with processes.launched(config(tmp_path)):
                pass
    assert not [pid for pid in pids if alive(pid)]


async def test_a_server_takes_them_over(tmp_path: Path) -> None:
    before = children()
    made = config(tmp_path, media__workers=2, verification__enabled=False)
    async with processes.launched(made) as begun:
        async with running(made, processes=begun) as server:
            assert begun.media.ready()
            assert server.context.recorder_ready is not None
            assert server.context.recorder_ready()
            assert len(begun.media.workers()) == 2
        assert children() == before
    assert children() == before


async def test_what_a_server_refuses_ends_them(tmp_path: Path) -> None:
    before = children()
    made = config(tmp_path, database_url=f"sqlite:///{tmp_path}/no/such/folder/tongping.db")
    with pytest.raises(ConfigError):
        async with processes.launched(made) as begun, running(made, processes=begun):
            raise AssertionError("it served")
    assert children() == before


async def test_brought_ones_are_left_alone(tmp_path: Path) -> None:
    before = children()
    made = config(tmp_path, recording__enabled=False)
    async with processes.launched(made) as first:
        (tmp_path / "other").mkdir()
        pids = await launched_pids(before, 1)
        async with processes.launched(config(tmp_path / "other"), first.media) as second:
            assert second == processes.Processes(first.media, None)
            assert children() - before == pids
        assert all(alive(pid) for pid in pids)

"""Exports as jobs: bounded, one at a time, cancelled, forgotten; with a tool that does what a test says instead of a film."""

import os
import sys
from collections import deque
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from server.api.bodies_recordings import ExportFault, ExportFormat, ExportState
from server.domain import ids
from server.domain.ids import RecordingId
from server.errors import Conflict, Gone, NotFound, TooMany
from server.services.recording_exports import (
    KEPT_FREE,
    LONGEST_S,
    MOST_KEPT,
    MOST_QUEUED,
    STILL_S,
    Exports,
    Tool,
)
from tests.support.signalling import ManualClock

SCRIPT = """
import json, os, sys, time
recording, target = sys.argv[1], sys.argv[3]
print("not json", flush=True)
print(json.dumps({"done_us": 1, "all_us": 4, "eta_s": 1}), flush=True)
if recording.startswith("wait"):
    time.sleep(600)
while recording.startswith("on and on"):
    print(json.dumps({"done_us": 1, "all_us": 4}), flush=True)
    time.sleep(0.005)
if recording.startswith("refused"):
    print(json.dumps({"refused": recording.split()[1]}))
    sys.exit(1)
if recording.startswith("fail"):
    print("first line", file=sys.stderr)
    sys.exit("damaged: " + os.environ["WORD"])
open(target, "wb").write(b"film")
if recording.startswith("silent"):
    sys.exit(0)
print(json.dumps({"made": {"sha256": "ab" * 32, "bytes": 4, "more": 1}}))
"""


class Desk:
    def __init__(self, folder: Path) -> None:
        numbers = count(1)
        self.folder = folder / "exports"
        self.clock = ManualClock()
        self.space = deque([KEPT_FREE])  # what is free; the last stays so
        tool = Tool((sys.executable, "-c", SCRIPT), {"PATH": os.environ["PATH"], "WORD": "told"}, self.free)
        self.exports = Exports(
            self.folder,
            tool,
            self.clock,
            lambda prefix: ids.make_id(prefix, next(numbers).to_bytes(ids.ID_BYTES, "big")),
            keep_s=60,
            check_s=0.001,
        )
        self.exports.prepare()

    def free(self, folder: Path) -> int:
        assert folder == self.folder
        if not self.space:
            raise OSError("gone")
        return self.space.popleft() if len(self.space) > 1 else self.space[0]

    def start(self, recording: str) -> str:
        return self.exports.start(RecordingId(recording), ExportFormat.WEBM)

    def state(self, recording: str, job: str) -> ExportState:
        return self.exports.view(RecordingId(recording), job).state

    @property
    def files(self) -> list[Path]:
        return list(self.folder.rglob("*.webm"))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    await desk.exports.close()
    assert not desk.folder.exists()


async def test_one_is_made_and_lies_there_for_a_while(desk: Desk) -> None:
    id = RecordingId("good")
    job = desk.start(id)
    assert desk.state(id, job) is ExportState.QUEUED
    with pytest.raises(Conflict):
        desk.exports.file(id, job)
    await desk.exports.settle()
    view = desk.exports.view(id, job)
    assert (view.state, view.progress, view.bytes, view.sha256) == (ExportState.DONE, 1.0, 4, "ab" * 32)
    assert view.expires_at == desk.clock.now() + timedelta(seconds=60)
    path, _, _ = desk.exports.file(id, job)
    assert path.read_bytes() == b"film"
    with pytest.raises(NotFound):
        desk.exports.file(RecordingId("other"), job)
    desk.clock.seconds += 60
    with pytest.raises(Gone):
        desk.exports.file(id, job)
    await desk.exports.tidy()
    assert desk.files == []


async def test_what_fails_says_why_and_leaves_nothing(desk: Desk) -> None:
    failed, silent = desk.start("fail"), desk.start("silent")
    await desk.exports.settle()
    view = desk.exports.view(RecordingId("fail"), failed)
    assert (view.state, view.fault, view.problem) == (ExportState.FAILED, ExportFault.OTHER, "damaged: told")
    assert desk.state("silent", silent) is ExportState.FAILED
    assert desk.files == []
    with pytest.raises(Gone):
        desk.exports.file(RecordingId("fail"), failed)


@pytest.mark.parametrize(
    ("why", "fault"), [("damaged", ExportFault.DAMAGED), ("empty", ExportFault.EMPTY), ("cannot_write", ExportFault.OTHER)]
)
async def test_what_is_refused_is_told_in_a_word(desk: Desk, why: str, fault: ExportFault) -> None:
    recording = f"refused {why}"
    job = desk.start(recording)
    assert desk.exports.view(RecordingId(recording), job).fault is None
    await desk.exports.settle()
    assert desk.exports.view(RecordingId(recording), job).fault is fault


async def test_one_that_runs_is_stopped_and_the_next_begins(desk: Desk) -> None:
    running, waiting, after = desk.start("wait"), desk.start("wait2"), desk.start("good")
    await desk.exports.cancel(RecordingId("wait2"), waiting)
    await desk.exports.cancel(RecordingId("wait"), running)
    await desk.exports.cancel(RecordingId("wait"), running)
    await desk.exports.settle()
    assert desk.state("wait", running) is desk.state("wait2", waiting) is ExportState.CANCELLED
    assert desk.state("good", after) is ExportState.DONE
    assert len(desk.files) == 1
    await desk.exports.forget(RecordingId("good"))
    assert desk.files == []


async def test_where_the_disk_is_full_none_is_begun(desk: Desk) -> None:
    for space in ([KEPT_FREE - 1], []):
        desk.space = deque(space)
        job = desk.start("good")
        await desk.exports.settle()
        view = desk.exports.view(RecordingId("good"), job)
        assert (view.state, view.fault, view.progress) == (ExportState.FAILED, ExportFault.NO_SPACE, 0)
    assert list(desk.folder.iterdir()) == []


async def test_one_that_fills_the_disk_is_stopped_and_the_next_is_not_begun(desk: Desk) -> None:
    desk.space = deque([KEPT_FREE] * 3 + [KEPT_FREE - 1])
    filling, after = desk.start("wait"), desk.start("good")
    await desk.exports.settle()
    for recording, job in (("wait", filling), ("good", after)):
        view = desk.exports.view(RecordingId(recording), job)
        assert (view.state, view.fault) == (ExportState.FAILED, ExportFault.NO_SPACE)
    assert list(desk.folder.iterdir()) == []


def passes(desk: Desk, seconds: float) -> None:
    """So much time after each line of how far a tool is."""

    def heard(job: Any, line: bytes) -> None:
        Exports._heard(desk.exports, job, line)
        if b"done_us" in line:
            desk.clock.seconds += seconds

    desk.exports._heard = heard  # type: ignore[method-assign]


async def test_one_that_stands_still_is_stopped(desk: Desk) -> None:
    still, after = desk.start("wait"), desk.start("good")
    passes(desk, STILL_S)
    await desk.exports.settle()
    view = desk.exports.view(RecordingId("wait"), still)
    assert (view.state, view.fault, view.progress) == (ExportState.FAILED, ExportFault.TOO_LONG, 0.25)
    assert view.expires_at is None
    assert desk.state("good", after) is not ExportState.QUEUED  # it had its turn


async def test_one_that_goes_on_and_on_is_stopped_all_the_same(desk: Desk) -> None:
    endless, begun = desk.start("on and on"), desk.clock.seconds
    passes(desk, STILL_S / 4)
    await desk.exports.settle()
    view = desk.exports.view(RecordingId("on and on"), endless)
    assert (view.state, view.fault) == (ExportState.FAILED, ExportFault.TOO_LONG)
    assert desk.clock.seconds - begun >= LONGEST_S


async def test_so_many_wait_and_so_many_are_remembered(desk: Desk) -> None:
    jobs = [desk.start("good") for _ in range(MOST_QUEUED)]
    with pytest.raises(TooMany):
        desk.start("good")
    await desk.exports.settle()
    for _ in range(MOST_KEPT // MOST_QUEUED):
        for _ in range(MOST_QUEUED):
            desk.start("fail")
        await desk.exports.settle()
    await desk.exports.tidy()
    with pytest.raises(NotFound):
        desk.exports.view(RecordingId("good"), jobs[0])
    assert desk.files == []


async def test_what_a_server_before_this_one_left_is_removed(tmp_path: Path) -> None:
    left = tmp_path / "exports" / "EX_1" / "recording.webm"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"plain")
    desk = Desk(tmp_path)
    assert not left.exists()
    assert desk.folder.stat().st_mode & 0o777 == 0o700
    await desk.exports.close()

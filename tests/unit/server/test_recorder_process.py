"""Ending a recording from what lies on the disk, where no recorder answers."""

from pathlib import Path

import pytest

from media.recording.store import KEY_FILE, RecordingStore
from server import recordings
from server.domain.model import RecordingEnding
from server.live.ports import RecorderUnavailable
from server.recorder import RecorderProcess
from tests.support.server import config


async def test_what_never_began_has_failed_and_what_had_is_ended(tmp_path: Path) -> None:
    """Also where the recorder was killed between the recording's folder and its key."""
    settings = config(tmp_path)
    store = RecordingStore(recordings.folder(settings), recordings.ring(settings, make=True))
    process = RecorderProcess(settings, stop_s=1.0)
    assert (await process.end("RE_1")).ending is RecordingEnding.FAILED
    (store.folder / "RE_2").mkdir()
    (store.folder / "RE_2" / f"{KEY_FILE}.0a1b2c3d.tmp").write_bytes(b"half")
    assert (await process.end("RE_2")).ending is RecordingEnding.FAILED
    opened = store.create("RE_3", 1)
    with pytest.raises(RecorderUnavailable):  # somebody writes it
        await process.end("RE_3")
    opened.release()
    assert (await process.end("RE_3")).ending is RecordingEnding.INTERRUPTED

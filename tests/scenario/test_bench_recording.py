"""The recording benchmark in its smallest form: a real worker, a real recorder, files that verify, nothing left behind."""

import json
import os
from pathlib import Path

import pytest

from media.bench import recording
from tests.support.machine import quick_or_skip
from tests.unit.media.test_bench_recorded import KEYS


@pytest.mark.quiet
def test_two_recordings_are_whole_and_calls_lose_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = recording.main(["--recordings", "2", "--seconds", "1", "--rounds", "1", "--folder", str(tmp_path), "--json"])
    printed = capsys.readouterr()
    quick_or_skip(printed.err == "", printed.err)  # it gives up where the relay cannot carry so little
    found = json.loads(printed.out)
    assert found.keys() == KEYS | {"settings"}
    assert (found["recordings"], found["tracks"], found["verified"]) == (2, 12, 2)
    assert (found["verify"], found["findings"], found["recorder_failures"]) == ("complete", [], [])
    assert (found["gaps"], found["dropped_packets"]) == (0, 0)
    assert found["disk_bytes_per_s"] > 50 * found["recorded_packets"] / 60
    assert 0 < found["recorder_cpu_percent"] < found["cpu_percent"]
    assert [each["recording"] for each in found["rounds"]] == [False, True]
    assert os.listdir(tmp_path) == []
    # six people's camera and microphone, at least while it was measured
    enough = found["recorded_packets"] >= 0.9 * 6 * (30 + 50)
    quick_or_skip(enough and found["missing_packets"] == found["loss"] == status == 0, found)


def test_a_folder_that_cannot_be_written_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert recording.main(["--json"]) == recording.EXIT_UNAVAILABLE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("bench: ")
    assert printed.err.count("\n") == 1

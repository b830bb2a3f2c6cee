"""``tongping recordings`` on real folders: what it prints, its exit status, and what it refuses."""

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from media.recording.store import RecordingStore
from media.recording.wire import TrackInfo
from server import config as configuration
from server import recordings
from server.cli_recordings import app
from server.errors import ConfigError
from tests.support.recordings import segments

NOW = 1_800_000_000_000_000
OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


class Place:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TONGPING_DATA_DIR", str(folder))
        monkeypatch.delenv("PORT", raising=False)
        self.env = monkeypatch.setenv
        self.folder = folder

    def run(self, *arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(app, arguments, input=typed)

    def store(self) -> RecordingStore:
        config = configuration.load()
        return RecordingStore(recordings.folder(config), recordings.ring(config, make=True))

    def make(self, name: str, *, finish: bool = True) -> Path:
        opened = self.store().create(name, NOW)
        file = opened.open_track(
            TrackInfo(
                track="TR_1", participant="PA_1", source="camera", kind="video", codec="VP8", clock_rate=90000,
                zero_wall_us=NOW, zero_mono_us=5,
            )
        )  # fmt: skip
        for plain in segments(4):
            opened.append(file, plain)
        if finish:
            opened.finish(NOW + 60_000_000)
        opened.release()
        return file.path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    return Place(tmp_path, monkeypatch)


def test_nothing_recorded_yet(place: Place) -> None:
    assert place.run("list").output == "no recordings\n"
    assert place.run("verify").output == "no recordings\n"
    assert isinstance(place.run("erase", "RE_1", "--yes").exception, ConfigError)


def test_list_and_verify(place: Place) -> None:
    path = place.make("RE_1")
    place.make("RE_2", finish=False)
    assert (place.folder / "secrets/recording.key").stat().st_mode & 0o777 == 0o600
    listed = place.run("list").output.splitlines()
    assert [line.split()[:2] for line in listed] == [["RE_1", "complete"], ["RE_2", "unfinished"]]
    assert "2027-01-15T08:00:00Z 2027-01-15T08:01:00Z" in listed[0]
    rows = json.loads(place.run("list", "--json").output)
    assert [(row["state"], row["started_at"], row["ended_at"]) for row in rows] == [
        ("complete", "2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z"),
        ("unfinished", "2027-01-15T08:00:00Z", None),
    ]
    good = place.run("verify")
    assert good.exit_code == 0
    assert "RE_1: intact: 1 files, 5 segments, 8 records" in good.output
    assert "RE_2: intact, not complete" in good.output
    assert "manifest: file: unfinished" in good.output
    whole = path.read_bytes()
    path.write_bytes(whole[:-200] + bytes([whole[-200] ^ 1]) + whole[-199:])
    bad = place.run("verify", "RE_1")
    assert bad.exit_code == 1
    assert "RE_1: NOT INTACT" in bad.output
    assert "TR_1.0000.track: segment 3: changed" in bad.output
    (report,) = json.loads(place.run("verify", "RE_1", "--json").output)
    assert (report["intact"], report["findings"][0]["segment"], report["findings"][0]["what"]) == (False, 3, "changed")
    assert place.run("finish", "RE_2").output == "RE_2: interrupted\n"
    assert place.run("verify", "RE_2").output.startswith("RE_2: intact: ")
    assert isinstance(place.run("verify", "RE_9").exception, ConfigError)
    assert isinstance(place.run("finish", "RE_2").exception, ConfigError)


def test_erase_asks(place: Place) -> None:
    folder = place.make("RE_1").parent
    assert place.run("erase", "RE_1", typed="n\n").exit_code == 1
    assert folder.exists()
    assert "RE_1 is erased" in place.run("erase", "RE_1", typed="y\n").output
    assert not folder.exists()
    assert place.run("list").output == "no recordings\n"


def test_a_new_master_key(place: Place) -> None:
    place.env("TONGPING_RECORDING_KEY", OLD)
    place.make("RE_1")
    place.env("TONGPING_RECORDING_KEY", f"{NEW},{OLD}")
    assert place.run("rewrap").output == "1 of 1 recordings have a new master key\n"
    assert place.run("rewrap").output == "0 of 1 recordings have a new master key\n"
    place.env("TONGPING_RECORDING_KEY", OLD)
    unread = place.run("verify")
    assert unread.exit_code == 1
    assert "key: file: key: it was wrapped with the master key" in unread.output
    assert isinstance(place.run("rewrap").exception, ConfigError)
    place.env("TONGPING_RECORDING_KEY", NEW)
    assert place.run("verify").exit_code == 0
    place.env("TONGPING_RECORDING_KEY", "c2hvcnQ=")
    short = place.run("verify").exception
    assert isinstance(short, ConfigError)
    assert "32 bytes, not 5" in short.detail


def test_a_key_that_cannot_be_made_or_read(place: Place) -> None:
    place.folder.joinpath("secrets").write_bytes(b"")
    with pytest.raises(ConfigError, match="recording"):
        place.store()

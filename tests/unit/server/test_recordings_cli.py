"""``tongping recordings`` on real folders: what it prints, its exit status, and what it refuses."""

import asyncio
import base64
import hashlib
import json
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from media.recording import manifest
from media.recording.store import RecordingStore
from media.recording.wire import TrackInfo
from server import cli_recordings, data_lock, recordings
from server import config as configuration
from server.app import database_url
from server.audit import verify as audit_verify
from server.cli_recordings import app
from server.domain.ids import RecordingId
from server.domain.model import Recording, RecordingEnding
from server.errors import ConfigError
from server.store.sql import open_store
from tests.support.recordings import segments
from tests.support.records import Records, at
from tests.support.structure import ROOT

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
    assert isinstance(place.run("erase", "RE_1", "--reason", "x", "--yes").exception, ConfigError)
    assert not (place.folder / "tongping.db").exists()


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
    (report,) = json.loads(place.run("verify", "RE_1", "--json").stdout)
    assert (report["intact"], report["findings"][0]["segment"], report["findings"][0]["what"]) == (False, 3, "changed")
    assert place.run("finish", "RE_2").output == "RE_2: interrupted\n"
    assert place.run("verify", "RE_2").output.startswith("RE_2: intact: ")
    assert isinstance(place.run("verify", "RE_9").exception, ConfigError)
    assert isinstance(place.run("finish", "RE_2").exception, ConfigError)


def test_erase_asks(place: Place) -> None:
    folder = place.make("RE_1").parent
    assert place.run("erase", "RE_1", typed="客户要求\nn\n").exit_code == 1
    assert folder.exists()
    assert "RE_1 is erased" in place.run("erase", "RE_1", typed="客户要求\ny\n").output
    assert not folder.exists()
    assert place.run("list").output == "no recordings\n"


async def record(ended: float | None = 60) -> Recording:
    """What the server wrote down of the recording."""
    make = Records()
    session = make.session()
    made = Recording(
        id=RecordingId("RE_1"),
        session_id=session.id,
        started_at=at(0),
        started_by="PA_X",
        ended_at=at(ended) if ended is not None else None,
        ending=RecordingEnding.COMPLETE if ended is not None else None,
    )
    store = await open_store(database_url(configuration.load()))
    try:
        async with store.begin() as tx:
            await tx.add_session(session)
            await tx.add_recording(made)
    finally:
        await store.close()
    return made


async def recorded() -> Recording:
    store = await open_store(database_url(configuration.load()))
    try:
        async with store.read() as tx:
            found = await tx.get_recording(RecordingId("RE_1"))
    finally:
        await store.close()
    assert found is not None
    return found


def audit(place: Place) -> list[dict[str, Any]]:
    return [json.loads(line)["entry"] for line in audit_verify.export_database(place.folder / "tongping.db")]


def test_erasing_is_in_the_record_and_in_the_audit_and_takes_films_along(place: Place) -> None:
    made = asyncio.run(record())
    folder = place.make("RE_1").parent
    sealed = hashlib.sha256((folder / manifest.FILE).read_bytes()).hexdigest()
    film = place.folder / "exports" / "EX_1" / "recording.webm"
    film.parent.mkdir(parents=True)
    film.write_bytes(b"plain")
    assert place.run("erase", "RE_1", "--reason", "客户要求", "--yes").exit_code == 0
    assert not folder.exists()
    assert not film.exists()
    after = asyncio.run(recorded())
    assert (after.erase_reason, after.erased_at is not None) == ("客户要求", True)
    (entry,) = audit(place)
    assert (entry["action"], entry["actor"], entry["session"], entry["subject"]) == (
        "recording.erased", "command-line", made.session_id, "RE_1",
    )  # fmt: skip
    assert entry["details"]["manifest_sha256"] == sealed
    assert (int(entry["details"]["files"]) > 2, int(entry["details"]["bytes"]) > 1000) == (True, True)
    again = place.run("erase", "RE_1", "--reason", "x", "--yes").exception
    assert isinstance(again, ConfigError)
    assert "erased already" in again.detail
    assert len(audit(place)) == 1


def test_what_was_interrupted_between_the_files_and_the_record_is_written_down_the_next_time(place: Place) -> None:
    asyncio.run(record())
    place.store().erase(place.make("RE_1").parent.name)
    assert place.run("erase", "RE_1", "--reason", "x", "--yes").exit_code == 0
    assert asyncio.run(recorded()).erased_at is not None


def test_files_put_back_after_erasing_are_erased_again_and_the_record_keeps_its_reason(place: Place) -> None:
    asyncio.run(record())
    place.make("RE_1")
    place.run("erase", "RE_1", "--reason", "first", "--yes")
    folder = place.make("RE_1").parent
    assert place.run("erase", "RE_1", "--reason", "second", "--yes").exit_code == 0
    assert not folder.exists()
    assert asyncio.run(recorded()).erase_reason == "first"
    assert [entry["action"] for entry in audit(place)] == ["recording.erased"] * 2


def test_erasing_needs_no_master_key(place: Place) -> None:
    folder = place.make("RE_1").parent
    (place.folder / "secrets/recording.key").unlink()
    assert place.run("erase", "RE_1", "--reason", "x", "--yes").exit_code == 0
    assert not folder.exists()


def test_what_is_not_erased(place: Place) -> None:
    folder = place.make("RE_1").parent

    def refused(name: str = "RE_1", reason: str = "x") -> str:
        error = place.run("erase", name, "--reason", reason, "--yes").exception
        assert isinstance(error, ConfigError)
        assert folder.exists()
        return error.detail

    with data_lock.held(place.folder):
        assert "DELETE /api/v1/recordings/RE_1" in refused()
    assert "1 to 200 characters" in refused(reason="")
    assert "1 to 200 characters" in refused(reason="x" * 201)
    assert "there is no recording RE_2" in refused("RE_2")
    asyncio.run(record(ended=None))
    assert "was not ended" in refused()
    assert audit(place) == []


def test_verifying_and_exporting_are_in_the_audit_where_there_is_one(place: Place, tmp_path: Path) -> None:
    path = place.make("RE_1")
    assert "not in an audit trail" in place.run("verify").stderr
    made = asyncio.run(record())
    assert place.run("verify").stderr == ""
    path.write_bytes(path.read_bytes()[:-1])
    line = [sys.executable, "-m", "server", "recordings", "export", "RE_1", "--to", str(tmp_path / "film.mp4")]
    for more in ([], ["--audited"]):  # as the server calls it, which wrote it down
        ran = subprocess.run([*line, *more], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (ran.returncode, "truncated" in ran.stderr) == (2, True), ran.stderr
    verified, exported = audit(place)
    assert (verified["action"], verified["details"]) == ("recording.verified", {"intact": "yes"})
    assert (exported["action"], exported["details"]) == ("recording.exported", {"format": "mp4"})
    assert {entry["session"] for entry in (verified, exported)} == {made.session_id}
    place.run("verify")
    assert audit(place)[-1]["details"] == {"intact": "no"}
    assert isinstance(place.run("export", "RE_2", "--to", str(tmp_path / "film.mp4")).exception, ConfigError)
    assert len(audit(place)) == 3  # nothing is said of what is not there


def test_nothing_is_exported_past_an_audit_that_cannot_be_written(place: Place, tmp_path: Path) -> None:
    place.make("RE_1")
    (place.folder / "tongping.db").write_bytes(b"no database" * 100)
    error = place.run("export", "RE_1", "--to", str(tmp_path / "film.webm")).exception
    assert isinstance(error, ConfigError)
    assert "audit trail cannot be written" in error.detail
    verified = place.run("verify")
    assert "audit trail cannot be written" in verified.stderr
    assert "RE_1: intact" in verified.stdout


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


def test_a_signal_that_a_library_swallowed_ends_the_command_with_the_next_step() -> None:
    """What calls Python out of C lets no exception through: the handler's own is lost there."""
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    ended = cli_recordings._Ended()
    try:
        told = cli_recordings._Progress(False, ended)
        told(0, 8)
        with suppress(SystemExit):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(SystemExit) as over:
            told(1, 8)
        assert over.value.code == 128 + signal.SIGTERM
    finally:
        for each, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(each, handler)

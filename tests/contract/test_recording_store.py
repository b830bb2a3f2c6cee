"""The store of recordings on real disks: a folder, one that is full (a tmpfs of 2 MiB where we may mount), one that ends (RLIMIT_FSIZE)."""

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from media.recording import manifest
from media.recording.check import What
from media.recording.errors import RecordingError, RecordingFormatError, RecordingKeyError, RecordingStoreError
from media.recording.files import TrackReader, track_records
from media.recording.keys import KeyRing
from media.recording.records import GapReason, Kind, pack, unpack_gap
from media.recording.store import KEY_FILE, RESERVE_FILE, OpenRecording, RecordingStore
from media.recording.verify import Report, verify
from media.recording.wire import TrackInfo
from tests.support.recordings import rtp, segments

MASTER = bytes(range(1, 33))
NOW = 1_800_000_000_000_000


def info(track: str = "TR_1", kind: str = "video") -> TrackInfo:
    return TrackInfo(
        track=track,
        participant="PA_1",
        source="camera",
        kind=kind,
        codec="VP8",
        clock_rate=90000,
        zero_wall_us=NOW,
        zero_mono_us=5,
    )  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> RecordingStore:
    return RecordingStore(tmp_path / "recordings", KeyRing([MASTER]))


def write(opened: OpenRecording, track: str = "TR_1", count: int = 5) -> Path:
    file = opened.open_track(info(track))
    for plain in segments(count):
        assert opened.append(file, plain)
    assert opened.close_track(file)
    return file.path


@pytest.fixture
def ended(store: RecordingStore) -> RecordingStore:
    """RE_1 with two tracks of five segments, ended."""
    opened = store.create("RE_1", NOW)
    write(opened)
    write(opened, "TR_2")
    opened.finish(NOW + 1)
    opened.release()
    return store


def whats(report: Report) -> list[tuple[str, int, What]]:
    return [(finding.file, finding.segment, finding.what) for finding in report.findings]


def test_written_read_listed_erased(ended: RecordingStore) -> None:
    report = verify(ended, "RE_1")
    assert report.complete
    assert (report.files, report.segments, report.records) == (2, 12, 20)
    (summary,) = ended.list()
    assert (summary.state, summary.started_wall_us, summary.ended_wall_us, summary.tracks) == ("complete", NOW, NOW + 1, 2)
    key = ended.data_key("RE_1")
    with ended.track(ended.parts("RE_1")[0], key) as reader:
        assert reader.index() == reader.rebuild_index()
        entry = reader.index().entries[3]
        assert reader.segment(entry.offset).plain == segments(5)[3]
        with pytest.raises(RecordingFormatError, match="segment_changed"):
            reader.segment(entry.offset + 1)
        assert [record.time_us for record in reader.records(150_000)] == [160_000, 180_000]
        index_file = reader.path.with_name(reader.path.name + ".index")
        index_file.write_bytes(b"TPINDEX\x01" + bytes(100))
        assert reader.index() == reader.rebuild_index()
    assert [r.time_us for r in track_records(ended.parts("RE_1")[:1], key, 150_000)] == [160_000, 180_000]
    assert not (ended.path("RE_1") / RESERVE_FILE).exists()
    without_key = RecordingStore(ended.folder, None)
    assert next(without_key.list()).started_wall_us == NOW
    with pytest.raises(RecordingStoreError, match="no_master_key"):
        without_key.data_key("RE_1")
    without_key.erase("RE_1")
    assert list(ended.list()) == []
    with pytest.raises(RecordingStoreError, match="no_recording"):
        ended.erase("RE_1")


def test_the_key_goes_first(ended: RecordingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """An erasing that is cut off after its first step leaves nothing that opens."""
    unlink = Path.unlink
    removed: list[str] = []
    content = b""

    def only_the_first(self: Path, missing_ok: bool = False) -> None:
        nonlocal content
        if removed:
            raise OSError(5, "stopped")
        removed.append(self.name)
        content = self.read_bytes()
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", only_the_first)
    with pytest.raises(RecordingStoreError, match="cannot_write"):
        ended.erase("RE_1")
    monkeypatch.undo()
    assert removed == [KEY_FILE]
    assert content == bytes(76)
    assert next(ended.list()).state == "erased"
    with pytest.raises(RecordingStoreError, match="cannot_read"):
        ended.data_key("RE_1")
    ended.erase("RE_1")
    assert list(ended.list()) == []


def test_what_a_rewrapping_left_that_was_killed_is_shredded_too(ended: RecordingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would open everything; also the erasing may be cut off, after the keys."""
    left = ended.path("RE_1") / f"{KEY_FILE}.0a1b2c3d.tmp"
    left.write_bytes((ended.path("RE_1") / KEY_FILE).read_bytes())
    unlink = Path.unlink
    removed: list[str] = []

    def keys_only(self: Path, missing_ok: bool = False) -> None:
        if not self.name.startswith(KEY_FILE):
            raise OSError(5, "stopped")
        removed.append(self.name)
        assert self.read_bytes() == bytes(76)
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", keys_only)
    with pytest.raises(RecordingStoreError, match="cannot_write"):
        ended.erase("RE_1")
    assert sorted(removed) == [KEY_FILE, left.name]


def test_what_was_begun(store: RecordingStore) -> None:
    assert not store.began("RE_1")
    opened = store.create("RE_1", NOW)
    assert store.began("RE_1")
    assert store.in_use("RE_1")
    opened.release()
    assert not store.in_use("RE_1")
    (store.folder / "RE_2").mkdir()  # and then the recorder was killed
    (store.folder / "RE_2" / f"{KEY_FILE}.0a1b2c3d.tmp").write_bytes(b"half")
    assert not store.began("RE_2")
    with pytest.raises(RecordingStoreError, match="no_recording"):
        store.in_use("RE_3")


def test_a_recording_that_cannot_be_listed_is_let_go_of(store: RecordingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create("RE_1", NOW).release()
    with monkeypatch.context() as patch:
        patch.setattr("media.recording.store.MAX_FILES", -100)
        with pytest.raises(RecordingStoreError, match="cannot_read"):
            store.resume("RE_1", NOW)
    store.resume("RE_1", NOW).release()


def test_what_is_refused(store: RecordingStore) -> None:
    opened = store.create("RE_1", NOW)
    with pytest.raises(RecordingStoreError, match="recording_exists"):
        store.create("RE_1", NOW)
    with pytest.raises(RecordingStoreError, match="in_use"):
        store.resume("RE_1", NOW)
    with pytest.raises(RecordingStoreError, match="in_use"):
        store.erase("RE_1")
    with pytest.raises(RecordingFormatError, match="bad_id"):
        opened.open_track(info("../x"))
    with pytest.raises(RecordingFormatError, match="bad_track"):
        opened.open_track(TrackInfo(**{name: getattr(info(), name) for name in info().__struct_fields__} | {"clock_rate": 0}))
    for bad in ("", "..", "RE_2", "a/b"):
        with pytest.raises(RecordingStoreError, match="no_recording"):
            store.path(bad)
    opened.finish(NOW)
    opened.release()
    opened.fail(OSError(5, "Input/output error"))
    assert not opened.failed  # what has ended cannot fail any more
    with pytest.raises(RecordingStoreError, match="failed"):
        opened.open_track(info())
    with pytest.raises(RecordingStoreError, match="has_ended"):
        store.resume("RE_1", NOW)
    with pytest.raises(RecordingKeyError, match="unknown_master_key"):
        RecordingStore(store.folder, KeyRing([bytes(32)])).data_key("RE_1")
    with pytest.raises(RecordingStoreError, match="cannot_read"):
        TrackReader(store.folder / "nothing", b"")
    (store.folder / "file").touch()
    with pytest.raises(RecordingStoreError, match="cannot_write"):
        RecordingStore(store.folder / "file" / "below", None)
    store.erase("RE_1", force=True)


def test_rotation_of_the_master_key(ended: RecordingStore) -> None:
    new = RecordingStore(ended.folder, KeyRing([b"n" * 32, MASTER]))
    assert new.rewrap("RE_1")
    assert not new.rewrap("RE_1")
    assert verify(RecordingStore(ended.folder, KeyRing([b"n" * 32])), "RE_1").complete
    report = verify(ended, "RE_1")
    assert [(finding.file, finding.what) for finding in report.findings] == [(KEY_FILE, What.KEY)]
    assert not report.intact


def test_every_flipped_byte_of_every_file_is_found_and_named(ended: RecordingStore) -> None:
    folder = ended.path("RE_1")
    for path in (folder / KEY_FILE, folder / "TR_1.0000.track", folder / manifest.FILE):
        whole = path.read_bytes()
        for offset in range(0, len(whole), 1 if path.name == KEY_FILE else 17):
            changed = bytearray(whole)
            changed[offset] ^= 1 << offset % 8
            path.write_bytes(changed)
            report = verify(ended, "RE_1")
            assert not report.intact, (path.name, offset)
            assert path.name in {finding.file for finding in report.findings}, (path.name, offset)
            path.write_bytes(whole)
    assert verify(ended, "RE_1").complete


def test_files_removed_added_swapped_cut(ended: RecordingStore) -> None:
    folder = ended.path("RE_1")
    one, two = folder / "TR_1.0000.track", folder / "TR_2.0000.track"
    first, second = one.read_bytes(), two.read_bytes()
    one.unlink()
    assert whats(verify(ended, "RE_1")) == [(one.name, -1, What.MISSING)]
    one.write_bytes(second)
    two.write_bytes(first)
    assert whats(verify(ended, "RE_1")) == [(one.name, -1, What.FOREIGN), (two.name, -1, What.FOREIGN)]
    one.write_bytes(first)
    two.write_bytes(second)
    (folder / "TR_3.0000.track").write_bytes(b"")
    (folder / "note.txt").write_bytes(b"")
    found = whats(verify(ended, "RE_1"))
    assert ("TR_3.0000.track", -1, What.UNLISTED) in found
    assert ("note.txt", -1, What.UNLISTED) in found
    (folder / "TR_3.0000.track").unlink()
    (folder / "note.txt").unlink()
    one.write_bytes(first[:-1])
    assert whats(verify(ended, "RE_1")) == [(one.name, 5, What.TRUNCATED)]
    with ended.track(one, ended.data_key("RE_1")) as reader:
        last = len(reader.cipher.opening)
    one.write_bytes(first[:last])
    assert whats(verify(ended, "RE_1")) == [(one.name, 0, What.TRUNCATED)]
    one.write_bytes(first + b"x")
    assert whats(verify(ended, "RE_1")) == [(one.name, -1, What.INSERTED)]
    one.write_bytes(first)
    (folder / manifest.FILE).unlink()
    report = verify(ended, "RE_1")
    assert report.intact
    assert whats(report) == [(manifest.FILE, -1, What.UNFINISHED)]
    one.rename(folder / "TR_1.0002.track")
    assert ("TR_1.0000.track", -1, What.MISSING) in whats(verify(ended, "RE_1"))


def test_after_a_crash_it_goes_on_as_a_new_part(store: RecordingStore) -> None:
    opened = store.create("RE_1", NOW)
    file = opened.open_track(info())
    opened.append(file, segments(1)[0])
    opened.sync()
    opened.release()  # as the system does for a process that is killed
    with file.path.open("ab") as torn:
        torn.write(b"TPSG\0\0\0\0\0\0\0\1")
    report = verify(store, "RE_1")
    assert report.intact
    assert [finding.what for finding in report.findings] == [What.UNFINISHED, What.TORN]
    again = store.resume("RE_1", NOW)
    assert write(again).name == "TR_1.0001.track"
    assert again.finish(NOW + 5).ending == "complete"
    again.release()
    assert verify(store, "RE_1").complete
    made = store.manifest("RE_1", store.data_key("RE_1"))
    assert made is not None
    assert [(part.closed, part.size - part.whole_bytes) for part in made.parts] == [(False, 12), (True, 0)]
    with file.path.open("ab") as changed:
        changed.write(b"x")
    assert not verify(store, "RE_1").intact


# ---- disks that refuse


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("may not mount a tmpfs")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
def short_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300 * 1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def fills(folder: Path, words: str) -> None:
    store = RecordingStore(folder / "recordings", KeyRing([MASTER]))
    opened = store.create("RE_1", NOW)
    other = store.create("RE_2", NOW)
    told: list[str] = []
    opened.on_failed = told.append
    file, quiet = opened.open_track(info()), opened.open_track(info("TR_2"))
    assert opened.append(quiet, segments(1)[0])
    body = pack(Kind.RTP, 7, rtp(1, 1, os.urandom(60_000)))
    count = 0
    while opened.append(file, body):
        count += 1
        assert count < 100
    assert count > 3
    assert not opened.append(file, body)
    assert not opened.append(quiet, segments(1)[0])
    assert not opened.close_track(file)
    assert told == [opened.failed]
    assert words in opened.failed
    with pytest.raises(RecordingStoreError, match="failed"):
        opened.open_track(info("TR_3"))
    made = opened.finish(NOW + 1)
    opened.release()
    assert (made.ending, made.reason) == ("failed", opened.failed)
    assert verify(store, "RE_1").complete
    with store.track(file.path, store.data_key("RE_1")) as reader:
        records = list(reader.records())
    assert [record.kind for record in records] == [Kind.RTP] * count + [Kind.GAP]
    assert unpack_gap(records[-1].payload).reason == GapReason.DISK
    write(other)
    assert other.finish(NOW).ending == "complete"
    other.release()
    assert verify(store, "RE_2").complete


def test_a_full_disk(full_disk: Path) -> None:
    fills(full_disk, "space")


def test_files_that_may_not_grow(short_files: None, tmp_path: Path) -> None:
    fills(tmp_path, "large")


def test_an_error_of_the_disk_when_writing_is_made_to_last(store: RecordingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = store.create("RE_1", NOW)
    file = opened.open_track(info())
    assert opened.append(file, segments(1)[0])

    def refuse(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", refuse)
    with pytest.raises(OSError, match="Input/output") as caught:
        opened.sync()
    monkeypatch.undo()
    opened.fail(caught.value)
    opened.fail(OSError(28, "again"))
    assert opened.failed == "Input/output error"
    assert opened.finish(NOW).ending == "failed"
    opened.release()
    assert verify(store, "RE_1").complete


class Torn:
    """``os.write`` and ``os.ftruncate`` of a disk that takes half of what it gets, once, and then refuses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, cuts: bool) -> None:
        self._write = os.write
        self._left = 1
        monkeypatch.setattr(os, "write", self.write)
        if not cuts:
            monkeypatch.setattr(os, "ftruncate", self.refuse)

    def write(self, fd: int, data: memoryview) -> int:
        if not self._left:
            self.refuse()
        self._left -= 1
        return self._write(fd, data[: len(data) // 2])

    def refuse(self, *_: object) -> None:
        raise OSError(5, "Input/output error")


def test_a_segment_that_is_torn_and_cannot_be_cut_off(store: RecordingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = store.create("RE_1", NOW)
    file = opened.open_track(info())
    first, second = segments(2)
    assert opened.append(file, first)
    with monkeypatch.context() as patch:
        Torn(patch, cuts=False)
        assert not opened.append(file, second)
    size = file.path.stat().st_size
    assert size > file.size
    made = opened.finish(NOW)
    opened.release()
    (part,) = made.parts
    assert (made.ending, part.size, part.segments, part.closed) == ("failed", size, 1, False)
    assert verify(store, "RE_1").complete
    with store.track(file.path, store.data_key("RE_1")) as reader:
        assert [found.plain for found in reader.segments()] == [first]


def test_no_index_tells_of_a_segment_that_was_not_written(store: RecordingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = store.create("RE_1", NOW)
    file = opened.open_track(info())
    plain = segments(4)
    for each in plain[:3]:
        assert opened.append(file, each)
    with monkeypatch.context() as patch:
        Torn(patch, cuts=True)
        patch.setattr(OpenRecording, "fail", lambda self, error: None)
        assert not opened.append(file, plain[3])  # with a key frame
    opened.fail(OSError(5, "Input/output error"))
    opened.finish(NOW)
    opened.release()
    assert verify(store, "RE_1").complete
    with store.track(file.path, store.data_key("RE_1")) as reader:
        index = reader.index()
        assert index == reader.rebuild_index()
        assert [(len(index.entries), found.segment) for found in index.key_frames] == [(4, 0)]


def test_names_last_with_the_next_sync(store: RecordingStore, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = store.create("RE_1", NOW)
    synced: list[Path] = []
    monkeypatch.setattr("media.recording.store.sync_folder", synced.append)
    opened.sync()
    opened.open_track(info())
    opened.open_track(info("TR_2"))
    assert synced == []
    opened.sync()
    opened.sync()
    assert synced == [opened.path]
    opened.release()


def test_what_another_process_wrote_lasts_before_the_manifest_lists_it(
    store: RecordingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = store.create("RE_1", NOW)
    file = opened.open_track(info())
    opened.append(file, segments(1)[0])
    opened.release()
    fsync, synced = os.fsync, list[str]()

    def note(fd: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", note)
    store.finish("RE_1", NOW)
    assert synced[0] == file.path.name
    assert synced[1].startswith(manifest.FILE)


def test_a_disk_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RecordingStore(tmp_path / "recordings", KeyRing([MASTER]))
    opened = store.create("RE_1", NOW)
    file = opened.open_track(info())

    def refuse(fd: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    assert not opened.append(file, segments(1)[0])
    for act in (lambda: opened.finish(NOW), lambda: store.create("RE_2", NOW)):
        with pytest.raises(RecordingStoreError, match="cannot_write"):
            act()
    monkeypatch.undo()
    assert not (store.folder / "RE_2").exists()  # what has no key was never begun
    opened.release()
    report = verify(store, "RE_1")
    assert report.intact
    assert {finding.what for finding in report.findings} == {What.UNFINISHED, What.OPEN}
    assert store.finish("RE_1", NOW).ending == "interrupted"
    assert verify(store, "RE_1").complete
    with pytest.raises(RecordingError):
        verify(store, "RE_9")

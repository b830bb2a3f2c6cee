"""Exports of recordings that a crash left, that somebody changed, and exports that are ended before they are done."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from media.recording.errors import RecordingError
from media.recording.export import export
from media.recording.export.layout import Rect
from media.recording.export.lettering import Lettering
from media.recording.records import Gap, GapReason, Kind, Record, pack_gap
from media.recording.store import RecordingStore
from tests.scenario.test_export import SIZE, A, between, check_claps, exported, inside
from tests.support import studio
from tests.support.studio import ZERO_WALL_US, Person, clicks, flashes, store_in, tracks_of, write, write_track

ROOT = Path(__file__).resolve().parents[2]
PERSON = replace(A, late=0.0)
WHOLE = Rect(0, 0, *SIZE)


def crashed(store: RecordingStore, *, finish: bool) -> None:
    """The recorder is killed at 4.2 s while it writes a segment and comes back; the worker gives it the last 0.4 s again."""
    tracks = [*tracks_of(PERSON, 1), studio.arrivals([PERSON])]
    opened = store.create("RE_1", ZERO_WALL_US)
    for info, records in tracks:
        path = write_track(opened, info, [each for each in records if each.time_us < 4_200_000], close=False)
        os.truncate(path, path.stat().st_size - 30)
    opened.release()
    opened = store.resume("RE_1", ZERO_WALL_US)
    for info, records in tracks:
        gap = pack_gap(Gap(0, 4_300_000, 4_300_000, GapReason.RECORDER_LOST))
        again = [each for each in records if each.time_us >= 3_700_000 or each.kind == Kind.LAYER]
        path = write_track(opened, info, [Record(Kind.GAP, 0, again[0].time_us, gap), *again] if again else [], close=finish)
        if not finish:
            os.truncate(path, path.stat().st_size - 7)
    if finish:
        opened.finish(ZERO_WALL_US + 8_000_000)
    opened.release()


@pytest.mark.parametrize("finish", [True, False])
def test_what_a_killed_recorder_left_is_exported_without_a_seam(tmp_path: Path, finish: bool) -> None:
    store = store_in(tmp_path)
    crashed(store, finish=finish)
    made, frames, sound, length = exported(store, tmp_path)
    assert made.manifest["source"]["intact"]
    assert made.manifest["source"]["ending"] == ("complete" if finish else "")
    claps = PERSON.claps if finish else [clap for clap in PERSON.claps if clap < 7]
    seen, heard = flashes(frames, inside(WHOLE)), clicks(sound, PERSON.pitch)
    check_claps(PERSON, seen[: len(claps)], heard[: len(claps)], claps)
    assert length == pytest.approx(8.2 if finish else 7.8, abs=0.5)


def spoil(path: Path, share: float = 0.5) -> None:
    """One bit, in the middle."""
    data = bytearray(path.read_bytes())
    data[int(len(data) * share)] ^= 0x10
    path.write_bytes(data)


@pytest.fixture
def plain(tmp_path: Path) -> RecordingStore:
    store = store_in(tmp_path)
    write(store, [*tracks_of(PERSON, 1), studio.arrivals([PERSON])])
    return store


def test_a_changed_recording_is_refused(plain: RecordingStore, tmp_path: Path) -> None:
    spoil(plain.path("RE_1") / "TR_1c.0000.track")
    with pytest.raises(RecordingError, match=r"damaged.*TR_1c\.0000\.track, segment \d+") as refused:
        export(plain, "RE_1", tmp_path / "film.webm", size=SIZE)
    assert refused.value.code == "damaged"
    assert [path.name for path in tmp_path.iterdir()] == ["recordings"]


def test_despite_damage_what_is_left_is_exported_and_the_manifest_says_so(plain: RecordingStore, tmp_path: Path) -> None:
    spoil(plain.path("RE_1") / "TR_1m.0000.track")
    made, frames, sound, _ = exported(plain, tmp_path, despite_damage=True)
    damage = json.loads((tmp_path / "film.webm.json").read_bytes())["damage"]
    assert damage["exported_despite"]
    assert {each["file"] for each in damage["findings"]} == {"TR_1m.0000.track"}
    assert not made.manifest["source"]["intact"]
    assert len(flashes(frames, inside(WHOLE))) == len(PERSON.claps)
    heard = clicks(sound, PERSON.pitch)
    assert len(PERSON.claps) - 1 <= len(heard) <= len(PERSON.claps)
    assert between(heard, 6.5, 8)


def test_despite_damage_a_file_without_a_header_is_left_out(plain: RecordingStore, tmp_path: Path) -> None:
    spoil(plain.path("RE_1") / "TR_1m.0000.track", 0.0)
    with pytest.raises(RecordingError):
        export(plain, "RE_1", tmp_path / "film.webm", size=SIZE)
    made, frames, sound, _ = exported(plain, tmp_path, despite_damage=True)
    assert [each["file"] for each in made.manifest["damage"]["unread"]] == ["TR_1m.0000.track"]
    assert clicks(sound, PERSON.pitch) == []
    assert len(flashes(frames, inside(WHOLE))) == len(PERSON.claps)


def test_a_whole_recording_does_not_become_damaged_by_being_asked_for_so(plain: RecordingStore, tmp_path: Path) -> None:
    made, *_ = exported(plain, tmp_path, despite_damage=True)
    assert not made.manifest["damage"]["exported_despite"]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("bad_size", {"size": (1281, 720)}),
        ("bad_size", {"size": (100, 100)}),
        ("bad_size", {"size": (8000, 4000)}),
        ("bad_size", {"fps": 7}),
        ("no_recording", {"recording": "RE_2"}),
        ("no_recording", {"recording": "../RE_1"}),
        ("cannot_write", {"target": "no/such/folder.webm"}),
        ("exists", {"target": "there.webm"}),
    ],
)
def test_what_is_refused(plain: RecordingStore, tmp_path: Path, code: str, changes: dict[str, Any]) -> None:
    (tmp_path / "there.webm.json").write_text("{}")
    arguments = {"recording": "RE_1", "target": "film.webm", "size": SIZE} | changes
    with pytest.raises(RecordingError) as refused:
        export(plain, arguments.pop("recording"), tmp_path / arguments.pop("target"), **arguments)
    assert refused.value.code == code
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recordings", "there.webm.json"]
    assert (tmp_path / "there.webm.json").read_text() == "{}"


def test_one_that_is_being_written_is_refused(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    opened = store.create("RE_1", ZERO_WALL_US)
    try:
        with pytest.raises(RecordingError) as refused:
            export(store, "RE_1", tmp_path / "film.webm")
        assert refused.value.code == "in_use"
    finally:
        opened.release()
    with pytest.raises(RecordingError) as refused:
        export(store, "RE_1", tmp_path / "film.webm")
    assert refused.value.code == "empty"


def test_an_export_that_is_broken_off_leaves_nothing(plain: RecordingStore, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def progress(done: int, whole: int) -> None:
        told.append((done, whole))
        if done >= 3_000_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(plain, "RE_1", tmp_path / "film.webm", progress=progress, size=SIZE)
    assert [path.name for path in tmp_path.iterdir()] == ["recordings"]
    assert [done for done, _ in told] == [0, 1_000_000, 2_000_000, 3_000_000]
    assert {whole for _, whole in told} == {8_266_666}


# ---- as a command


def command(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """``tongping recordings export RE_1`` on the recordings in ``folder``, as the server calls it."""
    import base64

    env = os.environ | {"TONGPING_DATA_DIR": str(folder), "TONGPING_RECORDING_KEY": base64.b64encode(studio.MASTER).decode()}
    env.pop("PORT", None)
    line = [sys.executable, "-m", "server", "recordings", "export", "--audited", "RE_1", *arguments]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's job in the background is begun deaf to it
    return subprocess.Popen(
        line, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, told = process.communicate(timeout=120)
    return process.returncode, out, told


def test_the_command_tells_how_far_it_is_and_what_it_made(plain: RecordingStore, tmp_path: Path) -> None:
    code, out, told = finished(command(tmp_path, "--to", str(tmp_path / "film.mp4"), "--size", "320x180", "--json"))
    assert (code, told) == (0, "")
    *steps, last = [json.loads(line) for line in out.splitlines()]
    assert steps[0] == {"done_us": 0, "all_us": 8_266_666, "eta_s": 0.0}
    assert steps[-1] == {"done_us": 8_266_666, "all_us": 8_266_666, "eta_s": 0.0}
    assert last["made"]["format"] == "mp4"
    assert last["made"]["files"] == [str(tmp_path / "film.mp4"), str(tmp_path / "film.mp4.json")]
    assert (tmp_path / "film.mp4").stat().st_size == last["made"]["bytes"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--size", "huge"), "--size is as 1280x720, not huge"),
        (("--size", "160x²80"), "--size is as 1280x720"),
        (("--fps", "0"), "at one of"),
        (("--font", "/etc/hostname"), "is no font that can be read"),
        (("--format", "avi"), "avi"),
    ],
)
def test_the_command_refuses_in_words(plain: RecordingStore, tmp_path: Path, arguments: Sequence[str], says: str) -> None:
    code, _, told = finished(command(tmp_path, "--to", str(tmp_path / "film.webm"), *arguments))
    assert code == 2
    assert says in told
    assert "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["recordings"]


@pytest.mark.parametrize(("how", "left"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, 1)])
def test_a_command_that_is_killed_leaves_nothing_under_the_name(
    plain: RecordingStore, tmp_path: Path, how: signal.Signals, left: int
) -> None:
    target = tmp_path / "film.webm"
    process = command(tmp_path, "--to", str(target), "--size", "1920x1080", "--fps", "30", "--json")
    assert process.stdout is not None
    while json.loads(process.stdout.readline())["done_us"] < 1_000_000:
        pass
    process.send_signal(how)
    code, _, _ = finished(process)
    assert code != 0
    rest = [path.name for path in tmp_path.iterdir() if path.name != "recordings"]
    assert len(rest) == left
    assert all(name.endswith(".part") for name in rest)
    export(plain, "RE_1", target, size=(160, 160), fps=10, lettering=Lettering(None))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.webm", "film.webm.json", "recordings"]


def _status(pid: int) -> str:
    """Of a process; "" when it is over."""
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    """Ten seconds and eighty: the peak of the whole process."""
    peaks = []
    for seconds in (10, 80):
        folder = tmp_path / str(seconds)
        folder.mkdir()
        person = Person("PA_1", 2.3, 700, size=(160, 96), fps=15, end=float(seconds))
        store = store_in(folder)
        write(store, [*tracks_of(person, 1), studio.arrivals([person])], end=seconds)
        process = command(folder, "--to", str(folder / "film.webm"), "--size", "320x180", "--fps", "10", "--json")
        assert process.stdout is not None
        peak = 0
        while '"made"' not in (line := process.stdout.readline()):
            assert json.loads(line)
            told = _status(process.pid)
            peak = max(peak, int(told.split("VmHWM:")[1].split()[0]) if "VmHWM:" in told else 0)
        assert finished(process)[0] == 0
        peaks.append(peak)
    assert 0 < peaks[1] < peaks[0] + 12 * 1024, f"{peaks[0]} KiB for 10 s, {peaks[1]} KiB for 80 s"

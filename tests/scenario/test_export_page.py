"""A page that was shared, beside an exported film: the lines that a player gets, with their hash in the manifest."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from media.recording import pages
from media.recording.errors import RecordingError
from media.recording.export import Exported, export
from media.recording.export.lettering import Lettering
from media.recording.play.timeline import open_media, timeline
from media.recording.records import Kind, Record, unpack
from media.recording.store import RecordingStore
from media.recording.wire import TrackInfo
from tests.support.studio import ZERO_WALL_US, Person, arrivals, store_in, tracks_of, write

END_S = 2.0
TRACK = "page-SH_1"
LONG = "客" * pages.PIECE_BYTES
LINES: list[tuple[float, dict[str, object], int]] = [
    (0.4, {"type": "kept.state", "shown": False}, pages.BLANK),
    (0.5, {"type": "kept.begin", "marks": []}, pages.BEGINS),
    (0.5, {"type": "view.dom", "n": 1, "text": LONG}, 0),
    (0.9, {"type": "view.dom", "n": 2, "text": "change"}, 0),
    (1.5, {"type": "kept.state", "shown": False}, pages.BLANK),
]


def page() -> tuple[TrackInfo, list[Record]]:
    info = TrackInfo(
        track=TRACK,
        participant="PA_1",
        source="page",
        kind="pages",
        codec="json",
        clock_rate=0,
        zero_wall_us=ZERO_WALL_US,
        zero_mono_us=5_000_000,
    )
    records = []
    for at, line, flags in LINES:
        for packed in pages.pack_line(round(at * 1e6), json.dumps(line, ensure_ascii=False).encode(), flags):
            records += list(unpack(packed))
    return info, [*records, Record(Kind.PAUSE, 0, 1_700_000, b"")]


def recorded(folder: Path, *, shared: bool = True) -> RecordingStore:
    person = Person("PA_1", 1.3, 700, end=END_S)
    store = store_in(folder)
    write(store, [*tracks_of(person, 1), arrivals([person]), *([page()] if shared else [])], end=END_S)
    return store


def exported(store: RecordingStore, target: Path, *, despite_damage: bool = False) -> Exported:
    return export(store, "RE_1", target, size=(320, 180), fps=10, lettering=Lettering(None), despite_damage=despite_damage)


def test_a_page_is_exported_as_it_is_played(tmp_path: Path) -> None:
    store = recorded(tmp_path)
    target = tmp_path / "out" / "film.webm"
    target.parent.mkdir()
    made = exported(store, target)
    beside = target.with_name(f"film.webm.{TRACK}.jsonl")
    assert set(made.files) == set(target.parent.iterdir())
    assert beside in made.files
    assert beside.stat().st_mode & 0o777 == 0o600
    written = beside.read_bytes()
    key = store.data_key("RE_1")
    assert written == b"".join(open_media(timeline(store.path("RE_1"), key), TRACK, key).chunks)
    told = [json.loads(line) for line in written.splitlines()]
    assert [(one["at_us"], one["begins"], one["line"]) for one in told] == [
        *((round(at * 1e6), flags == pages.BEGINS, line) for at, line, flags in LINES),
        (1_700_000, False, json.loads(pages.PAUSED)),
    ]
    manifest = json.loads(target.with_name("film.webm.json").read_bytes())
    assert manifest["pages"] == [
        {
            "track": TRACK,
            "participant": "PA_1",
            "file": beside.name,
            "bytes": len(written),
            "sha256": hashlib.sha256(written).hexdigest(),
        }
    ]
    assert manifest["not_exported"] == []


def test_where_no_page_was_shared_there_is_no_such_file(tmp_path: Path) -> None:
    made = exported(recorded(tmp_path, shared=False), tmp_path / "film.webm")
    assert made.manifest["pages"] == []
    assert not list(tmp_path.glob("*.jsonl"))


def test_pages_are_written_as_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a break leaves nothing of them."""
    store = recorded(tmp_path)
    found: list[int] = []

    def pieces(records: Iterable[Record]) -> Iterator[bytes]:
        for number in range(3):
            found.extend(path.stat().st_size for path in tmp_path.glob(f".film.webm.{TRACK}.jsonl.*.part"))
            yield b"x" * (1 << 20)
            if number == 2:
                raise RecordingError("damaged", "enough")

    monkeypatch.setattr("media.recording.play.pages.written", pieces)
    with pytest.raises(RecordingError, match="enough"):
        exported(store, tmp_path / "film.webm")
    assert found == [0, 1 << 20, 2 << 20]
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_what_a_killed_export_left_of_a_page_goes_with_the_next(tmp_path: Path) -> None:
    store = recorded(tmp_path)
    left = tmp_path / f".film.webm.{TRACK}.jsonl.4194999.part"
    another = tmp_path / f".another.webm.{TRACK}.jsonl.4194999.part"
    for path in (left, another):
        path.write_bytes(b"plain")
    made = exported(store, tmp_path / "film.webm")
    assert {path for path in tmp_path.iterdir() if path.is_file()} == {*made.files, another}


def test_no_file_that_is_there_already_is_written_over(tmp_path: Path) -> None:
    store = recorded(tmp_path)
    mine = tmp_path / f"film.webm.{TRACK}.jsonl"
    mine.write_text("mine")
    with pytest.raises(RecordingError, match="is there already"):
        exported(store, tmp_path / "film.webm")
    assert mine.read_text() == "mine"
    assert [path for path in tmp_path.iterdir() if path.is_file()] == [mine]


def test_a_page_that_was_changed_is_exported_only_when_that_is_wanted(tmp_path: Path) -> None:
    store = recorded(tmp_path)
    [file] = store.path("RE_1").glob(f"{TRACK}.*.track")
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)
    with pytest.raises(RecordingError, match=file.name):
        exported(store, tmp_path / "film.webm")
    assert not list(tmp_path.glob("film.*"))
    made = exported(store, tmp_path / "film.webm", despite_damage=True)
    left = [json.loads(line)["line"] for line in (tmp_path / f"film.webm.{TRACK}.jsonl").read_bytes().splitlines()]
    assert left
    assert LONG not in json.dumps(left, ensure_ascii=False)
    assert made.manifest["damage"]["exported_despite"] is True

"""Exports, decoded and looked at: lengths, lips and voices, who is where, and what is shown where nothing was recorded.

Everybody in ``tests.support.studio`` claps: white picture and tone at one moment. Coded with real codecs, packetised, delayed, lost and written through the
recorder's container.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.recording import events
from media.recording.export import Exported, export
from media.recording.export.canvas import PAUSED, SPEAKING, _yuv
from media.recording.export.layout import Rect, arrange
from media.recording.export.lettering import Lettering
from media.recording.records import Kind, Record
from media.recording.store import RecordingStore
from tests.support import studio
from tests.support.studio import Person, clicks, decoded, flashes, store_in, track_info, tracks_of, write

SIZE = (640, 360)
LIPS_S = 0.040
ALL = 1e9

Pictures = list[tuple[float, Any]]


def exported(
    store: RecordingStore, folder: Path, name: str = "film.webm", **changes: Any
) -> tuple[Exported, Pictures, Any, float]:
    options: dict[str, Any] = {"size": SIZE, "layout": "grid", "lettering": Lettering(None)} | changes
    made = export(store, "RE_1", folder / name, **options)
    return (made, *decoded(folder / name))


def inside(rect: Rect) -> Callable[[Any], Any]:
    """The middle of a place: without names and edges."""
    left, right = rect.x + rect.width // 4, rect.x + rect.width * 3 // 4
    return lambda picture: picture[rect.y + rect.height // 3 : rect.y + rect.height * 2 // 3, left:right]


def grid(*names: str) -> dict[str, Rect]:
    return {place.participant: place.rect for place in arrange(*SIZE, names, None)}


def between(found: list[float], first: float, last: float) -> list[float]:
    return [at for at in found if first <= at < last]


def check_claps(person: Person, seen: list[float], heard: list[float], claps: list[float] | None = None) -> None:
    """Each clap was seen and heard, at its time, and both at one."""
    claps = person.claps if claps is None else claps
    assert len(heard) == len(claps), f"{person.name}: {len(heard)} of {len(claps)} claps were heard"
    assert len(seen) == len(claps), f"{person.name}: {len(seen)} of {len(claps)} claps were seen"
    for clap, picture, voice in zip(claps, seen, heard, strict=True):
        assert abs(picture - voice) <= LIPS_S, f"{person.name}: lips are {1000 * (picture - voice):.0f} ms off at {clap}"
        assert abs(voice - clap - person.delay) <= 0.02, f"{person.name}: {1000 * (voice - clap):.0f} ms late at {clap}"


A = Person("PA_1", 1.3, 700, shown="Wang Xiaoming", clock=-300, jitter=0.04, late=0.03)
B = Person("PA_2", 1.7, 1500, shown="Alice", role="agent", codec="H264", clock=5, skew=80, delay=0.06, shade=(160, 90))
C = Person("PA_3", 1.1, 2600, shown="Expert", role="expert", codec="VP9", begin=2.0, end=7.0, shade=(120, 120))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> RecordingStore:
    """A customer whose packets come late, an agent with another codec whose clock runs away, an expert who comes and goes."""
    store = store_in(tmp_path_factory.mktemp("three"))
    mark = events.Checkpoint(participant="PA_2", key="risk", label="Risk statement confirmed")
    chat = events.Chat(participant="PA_1", text="hello")
    people = [A, B, C]
    tracks = [track for number, person in enumerate(people, 1) for track in tracks_of(person, number)]
    write(store, [*tracks, studio.arrivals(people, (2.5, mark), (3.0, chat))])
    return store


@pytest.mark.parametrize("name", ["film.webm", "film.mp4"])
def test_lips_stay_with_voices_for_everybody(three: RecordingStore, tmp_path: Path, name: str) -> None:
    made, frames, sound, length = exported(three, tmp_path, name, format=name[-4:].strip("."))
    assert length == pytest.approx(8.2, abs=0.15)
    assert len(sound) / 48000 == pytest.approx(8.2, abs=0.15)
    assert made.manifest["duration_ms"] == pytest.approx(1000 * length, abs=40)
    two, all_three = grid("PA_1", "PA_2"), grid("PA_1", "PA_2", "PA_3")
    for person in (A, B, C):
        seen: list[float] = []
        for places, first, last in ((two, 0, 2), (all_three, 2.05, 7), (two, 7, ALL)):
            if person.name in places:
                part = [(at, picture) for at, picture in frames if first <= at < last]
                seen += flashes(part, inside(places[person.name]))
        check_claps(person, seen, clicks(sound, person.pitch))


def test_what_lies_beside_an_export(three: RecordingStore, tmp_path: Path) -> None:
    import hashlib
    import json

    made, *_ = exported(three, tmp_path)
    film = tmp_path / "film.webm"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.webm", "film.webm.json", "film.webm.vtt"]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    told = json.loads((tmp_path / "film.webm.json").read_bytes())
    assert told == json.loads(json.dumps(made.manifest))
    assert told["sha256"] == hashlib.sha256(film.read_bytes()).hexdigest()
    assert told["bytes"] == film.stat().st_size
    folder = three.path("RE_1")
    assert {each["file"]: each["sha256"] for each in told["source"]["files"]} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.track")
    }
    assert told["source"]["manifest_sha256"] == hashlib.sha256((folder / "manifest").read_bytes()).hexdigest()
    assert told["source"]["intact"]
    assert not told["damage"]["exported_despite"]
    assert [(each["key"], each["time_us"]) for each in told["checkpoints"]] == [("risk", 2_500_000)]
    assert [each["label"] for each in told["participants"]] == ["Wang Xiaoming", "Alice", "Expert"]
    assert "<v Wang Xiaoming>hello" in (tmp_path / "film.webm.vtt").read_text()
    import av

    with av.open(str(film)) as file:
        assert [(each["start"], each["metadata"]["title"]) for each in file.chapters()] == [
            (0, "Start"),
            (2500 * 10**6, "Risk statement confirmed"),
        ]


def test_a_name_that_no_font_has_is_in_words_all_the_same(tmp_path: Path) -> None:
    person = Person("PA_1", 1.3, 700, shown="王小明", end=2.0)
    store = store_in(tmp_path)
    write(store, [*tracks_of(person, 1), studio.arrivals([person], (1.0, events.Chat(participant="PA_1", text="好")))], end=2.0)
    made, *_ = exported(store, tmp_path)
    (told,) = made.manifest["participants"]
    assert (told["name"], told["label"]) == ("王小明", "Customer")
    assert "<v 王小明>好" in (tmp_path / "film.webm.vtt").read_text()


def test_the_same_recording_gives_the_same_bytes(three: RecordingStore, tmp_path: Path) -> None:
    digests = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        export(three, "RE_1", folder / "film.webm", size=(320, 180), fps=10, lettering=Lettering(None))
        digests.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert digests[0] == digests[1]


def test_a_change_of_layers_is_seen_through(tmp_path: Path) -> None:
    """The same camera, from four seconds on in another size under another SSRC with another time base."""
    person = replace(A, late=0.0)
    small = [each for each in studio.camera(person, 11, 0x1001) if each.time_us < 4_300_000]
    tall = replace(person, size=(640, 360))
    large = [each for each in studio.camera(tall, 12, 0x1002, layer=1) if each.time_us >= 3_900_000 or each.kind == Kind.LAYER]
    store = store_in(tmp_path)
    camera, microphone = tracks_of(person, 1)
    write(store, [(camera[0], small + large), microphone, studio.arrivals([person])])
    _, frames, sound, _ = exported(store, tmp_path)
    check_claps(person, flashes(frames, inside(Rect(0, 0, *SIZE))), clicks(sound, person.pitch))


def test_lost_packets_cost_the_pictures_until_the_next_key_frame(tmp_path: Path) -> None:
    person = replace(A, lost=0.01, late=0.0)
    store = store_in(tmp_path)
    write(store, [*tracks_of(person, 1), studio.arrivals([person])])
    made, frames, sound, _ = exported(store, tmp_path)
    assert made.manifest["damage"]["pictures_dropped"] > 0
    assert made.manifest["damage"]["pictures_not_decoded"] == 0
    heard = clicks(sound, person.pitch)
    seen = flashes(frames, inside(Rect(0, 0, *SIZE)))
    assert len(seen) >= 2
    for at in seen:
        assert min(abs(at - other) for other in heard) <= LIPS_S


def test_without_sender_reports_lips_are_near(tmp_path: Path) -> None:
    person = replace(A, reports=False, jitter=0.01, late=0.0)
    store = store_in(tmp_path)
    write(store, [*tracks_of(person, 1), studio.arrivals([person])])
    _, frames, sound, _ = exported(store, tmp_path)
    check_claps(person, flashes(frames, inside(Rect(0, 0, *SIZE))), clicks(sound, person.pitch))


def test_who_comes_back_with_another_device_has_another_clock(tmp_path: Path) -> None:
    """Its clock is a second off the one before: in sync with themselves is not enough."""
    first = replace(A, late=0.0, end=4.0)
    again = replace(first, begin=4.2, end=8.0, clock=first.clock + 1.0)
    store = store_in(tmp_path)
    write(store, [*tracks_of(first, 1), *tracks_of(again, 2), studio.arrivals([first, again])])
    _, frames, sound, _ = exported(store, tmp_path)
    claps = first.claps + again.claps
    check_claps(first, flashes(frames, inside(Rect(0, 0, *SIZE))), clicks(sound, first.pitch), claps)


def test_pictures_and_voices_that_are_none_harm_nobody_else(tmp_path: Path) -> None:
    """One sends noise for a while, and a picture that says it has 268 million pixels."""
    import random

    chance = random.Random(7)
    good, bad = replace(A, late=0.0), Person("PA_9", 1.7, 1900, shade=(160, 90), jitter=0.0)
    (camera, pictures), (microphone, voices) = tracks_of(bad, 2)
    spoilt = []
    for record in pictures:
        payload = record.payload
        if record.kind == Kind.RTP and len(payload) > 40:
            if 2_000_000 <= record.time_us < 3_500_000:
                payload = payload[:16] + chance.randbytes(len(payload) - 16)
            elif 4_000_000 <= record.time_us < 4_100_000 and payload[16:19] == b"\x9d\x01\x2a":
                payload = payload[:19] + b"\xff\x3f\xff\x3f" + payload[23:]
        spoilt.append(record._replace(payload=payload))
    noise = [
        record._replace(payload=record.payload[:12] + chance.randbytes(40))
        if record.kind == Kind.RTP and 2_000_000 <= record.time_us < 3_500_000
        else record
        for record in voices
    ]
    assert spoilt != list(pictures)
    store = store_in(tmp_path)
    write(store, [*tracks_of(good, 1), (camera, spoilt), (microphone, noise), studio.arrivals([good, bad])])
    made, frames, sound, length = exported(store, tmp_path)
    assert length == pytest.approx(8.2, abs=0.15)
    assert made.manifest["damage"]["pictures_not_decoded"] > 0
    places = grid("PA_1", "PA_9")
    heard = [at for at in clicks(sound, good.pitch) if not 1.9 < at < 3.6]
    claps = [clap for clap in good.claps if not 1.9 < clap + good.delay < 3.6]
    assert heard == [pytest.approx(clap + good.delay, abs=0.02) for clap in claps]
    assert len(flashes(frames, inside(places["PA_1"]))) == len(good.claps)
    late = [at for at in flashes(frames, inside(places["PA_9"])) if at > 6.1]
    assert late == [pytest.approx(clap + bad.delay, abs=0.04) for clap in bad.claps if clap > 6.1]


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> RecordingStore:
    """Two; the first shuts microphone and camera from 3 to 5 s."""
    store = store_in(tmp_path_factory.mktemp("gated"))
    shut, opened = Kind.GATE_SHUT, Kind.GATE_OPEN
    first = [(info, studio.without(records, 3, 5, before=shut, after=opened)) for info, records in tracks_of(A, 1)]
    other = replace(B, codec="VP8")
    write(store, [*first, *tracks_of(other, 2), studio.arrivals([A, other])])
    return store


def test_behind_a_shut_gate_nothing_is_seen_or_heard(gated: RecordingStore, tmp_path: Path) -> None:
    _, frames, sound, length = exported(gated, tmp_path)
    assert length == pytest.approx(8.2, abs=0.15)
    places = grid("PA_1", "PA_2")
    seen, heard = flashes(frames, inside(places["PA_1"])), clicks(sound, A.pitch)
    assert between(seen, 3.1, 5.0) == []
    assert between(heard, 3.1, 5.0) == []
    assert len(between(heard, 0, 3)) == len([clap for clap in A.claps if clap < 2.9])
    other = replace(B, codec="VP8")
    check_claps(other, flashes(frames, inside(places["PA_2"])), clicks(sound, B.pitch))
    # Instead of the picture there are the letters of the name on a disc.
    shut = next(picture for at, picture in frames if at >= 4)
    where = inside(places["PA_1"])(shut)
    assert int(where.max()) > 200
    assert len(np.unique(where // 16)) >= 3


def test_a_pause_is_shown_and_keeps_its_length(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    person = replace(A, late=0.0)
    tracks = [
        (info, studio.without(records, 3, 5, before=Kind.PAUSE, after=Kind.RESUME)) for info, records in tracks_of(person, 1)
    ]
    info, told = studio.arrivals([person])
    told = [*told, Record(Kind.PAUSE, 0, 3_000_000, b""), Record(Kind.RESUME, 0, 5_000_000, b"")]
    write(store, [*tracks, (info, told)])
    made, frames, sound, length = exported(store, tmp_path)
    assert length == pytest.approx(8.2, abs=0.15)
    assert made.manifest["pauses"] == [{"from_us": 3_000_000, "to_us": 5_000_000}]
    card = [picture for at, picture in frames if 3.2 < at < 4.8]
    assert card
    for picture in card:
        assert abs(int(picture[SIZE[1] - 20, 20]) - _yuv(PAUSED)[0]) < 6
        assert (picture[120:180, 300:340] > 200).sum() > 500  # the two bars
    quiet = sound[round(3.3 * 48000) : round(4.9 * 48000)]
    assert float(np.abs(quiet).max()) < 0.01
    assert [round(at) for at in between(clicks(sound, person.pitch), 5, 9)] == [6, 7]


def test_who_speaks_is_large_and_a_screen_is_larger(tmp_path: Path) -> None:
    people = [replace(person, begin=0.0, end=8.0, codec="VP8", every=100, first=100, fps=10) for person in (A, B, C)]
    screen = replace(people[1], size=(320, 200), begin=6.0, fps=5, shade=(200, 60))
    tracks = [track for number, person in enumerate(people, 1) for track in tracks_of(person, number)]
    tracks.append((track_info("TR_s", "PA_2", "screen", "VP8"), studio.camera(screen, 9, 0x9999)))
    speaking = [(0.1, "PA_1"), (3.0, "PA_3")]
    told: list[tuple[float, events.Event]] = [(at, events.Speaking(participants=(who,))) for at, who in speaking]
    told += [(6.0, events.Screen(participant="PA_2", on=True)), (7.0, events.Screen(participant="PA_2", on=False))]
    store = store_in(tmp_path)
    write(store, [*tracks, studio.arrivals(people, *told)])
    exported(store, tmp_path, layout="auto")
    colours = _colours(tmp_path / "film.webm", (1.0, 5.5, 6.8, 7.8), (200, 180))
    assert colours[1.0][0] == pytest.approx(people[0].shade, abs=12)
    assert colours[5.5][0] == pytest.approx(people[2].shade, abs=12)
    assert colours[6.8][0] == pytest.approx(screen.shade, abs=12)
    assert colours[7.8][0] == pytest.approx(people[2].shade, abs=12)
    edge = _colours(tmp_path / "film.webm", (5.5,), (2, 180))[5.5][0]
    assert edge == pytest.approx(_yuv(SPEAKING)[1:], abs=25)


def _colours(path: Path, times: tuple[float, ...], *places: tuple[int, int]) -> dict[float, list[tuple[int, int]]]:
    """U and V at places of the picture at these times."""
    import av

    found: dict[float, list[tuple[int, int]]] = {}
    with av.open(str(path)) as file:
        for frame in file.decode(video=0):
            for wanted in times:
                if frame.time <= wanted:
                    flat = frame.to_ndarray(format="yuv420p").reshape(-1)
                    area = frame.width * frame.height
                    at = [area + y // 2 * (frame.width // 2) + x // 2 for x, y in places]
                    found[wanted] = [(int(flat[each]), int(flat[each + area // 4])) for each in at]
    return found


def test_voices_at_once_do_not_clip(tmp_path: Path) -> None:
    """Five at half the full height, together."""
    people = [Person(f"PA_{n}", 1.5, 600 + 333 * n, end=5.0) for n in range(5)]
    store = store_in(tmp_path)
    write(store, [*(tracks_of(person, n)[1] for n, person in enumerate(people)), studio.arrivals(people)], end=5.0)
    _, _, sound, _ = exported(store, tmp_path)
    assert 0.6 < float(np.abs(sound).max()) <= 1.0
    assert int((np.abs(sound) > 0.995).sum()) == 0
    for person in people:
        assert len(clicks(sound * 1.5, person.pitch)) == len(person.claps)

"""One track for a player, read by libav: every codec, from any moment on, past gates and after a crash."""

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from media.recording.errors import RecordingError, RecordingStoreError
from media.recording.export.layout import Rect
from media.recording.play.timeline import Timeline, open_media, timeline
from media.recording.records import Kind
from media.recording.store import RecordingStore
from tests.scenario.test_export import SIZE, A, B, C, Pictures, check_claps, exported, inside
from tests.scenario.test_export_damage import PERSON, crashed
from tests.support import studio
from tests.support.studio import Person, clicks, decoded, flashes, store_in, tracks_of, write

PEOPLE = [A, replace(B, skew=0), C]
AV1 = Person("PA_4", 1.5, 900, codec="AV1", end=5.0, shade=(100, 140))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> RecordingStore:
    made = store_in(tmp_path_factory.mktemp("tracks"))
    tracks = [track for number, person in enumerate(PEOPLE, 1) for track in tracks_of(person, number)]
    info, records = tracks[1]
    tracks[1] = (info, studio.without(records, 3, 5, before=Kind.GATE_SHUT, after=Kind.GATE_OPEN))
    write(made, [*tracks, studio.arrivals(PEOPLE)])
    return made


@pytest.fixture(scope="module")
def found(store: RecordingStore) -> Timeline:
    return timeline(store.path("RE_1"), store.data_key("RE_1"))


def test_the_timeline_of_a_recording(found: Timeline) -> None:
    assert [(party.participant, party.name, party.role) for party in found.participants] == [
        ("PA_1", "Wang Xiaoming", "customer"),
        ("PA_2", "Alice", "agent"),
        ("PA_3", "Expert", "expert"),
    ]
    assert found.participants[2].there == ((2_000_000, 7_000_000),)
    assert found.duration_us == pytest.approx(8_060_000, abs=60_000)
    assert sorted((track.track, track.source, track.codec) for track in found.tracks) == [
        ("TR_1c", "camera", "VP8"),
        ("TR_1m", "microphone", "opus"),
        ("TR_2c", "camera", "H264"),
        ("TR_2m", "microphone", "opus"),
        ("TR_3c", "camera", "VP9"),
        ("TR_3m", "microphone", "opus"),
    ]
    assert len(found.track("TR_1m").spans) == 2
    assert found.track("TR_1m").spans[0].to_us == pytest.approx(3_000_000, abs=100_000)
    assert found.track("TR_1m").spans[1].from_us == pytest.approx(5_000_000, abs=100_000)
    with pytest.raises(RecordingStoreError):
        found.track("TR_9")


def check_seen(person: Person, frames: Pictures) -> None:
    """Every clap whose beginning is in the stream."""
    begins = frames[0][0]
    seen = [at for at in flashes(frames, inside(Rect(0, 0, *person.size))) if at > begins]
    assert seen == [pytest.approx(clap + person.delay, abs=0.03) for clap in person.claps if clap + person.delay > begins]


@pytest.mark.parametrize("from_ms", [0, 3700, 6100])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_camera_from_any_moment_on(store: RecordingStore, found: Timeline, tmp_path: Path, number: int, from_ms: int) -> None:
    person = PEOPLE[number - 1]
    media = open_media(found, f"TR_{number}c", store.data_key("RE_1"), from_ms * 1000)
    assert (
        media.mime
        == {
            1: 'video/webm; codecs="vp8"',
            2: 'video/mp4; codecs="avc3.42E01F"',
            3: 'video/webm; codecs="vp9"',
        }[number]
    )
    path = tmp_path / "track"
    path.write_bytes(b"".join(media.chunks))
    frames, _, _ = decoded(path)
    assert frames[0][0] <= max(from_ms / 1000, person.begin + 0.1)
    assert frames[0][0] >= max(from_ms / 1000 - 2.1, person.begin)
    assert len(frames) == pytest.approx((person.end + person.delay - frames[0][0]) * person.fps, abs=2)
    check_seen(person, frames)


@pytest.mark.parametrize("from_ms", [0, 3000])
def test_av1_too(tmp_path: Path, from_ms: int) -> None:
    made = store_in(tmp_path)
    write(made, [*tracks_of(AV1, 4), studio.arrivals([AV1])], end=5.0)
    key = made.data_key("RE_1")
    media = open_media(timeline(made.path("RE_1"), key), "TR_4c", key, from_ms * 1000)
    path = tmp_path / "track.webm"
    path.write_bytes(b"".join(media.chunks))
    frames, _, _ = decoded(path)
    assert frames[0][0] == pytest.approx(2.03 if from_ms else 0.03, abs=0.02)
    check_seen(AV1, frames)
    _, film, sound, _ = exported(made, tmp_path)
    check_claps(AV1, flashes(film, inside(Rect(0, 0, *SIZE))), clicks(sound, AV1.pitch))


@pytest.mark.parametrize("from_ms", [0, 4000])
def test_a_voice_without_a_hole(store: RecordingStore, found: Timeline, tmp_path: Path, from_ms: int) -> None:
    media = open_media(found, "TR_1m", store.data_key("RE_1"), from_ms * 1000)
    assert media.mime == 'audio/webm; codecs="opus"'
    data = b"".join(media.chunks)
    with av.open(io.BytesIO(data)) as file:
        times = [float(packet.pts * packet.time_base) for packet in file.demux(audio=0) if packet.size]
    assert times[0] == pytest.approx(max(from_ms / 1000 - 0.08, 0), abs=0.021)
    assert float(np.diff(times).max()) <= 0.022
    assert float(np.diff(times).min()) >= 0.018
    path = tmp_path / "voice.webm"
    path.write_bytes(data)
    heard = clicks(decoded(path)[1], A.pitch)
    expected = [clap for clap in A.claps if clap >= from_ms / 1000 and not 2.9 < clap < 5]
    # What a browser plays is as late as a decoder is: 6.5 ms.
    assert heard == [pytest.approx(clap + A.delay + 0.0065, abs=0.012) for clap in expected]


def test_a_stream_that_nobody_reads_on_closes_its_files(store: RecordingStore, found: Timeline) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    media = open_media(found, "TR_1c", store.data_key("RE_1"))
    next(media.chunks)
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    media.chunks.close()  # type: ignore[attr-defined]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("from_ms", [0, 5000])
def test_a_track_in_two_parts_is_one_stream(tmp_path: Path, from_ms: int) -> None:
    made = store_in(tmp_path)
    crashed(made, finish=True)
    key = made.data_key("RE_1")
    media = open_media(timeline(made.path("RE_1"), key), "TR_1c", key, from_ms * 1000)
    path = tmp_path / "track"
    path.write_bytes(b"".join(media.chunks))
    frames, _, _ = decoded(path)
    check_seen(PERSON, frames)
    assert frames[0][0] == pytest.approx(4.03 if from_ms else 0.03, abs=0.02)


def test_events_are_not_played(store: RecordingStore, found: Timeline) -> None:
    with pytest.raises(RecordingError):
        open_media(found, "events", store.data_key("RE_1"))

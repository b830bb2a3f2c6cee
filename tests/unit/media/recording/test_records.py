"""Records, events, manifests, the feed's frames and the control messages: round trips, and what is refused."""

import hmac
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import control
from media.errors import ControlError
from media.recording import events, manifest, messages, records, wire
from media.recording.errors import RecordingFormatError
from media.recording.keys import derive
from tests.support.recordings import DATA_KEY

u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, (1 << 64) - 1)


@given(u32, u64, u32)
def test_sender_reports(ssrc: int, ntp: int, rtp: int) -> None:
    report = records.SenderReport(ssrc, ntp, rtp)
    assert records.unpack_report(records.pack_report(report)) == report


@given(u32, u64, u64, st.sampled_from(records.GapReason))
def test_gaps(packets: int, first: int, last: int, reason: records.GapReason) -> None:
    gap = records.Gap(packets, first, last, reason)
    assert records.unpack_gap(records.pack_gap(gap)) == gap


@given(u32, st.text(max_size=60), st.integers(0, 0xFFFF))
def test_layers(ssrc: int, rid: str, height: int) -> None:
    layer = records.Layer(ssrc, rid, height)
    assert records.unpack_layer(records.pack_layer(layer)) == layer


@pytest.mark.parametrize("read", [records.unpack_report, records.unpack_gap, records.unpack_layer])
@pytest.mark.parametrize("payload", [b"", b"12345", b"\xff" * 300, b"\0\0\0\0\0\0\xff"])
def test_payloads_that_are_refused(read, payload: bytes) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecordingFormatError):
        read(payload)


@pytest.mark.parametrize(
    "bad", [(0, 0, b"", 0), (256, 0, b"", 0), (1, -1, b"", 0), (1, 1 << 54, b"", 0), (1, 0, b"", 256), (1, 0, bytes(65536), 0)]
)
def test_records_that_cannot_be_packed(bad: tuple[int, int, bytes, int]) -> None:
    with pytest.raises(RecordingFormatError):
        records.pack(*bad)


@pytest.mark.parametrize("plain", [b"\x01", records.pack(1, 0, b"abc")[:-1], records.HEAD.pack(1, 0, 0, (1 << 53) + 1)])
def test_plain_segments_that_are_refused(plain: bytes) -> None:
    with pytest.raises(RecordingFormatError):
        list(records.unpack(plain))


EVENTS = [
    events.Joined(participant="PA_1", role="agent", name="王"),
    events.Left(participant="PA_1"),
    events.Speaking(participants=("PA_1",)),
    events.Chat(participant="PA_1", text="你好"),
    events.File(participant="PA_1", name="a.pdf", size=3, sha256="00"),
    events.Checkpoint(participant="PA_1", key="risk"),
    events.Consent(participant="PA_1", scope="recording", given=False),
    events.Layout(mode="screen", stage=("PA_1", "screen")),
    events.Checkpoint(participant="PA_1", key="risk", done=False, note="again"),
    events.Screen(participant="PA_1", on=True),
    events.Paused(by="PA_1"),
    events.Resumed(),
]


@pytest.mark.parametrize("event", EVENTS)
def test_events(event: events.Event) -> None:
    assert events.decode(events.encode(event)) == event


def test_events_of_a_later_version_are_skipped() -> None:
    assert events.decode(b'{"type":"telepathy","participant":"PA_1"}') is None
    assert events.decode(b'{"type":"left","participant":"PA_1","mood":"good"}') == events.Left(participant="PA_1")
    for bad in (
        b"",
        b"{}",
        b"[]",
        b'{"type":"left"}',
        b'{"type":"left","participant":3}',
        b'{"type":"left","participant":"\xff"}',
        b"[" * 100_000,
    ):
        with pytest.raises(RecordingFormatError, match="bad_event"):
            events.decode(bad)
    with pytest.raises(RecordingFormatError, match="event_too_large"):
        events.encode(events.Chat(participant="PA_1", text="x" * 70_000))


ENTRY = manifest.PartEntry(
    file="TR_1.0000.track", track="TR_1", part=0, participant="PA_1", source="camera", kind="video", size=9, whole_bytes=9,
    segments=1, records=1, first_us=0, last_us=1, head="00", sha256="00", closed=True,
)  # fmt: skip
MANIFEST = manifest.Manifest(recording="RE_1", ending="complete", started_wall_us=1, ended_wall_us=2, parts=(ENTRY,))


def test_manifests() -> None:
    raw = manifest.encode(MANIFEST, DATA_KEY)
    assert manifest.decode(raw, DATA_KEY, "RE_1") == MANIFEST
    for offset in range(len(raw)):
        changed = bytearray(raw)
        changed[offset] ^= 1 << offset % 8
        with pytest.raises(RecordingFormatError, match="manifest_changed"):
            manifest.decode(bytes(changed), DATA_KEY, "RE_1")
        with pytest.raises(RecordingFormatError, match="manifest_changed"):
            manifest.decode(raw[:offset], DATA_KEY, "RE_1")
    for key, recording in ((bytes(32), "RE_1"), (DATA_KEY, "RE_2")):
        with pytest.raises(RecordingFormatError, match="manifest_changed"):
            manifest.decode(raw, key, recording)
    many = manifest.Manifest(
        recording="RE_1", ending="complete", started_wall_us=1, ended_wall_us=2, parts=(ENTRY,) * (manifest.MAX_PARTS + 1)
    )
    with pytest.raises(RecordingFormatError, match="manifest_too_large"):
        manifest.encode(many, DATA_KEY)


INFO = wire.TrackInfo(
    track="TR_1", participant="PA_1", source="camera", kind="video", codec="VP8", clock_rate=90000, zero_wall_us=1, zero_mono_us=2
)  # fmt: skip


@given(
    st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(1, 255), st.integers(0, 1 << 53), st.binary(max_size=50))), st.data()
)
def test_frames_however_the_stream_is_cut(frames: list[tuple[int, int, int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(wire.frame(*each) for each in frames)
    reader = wire.FrameReader()
    found = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == [(track, kind, records.pack(kind, time, payload)) for track, kind, time, payload in frames]
    assert reader.consumed == sum(14 + len(each[3]) for each in frames)


def test_frames_that_are_refused() -> None:
    for bad in (wire.FRAME.pack(0, 0, 0, 0, 0), wire.FRAME.pack(0, 1, 0, 0, 1 << 60)):
        with pytest.raises(RecordingFormatError, match="bad_frame"):
            wire.FrameReader().feed(bad)
    for fields in ((1 << 16, 1, 0), (0, 1, -1), (0, 1, 0, bytes(70_000))):
        with pytest.raises(RecordingFormatError, match="bad_frame"):
            wire.frame(*fields)  # type: ignore[arg-type]


def test_what_a_worker_says_first() -> None:
    hello = wire.own(0, wire.Own.HELLO, wire.Hello(version=wire.VERSION, worker="w"))
    assert wire.read_hello(hello[14:]) == wire.Hello(version=wire.VERSION, worker="w")
    opened = wire.Open(recording="RE_1", info=INFO)
    assert wire.read_open(wire.own(3, wire.Own.OPEN, opened)[14:]) == opened
    for bad in (
        b"",
        b"{}",
        b'{"version":2,"worker":"w"}',
        b'{"version":1,"worker":"\xff"}',
        b'{"version":1,"worker":"w","x":1}',
    ):
        with pytest.raises(RecordingFormatError, match="bad_frame"):
            wire.read_hello(bad)


def test_control_messages() -> None:
    command = messages.AddEvent(3, "RE_1", b"{}")
    assert messages.decode_command(control.encode(command)[4:]) == command
    reply = messages.Ended(3, "RE_1", "complete", 1, 2)
    assert messages.decode_from_recorder(control.encode(reply)[4:]) == reply
    for bad in (b"", b"\xc1", control.encode(reply)[4:]):
        with pytest.raises(ControlError, match="bad_message"):
            messages.decode_command(bad)
    with pytest.raises(ControlError, match="bad_message"):
        messages.decode_from_recorder(control.encode(command)[4:])
    with pytest.raises(ControlError, match="frame_too_large"):
        control.encode(messages.AddEvent(1, "RE_1", bytes(control.MAX_FRAME_BYTES)))


@pytest.mark.parametrize(
    "change", [{"flush_s": 0}, {"sync_s": 61}, {"heartbeat_interval_s": 0}, {"max_pending_bytes": 5}, {"max_recordings": 0}]
)
def test_configurations_that_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        messages.Configure(folder="f", socket="s", **change)  # type: ignore[arg-type]


def test_a_manifest_with_the_right_seal_and_the_wrong_words() -> None:
    for body in (b"{}", b"\xff", msgspec.json.encode(msgspec.structs.replace(MANIFEST, recording="RE_2"))):
        opening = manifest.MAGIC + struct.pack("!I", len(body)) + body
        raw = opening + hmac.digest(derive(DATA_KEY, "manifest", "RE_1"), opening, "sha256")
        with pytest.raises(RecordingFormatError, match="manifest_changed"):
            manifest.decode(raw, DATA_KEY, "RE_1")

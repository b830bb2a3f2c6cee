"""The control stream: every message survives it however the bytes are cut, and nothing else gets through."""

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import control
from media.errors import ControlError

COMMANDS = [
    control.Configure(bind=("127.0.0.1",), port=5000, announced=("203.0.113.1",)),
    control.Connect(1, "SE_1", "PA_1", "v=0"),
    control.SetGates(2, "SE_1", "PA_1", ("camera",)),
    control.SetGates(11, "SE_1", "PA_1", ("microphone",), "hold:PA_1", ("PA_2",)),
    control.SetRecording(
        21, "SE_1", "RE_1", 5, (control.Recorded("PA_1", ("camera",)), control.Recorded("PA_2", ())), "paused"
    ),
    control.SetReceive(9, "SE_1", "PA_1", 2),
    control.SetReceive(10, "SE_1", "PA_1", 2, (control.SlotSize("3", 360),)),
    control.Disconnect(3, "SE_1", "PA_1"),
    control.CloseRoom(4, "SE_1"),
    control.Stats(5, None),
    control.Stats(6, "SE_1"),
]
ANSWERS = [
    control.Connected(1, "v=0"),
    control.Done(2),
    control.StatsReport(3, {"peers": 2, "rooms": ["a"]}),
    control.Failed(4, "not_sdp", "no"),
    control.Ready((("127.0.0.1", 5000), ("::1", 5001))),
    control.Heartbeat(0.5, 1, 2),
    control.Slots("SE_1", "PA_1", (control.SlotState("3", "PA_2", "camera"), control.SlotState("4"))),
    control.Speaking("SE_1", ("PA_1",)),
    control.PeerState("SE_1", "PA_1", "connected"),
    control.TrackFlow("SE_1", "PA_1", "camera", True),
    control.Encodings("SE_1", "PA_1", "camera", ("q", "h")),
    control.Network("SE_1", "PA_1", 300_000, None, 10, "bandwidth", 1),
]


@given(st.lists(st.sampled_from(COMMANDS), max_size=5), st.lists(st.integers(0, 400), max_size=8))
def test_commands_survive_any_cut(commands: list[control.Command], cuts: list[int]) -> None:
    stream = b"".join(map(control.encode, commands))
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    reader = control.FrameReader()
    frames = [frame for a, b in itertools.pairwise(edges) for frame in reader.feed(stream[a:b])]
    assert [control.decode_command(frame) for frame in frames] == commands


@pytest.mark.parametrize("message", ANSWERS, ids=lambda message: type(message).__name__)
def test_worker_messages(message: control.WorkerMessage) -> None:
    (frame,) = control.FrameReader().feed(control.encode(message))
    assert control.decode_worker_message(frame) == message


def test_frames_that_are_too_large() -> None:
    with pytest.raises(ControlError, match="frame_too_large"):
        control.encode(control.Connect(1, "r", "p", "x" * control.MAX_FRAME_BYTES))
    with pytest.raises(ControlError, match="frame_too_large"):
        control.FrameReader().feed(b"\x7f\xff\xff\xff")
    assert control.FrameReader(max_frame_bytes=3).feed(b"\0\0\0\3abc") == [b"abc"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x91" * 3000,
        msgspec.msgpack.encode({"type": "Nothing"}),
        msgspec.msgpack.encode({"type": "Disconnect", "request": 1, "room": "r", "participant": "no"}).replace(
            b"no", b"\xff\xfe"
        ),
        msgspec.msgpack.encode({"type": "Done", "request": 1}).replace(b"request", b"\xff\xfe\xfdrest"[:7]),
        msgspec.msgpack.encode({"type": "Connect", "request": 1}),
        msgspec.msgpack.encode({"type": "Connect", "request": "1", "room": "r", "participant": "p", "offer": "o"}),
        msgspec.msgpack.encode({"type": "Done", "request": 1, "more": 1}),
        msgspec.msgpack.encode({"type": "PeerState", "room": "r", "participant": "p", "state": "happy"}),
    ],
)
def test_what_is_not_a_message(body: bytes) -> None:
    with pytest.raises(ControlError, match="bad_message"):
        control.decode_command(body)
    with pytest.raises(ControlError, match="bad_message"):
        control.decode_worker_message(body)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"bind": ("0.0.0.0",)}, "announced"),
        ({"bind": ("127.0.0.1", "::")}, "announced"),
        ({"bind": ()}, "listen"),
        ({"bind": ("localhost",)}, "localhost"),
        ({"announced": ("0.0.0.0",)}, "announced"),
        ({"announced": ("::",)}, "announced"),
        ({"announced": ("224.0.0.1",)}, "announced"),
        ({"announced": ("bank.example",)}, "bank.example"),
        ({"port": 65536}, "port"),
        ({"port": -1}, "port"),
        ({"heartbeat_interval_s": 0.0}, "heartbeat"),
        ({"max_peers": 0}, "connection"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        control.Configure(**settings)  # type: ignore[arg-type]
    sent = msgspec.msgpack.encode({"type": "Configure", **settings})
    with pytest.raises(ControlError, match="bad_message"):
        control.decode_command(sent)


def test_a_wildcard_is_fine_where_something_else_is_announced() -> None:
    assert control.Configure(bind=("0.0.0.0", "::"), announced=("203.0.113.1", "2001:db8::1")).bind == ("0.0.0.0", "::")

"""The connection's state machine: every cell of its table, numbering, acknowledgement, resuming, deadlines, bounds."""

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from server.domain.ids import ConnectionId
from server.signalling.messages import MAX_FRAME_BYTES, CloseCode, Leave, MediaLost, QueuePosition, Resume
from server.signalling.protocol import (
    TABLE,
    FrameRefused,
    Greeted,
    IllegalInput,
    Incoming,
    Input,
    Limits,
    Refused,
    SignallingProtocol,
    State,
    read_body,
    read_frame,
)
from server.signalling.rates import TokenBucket

HELLO = '{"t":"hello","version":1,"token":"x"}'
LEAVE = '{"type":"leave"}'
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
ID = ConnectionId("CN_A")


def msg(seq: int, ack: int = 0, body: str = LEAVE) -> str:
    return f'{{"t":"msg","seq":{seq},"ack":{ack},"body":{body}}}'


def opened(now: float = 0.0, limits: Limits | None = None) -> SignallingProtocol:
    protocol = SignallingProtocol(now, limits)
    assert isinstance(protocol.receive(HELLO, now), Greeted)
    protocol.accept(connection=ID, key="k1", server_time=WHEN, snapshot=None, now=now)
    protocol.take_output(now)
    return protocol


def frames(protocol: SignallingProtocol, now: float = 0.0) -> list[dict[str, object]]:
    return [json.loads(frame) for frame in protocol.take_output(now)]


def at(state: State) -> SignallingProtocol:
    if state is State.AWAIT_HELLO:
        return SignallingProtocol(0.0)
    protocol = opened()
    if state is State.CUT:
        protocol.lose(0.0)
    if state is State.CLOSED:
        protocol.close(CloseCode.LEFT, "", 0.0)
        protocol.take_output(0.0)
    return protocol


# ---------------------------------------------------------------- the table


@pytest.mark.parametrize(("state", "input"), list(itertools.product(State, Input)))
def test_every_cell(state: State, input: Input) -> None:
    protocol = at(state)
    if state is State.AWAIT_HELLO and input is Input.ACCEPT:
        protocol.receive(HELLO, 0.0)
    resume = Resume(key="k1", ack=0)
    wanted = TABLE.get((state, input))
    if input is Input.ACCEPT and wanted is None:
        with pytest.raises(IllegalInput):
            protocol.accept(connection=ID, key="k", server_time=WHEN, snapshot=None, now=0.0)
        wanted = state
    elif input is Input.ACCEPT:
        protocol.accept(connection=ID, key="k", server_time=WHEN, snapshot=None, now=0.0)
    elif input is Input.RESUME:
        done = protocol.resume(resume, connection=ID, key="k2", server_time=WHEN, now=0.0)
        assert done is (wanted is not None)
        wanted = wanted if wanted is not None else state
    elif input is Input.LOSE:
        protocol.lose(0.0)
    else:
        protocol.close(CloseCode.INTERNAL, "", 0.0)
    assert protocol.state is wanted
    if protocol.state is State.CLOSED:
        assert protocol.closed is not None


FRAMES = {
    "hello": HELLO,
    "msg": msg(1),
    "ack": '{"t":"ack","ack":0}',
    "ping": '{"t":"ping","n":7}',
    "unknown": '{"t":"x"}',
    "not json": "[",
    "binary": b"{}",
}


@pytest.mark.parametrize(("state", "frame"), list(itertools.product(State, FRAMES)))
def test_every_frame_in_every_state(state: State, frame: str) -> None:
    protocol = at(state)
    event = protocol.receive(FRAMES[frame], 0.0)
    if state in (State.CUT, State.CLOSED):
        assert event is None
        assert protocol.state is state
    elif state is State.AWAIT_HELLO:
        assert isinstance(event, Greeted) is (frame == "hello")
        assert protocol.closed == (None if frame == "hello" else protocol.closed)
        if frame != "hello":
            assert protocol.closed is not None
            assert protocol.closed[0] is CloseCode.BAD_MESSAGE
    elif frame in ("msg", "ack", "ping"):
        assert protocol.state is State.OPEN
        assert (event == Incoming(1, Leave())) is (frame == "msg")
    else:
        assert protocol.closed is not None
        assert protocol.closed[0] is CloseCode.BAD_MESSAGE


def test_send_before_hello_is_the_callers_bug() -> None:
    with pytest.raises(IllegalInput):
        SignallingProtocol(0.0).send(MediaLost(), 0.0)


def test_accept_before_hello_is_the_callers_bug() -> None:
    with pytest.raises(IllegalInput):
        SignallingProtocol(0.0).accept(connection=ID, key="k", server_time=WHEN, snapshot=None, now=0.0)


def test_first_reason_to_close_stands() -> None:
    protocol = opened()
    protocol.close(CloseCode.REMOVED, "one", 0.0)
    protocol.close(CloseCode.INTERNAL, "two", 0.0)
    assert protocol.closed == (CloseCode.REMOVED, "one")
    assert frames(protocol) == [{"t": "bye", "code": "removed", "detail": "one", "retry": False}]
    assert frames(protocol) == []
    protocol.send(MediaLost(), 0.0)
    assert not protocol.has_output


# ---------------------------------------------------------------- hello


def test_wrong_version_is_refused() -> None:
    protocol = SignallingProtocol(0.0)
    protocol.receive('{"t":"hello","version":2,"token":"x"}', 0.0)
    assert protocol.closed is not None
    assert protocol.closed[0] is CloseCode.BAD_MESSAGE


def test_second_hello_before_the_answer_is_refused() -> None:
    protocol = SignallingProtocol(0.0)
    protocol.receive(HELLO, 0.0)
    protocol.receive(HELLO, 0.0)
    assert protocol.state is State.CLOSED


def test_large_hello_is_refused_before_it_is_read() -> None:
    protocol = SignallingProtocol(0.0)
    protocol.receive(" " * (Limits().hello_bytes + 1), 0.0)
    assert protocol.closed is not None
    assert protocol.closed[0] is CloseCode.TOO_LARGE


def test_hello_deadline() -> None:
    protocol = SignallingProtocol(10.0)
    assert not protocol.tick(14.9)
    assert protocol.tick(15.0)
    assert protocol.closed is not None
    assert protocol.closed[0] is CloseCode.TIMEOUT
    assert frames(protocol)[0]["retry"] is True


def test_no_hello_deadline_while_the_server_answers_it() -> None:
    protocol = SignallingProtocol(0.0)
    protocol.receive(HELLO, 1.0)
    assert not protocol.tick(100.0)
    assert protocol.state is State.AWAIT_HELLO


# ---------------------------------------------------------------- numbers


def test_a_repeat_is_not_delivered_again_and_a_gap_ends_it() -> None:
    protocol = opened()
    assert protocol.receive(msg(1), 0.0) == Incoming(1, Leave())
    assert protocol.receive(msg(1), 0.0) is None
    assert protocol.receive(msg(3), 0.0) is None
    assert protocol.closed == (CloseCode.BAD_MESSAGE, "A message number was left out.")


def test_a_bad_body_costs_one_message() -> None:
    protocol = opened()
    event = protocol.receive(msg(1, body='{"type":"chat.send","client_id":"","text":"a"}'), 0.0)
    assert isinstance(event, Refused)
    assert "client_id" in event.detail
    assert protocol.receive(msg(2), 0.0) == Incoming(2, Leave())


def test_acknowledging_the_future_ends_it() -> None:
    protocol = opened()
    protocol.send(MediaLost(), 0.0)
    protocol.receive('{"t":"ack","ack":2}', 0.0)
    assert protocol.closed is not None
    assert protocol.closed[0] is CloseCode.BAD_MESSAGE


def test_acknowledgement_waits_for_handling_then_for_its_delay() -> None:
    protocol = opened()
    protocol.receive(msg(1), 0.0)
    assert frames(protocol, 5.0) == []
    protocol.handled(1, 5.0)
    assert not protocol.tick(5.05)
    assert frames(protocol, 5.05) == []
    assert protocol.tick(5.1)
    assert frames(protocol, 5.1) == [{"t": "ack", "ack": 1}]
    assert frames(protocol, 9.0) == []


def test_acknowledgement_rides_on_a_message() -> None:
    protocol = opened()
    protocol.receive(msg(1), 0.0)
    protocol.handled(1, 0.0)
    protocol.send(MediaLost(), 0.0)
    assert frames(protocol) == [{"t": "msg", "seq": 1, "ack": 1, "body": {"type": "media.lost"}}]
    assert not protocol.tick(1.0)
    assert frames(protocol, 1.0) == []


def test_handled_twice_or_too_early_is_the_callers_bug() -> None:
    protocol = opened()
    with pytest.raises(IllegalInput):
        protocol.handled(1, 0.0)
    protocol.receive(msg(1), 0.0)
    protocol.handled(1, 0.0)
    with pytest.raises(IllegalInput):
        protocol.handled(1, 0.0)


def test_reading_stops_while_too_much_is_in_hand() -> None:
    protocol = opened(limits=Limits(in_hand=2))
    protocol.receive(msg(1), 0.0)
    assert protocol.ready_for_more
    protocol.receive(msg(2), 0.0)
    assert not protocol.ready_for_more
    protocol.handled(1, 0.0)
    assert protocol.ready_for_more


def test_ping_is_answered_with_the_newest_number() -> None:
    protocol = opened()
    protocol.receive('{"t":"ping","n":1}', 0.0)
    protocol.receive('{"t":"ping","n":2}', 0.0)
    assert protocol.has_output
    assert frames(protocol) == [{"t": "pong", "n": 2}]


def test_output_comes_in_portions() -> None:
    protocol = opened()
    for _ in range(5):
        protocol.send(MediaLost(), 0.0)
    first = protocol.take_output(0.0, max_frames=3)
    assert [json.loads(frame)["seq"] for frame in first] == [1, 2, 3]
    assert protocol.has_output
    assert [frame["seq"] for frame in frames(protocol)] == [4, 5]
    assert not protocol.has_output


# ---------------------------------------------------------------- cut and resume


def test_resume_replays_exactly_the_unacknowledged() -> None:
    protocol = opened()
    for position in (1, 2, 3):
        protocol.send(QueuePosition(position=position, estimated_wait_s=None), 0.0)
    protocol.take_output(0.0)
    protocol.receive('{"t":"ack","ack":1}', 0.0)
    protocol.receive(msg(1, ack=1), 0.0)
    protocol.lose(1.0)
    assert protocol.take_output(1.0) == []
    protocol.send(QueuePosition(position=4, estimated_wait_s=None), 2.0)
    protocol.handled(1, 2.0)
    assert protocol.resume(Resume(key="k1", ack=2), connection=ID, key="k2", server_time=WHEN, now=3.0)
    welcome, *rest = frames(protocol, 3.0)
    assert welcome["t"] == "welcome"
    assert (welcome["resumed"], welcome["ack"], welcome["resume_key"], welcome["snapshot"]) == (True, 1, "k2", None)
    assert [(frame["seq"], frame["ack"]) for frame in rest] == [(3, 1), (4, 1)]


@pytest.mark.parametrize("resume", [Resume(key="other", ack=0), Resume(key="k1", ack=2), Resume(key="\ud7ff", ack=0)])
def test_a_wrong_key_or_number_does_not_resume(resume: Resume) -> None:
    protocol = opened()
    protocol.send(MediaLost(), 0.0)
    protocol.lose(0.0)
    assert not protocol.resume(resume, connection=ID, key="k2", server_time=WHEN, now=0.0)
    assert protocol.state is State.CUT


def test_a_number_that_was_given_up_does_not_resume() -> None:
    protocol = opened()
    protocol.send(MediaLost(), 0.0)
    protocol.receive('{"t":"ack","ack":1}', 0.0)
    assert not protocol.resume(Resume(key="k1", ack=0), connection=ID, key="k2", server_time=WHEN, now=0.0)


def test_the_key_changes_but_the_old_one_holds_until_the_client_is_heard() -> None:
    protocol = opened()
    protocol.lose(0.0)
    assert protocol.resume(Resume(key="k1", ack=0), connection=ID, key="k2", server_time=WHEN, now=0.0)
    protocol.lose(0.0)  # the welcome with k2 never arrived
    assert protocol.resume(Resume(key="k1", ack=0), connection=ID, key="k3", server_time=WHEN, now=0.0)
    protocol.receive('{"t":"ping","n":1}', 0.0)  # now it has: k1 is over
    assert not protocol.knows(Resume(key="k1", ack=0))
    assert not protocol.knows(Resume(key="k2", ack=0))
    assert not protocol.knows(Resume(key="", ack=0))
    assert protocol.knows(Resume(key="k3", ack=0))


def test_kept_for_twenty_seconds() -> None:
    protocol = opened()
    protocol.lose(5.0)
    assert not protocol.tick(24.9)
    assert protocol.tick(25.0)
    assert protocol.closed is not None
    assert protocol.closed[0] is CloseCode.TIMEOUT
    assert not protocol.resume(Resume(key="k1", ack=0), connection=ID, key="k2", server_time=WHEN, now=25.0)


def test_silence_cuts_within_ten_seconds_but_not_while_the_server_works() -> None:
    protocol = opened()
    protocol.receive(msg(1), 1.0)
    assert not protocol.tick(60.0)
    protocol.handled(1, 60.0)
    protocol.take_output(60.2)
    assert not protocol.tick(69.4)
    assert protocol.tick(69.5)
    assert protocol.state is State.CUT
    assert protocol.cut_at == 69.5


# ---------------------------------------------------------------- bounds


def test_too_many_unacknowledged_messages_end_it() -> None:
    protocol = opened(limits=Limits(unacknowledged=3))
    for _ in range(3):
        protocol.send(MediaLost(), 0.0)
    assert protocol.state is State.OPEN
    protocol.send(MediaLost(), 0.0)
    assert [frame["t"] for frame in frames(protocol)] == ["bye"]
    assert protocol.closed is not None
    assert protocol.closed[0] is CloseCode.TOO_SLOW


def test_too_many_unacknowledged_bytes_end_it() -> None:
    protocol = opened(limits=Limits(unacknowledged_bytes=50))
    protocol.send(MediaLost(), 0.0)
    protocol.receive('{"t":"ack","ack":1}', 0.0)
    protocol.send(MediaLost(), 0.0)
    protocol.send(MediaLost(), 0.0)
    assert protocol.state is State.OPEN
    protocol.send(MediaLost(), 0.0)
    assert protocol.state is State.CLOSED


def test_frame_rate() -> None:
    protocol = opened(limits=Limits(frames_per_s=1, frames_burst=3))
    for n in (1, 2):
        protocol.receive(f'{{"t":"ping","n":{n}}}', 0.0)
    assert protocol.state is State.OPEN
    protocol.receive('{"t":"ping","n":3}', 1.0)
    protocol.receive('{"t":"ping","n":4}', 1.0)
    protocol.receive('{"t":"ping","n":5}', 1.0)
    assert protocol.closed == (CloseCode.TOO_MANY, "Too many messages in a short time.")


def test_byte_rate() -> None:
    protocol = opened(limits=Limits(bytes_burst=200, bytes_per_s=1))
    protocol.receive(msg(1, body='"' + "x" * 200 + '"'), 0.0)
    assert protocol.closed is not None
    assert protocol.closed[0] is CloseCode.TOO_MANY


def test_what_waits_is_flushed_before_a_farewell() -> None:
    protocol = opened()
    protocol.send(MediaLost(), 0.0)
    protocol.close(CloseCode.SESSION_ENDED, "", 0.0)
    assert [frame["t"] for frame in frames(protocol)] == ["msg", "bye"]


def test_frames_are_bounded_in_bytes_not_characters() -> None:
    with pytest.raises(FrameRefused) as refused:
        read_frame("é" * (MAX_FRAME_BYTES // 2 + 1), MAX_FRAME_BYTES)
    assert refused.value.code is CloseCode.TOO_LARGE
    with pytest.raises(FrameRefused) as refused:
        read_frame("x" * (MAX_FRAME_BYTES + 1), MAX_FRAME_BYTES)
    assert refused.value.code is CloseCode.TOO_LARGE


@pytest.mark.parametrize(
    "data", ["", "null", "[]", "{}", "\ud800", "[" * 100_000, '{"t":"ack","ack":-1}', '{"t":"ack","ack":0,"x":1}']
)
def test_bad_frames(data: str) -> None:
    with pytest.raises(FrameRefused) as refused:
        read_frame(data, MAX_FRAME_BYTES)
    assert refused.value.code is CloseCode.BAD_MESSAGE


@pytest.mark.parametrize("raw", [b"", b"[" * 50_000, b"\xff", b'{"type":"nope"}', b'{"type":"leave","x":1}', b'"\\ud800"'])
def test_bad_bodies(raw: bytes) -> None:
    assert isinstance(read_body(raw), str)
    assert isinstance(read_body(msgspec.Raw(raw)), str)


def test_limits_are_values() -> None:
    assert replace(Limits(), keep_s=1.0).keep_s == 1.0


# ---------------------------------------------------------------- token bucket


def test_token_bucket() -> None:
    bucket = TokenBucket(2, 4, 0.0)
    assert bucket.take(0.0, 4)
    assert not bucket.take(0.0)
    assert not bucket.take(-1.0)  # a clock that stands still or goes back gives nothing
    assert bucket.take(0.5)
    assert not bucket.take(0.5)
    assert bucket.take(100.0, 4)
    assert not bucket.take(100.0, 4)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (1, 0), (-1, 1)])
def test_token_bucket_needs_positive_bounds(rate: float, burst: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        TokenBucket(rate, burst, 0.0)

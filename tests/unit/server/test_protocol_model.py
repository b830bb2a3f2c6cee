"""The connection against a lossy wire: whatever is cut and whenever, nothing is lost, nothing comes twice, all in order.

A small client in the manner of ``docs/protocol.md`` stands at the other end. Between them are two wires that keep order
and lose everything they carry when they are cut.
"""

import json
from collections import deque
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from server.domain.ids import ConnectionId
from server.signalling.messages import CloseCode, QueuePosition, Resume
from server.signalling.protocol import Greeted, IllegalInput, Incoming, Limits, SignallingProtocol, State

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
ID = ConnectionId("CN_A")


class Client:
    """What a page does: number, keep, acknowledge, drop repeats, resume."""

    def __init__(self) -> None:
        self.sent = 0
        self.kept: deque[tuple[int, str]] = deque()
        self.handled = 0
        self.got: list[int] = []
        self.key = ""
        self.welcomed = True

    def say(self, text: str) -> str:
        self.sent += 1
        self.kept.append((self.sent, text))
        return self.frame(self.sent, text)

    def frame(self, seq: int, text: str) -> str:
        body = {"type": "chat.send", "client_id": text, "text": text}
        return json.dumps({"t": "msg", "seq": seq, "ack": self.handled, "body": body})

    def hear(self, frame: dict[str, Any]) -> list[str]:
        """What to write in answer."""
        if frame["t"] == "welcome":
            self.key = frame["resume_key"]
            self.welcomed = True
            self.confirm(frame["ack"])
            return [self.frame(seq, text) for seq, text in self.kept]
        if frame["t"] in ("msg", "ack"):
            self.confirm(frame["ack"])
        if frame["t"] == "msg" and frame["seq"] > self.handled:
            assert frame["seq"] == self.handled + 1, "the server left a number out"
            self.handled = frame["seq"]
            self.got.append(frame["body"]["position"])
        return []

    def confirm(self, ack: int) -> None:
        while self.kept and self.kept[0][0] <= ack:
            self.kept.popleft()


class LossyWire(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.now = 0.0
        self.client = Client()
        self.server = SignallingProtocol(self.now, Limits(frames_burst=1e6, bytes_burst=1e9))
        self.up: deque[str] = deque()
        self.down: deque[bytes] = deque()
        self.said: list[str] = []  # by the client
        self.heard: list[str] = []  # by the server
        self.told: list[int] = []  # by the server
        self.in_hand: deque[int] = deque()
        self.wired = True
        self.keys = 0
        assert isinstance(self.server.receive('{"t":"hello","version":1,"token":"x"}', 0.0), Greeted)
        self.server.accept(connection=ID, key="k0", server_time=WHEN, snapshot=None, now=0.0)
        self.client.key = "k0"  # the first welcome is taken as read: a page without it says a new hello
        self.server.take_output(0.0)

    @rule()
    def client_says(self) -> None:
        text = str(len(self.said) + 1)
        self.said.append(text)
        frame = self.client.say(text)
        if self.wired and self.client.welcomed:
            self.up.append(frame)

    @rule()
    def server_says(self) -> None:
        number = len(self.told) + 1
        self.told.append(number)
        self.server.send(QueuePosition(position=number, estimated_wait_s=None), self.now)

    @precondition(lambda self: self.wired and self.up)
    @rule()
    def up_arrives(self) -> None:
        event = self.server.receive(self.up.popleft(), self.now)
        if event is not None:
            assert isinstance(event, Incoming)
            self.heard.append(event.body.text)  # type: ignore[union-attr]
            self.in_hand.append(event.seq)

    @precondition(lambda self: self.wired)
    @rule(most=st.integers(1, 5))
    def server_writes(self, most: int) -> None:
        self.down.extend(self.server.take_output(self.now, most))

    @precondition(lambda self: self.wired and self.down)
    @rule()
    def down_arrives(self) -> None:
        self.up.extend(self.client.hear(json.loads(self.down.popleft())))

    @precondition(lambda self: self.in_hand)
    @rule()
    def server_handles(self) -> None:
        self.server.handled(self.in_hand.popleft(), self.now)

    @precondition(lambda self: self.wired)
    @rule()
    def client_acknowledges(self) -> None:
        if self.client.welcomed:
            self.up.append(json.dumps({"t": "ack", "ack": self.client.handled}))

    @precondition(lambda self: self.wired)
    @rule(noticed=st.booleans())
    def cut(self, noticed: bool) -> None:
        """Everything on the wires is lost; the server may not have noticed when the client comes back."""
        self.up.clear()
        self.down.clear()
        self.wired = False
        self.client.welcomed = False
        if noticed:
            self.server.lose(self.now)

    @precondition(lambda self: not self.wired)
    @rule(after_s=st.floats(0, 9))
    def resume(self, after_s: float) -> None:
        self.now += after_s
        self.keys += 1
        resume = Resume(key=self.client.key, ack=self.client.handled)
        assert self.server.resume(resume, connection=ID, key=f"k{self.keys}", server_time=WHEN, now=self.now)
        self.wired = True

    @rule(seconds=st.floats(0, 1))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if self.wired and self.client.welcomed:
            self.up.append('{"t":"ping","n":1}')

    @invariant()
    def in_order_and_once(self) -> None:
        if hasattr(self, "server"):
            assert self.server.state is not State.CLOSED, self.server.closed
            assert self.heard == self.said[: len(self.heard)]
            assert self.client.got == self.told[: len(self.client.got)]

    def teardown(self) -> None:
        """Once the wire holds, everything arrives, and nothing is kept for nothing."""
        if not hasattr(self, "server"):
            return
        if not self.wired:
            self.resume(0.0)
        for _ in range(4):
            self.server_writes(10_000)
            while self.down:
                self.down_arrives()
            while self.up:
                self.up_arrives()
            while self.in_hand:
                self.server_handles()
            self.now += 1.0
            self.client_acknowledges()
        self.server_writes(10_000)
        while self.down:
            self.down_arrives()
        assert self.heard == self.said
        assert self.client.got == self.told
        assert not self.client.kept
        assert self.server.acknowledged == self.server.sent


class IllegalOrders(RuleBasedStateMachine):
    """Any input at any time ends in a documented state and never in anything but a documented error."""

    @initialize()
    def start(self) -> None:
        self.now = 0.0
        self.protocol = SignallingProtocol(0.0)

    @rule(
        frame=st.sampled_from(
            [
                '{"t":"hello","version":1,"token":"x"}',
                '{"t":"ping","n":0}',
                '{"t":"ack","ack":0}',
                '{"t":"ack","ack":3}',
                '{"t":"msg","seq":1,"ack":0,"body":{"type":"leave"}}',
                '{"t":"msg","seq":2,"ack":0,"body":{"type":"leave"}}',
                "}",
            ]
        )
    )
    def receive(self, frame: str) -> None:
        before = self.protocol.state
        event = self.protocol.receive(frame, self.now)
        assert self.protocol.state in (before, State.CLOSED)
        if before in (State.CUT, State.CLOSED):
            assert event is None

    @rule()
    def accept(self) -> None:
        allowed = self.protocol.state is State.AWAIT_HELLO and self.protocol._greeted
        try:
            self.protocol.accept(connection=ID, key="k", server_time=WHEN, snapshot=None, now=self.now)
        except IllegalInput:
            assert not allowed
        else:
            assert allowed

    @rule(key=st.sampled_from(["k", "x"]), ack=st.integers(0, 2))
    def resume(self, key: str, ack: int) -> None:
        alive = self.protocol.state in (State.OPEN, State.CUT)
        done = self.protocol.resume(Resume(key=key, ack=ack), connection=ID, key="k", server_time=WHEN, now=self.now)
        assert not done or (alive and key == "k" and self.protocol.state is State.OPEN)

    @precondition(lambda self: self.protocol.state is not State.AWAIT_HELLO)
    @rule()
    def send(self) -> None:
        self.protocol.send(QueuePosition(position=1, estimated_wait_s=None), self.now)

    @rule()
    def lose(self) -> None:
        self.protocol.lose(self.now)

    @rule(code=st.sampled_from(CloseCode))
    def close(self, code: CloseCode) -> None:
        self.protocol.close(code, "", self.now)
        assert self.protocol.state is State.CLOSED

    @rule(seconds=st.floats(0, 25))
    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.protocol.tick(self.now)

    @rule()
    def write(self) -> None:
        for frame in self.protocol.take_output(self.now):
            json.loads(frame)
        assert not self.protocol.has_output or self.protocol.state is State.CUT

    @invariant()
    def closed_has_a_reason(self) -> None:
        if hasattr(self, "protocol"):
            assert (self.protocol.closed is not None) is (self.protocol.state is State.CLOSED)


TestLossyWire = pytest.mark.campaign(15)(LossyWire.TestCase)
TestLossyWire.settings = settings(stateful_step_count=50)
TestIllegalOrders = pytest.mark.campaign(2)(IllegalOrders.TestCase)
TestIllegalOrders.settings = settings(stateful_step_count=30)

"""Whatever a client sends ends in something that ``docs/protocol.md`` describes (campaign 1, short form)."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.ids import ConnectionId
from server.signalling.messages import MAX_FRAME_BYTES, ClientBody, CloseCode, ErrorCode
from server.signalling.protocol import (
    Event,
    FrameRefused,
    Greeted,
    Incoming,
    Refused,
    SignallingProtocol,
    State,
    read_body,
    read_frame,
)
from tests.support.signalling import House, Page

pytestmark = pytest.mark.campaign(1)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=10
)
words = st.sampled_from(
    [
        "camera",
        "microphone",
        "screen",
        "document",
        "given",
        "refused",
        "withdrawn",
        "zh",
        "en",
        "good",
        "PA_X",
        "ME_X",
        "SE_X",
        "v=0\r\n",
    ]
)
FIELDS = {
    "media.offer": ["sdp"],
    "track.state": ["source", "on"],
    "consent.set": ["scope", "decision", "wording", "language"],
    "chat.send": ["client_id", "text", "file"],
    "chat.read": ["message"],
    "ask": ["participant", "source"],
    "participant.remove": ["participant", "reason"],
    "participant.hold": ["participant", "held"],
    "participant.mute": ["participant", "muted"],
    "supervise": ["mode", "to"],
    "recording.set": ["state"],
    "checkpoint.mark": ["item", "done", "note"],
    "verification.begin": ["case", "participant", "light"],
    "verification.cannot": ["light"],
    "verification.stop": [],
    "verification.agent": ["reason", "wanted"],
    "session.lock": ["locked"],
    "session.waiting_room": ["on"],
    "participant.admit": ["participant", "admitted"],
    "participant.role": ["participant", "role"],
    "handover.offer": ["to", "warm", "note"],
    "handover.cancel": [],
    "handover.complete": [],
    "handover.answer": ["session", "accepted"],
    "session.end": ["reason"],
    "quality.report": ["level", "rtt_ms", "loss_permille", "down_kbps", "up_kbps"],
    "waiting.take": ["session"],
    "cobrowse.attach": ["code"],
    "cobrowse.detach": [],
    "pdf.open": ["pdf"],
    "pdf.close": [],
    "pdf.look": ["pdf", "page", "y"],
    "pdf.mark": ["pdf", "mark", "page", "kind", "points"],
    "pdf.unmark": ["pdf", "mark"],
    "pdf.sign.ask": ["pdf", "page", "x", "y", "width", "height", "of"],
    "pdf.sign.cancel": ["pdf"],
    "pdf.sign": ["pdf", "request", "strokes"],
    "pdf.sign.decline": ["pdf", "request"],
    "nonsense": ["x"],
}


@st.composite
def bodies(draw: st.DrawFn) -> dict[str, Any]:
    """A body that is nearly right: known fields with likely and unlikely values, some missing, some too many."""
    type = draw(st.sampled_from(sorted(FIELDS)))
    values = words | st.integers(0, 2000) | st.booleans() | scalars | trees
    fields = {field: draw(values) for field in FIELDS[type] if draw(st.integers(0, 9))}
    if draw(st.integers(0, 9)) == 0:
        fields[draw(st.text(max_size=5))] = draw(scalars)
    return {"type": type, **fields}


@st.composite
def frames(draw: st.DrawFn) -> str | bytes:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.text(max_size=200))
    if kind == 1:
        return draw(st.binary(max_size=50))
    if kind == 2:
        return json.dumps(draw(trees))
    frame: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"t": "hello", "version": 1, "token": "x"},
                {"t": "ping", "n": 1},
                {"t": "ack", "ack": 0},
                {"t": "msg", "seq": 1, "ack": 0},
                {"t": "msg", "seq": 2, "ack": 0},
            ]
        )
    )
    if frame["t"] == "msg":
        frame = {**frame, "body": draw(bodies() | trees)}
    if kind == 3:
        frame = {**frame, draw(st.sampled_from([*frame, "x"])): draw(trees)}
    text = json.dumps(frame)
    if kind == 4:
        position = draw(st.integers(0, len(text) - 1))
        return text[:position] + draw(st.characters()) + text[position + 1 :]
    return text


@given(frames() | st.text())
def test_the_reader(data: str | bytes) -> None:
    refused: FrameRefused | None = None
    try:
        frame = read_frame(data, MAX_FRAME_BYTES)
        assert frame.__struct_config__.tag in ("hello", "msg", "ack", "ping")
    except FrameRefused as error:
        refused = error
    if refused is not None:
        assert refused.code in (CloseCode.BAD_MESSAGE, CloseCode.TOO_LARGE)
        assert len(refused.detail) < 200


@given(st.binary() | bodies().map(lambda body: json.dumps(body).encode()))
def test_the_body_reader(data: bytes) -> None:
    body = read_body(data)
    assert isinstance(body, str | ClientBody)
    if isinstance(body, str):
        assert 0 < len(body) <= 200


@given(st.lists(frames(), max_size=12))
def test_the_connection(sequence: list[str | bytes]) -> None:
    protocol = SignallingProtocol(0.0)
    expected = 1
    for data in sequence:
        event: Event | None = protocol.receive(data, 0.0)
        if isinstance(event, Greeted):
            protocol.accept(
                connection=ConnectionId("CN_X"),
                key="k",
                server_time=datetime(2026, 1, 1, tzinfo=UTC),
                snapshot=None,
                now=0.0,
            )
        elif isinstance(event, Incoming | Refused):
            assert event.seq == expected
            expected += 1
            protocol.handled(event.seq, 0.0)
    assert (protocol.closed is not None) is (protocol.state is State.CLOSED)
    for frame in protocol.take_output(1.0):
        assert json.loads(frame)["t"] in ("welcome", "msg", "ack", "pong", "bye")


class Raw(Page):
    def write(self, data: str | bytes) -> None:
        event = self.connection.receive(self, data)
        if isinstance(event, Incoming | Refused) and self.connection.owner is not None:
            self.connection.owner.deliver(self.connection, event)


@given(st.lists(bodies() | trees, min_size=1, max_size=8))
def test_a_live_session(sequence: list[Any]) -> None:
    """Every message is either done or answered with a documented error; the other person's connection stands."""

    async def scenario() -> None:
        house = House()
        session = await house.session()
        _, witness = await house.enter(session)
        _, token = await house.place(session)
        page = Raw(house, house.live.new_connection())
        await house.greet(page, token)
        for seq, body in enumerate(sequence, 1):
            page.write(json.dumps({"t": "msg", "seq": seq, "ack": 0, "body": body}))
            await house.live.settle()
        codes = set(page.errors().values())
        assert codes <= {code.value for code in ErrorCode} - {"internal"}
        assert page.bye in (None, "session_ended")  # a customer may end it
        assert witness.bye in (None, "session_ended")
        assert page.connection.protocol.in_hand == 0 or page.bye is not None
        await house.close()

    asyncio.run(scenario())

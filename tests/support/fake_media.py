"""A media plane without packets: keeps what a real one would keep, and lets a test say what happened in it.

Passes the same contract suite as ``media.client.MediaClient`` (``tests/contract/test_media_port.py``). Offers are read by the
real reader, so that a test gets the real refusals.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from media.errors import SdpError
from media.tap import wire
from media.wire.sdp import Fingerprint, Offer, parse_offer
from media.wire.sdp_answer import Candidate, LocalTransport, SlotSsrcs, make_answer
from server.live.ports import (
    MediaEvents,
    MediaRefused,
    MediaUnavailable,
    NetworkState,
    PeerState,
    RecordingState,
    SlotAssignment,
    TapEnded,
    TapRefused,
)

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1 2 3",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuv",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:0",
        "a=sendonly",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=mid:1",
        "a=sendonly",
        "a=rtcp-mux",
        "a=rtpmap:96 VP8/90000",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "a=mid:2",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "a=mid:3",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtpmap:96 VP8/90000",
        "",
    ]
)
"""A small valid offer: microphone, camera, one audio and one video slot (mids 0 to 3)."""


class FakeRecording(NamedTuple):
    """What ``set_recording`` said last of a room."""

    recording: str
    zero_mono_us: int
    whom: Mapping[str, frozenset[str]]
    state: RecordingState


RED = memoryview(b"\xff\x00\x00")


@dataclass(frozen=True, slots=True)
class FakePicture:
    """One red pixel, unless a test says otherwise."""

    index: int
    nonce: bytes
    rtp_time: int = 0
    received_at: float = 0.0
    width: int = 1
    height: int = 1
    pixels: memoryview = RED
    lost: int = 0

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.pixels).digest()


class FakeTap:
    """An open tap: gives the pictures that a test puts into it by ``show``, until there are as many as were asked for."""

    def __init__(self, participant: str, source: str, nonce: bytes, most: int) -> None:
        self.participant, self.source = participant, source
        self.frames = 0
        self.ended = ""
        self._nonce, self._most = nonce, most
        self._pictures: asyncio.Queue[FakePicture | None] = asyncio.Queue()

    def show(self) -> None:
        self._pictures.put_nowait(FakePicture(self._pictures.qsize() + self.frames, self._nonce))

    def end(self, reason: str) -> None:
        self.ended = self.ended or reason
        self._pictures.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[FakePicture]:
        while self.frames < self._most:
            picture = None if self.ended else await self._pictures.get()
            if self.ended or picture is None:
                raise TapEnded(self.ended)
            self.frames += 1
            yield picture


class FakeMedia:
    """Set ``down`` to make every call raise MediaUnavailable.

    ``offers``: (room, participant) → the last offer answered, present while connected. ``gates``: (room, participant) → open
    sources, as last set; ``circles``, ``only``: to whom. ``receive``: the most pictures, as last set. ``replaced``: (room, old, new) of every hand-over. ``taps``: open ones; ``asked_height``: of the last. ``recordings``: by room, as last
    set. ``calls``: every call made, in order, as (name, room, participant or "").
    """

    def __init__(self) -> None:
        self.down = False
        self.offers: dict[tuple[str, str], Offer] = {}
        self.gates: dict[tuple[str, str], frozenset[str]] = {}
        self.circles: dict[tuple[str, str], str] = {}
        self.only: dict[tuple[str, str], frozenset[str] | None] = {}
        self.receive: dict[tuple[str, str], tuple[int, Mapping[str, int]]] = {}
        self.recordings: dict[str, FakeRecording] = {}
        self.replaced: list[tuple[str, str, str]] = []
        self.taps: list[FakeTap] = []
        self.taps_refused = ""
        self.asked_height: int | None = None
        self.calls: list[tuple[str, str, str]] = []
        self._events: MediaEvents | None = None

    # ---- MediaPort

    def listen(self, events: MediaEvents) -> None:
        self._events = events

    async def connect(self, room: str, participant: str, offer_sdp: str) -> str:
        self._called("connect", room, participant)
        try:
            offer = parse_offer(offer_sdp)
            answer = make_answer(offer, _LOCAL, {slot.mid: SlotSsrcs(1_000, 1_001) for slot in offer.slots})
        except SdpError as error:
            raise MediaRefused(error.code, error.detail) from None
        self.offers[room, participant] = offer
        return answer.sdp

    async def set_gates(
        self, room: str, participant: str, open_sources: frozenset[str], circle: str = "", only: frozenset[str] | None = None
    ) -> None:
        self._called("set_gates", room, participant)
        self.gates[room, participant] = open_sources
        self._end_taps(participant, "gate", open_sources)
        self.circles[room, participant] = circle
        self.only[room, participant] = only

    async def set_receive(self, room: str, participant: str, video: int, sizes: Mapping[str, int]) -> None:
        self._called("set_receive", room, participant)
        self.receive[room, participant] = video, sizes

    async def set_recording(
        self, room: str, recording: str, zero_mono_us: int, whom: Mapping[str, frozenset[str]], state: RecordingState
    ) -> None:
        self._called("set_recording", room, "")
        self.recordings[room] = FakeRecording(recording, zero_mono_us, dict(whom), state)

    async def replace(self, room: str, old: str, new: str) -> None:
        self._called("replace", room, new)
        self.replaced.append((room, old, new))

    @asynccontextmanager
    async def open_tap(
        self,
        room: str,
        participant: str,
        source: str,
        *,
        nonce: bytes,
        fps: float,
        frames: int,
        seconds: float,
        height: int | None = None,
    ) -> AsyncIterator[FakeTap]:
        self._called("open_tap", room, participant)
        wire.Start(nonce, fps, frames, seconds, height or 0)
        self.asked_height = height
        if self.taps_refused:
            raise TapRefused(self.taps_refused)
        offer = self.offers.get((room, participant))
        if offer is None or source not in {section.source for section in offer.sections if section.kind == "video"}:
            raise TapRefused("no_such_source")
        if source not in self.gates.get((room, participant), frozenset()):
            raise TapRefused("gate_shut")
        tap = FakeTap(participant, source, nonce, frames)
        self.taps.append(tap)
        try:
            yield tap
        finally:
            self.taps.remove(tap)

    def _end_taps(self, participant: str, reason: str, but: frozenset[str] = frozenset()) -> None:
        for tap in self.taps:
            if tap.participant == participant and tap.source not in but:
                tap.end(reason)

    async def disconnect(self, room: str, participant: str) -> None:
        self._called("disconnect", room, participant)
        self._end_taps(participant, "gone")
        self.offers.pop((room, participant), None)
        self.gates.pop((room, participant), None)
        self.circles.pop((room, participant), None)
        self.only.pop((room, participant), None)
        self.receive.pop((room, participant), None)

    async def close_room(self, room: str) -> None:
        self._called("close_room", room, "")
        self._forget(room)

    async def stats(self, room: str) -> Mapping[str, object]:
        self._called("stats", room, "")
        participants: dict[str, object] = {key[1]: {} for key in self.offers if key[0] == room}
        return {"room": room, "participants": participants} if participants else {}

    # ---- what a test says happened

    def peer(self, room: str, participant: str, state: PeerState) -> None:
        """The connection of a participant changed."""
        self._tell(lambda events: events.on_peer(room, participant, state))

    def track(self, room: str, participant: str, source: str, flowing: bool) -> None:
        """The first packet of a source came in, or none for 2 s."""
        self._tell(lambda events: events.on_track(room, participant, source, flowing))

    def slots(
        self, room: str, participant: str, *shown: tuple[str, str | None, str | None] | tuple[str, str | None, str | None, bool]
    ) -> None:
        """What a subscriber's slots show: (mid, participant, source) each."""
        self._tell(lambda events: events.on_slots(room, participant, [SlotAssignment(*slot) for slot in shown]))

    def encodings(self, room: str, participant: str, source: str, *active: str) -> None:
        """Which encodings of a source somebody needs."""
        self._tell(lambda events: events.on_encodings(room, participant, source, active))

    def network(self, room: str, participant: str, state: NetworkState) -> None:
        """The way to a subscriber."""
        self._tell(lambda events: events.on_network(room, participant, state))

    def speaking(self, room: str, *participants: str) -> None:
        """Who speaks, loudest first."""
        self._tell(lambda events: events.on_speaking(room, participants))

    def lose(self, *rooms: str) -> None:
        """The worker of these rooms died: their connections are gone, the gates are remembered by nobody."""
        self._forget(*rooms)
        self._tell(lambda events: events.on_rooms_lost(rooms))

    def _forget(self, *rooms: str) -> None:
        kept: tuple[dict[tuple[str, str], Any], ...] = (self.offers, self.gates, self.circles, self.only, self.receive)
        for one in kept:
            for key in [key for key in one if key[0] in rooms]:
                del one[key]
        for room in rooms:
            self.recordings.pop(room, None)

    def _called(self, name: str, room: str, participant: str) -> None:
        self.calls.append((name, room, participant))
        if self.down:
            raise MediaUnavailable("no worker")

    def _tell(self, tell: Callable[[MediaEvents], None]) -> None:
        if self._events is None:
            raise AssertionError("nobody listens")
        tell(self._events)


_LOCAL = LocalTransport(
    ufrag="fake",
    pwd="fakefakefakefakefakefa",
    fingerprints=(Fingerprint("sha-256", ":".join(["CD"] * 32)),),
    candidates=(Candidate("127.0.0.1", 9),),
    session_id=1,
)

"""A voice with redundancy through the real worker: to one who reads it and loses packets, and to one who does not know it."""

import re
import struct
import time
from typing import Any

import pytest
from aiortc import RTCCertificate

from media import control
from media.bench.peers import Connection, Section
from media.wire import rtcp
from media.wire.red import read
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds
from tests.support.media_lab import LabWorker, lab_worker, loopback
from tests.unit.media.test_red import built

FRAME = 960
SPEAKER = 77
LOST = 6
"""One of so many packets is lost here, on each way: more than near ones, whose round trip may be known by then, do without."""
DEADLINE_S = 90.0


class Voice(Connection):
    """One who speaks with ``ssrc``, or listens in one slot. ``opus`` and ``red``: payload types, no redundancy without ``red``. ``lost``: one of so many.

    ``got``: what came, by its number: (payload type, payload).
    """

    def __init__(self, *, ssrc: int = 0, opus: int = 111, red: int = 0, lost: int = LOST) -> None:
        super().__init__(RTCCertificate.generateCertificate(), "gcm", True)
        self._lost = lost
        self._ssrc, self.opus, self.red = ssrc, opus, red
        self._reader = RtpReader(ExtensionIds(mid=4))
        self.got: dict[int, tuple[int, bytes]] = {}
        self.said = 0
        self.nacked = 0

    async def offer(self) -> str:
        text = await self.describe([Section("0", self._ssrc)], "actpass")
        text = text.replace("m=video", "m=audio").replace(" 96 97\r\n", f" {self.opus}{f' {self.red}' if self.red else ''}\r\n")
        text = re.sub(r"a=(rtpmap|fmtp|rtcp-fb|ssrc-group|extmap:3)[^\r]*\r\n", "", text)
        text = re.sub(rf"a=ssrc:{self._ssrc + 1} [^\r]*\r\n", "", text)
        codecs = f"a=rtpmap:{self.opus} opus/48000/2\r\na=rtcp-fb:{self.opus} nack\r\n"
        if self.red:
            codecs += f"a=rtpmap:{self.red} red/48000/2\r\na=fmtp:{self.red} {self.opus}/{self.opus}\r\n"
        return text.replace("a=rtcp-rsize\r\n", "a=rtcp-rsize\r\n" + codecs)

    async def join(self, answer: str) -> None:
        assert (f"a=rtpmap:{self.red} red/48000/2" in answer) == (self.red > 0)
        await self.connect(answer)
        self._dtls._handle_rtp_data = self._rtp  # type: ignore[method-assign]

    async def say(self, redundant: bool) -> None:
        """The next packet; every so manieth is lost on its way."""
        number = self.said
        self.said += 1
        if number % self._lost == 3:
            return
        payload, kind = words(number), self.opus
        if redundant:
            payload, kind = built(payload, (FRAME, words(number - 1)), payload_type=self.opus), self.red
        head = struct.pack("!BBHII", 0x80, kind, number & 0xFFFF, FRAME * number & 0xFFFFFFFF, self._ssrc)
        await self._dtls._send_rtp(head + payload)

    async def _rtp(self, data: bytes, arrival_time_ms: int) -> None:
        reader = self._reader
        assert reader.parse(data, len(data))
        came = reader.pt, data[reader.start : reader.end]
        first = self.got.setdefault(reader.seq, came)
        assert first == came, "sent again otherwise than it was"
        if self.red and reader.seq % self._lost == 5:  # as if it had not come
            self.nacked += 1
            await self._dtls._send_rtp(rtcp.build_nack(1, reader.ssrc, [reader.seq]))


def words(number: int) -> bytes:
    return b"word" + struct.pack("!I", number & 0xFFFFFFFF)


@pytest.mark.campaign(16)
async def test_who_loses_packets_gets_redundancy_and_who_does_not_know_it_the_voice_alone() -> None:
    with loopback():
        async with lab_worker(heartbeat_interval_s=0.02) as worker:
            speaker, knows, plain = Voice(ssrc=SPEAKER, opus=109, red=63), Voice(opus=111, red=120), Voice(opus=96)
            everybody = {"one": speaker, "two": knows, "three": plain}
            try:
                for name, person in everybody.items():
                    await worker.gates(name, *(["microphone"] if person is speaker else []))
                    reply = await worker.ask(control.Connect, "room", name, await person.offer())
                    assert isinstance(reply, control.Connected), reply
                    await person.join(reply.answer)
                    await worker.state(name, "connected")
                await speak(worker, speaker, lambda: sum(kind == 120 for kind, _ in knows.got.values()) >= 50)
                stats = await worker.stats()
            finally:
                for person in everybody.values():
                    await person.close()
    told = [event.active for event in worker.events if isinstance(event, control.Encodings)]
    assert told == [("red",)]
    assert {kind for kind, _ in plain.got.values()} == {96}
    heard = {int.from_bytes(payload[4:], "big") for _, payload in plain.got.values()}
    with_redundancy = [read(payload, 111) for kind, payload in knows.got.values() if kind == 120]
    assert all(found is not None and len(found.blocks) == 1 for found in with_redundancy)
    lost = {n for n in range(max(heard) - 30, max(heard)) if n % LOST == 3}
    assert lost <= heard, "had from the redundancy of the next one"
    assert stats["participants"]["one"]["published"]["microphone"][0]["recovered"] >= 3
    assert stats["participants"]["two"]["slots"]["0"]["resent"] > 0


async def speak(worker: LabWorker, speaker: Voice, until: Any) -> None:
    """At the pace of the worker's heartbeats; with redundancy from when that is asked for."""
    start = time.monotonic()
    while not until():
        assert time.monotonic() - start < DEADLINE_S, "nobody got redundancy"
        await worker.event(lambda e: isinstance(e, control.Heartbeat) or None, len(worker.events))
        redundant = any(isinstance(event, control.Encodings) and event.active == ("red",) for event in worker.events)
        while speaker.said * 0.02 < time.monotonic() - start:
            await speaker.say(redundant)

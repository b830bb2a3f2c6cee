"""A call that is recorded: what its people sent, when their subscribers got it, and what of it is in the recorder's files."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from media import control
from media.recording.files import TrackReader, track_records
from media.recording.messages import Begun
from media.recording.records import Kind, Record
from media.recording.store import RecordingStore
from media.wire.rtp import RtpReader
from media.wire.sdp import ExtensionIds
from tests.support.media_lab import LabClient, LabWorker, Wire

SO_TIMESTAMPNS = 35
"""Linux, asm-generic/socket.h; Python's socket module does not name it."""
_TIME = struct.Struct("=qq")


class Packet(NamedTuple):
    """An RTP packet without its extensions. ``at_us``: monotonic, when it left its sender or reached the relay. ``layer``: as recorded."""

    at_us: int
    ssrc: int
    seq: int
    ts: int
    kind: int
    body: bytes
    layer: int = 0

    @property
    def key(self) -> tuple[int, int]:
        return self.ssrc, self.seq

    @property
    def content(self) -> tuple[int, int, int, int, bytes]:
        """All but times and places: what sender and recording must agree about."""
        return self.ssrc, self.seq, self.ts, self.kind, self.body


def read_packet(data: bytes, at_us: int, layer: int = 0) -> Packet:
    reader = RtpReader(ExtensionIds())
    assert reader.parse(data, len(data))
    return Packet(at_us, reader.ssrc, reader.seq, reader.ts, data[1], data[reader.start : reader.end], layer)


def sends(transport: Any) -> list[Packet]:
    """From now on everything that leaves through this transport of aiortc's, before encryption, RTCP left out."""
    sent: list[Packet] = []
    send = transport._send_rtp

    async def noting(data: bytes) -> None:
        if not 192 <= data[1] <= 223:
            sent.append(read_packet(data, int(time.monotonic() * 1e6)))
        await send(data)

    transport._send_rtp = noting
    return sent


def sent_by(client: LabClient) -> list[Packet]:
    return sends(client.pc.getTransceivers()[0].sender.transport)


class Captured(NamedTuple):
    """A datagram of RTP on its way to a subscriber. ``at``: Unix time in seconds, by the kernel."""

    at: float
    ssrc: int
    seq: int
    padding: bool


class Capture(Wire):
    """A wire to a subscriber that keeps what the kernel saw come down it, however busy this process is."""

    def __init__(self, worker: tuple[str, int]) -> None:
        super().__init__(worker)
        self.captured: list[Captured] = []
        self._back.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def _down(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data, (control_message, *_), _, _ = self._back.recvmsg(4096, 64)
            seconds, nanoseconds = _TIME.unpack(control_message[2][:16])
            if 128 <= data[0] <= 191 and not 192 <= data[1] <= 223:
                _, _, seq, _, ssrc = struct.unpack_from("!BBHII", data)
                self.captured.append(Captured(seconds + nanoseconds / 1e9, ssrc, seq, bool(data[0] & 0x20)))
            if self._client is not None:
                self._front.sendto(data, self._client)

    def media(self) -> list[Captured]:
        """Without the padding that probes a path."""
        return [each for each in self.captured if not each.padding]


async def order(
    worker: LabWorker, begun: Begun, whom: Mapping[str, Collection[control.SourceName]], state: str = "on", room: str = "room"
) -> None:
    """As the server says it, and confirmed."""
    told = tuple(control.Recorded(name, tuple(sources)) for name, sources in whom.items())
    reply = await worker.ask(control.SetRecording, room, begun.recording, begun.zero_mono_us, told, state)
    assert isinstance(reply, control.Done), reply


class Recording:
    """What is in the files of one recording that has ended."""

    def __init__(self, store: RecordingStore, begun: Begun) -> None:
        self._begun = begun
        self._key = store.data_key(begun.recording)
        self._parts: dict[str, list[Path]] = {}
        for path in store.parts(begun.recording):
            self._parts.setdefault(path.name.split(".")[0], []).append(path)

    def tracks(self, participant: str, source: str) -> list[str]:
        """Ids, the earliest first."""
        found = [track for track in self._parts if track.startswith(f"{participant}-{source}-")]
        return sorted(found, key=lambda track: int(track.rpartition("-")[2]))

    def header(self, track: str) -> Any:
        with TrackReader(self._parts[track][0], self._key) as reader:
            return reader.header

    def records(self, track: str) -> list[Record]:
        return list(track_records(self._parts[track], self._key))

    def packets(self, participant: str, source: str) -> list[Packet]:
        """Of all tracks of a source, in the order of the files."""
        zero = self._begun.zero_mono_us
        return [
            read_packet(record.payload, zero + record.time_us, record.layer)
            for track in self.tracks(participant, source)
            for record in self.records(track)
            if record.kind == Kind.RTP
        ]

    def kinds(self, track: str) -> list[int]:
        """Of the records that are no packets, nor reports of a clock."""
        return [record.kind for record in self.records(track) if record.kind not in (Kind.RTP, Kind.SENDER_REPORT)]


async def sent_more(sent: list[Packet], count: int) -> None:
    """Until so many more packets have left."""
    stop = len(sent) + count
    async with asyncio.timeout(90):
        while len(sent) < stop:  # noqa: ASYNC110 - aiortc sends in this loop
            await asyncio.sleep(0)

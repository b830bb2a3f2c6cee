"""The decoder process itself: every codec, what cannot be decoded, hostile packets, and what it is not able to do."""

import asyncio
import platform
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from media.tap import client, wire
from media.tap.calls import MACHINES
from media.tap.client import Tap, TapClient, TapConfig
from media.tap.errors import TapClosed, TapLost, TapRefused
from media.tap.outlet import MAX_WAITING, SocketOutlet
from media.tap.wire import Kind, pack
from tests.support.packetise import Encoder

NONCE = bytes(range(16))
SEEDS = 6
HELPER = Path(__file__).resolve().parents[1] / "support" / "confined.py"


class Plane:
    """In the place of the media plane: hands on what a test sends."""

    def __init__(self) -> None:
        self.outlet: SocketOutlet | None = None
        self.seq, self.frames = 10, 0

    def listen_taps(self, ended: Callable[[str, str], None]) -> None:
        self.ended = ended

    async def open_tap(
        self, room: str, participant: str, source: str, tap: str, path: str, max_seconds: float, height: int = 0
    ) -> None:
        self.outlet = SocketOutlet(path)

    async def close_tap(self, room: str, tap: str) -> None:
        if self.outlet is not None:
            self.outlet.close()

    async def send(self, record: bytes) -> None:
        """Wait for room, which a media worker does not."""
        assert self.outlet is not None
        while True:
            if self.outlet.send(record) or not self.outlet.alive:
                return
            await asyncio.sleep(0)

    async def begin(self, codec: str) -> None:
        await self.send(pack(Kind.BEGINS, codec.encode()))

    async def frame(self, payloads: list[bytes]) -> None:
        self.frames += 1
        for i, payload in enumerate(payloads):
            await self.send(
                pack(
                    Kind.PACKET, payload, marker=i == len(payloads) - 1, seq=self.seq & 0xFFFF, ts=self.frames * 6000, stream=1,
                    at_us=self.frames * 66_667,
                )
            )  # fmt: skip
            self.seq += 1

    async def flush(self) -> None:
        """Until the decoder has everything, or is gone."""
        assert self.outlet is not None
        while self.outlet.alive and self.outlet._waiting:
            self.outlet.flush()
            await asyncio.sleep(0)


@asynccontextmanager
async def taps(config: TapConfig | None = None) -> AsyncIterator[tuple[Plane, TapClient]]:
    plane = Plane()
    made = TapClient(plane, config)
    try:
        yield plane, made
    finally:
        await made.close()


async def pictures(tap: Tap) -> list[client.Frame]:
    return [frame async for frame in tap]


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
async def test_every_codec_is_decoded(codec: str) -> None:
    encoder = Encoder(codec, 320, 240)
    async with taps() as (plane, made), made.open("room", "a", "camera", nonce=NONCE, frames=5) as tap:
        await plane.begin(codec)
        for _ in range(5):
            await plane.frame(encoder.next()[2])
        await plane.frame(encoder.next()[2])
        got = await pictures(tap)
        assert [frame.rtp_time for frame in got] == [6000 * (n + 1) for n in range(5)]
        assert {(frame.width, frame.height) for frame in got} == {(320, 240)}
        assert len({frame.sha256 for frame in got}) == 5
        assert all(frame.intact() for frame in got)


async def test_a_hole_costs_pictures_until_the_next_key_frame() -> None:
    encoder = Encoder("vp8", 320, 240, size=200)
    async with taps() as (plane, made), made.open("room", "a", "camera", nonce=NONCE, frames=3) as tap:
        await plane.begin("vp8")
        await plane.frame(encoder.next()[2])
        payloads = encoder.next()[2]
        plane.seq += 1  # lost on the way
        await plane.frame(payloads)
        await plane.frame(encoder.next()[2])
        await plane.frame(encoder.next(key=True)[2])
        await plane.frame(encoder.next()[2])
        got = await pictures(tap)
        assert [frame.rtp_time for frame in got] == [6000, 24_000, 30_000]
        assert got[1].lost >= 1


@pytest.mark.parametrize(("codec", "error"), [("h265", TapRefused), ("", TapRefused)])
async def test_a_codec_that_is_not_known(codec: str, error: type[Exception]) -> None:
    async with taps() as (plane, made), made.open("room", "a", "camera", nonce=NONCE) as tap:
        await plane.begin(codec)
        with pytest.raises(error):
            await pictures(tap)


async def test_nothing_that_can_be_decoded_within_the_time() -> None:
    async with taps() as (plane, made), made.open("room", "a", "camera", nonce=NONCE, seconds=0.5) as tap:
        await plane.begin("vp8")
        await plane.frame([b"\x10\x10" + bytes(400)])
        with pytest.raises(TapClosed) as closed:
            await pictures(tap)
        assert closed.value.code == "no_picture"
        assert tap.counts is not None


async def test_a_picture_of_too_many_pixels_is_not_decoded() -> None:
    encoder = Encoder("vp8", 2560, 1440)
    async with taps() as (plane, made), made.open("room", "a", "camera", nonce=NONCE, seconds=1.0) as tap:
        await plane.begin("vp8")
        await plane.frame(encoder.next()[2])
        with pytest.raises(TapClosed) as closed:
            await pictures(tap)
        assert closed.value.code in ("no_picture", "too_large")


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264"])
async def test_a_picture_that_is_too_wide_is_the_senders_doing(codec: str) -> None:
    """Few pixels and a side that no camera has: what was wrong with it is said, and the decoder is not taken for lost."""
    good, wide = Encoder(codec, 320, 240), Encoder(codec, 8192, 64)
    async with taps() as (plane, made), made.open("room", "a", "camera", nonce=NONCE, seconds=5.0) as tap:
        await plane.begin(codec)
        await plane.frame(good.next(key=True)[2])
        await plane.frame(wide.next(key=True)[2])
        with pytest.raises(TapClosed) as closed:
            await pictures(tap)
        assert closed.value.code == "too_large"


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
async def test_hostile_packets_end_at_most_their_own_decoder(codec: str) -> None:
    chance = random.Random(codec)
    encoder = Encoder(codec, 320, 240, size=400)
    frames = [encoder.next(key=not number % 5)[2] for number in range(20)]
    async with taps() as (plane, made):
        for _ in range(SEEDS):
            async with made.open("room", "a", "camera", nonce=NONCE, frames=15, seconds=5.0) as tap:
                await plane.begin(codec)
                sending = asyncio.create_task(_hostile(plane, frames, chance))
                try:
                    for frame in await pictures(tap):
                        assert frame.intact()
                except (TapLost, TapClosed):
                    pass
                finally:
                    await sending
        async with made.open("room", "a", "camera", nonce=NONCE, frames=1) as tap:  # the next one works
            plane.seq = 10
            await plane.begin(codec)
            clean = Encoder(codec, 320, 240)
            await plane.frame(clean.next()[2])
            await plane.frame(clean.next()[2])
            assert len(await pictures(tap)) == 1


async def _hostile(plane: Plane, frames: list[list[bytes]], chance: random.Random) -> None:
    for payloads in frames:
        spoilt = []
        for payload in payloads:
            data = bytearray(payload)
            for _ in range(chance.choice((0, 0, 1, 3, 20))):
                data[chance.randrange(len(data))] = chance.randrange(256)
            if chance.random() < 0.1:
                del data[chance.randrange(len(data)) :]
            if chance.random() < 0.03:
                continue
            spoilt.append(bytes(data))
        await plane.frame(spoilt)
        if chance.random() < 0.2:
            await plane.send(chance.randbytes(chance.randrange(1, 60)))
    await plane.flush()
    await plane.send(pack(Kind.OVER, b"time"))
    await plane.flush()


# ---- a decoder that was taken over


def script(body: str) -> TapConfig:
    """A process in the place of the decoder. ``stream``: its control socket."""
    text = "\n".join(
        [
            "import socket, sys, time",
            "sys.path.insert(0, '.')",
            "from media import control",
            "from media.tap.wire import *",
            "stream = socket.socket(fileno=int(sys.argv[1]))",
            "say = lambda message: stream.sendall(control.encode(message))",
            "say(Ready(()))",
            "nonce = stream.recv(4096) and bytes(range(16))",
            body,
            "stream.recv(1)",
        ]
    )
    return TapConfig(command=(sys.executable, "-c", text), silence_s=3.0)


@pytest.mark.parametrize(
    "body",
    [
        "stream.sendall(bytes(100))",
        "stream.sendall(b'\\xff' * 8)",
        "say(Ready(()))",
        "say(Picture(1, 0, 0, 1, 1, bytes(32), nonce)); stream.sendall(bytes(3))",
        "say(Picture(0, 0, 0, 1, 1, bytes(32), b'another')); stream.sendall(bytes(3))",
        "say(Picture(0, 0, 0, 4000, 4000, bytes(32), nonce))",
        "say(Picture(0, 0, 0, 2, 200, bytes(32), nonce)); stream.sendall(bytes(1200))",
        "say(Over('anything', 0, 0, 0, 0))",
        "[(say(Picture(n, 0, 0, 1, 1, bytes(32), nonce)), stream.sendall(bytes(3))) for n in range(3)]",
        "pass",
        "sys.exit()",
    ],
)
async def test_what_it_must_not_say_is_not_believed(body: str) -> None:
    async with (
        taps(script(body)) as (_, made),
        made.open("room", "a", "camera", nonce=NONCE, frames=2, height=100) as tap,
    ):
        with pytest.raises(TapLost):
            await pictures(tap)
        with pytest.raises(TapLost):
            await anext(tap)


async def test_a_decoder_that_cannot_be_started_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    config = TapConfig(command=(sys.executable, "-c", "pass"), ready_timeout_s=2.0, backoff_max_s=0.2)
    async with taps(config) as (_, made):
        with pytest.raises(TapRefused):
            async with made.open("room", "a", "camera", nonce=NONCE):
                pass
        assert made.restarts >= 2


PROBED = {
    "prlimit64", "open", "openat", "stat", "newfstatat", "statx", "access", "faccessat", "readlinkat", "getdents64", "fcntl", "ioctl",
    "clone", "clone3", "mmap", "prctl",
}  # fmt: skip
"""What libraries try fails; what nobody but an attacker tries ends the decoder."""


def confined(*words: str) -> TapConfig:
    return TapConfig(command=(sys.executable, str(HELPER), *words), ready_timeout_s=30.0)


@pytest.mark.parametrize("words", [("tries",), ("tries", "root")])
async def test_what_it_is_not_able_to_do(words: tuple[str, ...]) -> None:
    async with taps(confined(*words)) as (_, made), made.open("room", "a", "camera", nonce=NONCE) as tap:
        outcomes = {name: outcome for outcome, _, name in (word.partition(" ") for word in tap.confined) if name}
        limits = {"memory", "environment", "files", "thread limits"}
        assert {name: outcomes[name] for name in limits} == dict.fromkeys(limits, "no")
        if sys.platform == "linux" and platform.machine() in MACHINES:
            assert "calls" in tap.confined
            done = {"files are changed", "others are harmed"}
            calls = outcomes.keys() - limits - done
            assert len(calls) > 50
            assert {name: outcomes[name] for name in calls} == {name: "no" if name in PROBED else "killed" for name in calls}
            assert {outcomes.get(name) for name in done} == {"no"}


@pytest.mark.parametrize("codec", ["vp8", "vp9", "h264", "av1"])
async def test_an_ordinary_user_s_decoder(codec: str) -> None:
    encoder = Encoder(codec, 640, 360)
    async with (
        taps(confined("decodes")) as (plane, made),
        made.open("room", "a", "camera", nonce=NONCE, frames=3, height=180) as tap,
    ):
        if sys.platform == "linux" and platform.machine() in MACHINES:
            assert {"limits", "privileges", "calls"} <= set(tap.confined)
        assert "user" not in tap.confined
        await plane.begin(codec)
        for _ in range(4):
            await plane.frame(encoder.next()[2])
        assert [(frame.width, frame.height, frame.intact()) for frame in await pictures(tap)] == [(320, 180, True)] * 3


# ---- the media worker's end


def test_nobody_listens(tmp_path: Path) -> None:
    for path in (str(tmp_path / "nobody"), "x" * 300):
        with pytest.raises(TapRefused):
            SocketOutlet(path)


def test_an_outlet_keeps_so_much_and_never_waits(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "slow"))
    listener.listen(1)
    outlet = SocketOutlet(str(tmp_path / "slow"))
    reader, _ = listener.accept()
    reader.setblocking(False)
    number = 0
    while outlet.send(pack(Kind.PACKET, bytes(1200), seq=number)):
        number += 1
        assert number < 20_000
    assert number > MAX_WAITING
    got: list[bytes] = []
    while len(got) < number:
        data = reader.recv(4096)
        got.append(data)
        outlet.flush()
    assert [wire.HEADER.unpack_from(data)[2] for data in got] == list(range(number))
    assert outlet.send(pack(Kind.OVER, b"gate"))
    reader.close()
    assert not outlet.send(pack(Kind.PACKET, b"x"))
    assert not outlet.alive
    outlet.close()
    listener.close()

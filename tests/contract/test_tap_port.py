"""What every media plane must do with hand-overs and taps: the fake, and the real one as the server has it. Pictures: ``test_tap.py``."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from server.app import WorkerMedia
from server.live.ports import MediaPort, OpenTap, TapEnded, TapRefused
from tests.support.fake_media import OFFER, FakeMedia
from tests.support.server import config

ROOM, ALICE = "SE_room", "PA_alice"
MEDIA = {"media.workers": 1, "media.bind_addresses": ["127.0.0.1"], "media.udp_port_base": 0}


class Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@pytest.fixture(params=["fake", "real"])
async def port(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MediaPort]:
    if request.param == "fake":
        yield FakeMedia()
        return
    media = WorkerMedia(config(tmp_path, **MEDIA))
    media.listen(Silent())
    await media.start()
    try:
        yield media
    finally:
        await media.close()


def opened(port: MediaPort, source: str = "camera", nonce: bytes = bytes(16)) -> AbstractAsyncContextManager[OpenTap]:
    return port.open_tap(ROOM, ALICE, source, nonce=nonce, fps=10, frames=1, seconds=5)


async def test_nobody_there(port: MediaPort) -> None:
    await port.replace(ROOM, ALICE, "PA_bob")
    with pytest.raises(TapRefused) as refused:
        async with opened(port):
            pass
    assert refused.value.code == "no_such_source"


async def test_a_source_that_is_not_sent_and_a_gate_that_is_shut(port: MediaPort) -> None:
    await port.set_gates(ROOM, ALICE, frozenset({"microphone"}))
    await port.connect(ROOM, ALICE, OFFER)
    await port.replace(ROOM, ALICE, "PA_bob")
    for source, code in (("camera", "gate_shut"), ("screen", "no_such_source"), ("microphone", "no_such_source")):
        with pytest.raises(TapRefused) as refused:
            async with opened(port, source):
                pass
        assert refused.value.code == code


async def test_it_is_open_behind_an_open_gate(port: MediaPort) -> None:
    await port.set_gates(ROOM, ALICE, frozenset({"camera"}))
    await port.connect(ROOM, ALICE, OFFER)
    async with opened(port) as tap:
        assert tap.frames == 0
        tap.end("withdrawn")
        with pytest.raises(TapEnded) as ended:
            [None async for _ in tap]
        assert ended.value.code == "withdrawn"


async def test_bounds(port: MediaPort) -> None:
    with pytest.raises(ValueError, match="nonce"):
        async with opened(port, nonce=b"short"):
            pass

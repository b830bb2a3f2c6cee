"""What monitoring sees of the media workers: the real server with a real worker that dies and comes back."""

import asyncio
import os
import re
import signal
from pathlib import Path

from media.relay.totals import COUNTS
from server.app import WorkerMedia
from tests.support.fake_media import OFFER
from tests.support.server import Here, app, config

DEADLINE_S = 90.0
MEDIA = {"media__workers": 1, "media__bind_addresses": ("127.0.0.1",)}


async def numbers(here: Here) -> dict[str, float]:
    text = (await here.get("//metrics")).raw.decode()
    found = re.findall(r'^tongping_media_worker_(\w+)\{worker="0"\} (\S+)$', text, re.MULTILINE)
    return {name: float(value) for name, value in found}


async def test_workers_are_measured_and_a_lost_one_makes_the_server_not_ready(tmp_path: Path) -> None:
    media = WorkerMedia(config(tmp_path, **MEDIA))
    async with app(tmp_path, media=media, **MEDIA) as here, asyncio.timeout(DEADLINE_S):
        await media.connect("room", "PA_1", OFFER)
        while (seen := await numbers(here)).get("peers") != 1:  # a heartbeat later
            assert seen["ready"] == 1
            assert seen["restarts_total"] == 0
        assert set(seen) >= {"ready", "restarts_total", "lag_seconds", "rooms", "peers", "forwards_total", "cpu_seconds_total"}
        assert set(seen) >= {f"{name}_total" for name in COUNTS}
        assert seen["rooms"] == 1
        assert seen["cpu_seconds_total"] > 0
        assert 0 <= seen["lag_seconds"] < DEADLINE_S
        pid = media._client.supervisor.pid(0)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while (answer := await here.get("//readyz")).status != 503:
            pass
        assert answer.json["media"] is False
        assert (await numbers(here))["ready"] == 0
        while (await here.get("//readyz")).json["media"] is False:
            pass
        while (seen := await numbers(here)).get("peers") != 0:
            pass
        assert seen["restarts_total"] == 1

"""The processes that a server starts, by the environment that the kernel shows of them: no secret of the server stands in any."""

import base64
import sys
from pathlib import Path

import pytest

from media.control import Event
from media.recording.client import RecorderClient, RecorderConfig
from media.supervisor import Supervisor, SupervisorConfig
from tests.scenario.test_recorder import MASTER, Told, store_at

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc/PID/environ")

KEY = base64.b64encode(MASTER).decode()
SECRETS = {
    "TONGPING_SECRET": "canary-secret-" + "x" * 32,
    "TONGPING_RECORDING_KEY": KEY,
    "TONGPING_RECORDING_KEY_FILE": "/canary/file",
    "TONGPING_DATABASE_URL": "postgresql://canary@nowhere/none",
    "OF_THE_BANK": "canary-of-others",
}


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


class Nobody:
    def on_event(self, worker: int, event: Event) -> None: ...
    def on_lost(self, worker: int) -> None: ...


def environ(pid: int | None) -> bytes:
    found = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"PATH=" in found
    return found


def tells_nothing(found: bytes) -> bool:
    return b"TONGPING" not in found and not any(value.encode() in found for value in SECRETS.values())


async def test_a_media_worker() -> None:
    supervisor = Supervisor(SupervisorConfig(), Nobody())
    await supervisor.start()
    try:
        assert tells_nothing(environ(supervisor.pid(0)))
    finally:
        await supervisor.close()


async def test_the_recorder_which_has_its_key_nonetheless(tmp_path: Path) -> None:
    client = RecorderClient(RecorderConfig(folder=tmp_path / "recordings", master_key=KEY), Told())
    await client.start()
    try:
        assert tells_nothing(environ(client.pid))
        await client.start_recording("RC_1")
        await client.end_recording("RC_1")
    finally:
        await client.close()
    store = store_at(tmp_path)
    assert store.manifest("RC_1", store.data_key("RC_1")) is not None

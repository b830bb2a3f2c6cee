"""Logs hold static words and ids; whatever people wrote stays out, also out of tracebacks (campaign 22; of transactions ``test_campaign_22.py``)."""

import errno
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import structlog

from server import telemetry
from server.errors import ConfigError
from tests.support.fake_media import OFFER
from tests.support.log_lines import written
from tests.support.server import Here, app

CANARIES = (
    "Canary Name",
    "canary-reason",
    "canary-reference",
    "canary-context",
    "canary-password",
    "canary-file",
    "canary-text",
)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with written() as out:
        yield out


@pytest.fixture
async def here(tmp_path: Path, log: io.StringIO) -> AsyncIterator[Here]:
    async with app(tmp_path) as here:
        yield here


@pytest.mark.campaign(22)
async def test_canaries_are_in_no_log(here: Here, log: io.StringIO) -> None:
    session = await here.session(
        customer_name="Canary Name", reason="canary-reason", customer_reference="canary-reference", context="canary-context"
    )
    invited = await here.invitation(session, "expert", name="Canary Name")
    secret = invited["link"].rpartition("/")[2]
    await here.get(f"//j/{secret}")
    entry = (await here.post("/invitations/redeem", {"secret": secret, "name": "Canary Name"})).json
    await here.post("/invitations/redeem", {"secret": secret, "name": "Canary Name"})
    await here.post("/login", {"username": "canary-reason", "password": "canary-password"})
    await here.post("/login", {"username": "canary-reason", "password": 5})
    await here.post(
        f"/sessions/{session}/files", data=b"canary-text", headers={"X-File-Name": "canary-file"}, token=entry["token"]
    )
    await here.get("/sessions?customer_reference=canary-reference", token=here.agent)
    async with here.http.ws_connect(here.url + "/api/v1/signal") as socket:
        await socket.send_json({"t": "hello", "version": 1, "token": entry["token"]})
        await socket.receive_json()
        for seq, body in enumerate(
            [{"type": "media.offer", "sdp": OFFER}, {"type": "chat.send", "client_id": "1", "text": "canary-text"}], 1
        ):
            await socket.send_json({"t": "msg", "seq": seq, "ack": 0, "body": body})
            await socket.receive_json()
    await here.post(f"/sessions/{session}/end", {"reason": "canary-reason"}, token=here.agent)
    written = log.getvalue()
    assert '"route": "/j/{secret}"' in written
    forbidden = [
        *CANARIES,
        secret,
        entry["token"],
        here.agent,
        here.key,
        invited["code"],
        "ice-ufrag",
        "abcdefghijklmnopqrstuv",
    ]
    assert [word for word in forbidden if word in written] == []
    assert all(json.loads(line)["event"] for line in written.splitlines())


def test_exceptions_are_logged_without_their_text(log: io.StringIO) -> None:
    try:
        raise ValueError("canary-text")
    except ValueError:
        structlog.get_logger("server").error("it failed", exc_info=True)
        logging.getLogger("server.x").exception("it failed", extra={"session": "SE_1", "token": "canary-text"})
        logging.getLogger("aiohttp.server").exception("failed for %s", "canary-text")
        logging.getLogger("aiohttp.server").error("canary-text")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["it failed", "it failed", "failed for %s", "foreign log entry"]
    assert lines[1]["session"] == "SE_1"
    assert lines[0]["exception"].startswith("builtins.ValueError at test_telemetry.py:")
    assert "canary" not in log.getvalue()


def test_a_forbidden_field_is_withheld(log: io.StringIO) -> None:
    structlog.get_logger("server").info("made", token="canary-text", session="SE_1")
    assert json.loads(log.getvalue())["token"] == "withheld"


class Full(io.StringIO):
    """Of a disk that takes no more, or of a pipe whose reader is gone."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise BrokenPipeError


async def test_a_log_that_nobody_takes_ends_no_request(tmp_path: Path, log: io.StringIO) -> None:
    async with app(tmp_path) as here:
        telemetry.configure("debug", Full())
        session = await here.session()
        assert (await here.get(f"/sessions/{session}", token=here.agent)).status == 200
        assert (await here.get("/sessions/SE_NONE", token=here.agent)).status == 404
        logging.getLogger("server").error("what is wrong")
        telemetry.configure("debug", log)
        logging.getLogger("server").error("there is room again")
    assert "there is room again" in log.getvalue()
    assert "what is wrong" not in log.getvalue()


async def test_an_asset_that_is_there_is_for_debugging_only(tmp_path: Path, log: io.StringIO) -> None:
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "dist" / "assets" / "a.js").write_text("1")
    async with app(tmp_path, static_dir=str(tmp_path / "dist")) as here:
        assert (await here.get("//assets/a.js")).status == 200
        assert (await here.get("//assets/b.js")).status == 404
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    told = [(line["status"], line["level"]) for line in lines if line.get("route") == "/assets/{name}"]
    assert told == [(200, "debug"), (404, "info")]


def test_what_is_held_back_comes_with_the_end_or_with_a_warning_and_not_where_it_is_refused(log: io.StringIO) -> None:
    child = logging.getLogger("media.child")
    with telemetry.held_back("media.child"):
        child.info("process ready")
        assert log.getvalue() == ""
    assert log.getvalue().count("process ready") == 1
    with telemetry.held_back("media.child"):
        child.info("process ready")
        child.error("process lost")
        assert log.getvalue().count("process ready") == 2
        assert log.getvalue().count("process lost") == 1
    with suppress(ConfigError), telemetry.held_back("media.child"):
        child.info("process ready")
        raise ConfigError("refused")
    assert log.getvalue().count("process ready") == 2
    child.info("as ever")
    assert log.getvalue().count("as ever") == 1

"""The network test over REST, and the TURN relay in `/readyz` and `/metrics`."""

import asyncio
from pathlib import Path

import pytest

from server.services.network_tests import AT_ONCE, LAST_S
from tests.support.fake_media import OFFER
from tests.support.server import app
from tests.support.signalling import ManualClock
from tests.support.turn_lab import SECRET, coturn, free_port, needs_coturn

DATA_ONLY = "\r\n".join(
    [
        *OFFER.split("\r\n")[:4],
        "a=group:BUNDLE 0",
        *OFFER.split("\r\n")[5:9],
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "a=mid:0",
        "a=sctp-port:5000",
        "",
    ]
)


async def test_a_network_test_is_answered_and_ended(tmp_path: Path) -> None:
    clock = ManualClock()
    async with app(tmp_path, clock=clock) as here:
        session = await here.session()
        place = await here.place(session)
        path = f"/sessions/{session}/network-tests"
        answer = await here.post(path, {"sdp": DATA_ONLY}, token=place["token"], headers={"Idempotency-Key": "k1"})
        assert answer.status == 201
        assert answer.json["ends_s"] == LAST_S
        assert "m=application" in answer.json["sdp"]
        again = await here.post(path, {"sdp": DATA_ONLY}, token=place["token"], headers={"Idempotency-Key": "k1"})
        assert again.json == answer.json
        ((room, who),) = here.media.offers
        assert who == place["participant"]
        assert room != session
        assert room.startswith("NT_")
        tests = here.server.context.network_tests
        await tests.end_due()
        assert len(tests) == 1
        clock.seconds += LAST_S
        await tests.end_due()
        assert len(tests) == 0
        assert here.media.offers == {}


@pytest.mark.parametrize(("sdp", "status"), [(OFFER, 400), ("v=0", 400), ("", 400), ("x" * 20_001, 400)])
async def test_what_is_no_network_test_is_refused(tmp_path: Path, sdp: str, status: int) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        place = await here.place(session)
        answer = await here.post(f"/sessions/{session}/network-tests", {"sdp": sdp}, token=place["token"])
        assert answer.status == status
        assert here.media.offers == {}
        assert len(here.server.context.network_tests) == 0


async def test_too_many_at_once_and_none_without_a_media_plane(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        token = (await here.place(session))["token"]
        path = f"/sessions/{session}/network-tests"
        statuses = [(await here.post(path, {"sdp": DATA_ONLY}, token=token)).status for _ in range(AT_ONCE + 1)]
        assert statuses == [201] * AT_ONCE + [429]
        here.media.down = True
        other = (await here.place(session))["token"]
        assert (await here.post(path, {"sdp": DATA_ONLY}, token=other)).status == 503


async def test_tests_of_the_same_person_are_throttled(tmp_path: Path) -> None:
    clock = ManualClock()
    async with app(tmp_path, clock=clock) as here:
        session = await here.session()
        token = (await here.place(session))["token"]
        statuses = []
        for _ in range(50):
            answer = await here.post(f"/sessions/{session}/network-tests", {"sdp": "v=0"}, token=token)
            statuses.append(answer.status)
        assert statuses.index(429) == 40


@needs_coturn
async def test_readiness_and_metrics_of_a_relay(tmp_path: Path) -> None:
    async with coturn(tmp_path / "turn") as lab:
        settings = {"turn__host": "127.0.0.1", "turn__port": lab.settings.port, "turn__secret": SECRET}
        async with app(tmp_path, **settings) as here:
            async with asyncio.timeout(60):  # the server tries it as it starts
                while (await here.get("//readyz")).json["turn"] is not True:
                    pass
            metrics = (await here.get("//metrics")).raw
            assert b'tongping_turn_ready{transport="udp"} 1.0' in metrics
            assert b'tongping_turn_ready{transport="tcp"} 1.0' in metrics


async def test_a_relay_that_does_not_answer(tmp_path: Path) -> None:
    settings = {"turn__host": "127.0.0.1", "turn__port": free_port()}
    async with app(tmp_path, **settings) as here:
        ready = await here.get("//readyz")
        assert (ready.status, ready.json["turn"]) == (503, False)
    async with app(tmp_path, turn__required=False, **settings) as here:
        ready = await here.get("//readyz")
        assert ready.json["turn"] is False
        told = {"turn", "verification"}  # what is said, and not asked for
        assert ready.status == (200 if all(value for name, value in ready.json.items() if name not in told) else 503)


async def test_without_a_relay_readiness_is_as_ever(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        assert "turn" not in (await here.get("//readyz")).json
        assert b"tongping_turn_ready{" not in (await here.get("//metrics")).raw

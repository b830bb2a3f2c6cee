"""The relay's counters over the interface: read, translated, and refused."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.api.media import counters
from tests.support.fake_media import OFFER
from tests.support.server import FakePlane, app

TOLD: dict[str, Any] = {
    "room": "SE_1",
    "pointer_relayed": 3,
    "participants": {
        "PA_1": {
            "state": "connected",
            "counts": {"srtp_refused": 2},
            "published": {
                "camera": [
                    {"rid": rid, "ssrc": 7, "packets": packets, "octets": 900, "late": 1, "recovered": 2, "nacked": 3, "keys": 4,
                     "plis": 5, "flowing": True, "open": True, "forwarded": 600, "bitrate_bps": 1_234_567, "height": 360,
                     "jitter_s": 0.0124, "lost": 6, "loss": 0.0156, "temporal_bps": [700_400, 1_234_567]}
                    for rid, packets in (("h", 200), ("f", 300))
                ],
                "screen": [],
            },
            "slots": {
                "4": {"packets": 50, "octets": 4000, "resent": 1, "nacked": 2, "refused": 0, "loss": 0.0125, "rtt_s": 0.0304,
                      "jitter_s": 0.0046, "left_out": 3, "rid": "h", "temporal": 1, "held": False, "height": 360, "participant": "PA_2",
                      "source": "camera"},
                "5": {"packets": 9, "octets": 90, "resent": 0, "nacked": 0, "refused": 0, "loss": 0.0, "rtt_s": None},
                "6": {"packets": 0, "octets": 0, "resent": 0, "nacked": 0, "refused": 0, "loss": 0.0, "rtt_s": None, "held": True},
            },
            "quality": {"estimate_bps": 480_900, "sent_bps": 300_100, "demand_bps": 2, "allocated_bps": 1, "limit": "bandwidth",
                        "rtt_s": 0.0806, "loss": 0.021, "probe_bytes": 5000, "held": 1},
            "key_requests": 9,
        }
    },
}  # fmt: skip


class CountingPlane(FakePlane):
    """Tells what a worker would."""

    async def stats(self, room: str) -> Mapping[str, object]:
        return TOLD if await super().stats(room) else {}


class WhisperingPlane(FakePlane):
    """``ear`` has a slot that shows ``by``."""

    by = ear = ""

    async def stats(self, room: str) -> Mapping[str, object]:
        one = TOLD["participants"]["PA_1"]
        shown = {**one["slots"], "4": {**one["slots"]["4"], "participant": self.by}}
        return {"participants": {self.by: one, self.ear: {**one, "slots": shown}}}


async def test_the_counters_of_a_session(tmp_path: Path) -> None:
    media = CountingPlane()
    async with app(tmp_path, media=media) as here:
        session = await here.session()
        path = f"/sessions/{session}/media"
        assert (await here.get(path, token=here.key)).json == {"participants": []}
        await media.connect(session, "PA_1", OFFER)
        (one,) = (await here.get(path, token=here.agent)).json["participants"]
        assert (one["participant"], one["state"]) == ("PA_1", "connected")
        (camera,) = one["sources"]  # the screen has not sent anything
        layers = camera.pop("layers")
        assert camera == {"source": "camera", "open": True, "flowing": True, "forwarded": 600, "plis": 5}
        assert [layer["packets"] for layer in layers] == [200, 300]
        assert layers[0] == {
            "rid": "h", "packets": 200, "bytes": 900, "lost": 6, "late": 1, "recovered": 2, "nacked": 3, "key_frames": 4,
            "loss_permille": 16, "bitrate_kbps": 1234, "temporal_kbps": [700, 1234], "height": 360, "jitter_ms": 12,
        }  # fmt: skip
        nothing = {
            "participant": None,
            "source": None,
            "packets": 0,
            "bytes": 0,
            "resent": 0,
            "nacked": 0,
            "left_out": 0,
            "loss_permille": 0,
            "rtt_ms": None,
            "jitter_ms": 0,
            "rid": None,
            "height": 0,
            "temporal": None,
            "held": False,
        }
        assert one["slots"] == [
            {"mid": "4", "participant": "PA_2", "source": "camera", "packets": 50, "bytes": 4000, "resent": 1, "nacked": 2,
             "left_out": 3, "loss_permille": 12, "rtt_ms": 30, "jitter_ms": 5, "rid": "h", "height": 360, "temporal": 1,
             "held": False},
            {**nothing, "mid": "5", "packets": 9, "bytes": 90},
            {**nothing, "mid": "6", "held": True},
        ]  # fmt: skip
        assert one["network"] == {
            "estimate_kbps": 480, "sent_kbps": 300, "wanted_kbps": 0, "rtt_ms": 81, "loss_permille": 21, "limit": "bandwidth",
            "probe_bytes": 5000, "held": 1, "key_requests": 9,
        }  # fmt: skip


async def test_customers_may_not_see_it(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = await here.session()
        place = await here.place(session)
        answer = await here.get(f"/sessions/{session}/media", token=place["token"])
        assert (answer.status, answer.code) == (403, "not_allowed")


async def test_a_relay_that_does_not_answer_is_a_problem_and_nothing_more(tmp_path: Path) -> None:
    media = FakePlane()
    async with app(tmp_path, media=media) as here:
        session = await here.session()
        media.down = True
        answer = await here.get(f"/sessions/{session}/media", token=here.agent)
        assert (answer.status, answer.code) == (503, "media_unavailable")
        media.down = False
        assert (await here.get(f"/sessions/{session}/media", token=here.agent)).status == 200


def test_a_worker_of_another_version_is_not_misread() -> None:
    with pytest.raises(msgspec.ValidationError):
        counters({"participants": {"PA_1": {"published": {"camera": [{"rid": ""}]}}}})


async def test_who_is_no_lead_sees_nothing_of_the_media_of_somebody_who_listens(tmp_path: Path) -> None:
    """They might be whispering to somebody else."""
    media = WhisperingPlane()
    async with app(tmp_path, media=media) as here:
        session = await here.session()
        ear, expert = await here.place(session, "expert"), await here.place(session, "expert")
        agent = (await here.post(f"/sessions/{session}/enter", token=here.agent)).json["token"]
        place = (await here.post(f"/sessions/{session}/enter", token=here.supervisor)).json
        media.by, media.ear = place["participant"], ear["participant"]
        await media.connect(session, media.by, OFFER)
        async with here.http.ws_connect(f"{here.url}/api/v1/signal") as socket:
            await socket.send_json({"t": "hello", "version": 1, "token": place["token"], "resume": None})
            assert (await socket.receive_json())["snapshot"]["you"]["listens"] is True
            for token, seen in (
                (expert["token"], False),
                (ear["token"], False),
                (agent, True),
                (place["token"], True),
                (here.agent, True),
                (here.supervisor, True),
                (here.key, True),
            ):
                by, to = (await here.get(f"/sessions/{session}/media", token=token)).json["participants"]
                assert (by["participant"], to["participant"]) == (media.by, media.ear)
                assert [source["source"] for source in by["sources"]] == (["camera"] if seen else [])
                assert [source["source"] for source in to["sources"]] == ["camera"]
                assert [slot["mid"] for slot in to["slots"]] == (["4", "5", "6"] if seen else ["5", "6"])
                assert [slot["mid"] for slot in by["slots"]] == ["4", "5", "6"]

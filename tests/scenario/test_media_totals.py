"""What a worker's heartbeat says of all its connections, against what passed; and that every metric is described."""

import asyncio
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from media import control
from media.relay.totals import NOW, SPREADS
from server.app import WorkerMedia
from tests.support.cobrowsing import site
from tests.support.media_lab import LabClient, lab_worker, loopback, shows
from tests.support.server import app, config

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
MEDIA = {"media__workers": 1, "media__bind_addresses": ("127.0.0.1",)}
DEADLINE_S = 90.0


@pytest.mark.parametrize("native", [True, False])
async def test_the_totals_are_what_passed_also_after_everybody_left(native: bool) -> None:
    one, two = LabClient("one", colour=(120, 90, 200)), LabClient("two", colour=(80, 200, 100))
    with loopback():
        async with lab_worker(native=native, heartbeat_interval_s=0.1) as worker:
            for client in (one, two):
                await worker.gates(client.name, "microphone", "camera")
                await worker.connect(client)
                await worker.event(lambda e: (isinstance(e, control.TrackFlow) and e.source == "camera" and e.flowing) or None)
            for viewer, shown in ((one, two), (two, one)):
                await viewer.frame(await worker.event(shows(viewer.name, shown.name, "camera")))
                await viewer.frame(await worker.event(shows(viewer.name, shown.name, "microphone")))

            def told(event: control.Message) -> control.Totals | None:
                totals = event.totals if isinstance(event, control.Heartbeat) else None
                ready = totals is not None and totals.now["pictures"]["only"] == 2 and any(
                    totals.spreads["leg_up_jitter_seconds"].counts
                )  # fmt: skip
                return totals if ready else None

            totals = await worker.event(told)
            assert sum(totals.now["legs"].values()) == 2
            assert sum(totals.now["room_legs"].values()) == 1
            assert totals.counts["key_frames_in"] >= 2
            assert totals.counts["key_requests_out"] >= 1
            assert totals.spreads["room_participants"].sum >= 2
            for client in (one, two):
                assert isinstance(await worker.ask(control.Disconnect, "room", client.name), control.Done)
            await asyncio.gather(one.close(), two.close())

            def over(event: control.Message) -> control.Heartbeat | None:
                return event if isinstance(event, control.Heartbeat) and event.forwards and not event.peers else None

            last = await worker.event(over)
            assert last.totals is not None
            assert last.totals.counts["packets_out"] == last.forwards
            assert last.totals.counts["packets_in"] >= last.forwards
            assert last.totals.counts["bytes_out"] > 50 * last.forwards
            assert {name: sum(kinds.values()) for name, kinds in last.totals.now.items()} == dict.fromkeys(NOW, 0)


async def test_every_metric_is_described_and_every_description_has_its_metric(tmp_path: Path) -> None:
    media = WorkerMedia(config(tmp_path, **MEDIA))
    async with app(tmp_path, media=media, cobrowse__sites=[site(tmp_path)], **MEDIA) as here, asyncio.timeout(DEADLINE_S):
        text = ""
        while "tongping_media_worker_room_participants_bucket" not in text:  # with the first heartbeat
            text = (await here.get("//metrics")).raw.decode()
    families = {f.name: f for f in text_string_to_metric_families(text) if not f.name.endswith("_created")}
    described = set(re.findall(r"`(tongping_\w+)`", DOCUMENT.read_text(encoding="utf-8")))
    assert described == {name + ("_total" if family.type == "counter" else "") for name, family in families.items()}
    allowed = {"worker", "le", "layer", "level", "limit", "method", "route", "status", "transport"}
    assert {label for family in families.values() for sample in family.samples for label in sample.labels} <= allowed
    for name, (bounds, _) in SPREADS.items():
        family = families[f"tongping_media_worker_{name}"]
        assert family.type == "histogram"
        buckets = [sample for sample in family.samples if sample.name.endswith("_bucket")]
        assert [float(sample.labels["le"]) for sample in buckets] == [*bounds, float("inf")]
        values = [sample.value for sample in buckets]
        assert values == sorted(values)
    assert len([line for line in text.splitlines() if 'worker="0"' in line]) < 200

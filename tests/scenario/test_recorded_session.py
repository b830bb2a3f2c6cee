"""A session that is recorded, with everything real: what lies on the disk is what was agreed to, and verifies, whatever is killed."""

import io
from pathlib import Path
from typing import Any

import av

from media.recording.records import Kind
from tests.support.recorded_server import Site, Visitor, children, kill, site

RED, GREEN = (120, 90, 200), (120, 60, 60)


async def conversation(at: Site) -> tuple[Visitor, Visitor, Visitor]:
    """A customer, an agent and an expert, who hear and see one another."""
    session = await at.here.session()
    customer = Visitor(at.here, await at.here.place(session), colour=RED)
    agent = Visitor(at.here, (await at.here.post(f"/sessions/{session}/enter", token=at.here.agent)).json, colour=GREEN)
    expert = Visitor(at.here, await at.here.place(session, "expert"))
    for one in (customer, agent, expert):
        await one.come()
        for scope in ("microphone", "camera"):
            await one.decide(scope)
    return customer, agent, expert


async def begin(customer: Visitor, agent: Visitor) -> str:
    await agent.say("recording.set", state="on")
    await customer.shows("asking")
    await customer.decide("recording")
    await agent.decide("recording")
    await customer.shows("on")
    id: str = customer.recording["id"]
    return id


def times(at: Site, recording: str, *kinds: int) -> dict[str, list[int]]:
    return {
        name: [record.time_us for record in records if record.kind in kinds] for name, records in at.records(recording).items()
    }


def pictures(data: bytes) -> list[Any]:
    with av.open(io.BytesIO(data)) as container:
        return list(container.decode(video=0))


async def test_what_is_kept_is_what_was_agreed_to(tmp_path: Path) -> None:
    async with site(tmp_path, {}) as at:
        customer, agent, expert = await conversation(at)
        assert (await at.here.get("//readyz")).json["recorder"] is True
        recording = await begin(customer, agent)
        await at.written(150)
        await agent.say("checkpoint.mark", item="risk", done=True, note="read aloud")
        await customer.say("chat.send", client_id="1", text="您好")
        await expert.say("chat.send", client_id="2", text="not agreed to")
        await agent.until(lambda: len(agent.got("chat.message")) == 2)
        await customer.decide("recording", "withdrawn")
        await agent.shows("paused")
        await customer.decide("recording")
        await agent.shows("on")
        await at.written(150)
        await agent.say("recording.set", state="off")
        await customer.shows("off")
        ended = await at.ended(recording)
        assert ended["standing"] == "complete"
        assert {person["participant"] for person in ended["participants"]} == {customer.id, agent.id}
        assert ended["duration_ms"] > 0
        verified = (await at.here.post(f"/recordings/{recording}/verify", token=at.here.supervisor)).json
        assert (verified["intact"], verified["complete"], verified["findings"]) == (True, True, [])
        detail = (await at.here.get(f"/recordings/{recording}", token=at.here.supervisor)).json
        recorded = {(track["participant"], track["source"]) for track in detail["tracks"]}
        assert recorded == {(who.id, source) for who in (customer, agent) for source in ("microphone", "camera")}
        shown = [(event["kind"], event["participant"]) for event in detail["events"]]
        assert ("checkpoint", agent.id) in shown
        assert [event["text"] for event in detail["events"] if event["kind"] == "chat"] == ["您好"]
        assert [event["text"] for event in detail["events"] if event["participant"] == expert.id] == [""]
        assert [kind for kind, _ in shown if kind in ("paused", "resumed")] == ["paused", "resumed"]
        [pause] = detail["pauses"]
        rtp = [time // 1000 for found in times(at, recording, Kind.RTP).values() for time in found]
        assert not [time for time in rtp if pause["from_ms"] < time < pause["to_ms"]]
        assert min(rtp) < pause["from_ms"]
        assert max(rtp) > pause["to_ms"]
        [camera] = [one for one in detail["tracks"] if (one["participant"], one["source"]) == (customer.id, "camera")]
        media = await at.here.get(f"/recordings/{recording}/tracks/{camera['track']}/media", token=at.here.supervisor)
        assert media.headers["Content-Type"] == camera["mime"]
        assert len(pictures(media.raw)) > 5
        for one in (customer, agent, expert):
            await one.go()


async def test_a_recorder_and_a_media_worker_are_killed_in_a_recording(tmp_path: Path) -> None:
    async with site(tmp_path, {}) as at:
        customer, agent, expert = await conversation(at)
        recording = await begin(customer, agent)
        await at.written(100)
        kill("media.recording.process")
        await customer.say("chat.send", client_id="1", text="the call goes on")
        await agent.until(lambda: bool(agent.got("chat.message")))
        await at.written(100)
        assert customer.recording["state"] == "on"
        assert children("media.recording.process")
        kill("media.worker")
        for one in (customer, agent, expert):
            await one.until(lambda one=one: bool(one.got("media.lost")))  # type: ignore[misc]
        for one in (customer, agent):
            await one.connect_anew()
        await at.written(100)
        assert (customer.recording["state"], customer.recording["id"]) == ("on", recording)
        await agent.say("recording.set", state="off")
        ended = await at.ended(recording)
        assert ended["standing"] == "complete"
        verified = (await at.here.post(f"/recordings/{recording}/verify", token=at.here.supervisor)).json
        assert verified["intact"] is True
        detail = (await at.here.get(f"/recordings/{recording}", token=at.here.supervisor)).json
        assert {track["participant"] for track in detail["tracks"]} == {customer.id, agent.id}
        assert "the call goes on" in [event["text"] for event in detail["events"]]
        for one in (customer, agent, expert):
            await one.go()


async def test_a_server_that_is_started_again_closes_the_recording_and_goes_on(tmp_path: Path) -> None:
    passwords: dict[str, str] = {}
    async with site(tmp_path, passwords) as at:
        customer, agent, expert = await conversation(at)
        recording = await begin(customer, agent)
        await at.written(100)
        for one in (customer, agent, expert):
            await one.lab.close()
    for one in (customer, agent, expert):
        await one.go()
    async with site(tmp_path, passwords) as at:
        ended = await at.ended(recording)
        assert ended["standing"] == "interrupted"
        verified = (await at.here.post(f"/recordings/{recording}/verify", token=at.here.supervisor)).json
        assert verified["intact"] is True
        people = []
        for before in (customer, agent):
            place = {"token": before.token, "participant": before.id, "session": {"id": before.session}}
            people.append(Visitor(at.here, place))
            await people[-1].come()
        await people[0].shows("on")
        again = people[0].recording["id"]
        assert again != recording
        await at.written(100)
        await people[1].say("recording.set", state="off")
        assert (await at.ended(again))["standing"] == "complete"
        for one in people:
            await one.go()

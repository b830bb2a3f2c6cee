"""Reviewers and recordings over REST, with real files: played, verified, exported, erased, and refused to everybody else."""

import asyncio
import base64
import hashlib
import io
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import msgspec
import pytest

from media.recording import events
from media.recording.play import timeline
from server.audit.events import AuditAction
from server.domain.ids import RecordingId, SessionId
from server.domain.model import Checkpoint, Recording, RecordingEnding
from server.services.recording_ports import ArchiveError
from server.services.recording_streams import MOST_EACH
from server.services.recordings import MOST_ASKED, MOST_TOLD, THREADS
from tests.support import studio
from tests.support.server import Here, app
from tests.support.studio import Person, arrivals, store_in, tracks_of, write

ID = RecordingId("RE_" + "A" * 26)
LENGTH_S = 3.0


async def closing(here: Here, id: RecordingId = ID, *, open: bool = False) -> RecordingId:
    """A recording with real files of a customer and an agent, and its record."""
    session = SessionId(await here.session())
    place = await here.place(session)
    people = [
        Person(place["participant"], 1.0, 440.0, end=LENGTH_S, shown="Lin"),
        Person("PA_AGENT", 1.0, 700.0, end=LENGTH_S, role="agent", shown="Li"),
    ]
    told = arrivals(
        people,
        (1.0, events.Chat(participant="PA_AGENT", text="您好")),
        (1.5, events.Checkpoint(participant="PA_AGENT", key="risk", label="风险", zh="风险", en="Risk", note="read aloud")),
        (1.6, events.Speaking(participants=("PA_AGENT",))),
        (1.7, events.Screen(participant="PA_AGENT", on=True)),
        (1.8, events.File(participant="PA_AGENT", name="a.png", size=10)),
        (1.9, events.Consent(participant="PA_AGENT", scope="recording", given=True)),
    )
    tracks = [told, *(each for number, person in enumerate(people, 1) for each in tracks_of(person, number))]
    folder = here.server.context.config.data_dir
    await asyncio.to_thread(write, store_in(folder), tracks, id, end=LENGTH_S)
    now = here.server.context.clock.now()
    record = Recording(
        id=id,
        session_id=session,
        started_at=now - timedelta(seconds=10),
        started_by=place["participant"],
        ended_at=None if open else now,
        ending=None if open else RecordingEnding.COMPLETE,
        bytes=1000,
        duration_ms=round(LENGTH_S * 1000),
        participants=(place["participant"],),
        checkpoints=(Checkpoint(item="risk", at=now, by=place["participant"]),),
    )
    async with here.server.context.store.begin() as tx:
        await tx.add_recording(record)
    return id


@asynccontextmanager
async def reviewed(folder: Path, **overrides: object) -> AsyncIterator[Here]:
    key = base64.b64encode(studio.MASTER).decode()
    async with app(folder, recording__key=key, **overrides) as here:
        yield here


def change(here: Here, id: RecordingId) -> str:
    """One bit in the middle of a camera's file; its name."""
    [path] = store_in(here.server.context.config.data_dir).path(id).glob("TR_1c.*.track")
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    return path.name


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".index")}


async def audited(here: Here, action: str) -> list[dict[str, str]]:
    async with here.server.context.store.read() as tx:
        entries = [entry.event for entry in await tx.list_audit(after=0, limit=1000)]
    return [entry.details for entry in entries if entry.action.value == action]


def frames(data: bytes) -> list[tuple[float, Any]]:
    with av.open(io.BytesIO(data)) as container:
        return [(float(frame.time or 0), frame) for frame in container.decode(video=0)]


async def test_what_a_reviewer_sees_of_a_recording(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        page = (await here.get("/recordings", token=here.supervisor)).json
        assert page["next"] is None
        [listed] = page["recordings"]
        assert (listed["id"], listed["standing"], listed["duration_ms"], listed["checkpoints"]) == (
            id,
            "complete",
            3000,
            ["risk"],
        )
        assert [person["role"] for person in listed["participants"]] == ["customer"]
        found = await here.get(f"/recordings?session={listed['session']}", token=here.supervisor)
        assert len(found.json["recordings"]) == 1
        assert (await here.get(f"/recordings?session=SE_{'A' * 26}", token=here.supervisor)).json["recordings"] == []
        assert await audited(here, "recording.read") == []
        answer = await here.get(f"/recordings/{id}", token=here.supervisor)
        assert answer.status == 200
        detail = answer.json
        assert detail["recording"] == listed
        assert abs(detail["duration_ms"] - 3000) < 300
        assert sorted(track["source"] for track in detail["tracks"]) == ["camera", "camera", "microphone", "microphone"]
        assert {party["name"] for party in detail["parties"]} == {"Lin", "Li"}
        shown = {event["kind"]: event for event in detail["events"]}
        assert (shown["chat"]["at_ms"], shown["chat"]["text"]) == (1000, "您好")
        told = shown["checkpoint"]
        assert [told[one] for one in ("item", "text", "zh", "en", "note")] == ["risk", "风险", "风险", "Risk", "read aloud"]
        assert set(shown) == {"joined", "left", "chat", "checkpoint", "screen", "file", "consent"}
        assert detail["speaking"] == [{"at_ms": 1600, "participants": ["PA_AGENT"]}]
        assert detail["damaged"] == []
        assert await audited(here, "recording.read") == [{}]


async def test_a_track_is_played_and_nothing_of_it_lies_on_the_disk(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        before = files(tmp_path)
        media = await here.get(f"/recordings/{id}/tracks/TR_1c/media", token=here.supervisor)
        assert (media.status, media.headers["Content-Type"]) == (200, 'video/webm; codecs="vp8"')
        assert media.headers["Cache-Control"] == "private, no-store"
        whole = frames(media.raw)
        assert len(whole) > 60
        voice = await here.get(f"/recordings/{id}/tracks/TR_2m/media", token=here.supervisor)
        assert voice.headers["Content-Type"] == 'audio/webm; codecs="opus"'
        late = await here.get(f"/recordings/{id}/tracks/TR_1c/media?from_ms=2500", token=here.supervisor)
        assert 0 < len(frames(late.raw)) < len(whole)
        assert int(late.headers["X-Begins-Ms"]) <= 2500
        assert files(tmp_path) == before
        assert await audited(here, "recording.read") == [{}]  # one reading, however many tracks
        await here.get(f"/recordings/{id}", token=here.supervisor)
        await here.get(f"/recordings/{id}/tracks/TR_1m/media", token=here.supervisor)
        assert len(await audited(here, "recording.read")) == 2


async def test_what_cannot_be_played(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        base = f"/recordings/{id}/tracks"
        for path, status in {
            f"{base}/TR_9/media": 404,
            f"{base}/events/media": 404,
            f"{base}/..%2F..%2Fsecrets/media": 404,
            f"{base}/%2Fetc%2Fpasswd/media": 404,
            f"{base}/TR_1c.0.track/media": 404,
            f"{base}/TR_1c/media?from_ms=-1": 400,
            f"{base}/TR_1c/media?from_ms=x": 400,
            f"{base}/TR_1c/media?from_ms={2**40}": 400,
            f"{base}/TR_1c/media?from_ms=999999": 409,
            f"{base}/TR_1c/media?to_ms=1": 400,
            "/recordings/..%2F..%2Fsecrets": 404,
            f"/recordings/RE_{'B' * 26}": 404,
            "/recordings/RE_1": 404,
            f"/recordings/{id}/exports/EX_{'B' * 26}": 404,
            f"/recordings/{id}/exports/..%2F..": 404,
            "/recordings?cursor=nonsense": 400,
            "/recordings?session=nonsense": 400,
            "/recordings?limit=0": 400,
        }.items():
            assert (await here.get(path, token=here.supervisor)).status == status, path
        assert (await here.post(f"/recordings/{id}/exports", {"format": "avi"}, token=here.supervisor)).status == 400


async def test_one_that_is_being_recorded(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here, open=True)
        assert (await here.get("/recordings", token=here.supervisor)).json["recordings"][0]["standing"] == "open"
        for method, path, body in (
            ("GET", "", None),
            ("GET", "/tracks/TR_1c/media", None),
            ("POST", "/verify", {}),
            ("POST", "/exports", {}),
            ("DELETE", "", {"reason": "x"}),
        ):
            answer = await here.call(method, f"/recordings/{id}{path}", body, token=here.supervisor)
            assert (answer.status, answer.code) == (409, "conflict"), path
        assert store_in(here.server.context.config.data_dir).path(id).is_dir()


async def test_who_may_not(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        session = (await here.get("/recordings", token=here.supervisor)).json["recordings"][0]["session"]
        inside = (await here.post(f"/sessions/{session}/enter", token=here.supervisor)).json["token"]
        made = (await here.post("/keys", {"name": "archive", "recordings": True}, token=here.supervisor)).json
        assert made["key"]["recordings"] is True
        for token, status in ((here.agent, 403), (here.key, 403), (inside, 403), ("", 401), (made["secret"], 200)):
            assert (await here.get("/recordings", token=token)).status == status
            assert (await here.get(f"/recordings/{id}", token=token)).status == status
            assert (await here.get(f"/recordings/{id}/tracks/TR_1c/media", token=token)).status == status
        assert len(await audited(here, "recording.read")) == 1


async def test_verifying_names_what_was_changed(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        whole = (await here.post(f"/recordings/{id}/verify", token=here.supervisor)).json
        assert (whole["intact"], whole["complete"], whole["findings"]) == (True, True, [])
        name = change(here, id)
        found = (await here.post(f"/recordings/{id}/verify", token=here.supervisor)).json
        assert found["intact"] is False
        assert {finding["file"] for finding in found["findings"]} == {name}
        assert all(finding["tampering"] for finding in found["findings"])
        assert await audited(here, "recording.verified") == [{"intact": "yes"}, {"intact": "no"}]
        assert (await here.get(f"/recordings/{id}", token=here.supervisor)).status == 200


async def test_erasing_leaves_a_receipt(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        folder = store_in(here.server.context.config.data_dir).path(id)
        manifest = hashlib.sha256((folder / "manifest").read_bytes()).hexdigest()
        for body in ({}, {"reason": ""}, {"reason": "x" * 201}):
            assert (await here.call("DELETE", f"/recordings/{id}", body, token=here.supervisor)).status == 400
        assert folder.is_dir()
        erased = await here.call("DELETE", f"/recordings/{id}", {"reason": "客户要求"}, token=here.supervisor)
        assert erased.status == 204
        assert not folder.exists()
        again = await here.call("DELETE", f"/recordings/{id}", {"reason": "again"}, token=here.supervisor)
        assert again.status == 204
        [receipt] = await audited(here, "recording.erased")
        assert receipt["manifest_sha256"] == manifest
        assert (receipt["why"], int(receipt["files"]) > 5, int(receipt["bytes"]) > 1000) == ("review", True, True)
        [listed] = (await here.get("/recordings", token=here.supervisor)).json["recordings"]
        assert (listed["standing"], listed["erase_reason"]) == ("erased", "客户要求")
        for path in ("", "/tracks/TR_1c/media"):
            assert (await here.get(f"/recordings/{id}{path}", token=here.supervisor)).status == 410
        assert "客户要求" not in str(await audited(here, "recording.erased"))


async def test_erasing_cuts_off_whoever_is_watching(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        stream = await here.server.context.recordings.play(id, "TR_1c", 0, here.supervisor_id)
        assert await anext(stream)
        assert (await here.call("DELETE", f"/recordings/{id}", {"reason": "x"}, token=here.supervisor)).status == 204
        with pytest.raises(ArchiveError):
            await anext(stream)
        stream.close()


class Held:
    """A call of the archive that stays in its thread until it is let go."""

    def __init__(self, here: Here, name: str) -> None:
        archive = here.server.context.recordings._archive
        self._call = getattr(archive, name)
        self._loop = asyncio.get_running_loop()
        self._go = threading.Event()
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        setattr(archive, name, self._held)

    def _held(self, *args: Any) -> Any:
        self._loop.call_soon_threadsafe(self.begun.put_nowait, "begun")
        assert self._go.wait(60)
        return self._call(*args)

    def let_go(self) -> None:
        self._go.set()


async def test_nothing_is_read_or_exported_while_it_is_being_erased(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        exports = here.server.context.recordings.exports
        job = (await here.post(f"/recordings/{id}/exports", {}, token=here.supervisor)).json["id"]
        await exports.settle()
        assert (await here.get(f"/recordings/{id}/exports/{job}/file", token=here.supervisor)).status == 200
        erasing = Held(here, "erase")
        erased = asyncio.create_task(here.call("DELETE", f"/recordings/{id}", {"reason": "x"}, token=here.supervisor))
        await erasing.begun.get()
        for method, path, status in (
            ("GET", "", 409),
            ("GET", "/tracks/TR_1c/media", 409),
            ("POST", "/verify", 409),
            ("POST", "/exports", 409),
            ("GET", f"/exports/{job}/file", 410),
        ):
            body: Any = {} if method == "POST" else None
            answer = await here.call(method, f"/recordings/{id}{path}", body, token=here.supervisor)
            assert answer.status == status, path
        erasing.let_go()
        assert (await erased).status == 204
        await exports.settle()
        assert list((here.server.context.config.data_dir / "exports").iterdir()) == []


async def test_what_was_asked_for_before_it_was_erased_comes_too_late(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        recordings = here.server.context.recordings
        path = f"/recordings/{id}"
        held = [Held(here, name) for name in ("play", "tell", "verify")]
        asked = [
            asyncio.create_task(here.get(f"{path}/tracks/TR_1c/media", token=here.supervisor)),
            asyncio.create_task(here.get(path, token=here.supervisor)),
            asyncio.create_task(here.post(f"{path}/verify", token=here.supervisor)),
        ]
        for one in held:
            await one.begun.get()
        archive: Any = recordings._archive
        opened = asyncio.get_running_loop().run_in_executor(None, held[0]._call, id, "TR_1c", 0)
        playing = await opened  # its files were open before
        held[0]._call = lambda *args: playing
        write_down = recordings._audit

        async def erased_meanwhile(action: AuditAction, id: RecordingId, actor: str, **details: str) -> None:
            await recordings.erase(id, "x", actor)
            await write_down(action, id, actor, **details)

        recordings._audit = erased_meanwhile  # type: ignore[method-assign]
        assert (await here.post(f"{path}/exports", {}, token=here.supervisor)).status == 410
        for one in held:
            one.let_go()
        assert [(await one).status for one in asked] == [410, 410, 410]
        assert recordings._streams.playing == {}
        assert archive._kept == {}
        assert await audited(here, "recording.verified") == []
        assert list((here.server.context.config.data_dir / "exports").iterdir()) == []


async def test_what_is_erased_while_it_is_read_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        archive: Any = here.server.context.recordings._archive
        read = timeline.timeline

        def erased_meanwhile(*args: Any, **options: Any) -> timeline.Timeline:
            found = read(*args, **options)
            archive.erase(id)
            return found

        monkeypatch.setattr(timeline, "timeline", erased_meanwhile)
        await asyncio.to_thread(archive.tell, id)
        assert archive._kept == {}


async def test_erasing_waits_for_no_reader_and_goes_on_without_who_asked(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        recordings = here.server.context.recordings
        go = threading.Event()
        busy = [recordings._pool.submit(go.wait) for _ in range(THREADS)]
        erasing = Held(here, "erase")
        asked = asyncio.create_task(recordings.erase(id, "first", here.supervisor_id))
        try:
            async with asyncio.timeout(60):
                await erasing.begun.get()
        finally:
            go.set()
        asked.cancel()
        await asyncio.wait([asked])
        assert asked.cancelled()
        again = asyncio.create_task(here.call("DELETE", f"/recordings/{id}", {"reason": "second"}, token=here.supervisor))
        erasing.let_go()
        assert (await again).status == 204
        [listed] = (await here.get("/recordings", token=here.supervisor)).json["recordings"]
        assert (listed["standing"], listed["erase_reason"]) == ("erased", "first")
        assert len(await audited(here, "recording.erased")) == 1
        await asyncio.gather(*map(asyncio.wrap_future, busy))


async def test_time_lines_leave_threads_to_those_who_play(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        recordings = here.server.context.recordings
        held = Held(here, "tell")
        asked = [asyncio.create_task(recordings.detail(id, here.supervisor_id)) for _ in range(MOST_ASKED)]
        for _ in range(MOST_TOLD):
            await held.begun.get()
        while recordings._asked < MOST_ASKED:  # noqa: ASYNC110 - nothing to wait for
            await asyncio.sleep(0)
        full = await here.get(f"/recordings/{id}", token=here.supervisor)
        assert (full.status, full.code) == (429, "too_many")
        assert held.begun.empty()
        assert (await here.get(f"/recordings/{id}/tracks/TR_1c/media", token=here.supervisor)).status == 200
        held.let_go()
        assert len(await asyncio.gather(*asked)) == MOST_ASKED
        assert (await here.get(f"/recordings/{id}", token=here.supervisor)).status == 200


async def test_what_is_due_is_erased_and_nothing_else(tmp_path: Path) -> None:
    async with reviewed(tmp_path, recording__retention_days=30) as here:
        old = await closing(here)
        young = await closing(here, RecordingId("RE_" + "B" * 26))
        gone = await closing(here, RecordingId("RE_" + "C" * 26))
        store = store_in(here.server.context.config.data_dir)
        store.erase(gone)  # by hand: the record does not know
        context = here.server.context
        async with context.store.begin() as tx:
            for id, days in ((old, 31), (young, 29), (gone, 40)):
                record = await tx.get_recording(id)
                assert record is not None
                ended = context.clock.now() - timedelta(days=days)
                await tx.save_recording(msgspec.structs.replace(record, ended_at=ended))
        assert await context.recordings.erase_due() == 2
        assert await context.recordings.erase_due() == 0
        assert not (store.folder / old).exists()
        assert (store.folder / young).is_dir()
        receipts = await audited(here, "recording.erased")
        assert [receipt["why"] for receipt in receipts] == ["retention", "retention"]
        assert [receipt["files"] == "0" for receipt in receipts] == [True, False]


async def test_nothing_is_erased_where_recordings_are_kept_for_ever(tmp_path: Path) -> None:
    async with reviewed(tmp_path, recording__retention_days=0) as here:
        id = await closing(here)
        context = here.server.context
        async with context.store.begin() as tx:
            record = await tx.get_recording(id)
            assert record is not None
            await tx.save_recording(msgspec.structs.replace(record, ended_at=context.clock.now() - timedelta(days=20_000)))
        assert await context.recordings.erase_due() == 0


async def test_an_export_is_made_fetched_and_removed(tmp_path: Path) -> None:
    async with reviewed(tmp_path, recording__exports_kept_s=60) as here:
        id = await closing(here)
        exports = here.server.context.recordings.exports
        begun = await here.post(f"/recordings/{id}/exports", {"format": "webm", "language": "en"}, token=here.supervisor)
        assert begun.status == 202
        where = begun.headers["Location"].removeprefix("/api/v1")
        assert (await here.get(f"{where}/file", token=here.supervisor)).status == 409
        await exports.settle()
        job = (await here.get(where, token=here.supervisor)).json
        assert (job["state"], job["progress"], job["fault"], job["problem"]) == ("done", 1.0, None, "")
        film = await here.get(f"{where}/file", token=here.supervisor)
        assert film.headers["Content-Type"] == "video/webm"
        assert hashlib.sha256(film.raw).hexdigest() == job["sha256"] == film.headers["X-Sha256"]
        assert len(film.raw) == job["bytes"]
        assert len(frames(film.raw)) > 30
        with av.open(io.BytesIO(film.raw)) as container:
            assert [each["metadata"]["title"] for each in container.chapters()] == ["Start", "Risk: read aloud"]
        assert await audited(here, "recording.exported") == [{"format": "webm"}]
        assert await audited(here, "recording.read") == [{"export": job["sha256"]}]
        folder = here.server.context.config.data_dir / "exports"
        assert (folder.stat().st_mode & 0o777, len(list(folder.iterdir()))) == (0o700, 1)
        assert (await here.get(f"/recordings/{id}/exports/{job['id']}/file", token=here.agent)).status == 403
        assert (await here.delete(where, token=here.supervisor)).status == 204
        assert list(folder.iterdir()) == []
        assert (await here.get(f"{where}/file", token=here.supervisor)).status == 410
    assert not folder.exists()


async def test_an_export_is_cancelled_and_one_that_fails_says_why(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        exports = here.server.context.recordings.exports
        first, second = [
            (await here.post(f"/recordings/{id}/exports", {"format": "mp4"}, token=here.supervisor)).json["id"]
            for _ in range(2)
        ]
        assert (await here.delete(f"/recordings/{id}/exports/{first}", token=here.supervisor)).status == 204
        change(here, id)
        await exports.settle()
        told = [(await here.get(f"/recordings/{id}/exports/{job}", token=here.supervisor)).json for job in (first, second)]
        assert [job["state"] for job in told] == ["cancelled", "failed"]
        assert [job["fault"] for job in told] == [None, "damaged"]
        assert "not as it was recorded" in told[1]["problem"]
        assert list((here.server.context.config.data_dir / "exports").iterdir()) == []


async def test_erasing_takes_the_exports_with_it(tmp_path: Path) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        where = f"/recordings/{id}/exports"
        jobs = [(await here.post(where, {}, token=here.supervisor)).json["id"] for _ in range(3)]
        assert (await here.call("DELETE", f"/recordings/{id}", {"reason": "x"}, token=here.supervisor)).status == 204
        await here.server.context.recordings.exports.settle()
        states = {(await here.get(f"{where}/{job}", token=here.supervisor)).json["state"] for job in jobs}
        assert states == {"cancelled"}
        assert list((here.server.context.config.data_dir / "exports").iterdir()) == []


@pytest.mark.parametrize("how", ["read", "left"])
async def test_streams_are_bounded_and_given_back(tmp_path: Path, how: str) -> None:
    async with reviewed(tmp_path) as here:
        id = await closing(here)
        recordings = here.server.context.recordings
        held = [await recordings.play(id, "TR_1c", 0, here.supervisor_id) for _ in range(MOST_EACH)]
        full = await here.get(f"/recordings/{id}/tracks/TR_1c/media", token=here.supervisor)
        assert (full.status, full.code) == (429, "too_many")
        for stream in held:
            if how == "read":
                async for _ in stream:
                    pass
            stream.close()
        assert (await here.get(f"/recordings/{id}/tracks/TR_1c/media", token=here.supervisor)).status == 200

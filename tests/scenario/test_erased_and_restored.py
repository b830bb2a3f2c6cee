"""What was under way in a backup, ended later and was erased: a start with that backup ends and erases it again, and does not fail for it."""

import base64
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.app import Server, running
from server.domain.ids import AttemptId, CaseId, SessionId
from server.domain.model import RecordingEnding
from server.store.ports import Store
from server.store.sql import open_store
from server.transactions import case as cases
from server.transactions.decision import AttemptKind
from tests.scenario.test_customers_api import CUSTOMER, NOBODY, on_disk, restored, traces
from tests.scenario.test_recordings_api import ID, closing, store_in
from tests.scenario.test_verifications_api import Bank, settings
from tests.support import studio
from tests.support.bank_place import takes
from tests.support.fake_engine import FakeEngine
from tests.support.server import FakePlane, Here, app, config

KEY = base64.b64encode(studio.MASTER).decode()


def made(tmp_path: Path) -> dict[str, Any]:
    return settings(tmp_path, webhooks__origins=(NOBODY,), recording__key=KEY)


async def stored(tmp_path: Path) -> Store:
    (tmp_path / "data").mkdir(exist_ok=True)
    return await open_store(f"sqlite:///{tmp_path / 'data'}/tongping.db")


async def backed_up(tmp_path: Path, store: Store) -> None:
    await store.scrub()
    shutil.copytree(tmp_path / "data", tmp_path / "backup")


async def erased(here: Here) -> Any:
    asked = {"customer": CUSTOMER, "recordings": True}
    done = await here.post("/customers/erase", asked, token=here.supervisor)
    assert done.status == 200, done.raw
    return done.json


@asynccontextmanager
async def started_again(tmp_path: Path) -> AsyncIterator[tuple[Server, Store]]:
    """With the backup."""
    restored(tmp_path, tmp_path / "data")
    recordings = tmp_path / "backup" / "recordings"
    if recordings.exists():
        shutil.copytree(recordings, tmp_path / "data" / "recordings", dirs_exist_ok=True)
    store = await stored(tmp_path)
    async with running(config(tmp_path, recording__key=KEY), store=store, media=FakePlane(), engine=FakeEngine()) as server:
        yield server, store
    await store.close()


async def audited(store: Store, action: str) -> list[tuple[str, dict[str, str]]]:
    async with store.read() as tx:
        entries = [entry.event for entry in await tx.list_audit(after=0, limit=1000)]
    return [(one.subject, one.details) for one in entries if one.action.value == action]


def evidence(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "data" / "evidence").rglob("*") if path.is_file()]


def rows(tmp_path: Path, query: str) -> list[Any]:
    with sqlite3.connect(tmp_path / "data" / "tongping.db") as base:
        return base.execute(query).fetchall()


async def begun(here: Here, id: str) -> AttemptId:
    """An attempt that runs."""
    now = here.server.context.clock.now()
    attempt = AttemptId(f"AT_{'A' * 26}")
    async with here.server.context.store.begin() as tx:
        found = await tx.get_case(CaseId(id))
        assert found is not None
        await tx.save_case(cases.apply(found, cases.Begin(attempt=attempt, attempt_s=600), now))
        record = cases.Attempt(
            id=attempt, case_id=found.id, number=found.attempts_used + 1, assurance=AttemptKind.IMAGES, started_at=now,
            started_by=found.created_by, until=now + timedelta(seconds=600),
        )  # fmt: skip
        await tx.add_attempt(record)
    return attempt


@pytest.mark.parametrize("was", ["open", "checking", "review"])
async def test_a_case_that_was_under_way_in_the_backup(tmp_path: Path, was: str) -> None:
    store = await stored(tmp_path)
    async with app(tmp_path, store=store, **made(tmp_path)) as here:
        bank = await Bank.of(here)
        if was == "review":
            watched = {"list": "watch", "kind": "customer", "identifier": CUSTOMER, "reason": "look"}
            assert (await here.post("/risk/lists", watched, token=here.supervisor)).status == 201
        id = await bank.ready(customer=CUSTOMER)
        if was == "review":
            assert (await bank.show(id, takes())).json["attempt"]["outcome"] == "refer"
        attempt = await begun(here, id) if was == "checking" else ""
        await backed_up(tmp_path, store)
        assert (await bank.post(f"/{id}/cancel")).status == 200
        counts = (await erased(here))["erased"]
    await store.close()
    async with started_again(tmp_path) as (server, again):
        assert rows(tmp_path, "SELECT state, customer, sealed, reference_sealed FROM verification_cases") == [
            ("cancelled", "", b"", b"")
        ]
        assert evidence(tmp_path) == []
        assert traces(tmp_path / "data") == (0, 0), "what ends this way is nobody's failure"
        [(_, ended)] = [told for told in await audited(again, "verification.ended") if told[0] == id]
        assert (ended["state"], ended["reasons"]) == ("cancelled", "erased")
        broken_off = [
            told["reasons"] for _, told in await audited(again, "verification.attempt_ended") if told["attempt"] == attempt
        ]
        assert broken_off == (["erased"] if was == "checking" else [])
        [(_, told)] = await audited(again, "customer.erased")
        assert (told["why"], told["cases"], told["evidence"]) == ("replayed", "1", str(counts["evidence"]))
        assert {told["why"] for _, told in await audited(again, "evidence.erased")} == {"replayed"}
        assert await server.context.customers.replay() == 0
    assert on_disk(tmp_path / "data") == []


async def test_a_session_that_was_open_in_the_backup(tmp_path: Path) -> None:
    """With somebody in it; one of which nothing but its state is to be seen, too."""
    store = await stored(tmp_path)
    async with app(tmp_path, store=store, **made(tmp_path)) as here:
        session = await here.session(customer_reference=CUSTOMER, reason="asks about the cottage")
        await here.place(session)
        other = await here.session()
        await backed_up(tmp_path, store)
        for one in (session, other):
            assert (
                await here.call("PATCH", f"/sessions/{one}", {"customer_reference": CUSTOMER}, token=here.agent)
            ).status == 200
            assert (await here.post(f"/sessions/{one}/end", {"reason": "done"}, token=here.agent)).status == 200
        assert (await erased(here))["erased"]["sessions"] == 2
    await store.close()
    async with started_again(tmp_path) as (server, again):
        assert (
            rows(tmp_path, "SELECT status, customer_reference, reason, end_reason FROM sessions") == [("ended", "", "", "")] * 2
        )
        assert [told for _, told in await audited(again, "session.ended")] == [{"why": "erased"}] * 2
        assert server.live.stats()["sessions"] == 0
        assert await server.context.customers.replay() == 0
    assert on_disk(tmp_path / "data") == []


@pytest.mark.parametrize("files", ["whole", "broken", "none"])
async def test_a_recording_that_ran_in_the_backup(tmp_path: Path, files: str) -> None:
    store = await stored(tmp_path)
    async with app(tmp_path, store=store, **made(tmp_path)) as here:
        await closing(here, open=True)
        [session] = [SessionId(row[0]) for row in rows(tmp_path, "SELECT id FROM sessions")]
        assert (
            await here.call("PATCH", f"/sessions/{session}", {"customer_reference": CUSTOMER}, token=here.agent)
        ).status == 200
        folder = store_in(tmp_path / "data").path(ID)
        (folder / "manifest").unlink(missing_ok=True)
        await backed_up(tmp_path, store)
        kept = tmp_path / "backup" / "recordings" / ID
        if files == "broken":
            (kept / "key").write_bytes(b"no key")
        if files == "none":
            shutil.rmtree(kept)
        await here.post(f"/sessions/{session}/end", {"reason": "done"}, token=here.agent)
        async with store.begin() as tx:
            record = await tx.get_recording(ID)
            assert record is not None
            ended = here.server.context.clock.now()
            await tx.save_recording(msgspec.structs.replace(record, ended_at=ended, ending=RecordingEnding.COMPLETE))
        assert (await erased(here))["erased"]["recordings"] == 1
        assert not folder.exists()
    await store.close()
    async with started_again(tmp_path) as (server, again):
        async with again.read() as tx:
            now_is = await tx.get_recording(ID)
        assert now_is is not None
        assert (now_is.erased_at is not None, now_is.ended_at is not None) == (True, True)
        assert not folder.exists()
        whole = files == "whole"
        assert (now_is.ending, now_is.duration_ms > 0) == (
            RecordingEnding.INTERRUPTED if whole else RecordingEnding.FAILED,
            whole,
        )
        action = "recording.ended" if whole else "recording.failed"
        assert [told["why"] for _, told in await audited(again, action)] == ["erased"]
        [(_, receipt)] = await audited(again, "recording.erased")
        assert (receipt["manifest_sha256"] != "") == whole
        assert await server.context.customers.replay() == 0


@pytest.mark.parametrize("journal", ["with names", "as older versions wrote it"])
async def test_evidence_in_a_vault_that_is_newer_than_the_database(tmp_path: Path, journal: str) -> None:
    """The database knows nothing of the case: what the journal names is erased at the start, what is sealed for a case that it names by the hour."""
    data = tmp_path / "data"
    store = await stored(tmp_path)
    async with app(tmp_path, store=store, **made(tmp_path)) as here:
        await backed_up(tmp_path, store)
        bank = await Bank.of(here)
        id = await bank.ready(customer=CUSTOMER)
        assert (await bank.show(id, takes())).json["attempt"]["outcome"] == "accept"
        others = await bank.ready(customer="customer-9")
        shutil.rmtree(tmp_path / "backup" / "evidence", ignore_errors=True)
        shutil.copytree(data / "evidence", tmp_path / "backup" / "evidence")
        assert (await erased(here))["erased"]["evidence"] == 2
    await store.close()
    if journal != "with names":
        without_names(data / "erasures.jsonl")
    async with started_again(tmp_path) as (server, again):
        [reference] = [path.name for path in (data / "evidence").iterdir() if path.name.startswith(others.lower())]
        if journal == "with names":
            assert {path.name for path in (data / "evidence").iterdir()} == {reference}
            assert {told["why"] for _, told in await audited(again, "evidence.erased")} == {"replayed"}
            assert len(await audited(again, "evidence.erased")) == 2
        else:
            assert len(list((data / "evidence").iterdir())) == 2, "the attempt's is known by what is sealed in it alone"
        for path in (data / "evidence").iterdir():
            os.utime(path, (0, 0))
        assert await server.context.verifications.evidence.sweep() == (journal != "with names")
        assert {path.name for path in (data / "evidence").iterdir()} == {reference}, "of a case that nobody erased"


def without_names(path: Path) -> None:
    """As the journal was before it named evidence."""
    last, lines = "", []
    for line in path.read_bytes().splitlines():
        form = json.loads(line)["erasure"]
        form.pop("evidence", None)
        raw = msgspec.json.encode(form)
        last = hashlib.sha256(last.encode() + raw).hexdigest()
        lines.append(msgspec.json.encode({"hash": last, "erasure": msgspec.Raw(raw)}))
    path.write_bytes(b"\n".join(lines) + b"\n")

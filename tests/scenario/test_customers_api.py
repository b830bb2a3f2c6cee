"""All that is kept of one customer: handed out whole, erased for good with a receipt, and erased again where an older copy of the database comes back."""

import io
import json
import shutil
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from server.app import running
from server.audit.receipts import read_receipt
from server.auth.jwks import read_key_set
from server.domain.ids import ApiKeyId, CaseId, SessionId, TemplateId
from server.domain.model import Role
from server.errors import StoreUnavailable
from server.services.principal import Principal, PrincipalKind
from server.store.sql import open_store
from server.transactions.lock import Failures, failed
from tests.scenario.test_verifications_api import Bank, b64, settings
from tests.support.bank_place import takes
from tests.support.fake_engine import FakeEngine
from tests.support.records import Records
from tests.support.server import FakePlane, Here, app, config
from tests.support.signalling import ManualClock
from tests.support.tiny_engine import ALICE, BOB, draw

CUSTOMER = "customer-4711"
NOBODY = "http://127.0.0.1:9"
"""Nobody listens there."""
SECRETS = (
    b"customer-4711",
    b"Wang Fang of Hangzhou",
    b"asks about the cottage",
    b"6222020200112233",
    b"my number is 139",
    b"orders/7788",
    b"telephone-1",
)


async def live(here: Here, bank: Bank, folder: Path) -> dict[str, Any]:
    """A customer who did everything once."""
    faces = (await here.post("/keys", {"name": "faces", "faces": True}, token=here.supervisor)).json["secret"]
    enrolled = {"image": b64(draw(ALICE)), "subject": CUSTOMER, "consent": "c/1", "keep_picture": True}
    template = (await here.post("/face/templates", enrolled, token=faces)).json
    seen = (await bank.ask(customer=CUSTOMER, template=template["template"]["id"])).json["id"]
    assert (await bank.show(seen, takes())).json["attempt"]["outcome"] == "accept"
    accepted = await bank.ready(customer=CUSTOMER, signals={"device": "telephone-1"}, callback=f"{NOBODY}/orders/7788")
    done = await bank.show(accepted, takes())
    assert done.json["attempt"]["outcome"] == "accept", done.json
    failed = await bank.ready(customer=CUSTOMER)
    assert (await bank.show(failed, takes(BOB))).json["attempt"]["outcome"] == "reject"
    await bank.post(f"/{failed}/cancel")
    by_template = (
        await bank.ask(customer=CUSTOMER, template=template["template"]["id"], signals={"device": "telephone-1"})
    ).json["id"]
    session = SessionId(
        await here.session(customer_reference=CUSTOMER, reason="asks about the cottage", context="Wang Fang of Hangzhou")
    )
    link = (await here.invitation(session, name="Wang Fang of Hangzhou"))["link"]
    place = (await here.post("/invitations/redeem", {"secret": link.rpartition("/")[2], "name": "Wang Fang of Hangzhou"})).json
    sent = await here.call(
        "POST",
        f"/sessions/{session}/files",
        token=place["token"],
        data=b"my number is 139",
        headers={"X-File-Name": "number.txt"},
    )
    store = here.server.context.store
    async with store.begin() as tx:
        person = (await tx.list_participants(session))[0]
        make = Records()
        make.skip(9_000_000)
        await tx.add_message(make.message(session, person.id, client_id="1", text="my number is 139"))
    return {
        "accepted": accepted,
        "by_template": seen,
        "failed": failed,
        "open": by_template,
        "session": session,
        "template": template["template"]["id"],
        "file": sent.json,
    }


async def into(here: Here, case: str, session: SessionId) -> None:
    """A case of another customer in a session, as none can be made any more."""
    async with here.server.context.store.begin() as tx:
        found = await tx.get_case(CaseId(case))
        assert found is not None
        await tx.save_case(msgspec.structs.replace(found, session_id=session))


def on_disk(folder: Path) -> list[bytes]:
    """Of what nobody may find again, what is found in any file."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "customer.zip":
            data = path.read_bytes()
            found += [secret for secret in SECRETS if secret in data]
    return found


def restored(tmp_path: Path, data: Path) -> None:
    """An older copy of the database and of the evidence comes back, the journal is what it is now."""
    for name in ("evidence", "files"):
        shutil.rmtree(data / name, ignore_errors=True)
    for path in data.glob("tongping.db*"):
        path.unlink()
    for path in (tmp_path / "backup").glob("tongping.db*"):
        shutil.copy(path, data / path.name)
    for name in ("evidence", "files"):
        if (tmp_path / "backup" / name).exists():
            shutil.copytree(tmp_path / "backup" / name, data / name)
    shutil.rmtree(data / "checkpoints", ignore_errors=True)


def traces(data: Path) -> tuple[int, int]:
    """(rows of failures, devices known)."""
    with sqlite3.connect(data / "tongping.db") as base:
        count = "SELECT (SELECT count(*) FROM verification_failures), (SELECT count(*) FROM risk_devices)"
        failures, devices = base.execute(count).fetchone()
    return failures, devices


def pictures_of_templates(data: Path) -> list[tuple[bytes, bytes, bytes | None]]:
    """(key, sealed template, sealed picture) of each."""
    with sqlite3.connect(data / "tongping.db") as base:
        return base.execute("SELECT key, sealed, picture FROM face_templates").fetchall()


def attempts(data: Path) -> list[dict[str, str]]:
    with sqlite3.connect(data / "tongping.db") as base:
        rows = base.execute("SELECT reasons, risk, checked FROM verification_attempts").fetchall()
    return [dict(zip(("reasons", "risk", "checked"), row, strict=True)) for row in rows]


@pytest.mark.campaign(19)
async def test_handed_out_erased_and_erased_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with app(tmp_path, store=store, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        lived = await live(here, bank, tmp_path)
        assert set(on_disk(data)) & set(SECRETS)
        out = await here.post("/customers/export", {"customer": CUSTOMER}, token=here.supervisor)
        assert (out.status, out.headers["Content-Type"], out.headers["Cache-Control"]) == (200, "application/zip", "no-store")
        with zipfile.ZipFile(io.BytesIO(out.raw)) as archive:
            told = json.loads(archive.read("data.json"))
            pictures = [name for name in archive.namelist() if name.endswith(".jpg")]
            assert pictures
            assert all(archive.read(name).startswith(b"\xff\xd8") for name in pictures)
            assert {f"{lived['template']}.jpg", f"{lived['by_template']}/1/reference-1.jpg"} < set(pictures)
            assert archive.read(f"{lived['template']}.jpg") == archive.read(f"{lived['by_template']}/1/reference-1.jpg")
        theirs = {lived[which] for which in ("accepted", "by_template", "open", "failed")}
        assert {case["id"] for case in told["verifications"]} == theirs
        assert (told["failures"]["count"], told["known_devices"]) == (1, 1)
        assert {case["id"]: case["details"] for case in told["verifications"]}[lived["open"]]["card"] == "6222020200112233"
        assert {case["id"]: case["signals"] for case in told["verifications"]}[lived["open"]] == {"device": "telephone-1"}
        assert [session["id"] for session in told["sessions"]] == [lived["session"]]
        assert [line["text"] for line in told["sessions"][0]["chat"]] == ["my number is 139"]
        assert {one["name"] for one in told["sessions"][0]["people"] if one["role"] != "customer"} <= {""}
        assert told["face_template"]["id"] == lived["template"]
        assert "agent" not in json.dumps(told["sessions"][0].get("taken_by", ""))

        refused = await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)
        assert (refused.status, refused.code) == (409, "something_runs")
        await bank.post(f"/{lived['open']}/cancel")
        assert (await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)).code == "something_runs"
        await here.post(f"/sessions/{lived['session']}/end", {"reason": "Wang Fang of Hangzhou"}, token=here.agent)
        shutil.copytree(data, tmp_path / "backup")
        asked = {"customer": CUSTOMER, "request": "dsr-2026-11", "recordings": True}
        done = await here.post("/customers/erase", asked, token=here.supervisor)
        assert done.status == 200, done.json
        assert done.json["erased"] == {"cases": 4, "evidence": 5, "templates": 1, "sessions": 1, "recordings": 0}
        keys = read_key_set((await here.get("/audit/keys")).raw)
        id, of, _, counts = read_receipt(done.json["receipt"], keys)
        assert (id, of, counts) == (done.json["id"], CUSTOMER, done.json["erased"])

        assert on_disk(data) == []
        assert traces(data) == (1, 0), "the failure counts still"
        assert pictures_of_templates(data) == [(b"", b"", None)]
        assert attempts(data) == [{"reasons": "[]", "risk": "null", "checked": "null"}] * 3
        assert not [path for path in (data / "evidence").rglob("*") if path.is_file()]
        out = await here.post("/customers/export", {"customer": CUSTOMER}, token=here.supervisor)
        with zipfile.ZipFile(io.BytesIO(out.raw)) as archive:
            assert archive.namelist() == ["data.json"]
            told = json.loads(archive.read("data.json"))
        assert told.pop("failures")["count"] == 1
        assert {name for name, value in told.items() if value} == {"customer", "exported_at"}
        after = (await bank.get(lived["accepted"])).json
        assert (after["customer"], after["state"], after["result"]) == ("", "accepted", None)
        again = await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)
        assert (again.status, again.json["erased"]["cases"]) == (200, 0)
        entries = (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
        erased, nothing = [entry for entry in entries if entry["action"] == "customer.erased"]
        assert {nothing["details"][name] for name in done.json["erased"]} == {"0"}
        assert (erased["subject"], erased["details"]["request"], erased["details"]["cases"]) == (
            done.json["id"],
            "dsr-2026-11",
            "4",
        )
    await store.close()

    restored(tmp_path, data)
    assert set(on_disk(data)) & set(SECRETS)
    assert traces(data) == (1, 1)
    [(key, _, kept)] = pictures_of_templates(data)
    assert key
    assert kept
    store = await open_store(f"sqlite:///{data}/tongping.db")
    engine = FakeEngine()
    async with running(config(tmp_path), store=store, media=FakePlane(), engine=engine) as server:
        found = await server.context.customers.find(CUSTOMER)
        assert msgspec.structs.replace(found, failures=None).nothing
        assert not [path for path in (data / "evidence").rglob("*") if path.is_file()]
        async with store.read() as tx:
            erased = [
                entry.event
                for entry in await tx.list_audit(after=0, limit=200)
                if entry.event.action.value == "customer.erased"
            ]
        assert [(one.subject, one.details["why"], one.details["request"]) for one in erased] == [
            (done.json["id"], "replayed", "dsr-2026-11")
        ], "the older copy knows nothing of the erasing"
        assert await server.context.customers.replay() == 0
    await store.close()
    assert on_disk(data) == []
    assert not [path for path in data.rglob("*") if path.is_file() and kept[:32] in path.read_bytes()]
    assert pictures_of_templates(data) == [(b"", b"", None)]
    assert traces(data) == (1, 0)
    with sqlite3.connect(data / "tongping.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_a_template_that_was_erased_alone_does_not_come_back(tmp_path: Path) -> None:
    """With an older copy of the database, with its key or its picture."""
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with app(tmp_path, store=store, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        faces = (await here.post("/keys", {"name": "faces", "faces": True}, token=here.supervisor)).json["secret"]
        body = {"image": b64(draw(ALICE)), "subject": CUSTOMER, "consent": "c/1", "keep_picture": True}
        id = (await here.post("/face/templates", body, token=faces)).json["template"]["id"]
        await store.scrub()
        shutil.copytree(data, tmp_path / "backup")
        assert (await here.delete(f"/face/templates/{id}", token=faces)).status == 204
        assert pictures_of_templates(data) == [(b"", b"", None)]
    await store.close()
    restored(tmp_path, data)
    [(key, _, kept)] = pictures_of_templates(data)
    assert key
    assert kept
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with running(config(tmp_path), store=store, media=FakePlane(), engine=FakeEngine()) as server:
        assert (await server.context.customers.find(CUSTOMER)).nothing
        assert await server.context.customers.replay() == 0
    await store.close()
    assert pictures_of_templates(data) == [(b"", b"", None)]


async def test_a_picture_that_was_erased_alone_does_not_come_back(tmp_path: Path) -> None:
    """With an older copy of the database; one that is kept after it stays, in that copy too."""
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with app(tmp_path, store=store, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        faces = (await here.post("/keys", {"name": "faces", "faces": True}, token=here.supervisor)).json["secret"]
        body = {"image": b64(draw(ALICE)), "subject": CUSTOMER, "consent": "c/1", "keep_picture": True}
        path = f"/face/templates/{(await here.post('/face/templates', body, token=faces)).json['template']['id']}"
        await store.scrub()
        shutil.copytree(data, tmp_path / "backup")
        assert (await here.delete(f"{path}/picture", token=here.agent)).status == 403
        assert (await here.delete(f"{path}/picture", token=faces)).status == 204
        [(key, sealed, kept)] = pictures_of_templates(data)
        assert (key != b"", sealed != b"", kept) == (True, True, None)
        assert (await here.get(path, token=faces)).json["picture_kept"] is False
        again = await here.delete(f"{path}/picture", token=faces)
        assert (again.status, again.code) == (404, "not_found")
        match = await here.post("/face/compare", {"template": path.rpartition("/")[2], "probe": b64(draw(ALICE))}, token=faces)
        assert match.json["match"] is True
    await store.close()
    restored(tmp_path, data)
    [(_, _, came_back)] = pictures_of_templates(data)
    assert came_back
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with running(config(tmp_path), store=store, media=FakePlane(), engine=FakeEngine()) as server:
        assert pictures_of_templates(data) == [(key, sealed, None)]
        assert await server.context.customers.replay() == 0
        async with store.read() as tx:
            events = [entry.event for entry in await tx.list_audit(after=0, limit=200)]
        [told] = [one for one in events if one.action.value == "template.picture_erased"]
        assert told.subject == path.rpartition("/")[2]
        assert [one.details["why"] for one in events if one.action.value == "customer.erased"] == ["replayed"]
        assert not [path for path in data.rglob("*") if path.is_file() and came_back[:32] in path.read_bytes()]
        bank = Principal(PrincipalKind.SERVICE, ApiKeyId("AK_X"), Role.SERVICE, frozenset())
        newer = await server.context.faces.replace(bank, TemplateId(told.subject), draw(ALICE), "c/2", keep_picture=True)
        assert newer.template.picture_kept
        assert await server.context.customers.replay() == 0
        assert (await server.context.faces.template(newer.template.id)).picture_kept, "another consent, another picture"
    await store.close()


async def test_who_may_and_what_is_refused(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        rights = (await here.post("/keys", {"name": "privacy", "customers": True}, token=here.supervisor)).json["secret"]
        for path in ("/customers/erase", "/customers/export"):
            assert (await here.post(path, {"customer": "c-1"}, token=here.agent)).status == 403
            assert (await here.post(path, {"customer": "c-1"}, token=here.key)).status == 403
            for body in ({}, {"customer": ""}, {"customer": "a b"}, {"customer": "c-1", "more": 1}):
                assert (await here.post(path, body, token=rights)).status in (400, 422), body
        assert (await here.post("/customers/export", {"customer": "nobody"}, token=rights)).status == 404
        nobody = await here.post("/customers/erase", {"customer": "nobody"}, token=rights)
        assert (nobody.status, nobody.json["erased"]["cases"]) == (200, 0)


async def test_nothing_is_erased_that_was_not_written_down(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        id = await bank.ready(customer=CUSTOMER)
        await bank.post(f"/{id}/cancel")
        (tmp_path / "data" / "erasures.jsonl").mkdir()  # cannot be written
        done = await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)
        assert (done.status, done.code) == (503, "unavailable")
        assert (await bank.get(id)).json["customer"] == CUSTOMER


async def lock(bank: Bank) -> None:
    for _ in range(2):
        id = await bank.ready(customer=CUSTOMER)
        for _ in range(3):
            await bank.show(id, takes(BOB))
    assert (await bank.ask(customer=CUSTOMER)).code == "customer_locked"


@pytest.mark.campaign(19)
async def test_who_is_locked_stays_locked_and_stands_nowhere_by_name(tmp_path: Path) -> None:
    """The lock is over an erasing: else it would be a way around it. It is kept by a digest, and goes when it is over."""
    data = tmp_path / "data"
    data.mkdir()
    clock = ManualClock()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with app(tmp_path, store=store, clock=clock, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        await lock(bank)
        shutil.copytree(data, tmp_path / "backup")
        assert (await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)).status == 200
        assert b"customer-4711" not in on_disk(data)
        assert traces(data) == (1, 0)
        assert (await bank.ask(customer=CUSTOMER)).code == "customer_locked"
        told = await here.post("/customers/export", {"customer": CUSTOMER}, token=here.supervisor)
        with zipfile.ZipFile(io.BytesIO(told.raw)) as archive:
            assert json.loads(archive.read("data.json"))["failures"]["count"] == 5
        customers, cases = here.server.context.customers, here.server.context.verifications.cases
        assert await customers.replay() == 0, "a lock is nothing that came back"
        clock.seconds += 86_399
        assert await cases.forget_failures() == 0
        clock.seconds += 2
        assert await cases.forget_failures() == 1
        assert (await customers.find(CUSTOMER)).nothing
    await store.close()
    restored(tmp_path, data)
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with running(config(tmp_path), store=store, media=FakePlane(), engine=FakeEngine(), clock=clock):
        assert traces(data) == (0, 0)
    await store.close()
    assert b"customer-4711" not in on_disk(data)


async def test_failures_before_the_fifth_count_over_an_erasing(tmp_path: Path) -> None:
    """And over the start after it; they go when they count no more."""
    data = tmp_path / "data"
    data.mkdir()
    clock = ManualClock()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with app(tmp_path, store=store, clock=clock, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        for tries in (2, 2, 1):
            assert (await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)).status == 200
            assert b"customer-4711" not in on_disk(data)
            assert await here.server.context.customers.replay() == 0, "nothing came back"
            id = await bank.ready(customer=CUSTOMER)
            for _ in range(tries):
                assert (await bank.show(id, takes(BOB))).json["attempt"]["outcome"] == "reject"
            await bank.post(f"/{id}/cancel")
        locked = await bank.ask(customer=CUSTOMER)
        assert (locked.status, locked.code) == (423, "customer_locked")
        assert (await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)).status == 200
        clock.seconds += 86_401
        assert await here.server.context.verifications.cases.forget_failures() == 1
        assert (await here.server.context.customers.find(CUSTOMER)).nothing
        assert (await bank.ask(customer=CUSTOMER)).status == 201
    await store.close()


async def test_failures_under_a_name_stand_under_its_digest_after_a_start(tmp_path: Path) -> None:
    """As an older version wrote them: the lock counts still."""
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    clock = ManualClock()
    locked = failed(Failures(customer=CUSTOMER, count=4, last_at=clock.now()), CUSTOMER, clock.now(), lock_s=86_400)
    async with store.begin() as tx:
        await tx.put_failures(locked)
    async with app(tmp_path, store=store, clock=clock, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        assert (await bank.ask(customer=CUSTOMER)).code == "customer_locked"
        assert traces(data) == (1, 0)
        assert b"customer-4711" not in on_disk(data)
    await store.close()


async def test_cut_off_before_its_end_it_is_done_again_and_the_audit_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with app(tmp_path, store=store, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        await bank.show(await bank.ready(customer=CUSTOMER, signals={"device": "telephone-1"}), takes())
        failed = await bank.ready(customer=CUSTOMER)
        await bank.show(failed, takes(BOB))
        await bank.post(f"/{failed}/cancel")
        customers = here.server.context.customers

        async def killed(*_: object) -> None:
            raise StoreUnavailable("cut off")

        with monkeypatch.context() as patched:
            patched.setattr(customers, "_note", killed)
            assert (await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)).status == 503
        assert traces(data) == (1, 1)
    await store.close()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with running(config(tmp_path), store=store, media=FakePlane(), engine=FakeEngine()) as server:
        assert traces(data) == (1, 0)
        async with store.read() as tx:
            events = [entry.event for entry in await tx.list_audit(after=0, limit=200)]
        assert [one.details["why"] for one in events if one.action.value == "customer.erased"] == ["replayed"]
        assert await server.context.customers.replay() == 0
    await store.close()
    assert b"customer-4711" not in on_disk(data)


async def test_who_comes_again_after_an_erasing_is_left_alone(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        await bank.show(await bank.ready(customer=CUSTOMER, signals={"device": "telephone-1"}), takes())
        assert (await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)).status == 200
        await bank.show(await bank.ready(customer=CUSTOMER, signals={"device": "telephone-2"}), takes())
        failed = await bank.ready(customer=CUSTOMER)
        await bank.show(failed, takes(BOB))
        customers = here.server.context.customers
        assert await customers.replay() == 0
        found = await customers.find(CUSTOMER)
        assert (found.devices, found.failures is not None) == (1, True)


async def test_a_conversation_with_another_customer_is_not_handed_out_and_not_erased(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        session = SessionId(await here.session(customer_reference="", context="of both"))
        mine = await bank.ready(customer=CUSTOMER, session=session)
        other = await bank.ready(customer="customer-9")
        await into(here, other, session)
        customers = here.server.context.customers
        assert (await customers.find(CUSTOMER)).sessions == (await customers.find("customer-9")).sessions == []
        await bank.post(f"/{mine}/cancel")
        assert (await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)).status == 200
        assert (await bank.get(other)).json["customer"] == "customer-9"
        async with here.server.context.store.read() as tx:
            left = await tx.get_session(session)
        assert left is not None
        assert left.context == "of both"


async def test_nothing_is_erased_while_another_is_verified_in_the_same_session(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        session = await here.session(customer_reference=CUSTOMER)
        mine = await bank.ready(customer=CUSTOMER, session=session)
        async with here.server.context.store.begin() as tx:
            case = await tx.get_case(mine)  # type: ignore[arg-type]
            assert case is not None
            await tx.add_case(msgspec.structs.replace(case, id=CaseId(f"{mine[:-1]}X"), customer="customer-9"))
        await bank.post(f"/{mine}/cancel")
        refused = await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)
        assert (refused.status, refused.code) == (409, "something_runs")


async def test_what_had_not_ended_in_an_older_copy_has_ended_once_it_is_erased_again(tmp_path: Path) -> None:
    """Its links open nothing, and nobody goes on with it."""
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    made = settings(tmp_path, webhooks__origins=(NOBODY,))
    async with app(tmp_path, store=store, **made) as here:
        bank = await Bank.of(here)
        session = await here.session(customer_reference=CUSTOMER)
        link = (await here.invitation(session))["link"]
        case = await bank.ready(customer=CUSTOMER)
        await store.scrub()
        shutil.copytree(data, tmp_path / "backup")
        await bank.post(f"/{case}/cancel")
        await here.post(f"/sessions/{session}/end", {"reason": "done"}, token=here.agent)
        assert (await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)).status == 200
        passwords = here.server.first_passwords
    await store.close()
    restored(tmp_path, data)
    del made["engine"]
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with running(config(tmp_path, **made), store=store, media=FakePlane(), engine=FakeEngine()) as server:
        async with aiohttp.ClientSession() as http:
            here = Here(server, http, FakePlane())
            assert (await here.get(f"/verifications/{case}", token=bank.secret)).json["state"] == "cancelled"
            token = await here.login("agent", passwords["agent"])
            assert (await here.get(f"/sessions/{session}", token=token)).json["status"] == "ended"
            come = await here.post("/invitations/redeem", {"secret": link.rpartition("/")[2], "name": "customer"})
            assert come.status in (404, 410), come.json
        async with store.read() as tx:
            events = [entry.event for entry in await tx.list_audit(after=0, limit=200)]
        told = {(one.action.value, one.subject) for one in events}
        assert {("session.ended", session), ("verification.ended", case)} <= told
        assert await server.context.customers.replay() == 0
    await store.close()

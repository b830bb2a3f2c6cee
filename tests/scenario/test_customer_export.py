"""What a customer is handed out: the bytes of files, every decision, what was told about them; nothing of who else was there. And what happens when it
meets an erasing, a retention job, a slow reader or a large conversation."""

import asyncio
import dataclasses
import gc
import hashlib
import io
import json
import types
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from server.audit.events import AuditAction, AuditEvent
from server.domain.consent_texts import text_of
from server.domain.ids import SessionId
from server.domain.model import ConsentDecision, ConsentScope, Language, Role
from server.errors import DependencyError, TooMany
from server.services.customer_export import AT_ONCE, OF_ONE, PART, ErasedMeanwhile
from server.services.principal import Principal
from server.services.zip_stream import ZipStream
from server.store.ports_customers import FIRST
from server.store.sql import READERS, open_store
from tests.scenario.test_customers_api import CUSTOMER, NOBODY, into, on_disk
from tests.scenario.test_verifications_api import Bank, settings
from tests.support.bank_place import takes
from tests.support.records import T0, Records, at
from tests.support.server import Here, app
from tests.support.signalling import ManualClock

OWN = b"my number is 139 0000 1111\n"
THEIRS = b"the bank's conditions\n"
EVIL = "..%2F..%2F..%2Fetc%2Fcron.d%2Fevil.txt"
GUEST = "Guest Zhao Qian"
LEFT_AT = at(500)


async def talk(here: Here, *, own: bytes = OWN) -> tuple[SessionId, str, str]:
    """(session, the customer's file, the agent's): a customer, an agent and a guest from outside have talked. The customer has left, the others went on."""
    session = SessionId(await here.session(customer_reference=CUSTOMER, reason="card"))
    link = (await here.invitation(session, name="Wang Fang"))["link"]
    customer = (await here.post("/invitations/redeem", {"secret": link.rpartition("/")[2], "name": "Wang Fang"})).json
    link = (await here.invitation(session, "expert", name=GUEST))["link"]
    assert (await here.post("/invitations/redeem", {"secret": link.rpartition("/")[2], "name": GUEST})).status == 200
    agent = (await here.post(f"/sessions/{session}/enter", token=here.agent)).json
    sent = []
    for place, data, name in ((customer, own, EVIL), (agent, THEIRS, "conditions.txt")):
        path = f"/sessions/{session}/files"
        made = await here.call("POST", path, token=place["token"], data=data, headers={"X-File-Name": name})
        assert made.status == 201, made.json
        sent.append(made.json["id"])
    make = Records()
    make.skip(9_000_000)
    async with here.server.context.store.begin() as tx:
        by = {one.role: one for one in await tx.list_participants(session)}
        who = by[Role.CUSTOMER]
        await tx.save_participant(msgspec.structs.replace(who, joined_at=T0, left_at=LEFT_AT))
        for number, (person, text, file, when) in enumerate((
            (who, "here is my number", sent[0], T0),
            (by[Role.AGENT], "thank you, and these are our conditions", sent[1], at(5)),
            (by[Role.EXPERT], "I agree with my colleague", None, at(6)),
            (by[Role.AGENT], "they seem to be short of money", None, LEFT_AT + timedelta(seconds=1)),
        )):  # fmt: skip
            line = make.message(session, person.id, client_id=str(number), text=text, file=file)
            await tx.add_message(msgspec.structs.replace(line, sent_at=when))
        for seconds, (person, decision, wording) in enumerate((
            (who, ConsentDecision.GIVEN, "face-3"), (who, ConsentDecision.WITHDRAWN, "face-3"), (who, ConsentDecision.GIVEN, "face-4"),
            (by[Role.AGENT], ConsentDecision.GIVEN, "camera-2"),
        )):  # fmt: skip
            made = make.consent(session, person.id, scope=ConsentScope.FACE, decision=decision)
            made = msgspec.structs.replace(
                made, wording=wording, decided_at=at(seconds), text=text_of(made.scope, wording, made.language)
            )
            await tx.add_consent(made)
    return session, sent[0], sent[1]


async def taken(here: Here) -> tuple[zipfile.ZipFile, dict[str, Any]]:
    out = await here.post("/customers/export", {"customer": CUSTOMER}, token=here.supervisor)
    assert out.status == 200, out.raw
    archive = zipfile.ZipFile(io.BytesIO(out.raw))
    assert archive.testzip() is None
    return archive, json.loads(archive.read("data.json"))


def iso(seconds: float) -> str:
    return at(seconds).isoformat().replace("+00:00", "Z")


def supervisor(here: Here) -> Principal:
    return Principal(kind="desk", actor=here.supervisor_id, role=Role.SUPERVISOR, grants=frozenset())  # type: ignore[arg-type]


async def test_files_and_every_decision_and_what_was_told_are_handed_out(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        everything = {"url": f"{NOBODY}/all", "events": ["*"]}
        assert (await here.post("/webhooks", everything, token=here.supervisor)).status == 201
        await here.server.context.webhooks.feed()  # the first one begins with what comes after
        case = await bank.ready(customer=CUSTOMER, callback=f"{NOBODY}/orders/7788")
        other = await bank.ready(customer="somebody-else", callback=f"{NOBODY}/orders/9999")
        session, own, theirs = await talk(here)
        while await here.server.context.webhooks.feed():
            pass
        archive, told = await taken(here)

        listed = {one["name"]: one for one in told["files"]}
        for id, content, by in ((own, OWN, "customer"), (theirs, THEIRS, "agent")):
            name = f"files/{session}/{id}.txt"
            assert archive.read(name) == content
            assert (listed[name]["sha256"], listed[name]["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
            assert (listed[name]["by"], listed[name]["as_it_was_sent"]) == (by, True)
        assert set(archive.namelist()) == {*listed, "data.json"}
        for name in archive.namelist():
            assert not name.startswith("/")
            assert ".." not in name
        assert listed[f"files/{session}/{own}.txt"]["called"] == "evil.txt"

        [talked] = told["sessions"]
        assert [
            (one["decision"], one["wording"], one["at"], one["until"], one["text_sha256"]) for one in talked["consents"]
        ] == [
            ("given", "face-3", iso(0), iso(1), ""),
            ("withdrawn", "face-3", iso(1), iso(2), ""),
            ("given", "face-4", iso(2), None, text_of(ConsentScope.FACE, "face-4", Language.ZH)),
        ]
        assert {one["language"] for one in talked["consents"]} == {"zh"}

        callbacks = told["callbacks"]
        assert {one["to"] for one in callbacks} == {NOBODY, f"{NOBODY}/orders/7788"}
        created = [one for one in callbacks if one["sent"]["type"] == "verification.created"]
        assert sorted((one["to"], one["sent"]["subject"]) for one in created) == [
            (NOBODY, case),
            (f"{NOBODY}/orders/7788", case),
        ]
        assert {one["sent"]["session"] for one in callbacks if one["sent"]["type"].startswith("session.")} == {session}
        assert other not in json.dumps(told)


async def test_of_others_it_says_the_role_and_what_they_said_to_the_customer(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        everything = {"url": f"{NOBODY}/all", "events": ["*"]}
        assert (await here.post("/webhooks", everything, token=here.supervisor)).status == 201
        await here.server.context.webhooks.feed()
        await talk(here)
        while await here.server.context.webhooks.feed():
            pass
        _, told = await taken(here)
        [talked] = told["sessions"]
        assert [(line["by"], line["own"], line["text"]) for line in talked["chat"]] == [
            ("customer", True, "here is my number"),
            ("agent", False, "thank you, and these are our conditions"),
            ("expert", False, "I agree with my colleague"),
        ]
        assert talked["lines_not_said_to_the_customer"] == 1
        assert {(one["role"], one["name"]) for one in talked["people"]} == {
            ("customer", "Wang Fang"), ("agent", ""), ("expert", ""),
        }  # fmt: skip
        assert told["callbacks"]
        whole = json.dumps(told)
        for secret in (here.agent_id, here.supervisor_id, GUEST, "short of money"):
            assert secret not in whole


async def test_of_anothers_case_in_the_session_nothing_is_handed_out(tmp_path: Path) -> None:
    """Neither of the case, its attempts and its end, nor of who listened, and what somebody else agreed to."""
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        everything = {"url": f"{NOBODY}/all", "events": ["*"]}
        assert (await here.post("/webhooks", everything, token=here.supervisor)).status == 201
        await here.server.context.webhooks.feed()
        session, _, _ = await talk(here)
        mine = await bank.ready(customer=CUSTOMER, session=session)
        other = await bank.ready(customer="somebody-else", callback=f"{NOBODY}/orders/9999")
        await into(here, other, session)
        for case in (mine, other):
            assert (await bank.show(case, takes())).json["attempt"]["outcome"] == "accept"
        assert (await here.post(f"/sessions/{session}/enter", token=here.supervisor)).status == 200
        store = here.server.context.store
        async with store.begin() as tx:
            by = {one.role: one.id for one in await tx.list_participants(session)}
            for role, subject in ((Role.CUSTOMER, "CO_OWN"), (Role.EXPERT, "CO_OTHER")):
                await tx.append_audit(
                    AuditEvent(action=AuditAction.CONSENT_DECIDED, at=T0, actor=by[role], session=session, subject=subject)
                )
            await tx.append_audit(
                AuditEvent(
                    action=AuditAction.SESSION_LOCKED, at=T0, actor=by[Role.SUPERVISOR], session=session, subject=session
                )
            )
        await here.post(f"/sessions/{session}/end", {}, token=here.agent)
        while await here.server.context.webhooks.feed():
            pass
        async with store.read() as tx:
            sent = await tx.told_about(session, after=FIRST, limit=500)
        types = {(one.entry.event.action, one.entry.event.subject) for one in sent}
        assert {(AuditAction.VERIFICATION_ENDED, other), (AuditAction.GRANTS_ISSUED, by[Role.SUPERVISOR])} <= types
        archive, told = await taken(here)

        whole = json.dumps(told)
        for secret in (other, "orders/9999", "CO_OTHER", by[Role.SUPERVISOR], by[Role.EXPERT], by[Role.AGENT]):
            assert secret not in whole, secret
            assert not any(secret in name for name in archive.namelist())
        assert {one["sent"]["subject"] for one in told["callbacks"]} == {mine, session, "CO_OWN"}
        of_mine = {one["sent"]["type"] for one in told["callbacks"] if one["sent"]["subject"] == mine}
        assert {"verification.created", "verification.attempt_ended", "verification.ended"} <= of_mine
        assert [one["sent"]["type"] for one in told["callbacks"] if one["sent"]["subject"] == session] == [
            "session.created",
            "session.locked",
            "session.ended",
        ]
        assert len({one["id"] for one in told["callbacks"]}) == len(told["callbacks"])


async def test_of_two_who_came_as_customers_only_the_one_the_session_names_is_named(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session = SessionId(await here.session(customer_reference=CUSTOMER))
        for name in ("Wang Fang", "Her Brother"):
            link = (await here.invitation(session, name=name))["link"]
            assert (await here.post("/invitations/redeem", {"secret": link.rpartition("/")[2], "name": name})).status == 200
        _, told = await taken(here)
        assert [(one["who"], one["name"]) for one in told["sessions"][0]["people"]] == [
            ("customer", "Wang Fang"),
            ("customer 2", ""),
        ]


async def test_a_guests_name_goes_and_nothing_is_remembered(tmp_path: Path) -> None:
    """Not in any file, and not in what the server reaches from its parts: caches are emptied, too."""
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with app(tmp_path, store=store, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        case = await bank.ready(customer=CUSTOMER, signals={"device": "telephone-1"})
        assert (await bank.show(case, takes())).json["attempt"]["outcome"] == "accept"
        risk = here.server.context.risk
        await risk.load()
        session, _, _ = await talk(here)
        async with store.begin() as tx:  # who came as a customer is an expert now: a guest still
            for one in await tx.list_participants(session):
                if one.role is Role.CUSTOMER:
                    await tx.save_participant(msgspec.structs.replace(one, role=Role.EXPERT))
        await here.post(f"/sessions/{session}/end", {}, token=here.agent)
        digest = risk.customer_digest(CUSTOMER)
        devices = [one for one in risk._devices._devices if one.startswith(digest[:16])]
        assert len(devices) == 1
        assert b"Wang Fang" in whole(data)
        assert GUEST.encode() in whole(data)
        assert reached(here, GUEST.encode(), b"not there at all") == set()
        done = await here.post("/customers/erase", {"customer": CUSTOMER}, token=here.supervisor)
        assert done.status == 200, done.json
        assert on_disk(data) == []
        for name in (GUEST.encode(), b"Wang Fang", b"telephone-1", CUSTOMER.encode()):
            assert name not in whole(data), name
        async with store.read() as tx:
            assert await tx.list_risk_devices(5) == []
        assert [one for one in risk._devices._devices if one.startswith(digest[:16])] == []
        assert reached(here, GUEST.encode(), b"Wang Fang", b"telephone-1", CUSTOMER.encode(), *devices) == set()
    await store.close()


def whole(data: Path) -> bytes:
    """The database with its log."""
    return b"".join(path.read_bytes() for path in sorted(data.glob("tongping.db*")))


def reached(here: Here, *marks: bytes) -> set[bytes]:
    """Which of ``marks`` are in a text or in bytes that the server's parts hold."""
    gc.collect()
    kept: set[bytes] = set()
    seen: set[int] = set()
    left: list[Any] = [here.server.context]
    passed = (
        type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.FrameType,
        types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType, asyncio.Task, asyncio.AbstractEventLoop,
    )  # fmt: skip
    while left:
        one = left.pop()
        if id(one) in seen or isinstance(one, passed):
            continue
        seen.add(id(one))
        if isinstance(one, str | bytes | bytearray):
            text = one.encode(errors="replace") if isinstance(one, str) else bytes(one)
            kept |= {mark for mark in marks if mark in text}
        else:
            left += gc.get_referents(one)
            left += [getattr(one, name, None) for name in getattr(type(one), "__struct_fields__", ())]
    assert len(seen) > 5_000, "the server has more than that"
    return kept


async def test_another_server_forgets_the_devices_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    store = await open_store(f"sqlite:///{data}/tongping.db")
    async with app(tmp_path, store=store, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        await bank.show(await bank.ready(customer=CUSTOMER, signals={"device": "telephone-1"}), takes())
        risk = here.server.context.risk
        await risk.load()
        assert len(risk._devices) == 1
        async with store.begin() as tx:  # as another server on the same database does it
            assert await tx.forget_customer_devices(risk.customer_digest(CUSTOMER), here.server.context.clock.now()) == 1
        await bank.show(await bank.ready(customer="customer-2"), takes())
        assert len(risk._devices) == 0
        assert risk._devices.whole is False
        await risk.tidy()
        assert risk._devices.whole is True
    await store.close()


async def test_an_erasing_ends_an_export_that_is_under_way(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        session, _, _ = await talk(here, own=b"number\n" * 60_000)
        exports, customers = here.server.context.customer_exports, here.server.context.customers
        package = await exports.export(supervisor(here), CUSTOMER)
        pieces = aiter(package)
        first = await anext(pieces)
        assert f"files/{session}".encode() in first
        await here.post(f"/sessions/{session}/end", {}, token=here.agent)
        await customers.erase(supervisor(here), CUSTOMER)
        with pytest.raises(ErasedMeanwhile):
            await anext(pieces)
        await package.close()


async def test_what_retention_takes_meanwhile_is_told_as_missing(tmp_path: Path) -> None:
    clock = ManualClock()
    async with app(tmp_path, clock=clock, **settings(tmp_path, webhooks__origins=(NOBODY,))) as here:
        bank = await Bank.of(here)
        id = await bank.ready(customer=CUSTOMER)
        assert (await bank.show(id, takes())).json["attempt"]["outcome"] == "accept"
        package = await here.server.context.customer_exports.export(supervisor(here), CUSTOMER)
        pieces = aiter(package)
        out = [await anext(pieces)]
        clock.seconds += 400 * 86_400
        assert await here.server.context.verifications.evidence.erase_due() == 1
        out += [piece async for piece in pieces]
        await package.close()
        archive = zipfile.ZipFile(io.BytesIO(b"".join(out)))
        assert archive.testzip() is None
        told = json.loads(archive.read("data.json"))
        [first, *rest] = told["files"]
        assert "sha256" in first
        assert rest
        assert {one["missing"] for one in rest} <= {"gone", "not_found"}
        assert set(archive.namelist()) == {first["name"], "data.json"}
        assert told["verifications"][0]["evidence_erased_at"] is not None


async def test_a_file_that_is_gone_or_was_changed_is_told(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        session, own, theirs = await talk(here)
        (tmp_path / "data" / "files" / own).unlink()
        (tmp_path / "data" / "files" / theirs).write_bytes(b"something else")
        archive, told = await taken(here)
        listed = {one["name"]: one for one in told["files"]}
        assert listed[f"files/{session}/{own}.txt"]["missing"] == "unavailable"
        assert listed[f"files/{session}/{theirs}.txt"]["as_it_was_sent"] is False
        assert f"files/{session}/{own}.txt" not in archive.namelist()


async def test_a_large_conversation_goes_out_piece_by_piece(tmp_path: Path) -> None:
    """No piece is larger than a part of a file or a line; nothing is packed, so nothing unfolds."""
    content = b"aaaaaaaaaaaaaaaa" * 60_000
    async with app(tmp_path) as here:
        session, own, _ = await talk(here, own=content)
        make = Records()
        make.skip(8_000_000)
        async with here.server.context.store.begin() as tx:
            who = next(one for one in await tx.list_participants(session) if one.role is Role.CUSTOMER)
            for number in range(1200):
                await tx.add_message(make.message(session, who.id, client_id=f"l{number}", text=f"line {number} " + "x" * 2000))
        package = await here.server.context.customer_exports.export(supervisor(here), CUSTOMER)
        pieces = [piece async for piece in package]
        await package.close()
        assert max(map(len, pieces)) < PART + 64 * 1024
        archive = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
        assert archive.read(f"files/{session}/{own}.txt") == content
        assert sum(one.file_size for one in archive.infolist()) <= sum(map(len, pieces))
        chat = json.loads(archive.read("data.json"))["sessions"][0]["chat"]
        assert [line["text"].split()[1] for line in chat if line["text"].startswith("line ")] == [str(n) for n in range(1200)]


async def test_only_so_many_at_once_and_who_goes_away_leaves_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with app(tmp_path) as here:
        await talk(here)
        exports = here.server.context.customer_exports
        assert AT_ONCE < READERS, "whatever they read, a reader is left for others"
        held = [await exports.export(supervisor(here), CUSTOMER) for _ in range(OF_ONE)]
        refused = await here.post("/customers/export", {"customer": CUSTOMER}, token=here.supervisor)
        assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "too_many", "30")
        others = [dataclasses.replace(supervisor(here), actor=f"AK_{number}") for number in range(AT_ONCE - OF_ONE + 1)]
        held += [await exports.export(who, CUSTOMER) for who in others[:-1]]
        with pytest.raises(TooMany):
            await exports.export(others[-1], CUSTOMER)
        for one in held:
            await one.close()
        assert (await here.post("/customers/export", {"customer": "nobody"}, token=here.supervisor)).status == 404
        assert exports._open == set()

        for error in (DependencyError("the disk is gone"), OSError(5, "the disk is gone")):
            monkeypatch.setattr(exports, "_callbacks", broken_pages(error))
            with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
                await here.post("/customers/export", {"customer": CUSTOMER}, token=here.supervisor)
            assert exports._open == set()


def broken_pages(error: Exception) -> Any:
    async def pages(_: object) -> Any:
        raise error
        yield

    return pages


async def test_that_it_was_asked_for_is_in_the_audit_also_where_nothing_is_kept(tmp_path: Path) -> None:
    async with app(tmp_path) as here:
        rights = (await here.post("/keys", {"name": "privacy", "customers": True}, token=here.supervisor)).json
        assert (await here.post("/customers/export", {"customer": "nobody"}, token=rights["secret"])).status == 404
        assert (await here.post("/customers/erase", {"customer": "nobody"}, token=rights["secret"])).status == 200
        entries = (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
        asked = [one for one in entries if one["action"] in ("customer.exported", "customer.erased")]
        assert [(one["action"], one["actor"], one["details"]["cases"]) for one in asked] == [
            ("customer.exported", rights["key"]["id"], "0"),
            ("customer.erased", rights["key"]["id"], "0"),
        ]
        assert "nobody" not in json.dumps(entries)


@pytest.mark.parametrize("name", ["/etc/passwd", "../up.txt", "a/../../b", "a\\b"])
def test_an_archive_has_no_file_that_lies_elsewhere(name: str) -> None:
    with pytest.raises(ValueError, match="lies in it"), ZipStream().file(name):
        pass

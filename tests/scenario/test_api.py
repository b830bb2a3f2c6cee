"""The REST interface as a caller meets it: what works, what is refused, and how."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request

from server.api.router import client_address
from server.audit.signed import CheckpointReader
from server.auth.jwks import read_key_set
from server.auth.passwords import Passwords
from tests.support.server import Here, app
from tests.support.signalling import ManualClock

PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\x9cc\xf8\xff\xff?\0\x05\xfe\x02\xfe"
    b"\r\xefF\xb8\0\0\0\0IEND\xaeB`\x82"
)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with app(tmp_path, throttle__waiting_joins=3) as here:
        yield here


async def test_a_session_from_creation_to_its_end(here: Here) -> None:
    made = await here.post("/sessions", {"kind": "video", "customer_reference": "C-7", "context": "lost"}, token=here.agent)
    assert made.status == 201
    id = made.json["id"]
    assert made.headers["Location"] == f"/api/v1/sessions/{id}"
    assert (await here.get(f"/sessions/{id}", token=here.agent)).json == made.json
    invited = await here.invitation(id, "expert", name="Dr Chen")
    assert invited["link"].startswith(here.url + "/j/")
    assert len(invited["code"]) == 6
    secret = invited["link"].rpartition("/")[2]
    preview = await here.post("/invitations/inspect", {"secret": secret})
    assert (preview.json["role"], preview.json["context"], preview.json["name"]) == ("expert", "lost", "Dr Chen")
    assert preview.json["invited_by"] == "Agent"
    entry = await here.post("/invitations/redeem", {"code": invited["code"]})
    assert entry.json["role"] == "expert"
    again = await here.post("/invitations/redeem", {"secret": secret})
    assert (again.status, again.code) == (410, "gone")
    people = await here.get(f"/sessions/{id}/participants", token=entry.json["token"])
    assert [(person["role"], person["name"]) for person in people.json["participants"]] == [("expert", "Dr Chen")]
    ended = await here.post(f"/sessions/{id}/end", {"reason": "done"}, token=here.agent)
    assert (ended.json["status"], ended.json["end_reason"]) == ("ended", "done")
    assert (await here.post(f"/sessions/{id}/end", {}, token=here.agent)).json == ended.json
    assert (await here.post(f"/sessions/{id}/enter", token=here.agent)).status == 410
    entries = (await here.get("/audit", token=here.supervisor)).json["entries"]
    actions = [entry["action"] for entry in entries]
    assert actions.count("invitation.redeemed") == 1
    assert {"session.created", "invitation.created", "invitation.refused", "grants.issued", "session.ended"} <= set(actions)
    assert not any("Chen" in str(entry) or "C-7" in str(entry) for entry in entries)


async def test_the_head_of_the_audit_trail_is_signed_for_whoever_keeps_it(here: Here) -> None:
    keys = read_key_set((await here.get("/audit/keys")).raw)
    told = (await here.get("/audit/checkpoint", token=here.supervisor)).json
    signed = CheckpointReader(keys).read(told["signed"])
    entries = (await here.get("/audit", token=here.supervisor)).json["entries"]
    assert (signed.point.number, signed.point.hash.hex()) == (told["number"], told["hash"])
    assert told["hash"] == entries[told["number"] - 1]["hash"]
    await here.session()
    again = (await here.get("/audit/checkpoint", token=here.supervisor)).json
    assert again["number"] > told["number"]
    metrics = (await here.get("//metrics")).raw.decode()
    assert "tongping_audit_intact 1.0" in metrics
    assert f"tongping_audit_signed_number {again['number']}.0" in metrics


async def test_a_session_is_changed_while_it_runs(here: Here) -> None:
    """Those in it are told, each what they may see; the audit names the fields, not the words."""
    id = await here.session(reason="Card", context="lost")
    places = {role: (await here.place(id, role))["token"] for role in ("customer", "expert")}
    sockets = {role: await here.http.ws_connect(here.url + "/api/v1/signal") for role in places}
    try:
        for role, socket in sockets.items():
            await socket.send_json({"t": "hello", "version": 1, "token": places[role]})
            await socket.receive_json()
        changed = await here.call("PATCH", f"/sessions/{id}", body={"context": "found again"}, token=here.agent)
        assert (changed.status, changed.json["reason"], changed.json["context"]) == (200, "Card", "found again")
        for role, context in (("customer", ""), ("expert", "found again")):
            while (frame := await sockets[role].receive_json(timeout=60))["body"]["type"] != "session.changed":
                pass
            assert frame["body"]["session"]["context"] == context
    finally:
        for socket in sockets.values():
            await socket.close()
    assert (await here.get(f"/sessions/{id}", token=here.agent)).json == changed.json
    emptied = await here.call("PATCH", f"/sessions/{id}", body={"reason": "", "customer_reference": "C-8"}, token=here.agent)
    assert (emptied.json["reason"], emptied.json["customer_reference"]) == ("", "C-8")
    for nothing in ({}, {"reason": None}, {"customer_reference": "C-8"}):
        same = await here.call("PATCH", f"/sessions/{id}", body=nothing, token=here.agent)
        assert (same.status, same.json) == (200, emptied.json)
    entries = (await here.get("/audit", token=here.supervisor)).json["entries"]
    updates = [entry["details"]["fields"] for entry in entries if entry["action"] == "session.updated"]
    assert updates == ["context", "customer_reference,reason"]
    assert not any("found" in str(entry) or "C-8" in str(entry) for entry in entries)


async def test_what_cannot_be_changed_in_a_session(here: Here) -> None:
    id = await here.session()
    for body, field in (({"context": "x" * 4001}, "context"), ({"status": "ended"}, "status"), ({"reason": 7}, "reason")):
        answer = await here.call("PATCH", f"/sessions/{id}", body=body, token=here.agent)
        assert (answer.status, answer.code, answer.json["field"]) == (400, "invalid", field)
    await here.post(f"/sessions/{id}/end", {}, token=here.agent)
    late = await here.call("PATCH", f"/sessions/{id}", body={"context": "late"}, token=here.agent)
    assert (late.status, late.code) == (410, "gone")
    assert (await here.get(f"/sessions/{id}", token=here.agent)).json["context"] == "lost"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "video", "surprise": 1}, "surprise"),
        ({}, "kind"),
        ({"kind": "radio"}, "kind"),
        ({"kind": "video", "reason": "x" * 201}, "reason"),
        ({"kind": "video", "language": 5}, "language"),
        ([], ""),
    ],
)
async def test_a_bad_field_is_named(here: Here, body: Any, field: str) -> None:
    refused = await here.post("/sessions", body, token=here.agent)
    assert (refused.status, refused.code, refused.json["field"]) == (400, "invalid", field)
    assert refused.headers["Content-Type"] == "application/problem+json"


async def test_every_error_is_a_problem(here: Here) -> None:
    token = here.agent
    cases = [
        (await here.post("/sessions", data=b"{", headers={"Content-Type": "application/json"}, token=token), 400, "invalid"),
        (await here.post("/sessions", data=b"\xff", headers={"Content-Type": "application/json"}, token=token), 400, "invalid"),
        (await here.post("/sessions", data=b"{}", headers={"Content-Type": "text/plain"}, token=token), 415, "unsupported_media_type"),
        (await here.post("/login", {"username": "a" * 70_000, "password": "x"}), 413, "too_large"),
        (await here.get("/nowhere"), 404, "not_found"),
        (await here.delete("/sessions", token=token), 405, "method_not_allowed"),
        (await here.get("/sessions"), 401, "unauthenticated"),
        (await here.get("/sessions", token="nonsense"), 401, "unauthenticated"),
        (await here.get("/site", token="nonsense"), 401, "unauthenticated"),
        (await here.get("/keys", token=token), 403, "not_allowed"),
        (await here.get(f"/sessions/SE_{'A' * 26}", token=here.key), 404, "not_found"),
        (await here.get("/sessions/x", token=here.key), 404, "not_found"),
        (await here.get("/sessions?limit=0", token=token), 400, "invalid"),
        (await here.get("/sessions?limit=x", token=token), 400, "invalid"),
        (await here.get("/sessions?nonsense=1", token=token), 400, "invalid"),
        (await here.get("/sessions?limit=1&limit=2", token=token), 400, "invalid"),
        (await here.get("/sessions?cursor=nonsense", token=token), 400, "invalid"),
        (await here.get("//somewhere"), 404, "not_found"),
    ]  # fmt: skip
    assert [(answer.status, answer.code) for answer, _, _ in cases] == [(status, code) for _, status, code in cases]
    assert all(answer.headers["X-Request-Id"] for answer, _, _ in cases)
    assert cases[5][0].headers["Allow"] == "GET,POST"
    assert cases[6][0].headers["WWW-Authenticate"] == "Bearer"


async def test_an_idempotency_key_does_it_once(here: Here) -> None:
    key, body = {"Idempotency-Key": "k-1"}, {"kind": "video", "reason": "one"}
    first, *rest = await asyncio.gather(*(here.post("/sessions", body, token=here.agent, headers=key) for _ in range(8)))
    assert [answer.raw for answer in rest] == [first.raw] * 7
    assert {answer.headers["Location"] for answer in rest} == {first.headers["Location"]}
    assert len((await here.get("/sessions", token=here.agent)).json["sessions"]) == 1
    other = await here.post("/sessions", {**body, "reason": "two"}, token=here.agent, headers=key)
    assert (other.status, other.code) == (409, "conflict")
    mine = await here.post("/sessions", body, token=here.supervisor, headers=key)
    assert mine.json["id"] != first.json["id"], "another caller's key is another key"
    guessable = await here.post("/waiting", {"name": "a", "reason": "b", "language": "en"}, headers=key)
    assert (guessable.status, guessable.json["field"]) == (400, "Idempotency-Key")
    failed = await here.post("/sessions", {"kind": "x"}, token=here.agent, headers={"Idempotency-Key": "k-2"})
    assert failed.status == 400
    assert (await here.post("/sessions", body, token=here.agent, headers={"Idempotency-Key": "k-2"})).status == 201


async def test_a_stored_answer_cannot_be_read_from_the_store(here: Here) -> None:
    session = await here.session()
    headers = {"Idempotency-Key": "my-own-key"}
    made = await here.post(f"/sessions/{session}/invitations", {"role": "customer"}, token=here.agent, headers=headers)
    secret = made.json["link"].rpartition("/")[2].encode()
    async with here.server.context.store.read() as tx:
        everything = repr(vars(tx)).encode()
    assert here.agent_id.encode() in everything
    assert secret not in everything
    assert b"my-own-key" not in everything


async def test_an_invitation_raced_100_times_has_one_winner(here: Here) -> None:
    link = (await here.invitation(await here.session()))["link"]
    secret = link.rpartition("/")[2]
    answers = await asyncio.gather(*(here.post("/invitations/redeem", {"secret": secret}) for _ in range(100)))
    assert sorted(answer.status for answer in answers) == [200] + [410] * 99


async def test_a_counted_invitation_and_a_withdrawn_one(here: Here) -> None:
    session = await here.session()
    twice = await here.invitation(session, uses_allowed=2, with_code=False)
    assert twice["code"] is None
    secret = twice["link"].rpartition("/")[2]
    places = [await here.post("/invitations/redeem", {"secret": secret}) for _ in range(3)]
    assert [place.status for place in places] == [200, 200, 410]
    assert places[0].json["participant"] != places[1].json["participant"]
    other = await here.invitation(session)
    path = f"/sessions/{session}/invitations/{other['id']}"
    assert [(await here.delete(path, token=here.agent)).status for _ in range(2)] == [204, 204]
    assert (await here.post("/invitations/inspect", {"secret": other["link"].rpartition("/")[2]})).status == 410
    assert (await here.post("/invitations/inspect", {"code": other["code"]})).status == 404
    listed = (await here.get(f"/sessions/{session}/invitations", token=here.agent)).json["invitations"]
    assert sorted((one["uses"], one["revoked"]) for one in listed) == [(0, True), (2, False)]
    refused = await here.post(f"/sessions/{session}/invitations", {"role": "supervisor"}, token=here.agent)
    assert refused.status == 400


async def test_guessing_codes_is_throttled(tmp_path: Path) -> None:
    async with app(tmp_path, throttle__attempts=3) as here:
        invited = await here.invitation(await here.session())
        wrong = f"{(int(invited['code']) + 1) % 1_000_000:06d}"
        answers = [await here.post("/invitations/inspect", {"code": wrong}) for _ in range(4)]
        assert [answer.status for answer in answers] == [404, 404, 404, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0
        assert (await here.post("/invitations/redeem", {"code": invited["code"]})).status == 429
        by_link = await here.post("/invitations/redeem", {"secret": invited["link"].rpartition("/")[2]})
        assert by_link.status == 200, "links are not slowed down by somebody's guesses of codes"


async def test_login_is_throttled_and_says_nothing(here: Here) -> None:
    unknown = await here.post("/login", {"username": "nobody", "password": "wrong"})
    wrong = await here.post("/login", {"username": "agent", "password": "wrong"})
    assert unknown.json == wrong.json
    assert wrong.status == 401
    answers = [await here.post("/login", {"username": "agent", "password": "wrong"}) for _ in range(5)]
    assert answers[-1].status == 429
    password = here.server.first_passwords["agent"]
    assert (await here.post("/login", {"username": "agent", "password": password})).status == 429


async def test_a_login_renews_a_hash_made_with_older_parameters(here: Here) -> None:
    store, password = here.server.context.store, here.server.first_passwords["agent"]
    async with store.read() as tx:
        staff = await tx.staff_by_username("agent")
    assert staff is not None
    old = Passwords(memory_kib=32, passes=1, lanes=1)
    weaker = await old.hash(password)
    await old.close()
    async with store.begin() as tx:
        await tx.save_staff(msgspec.structs.replace(staff, password_hash=weaker))
    assert (await here.post("/login", {"username": "agent", "password": "wrong password"})).status == 401
    async with store.read() as tx:
        assert (await tx.get_staff(staff.id) or staff).password_hash == weaker
    assert (await here.post("/login", {"username": "agent", "password": password})).status == 200
    async with store.read() as tx:
        renewed = (await tx.get_staff(staff.id) or staff).password_hash
    assert renewed != weaker
    assert "m=64" in renewed


async def test_a_code_lives_a_day_at_most(here: Here) -> None:
    path = f"/sessions/{await here.session()}/invitations"
    long = {"role": "customer", "expires_in_s": 7 * 86_400}
    assert (await here.post(path, long, token=here.agent)).status == 400
    link = await here.post(path, {**long, "with_code": False}, token=here.agent)
    assert (link.status, link.json["code"]) == (201, None)
    assert (await here.post(path, {"role": "customer", "expires_in_s": 86_400}, token=here.agent)).status == 201


async def test_staff_accounts_and_keys_end_at_once(here: Here) -> None:
    body = {"username": "wang", "name": "Wang", "role": "agent", "password": "correct horse battery"}
    made = await here.post("/staff", body, token=here.supervisor)
    assert made.status == 201
    assert (await here.post("/staff", body, token=here.supervisor)).status == 409
    wang = await here.login("wang", body["password"])
    assert (await here.get("/me", token=wang)).json["username"] == "wang"
    assert (await here.post("/login/renew", token=wang)).json["staff"]["id"] == made.json["id"]
    assert (await here.delete(f"/staff/{made.json['id']}", token=here.supervisor)).status == 204
    assert (await here.get("/me", token=wang)).status == 401
    assert (await here.post("/login", {"username": "wang", "password": body["password"]})).status == 401
    assert (await here.delete(f"/staff/{here.supervisor_id}", token=here.supervisor)).status == 409
    key = (await here.get("/keys", token=here.supervisor)).json["keys"][0]
    assert (await here.get("/sessions", token=here.key)).status == 200
    assert (await here.delete(f"/keys/{key['id']}", token=here.supervisor)).status == 204
    assert (await here.get("/sessions", token=here.key)).status == 401


async def test_the_waiting_list(here: Here) -> None:
    body = {"name": "Lin", "reason": "card", "language": "zh"}
    first, second, third, fourth = [await here.post("/waiting", body) for _ in range(4)]
    assert [first.status, second.status, third.status, fourth.status] == [200, 200, 200, 429]
    listed = (await here.get("/waiting", token=here.agent)).json["entries"]
    assert [entry["session"] for entry in listed] == [entry.json["session"]["id"] for entry in (first, second, third)]
    session = first.json["session"]["id"]
    await here.post(
        "/staff", {"username": "li", "name": "Li", "role": "agent", "password": "correct horse battery"}, token=here.supervisor
    )
    li = await here.login("li", "correct horse battery")
    answers = await asyncio.gather(*(here.post(f"/sessions/{session}/enter", token=token) for token in (here.agent, li)))
    assert sorted(answer.status for answer in answers) == [200, 409]
    assert len((await here.get("/waiting", token=here.agent)).json["entries"]) == 2
    actions = [entry["action"] for entry in (await here.get("/audit", token=here.supervisor)).json["entries"]]
    assert actions.count("session.taken") == 1


async def test_no_walk_in(tmp_path: Path) -> None:
    async with app(tmp_path, walk_in=False) as here:
        refused = await here.post("/waiting", {"name": "Lin", "reason": "card", "language": "zh"})
        assert (refused.status, refused.code) == (403, "not_allowed")


async def test_pages_of_sessions(here: Here) -> None:
    ids = [await here.session(customer_reference=f"C-{number % 2}") for number in range(5)]
    found, cursor = [], ""
    while True:
        page = (await here.get(f"/sessions?limit=2{cursor}", token=here.agent)).json
        found += [session["id"] for session in page["sessions"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(found) == sorted(ids)
    odd = (await here.get("/sessions?customer_reference=C-1&status=open", token=here.agent)).json["sessions"]
    assert {session["id"] for session in odd} == {ids[1], ids[3]}
    await here.post(
        "/staff", {"username": "li", "name": "Li", "role": "agent", "password": "correct horse battery"}, token=here.supervisor
    )
    li = await here.login("li", "correct horse battery")
    seen = (await here.get("/sessions", token=li)).json["sessions"]
    assert seen == [], "another agent's customers stay with that agent"


async def test_an_expired_token_says_so(tmp_path: Path) -> None:
    clock = ManualClock()
    async with app(tmp_path, clock=clock) as here:
        clock.seconds += 3600 + 6
        expired = await here.get("/me", token=here.agent)
        assert (expired.status, expired.code) == (401, "token_expired")


async def test_a_removed_participant_is_out(here: Here) -> None:
    session = await here.session()
    place = await here.place(session)
    path = f"/sessions/{session}"
    assert (await here.get(f"{path}/messages", token=place["token"])).json == {"messages": []}
    assert (await here.delete(f"{path}/participants/{place['participant']}", token=here.agent)).status == 204
    assert (await here.get(f"{path}/messages", token=place["token"])).status == 401


async def test_files(here: Here) -> None:
    session = await here.session()
    place = await here.place(session)
    path, token = f"/sessions/{session}/files", place["token"]
    named = {"X-File-Name": "%E5%8D%A1.png"}
    sent = await here.post(path, data=PNG, headers=named, token=token)
    assert (sent.status, sent.json["name"], sent.json["media_type"]) == (201, "卡.png", "image/png")
    got = await here.call("GET", "/" + sent.headers["Location"], token=here.agent)
    assert got.raw == PNG
    assert got.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert got.headers["Content-Disposition"] == "inline; filename*=UTF-8''%E5%8D%A1.png"
    lying = await here.post(
        path, data=b"plain words", headers={"X-File-Name": "photo.png", "Content-Type": "image/png"}, token=token
    )
    assert (lying.json["name"], lying.json["media_type"]) == ("photo.png.txt", "text/plain")
    text = await here.call("GET", "/" + lying.headers["Location"], token=token)
    assert text.headers["Content-Disposition"].startswith("attachment")
    assert text.headers["X-Content-Type-Options"] == "nosniff"
    eicar = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
    refused = [
        (await here.post(path, data=b"MZ\x90\0", headers=named, token=token), 415),
        (await here.post(path, data=eicar, headers=named, token=token), 415),
        (await here.post(path, data=b"", headers=named, token=token), 400),
        (await here.post(path, data=PNG, token=token), 400),
        (await here.post(path, data=PNG, headers={"X-File-Name": "%ff"}, token=token), 400),
        (await here.post(path, data=PNG, headers={"X-File-Name": "..%2F"}, token=token), 400),
        (await here.post(path, data=PNG, headers=named, token=here.agent), 403),
    ]
    assert [answer.status for answer, _ in refused] == [status for _, status in refused]
    folder = here.server.context.config.data_dir / "files"
    assert len(list(folder.iterdir())) == 2, "what was refused leaves nothing behind"
    once = [await here.post(path, data=PNG, headers={**named, "Idempotency-Key": "f"}, token=token) for _ in range(2)]
    assert once[0].raw == once[1].raw
    assert (await here.post(path, data=b"x", headers={**named, "Idempotency-Key": "f"}, token=token)).status == 409
    assert len(list(folder.iterdir())) == 3


async def test_a_file_too_large_is_cut_off(tmp_path: Path) -> None:
    async with app(tmp_path, files__max_file_bytes=2048, files__max_session_bytes=3000) as here:
        session = await here.session()
        token = (await here.place(session))["token"]
        headers = {"X-File-Name": "a.txt"}
        path = f"/sessions/{session}/files"
        assert (await here.post(path, data=b"a" * 2049, headers=headers, token=token)).status == 413

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield b"a" * 100

        assert (await here.post(path, data=chunks(), headers=headers, token=token)).status == 413  # type: ignore[arg-type]
        assert (await here.post(path, data=b"a" * 2000, headers=headers, token=token)).status == 201
        assert (await here.post(path, data=b"a" * 2000, headers=headers, token=token)).status == 413
        assert len(list((here.server.context.config.data_dir / "files").iterdir())) == 1


async def test_headers_pages_and_health(tmp_path: Path) -> None:
    static = tmp_path / "dist"
    (static / "assets").mkdir(parents=True)
    for name in ("index.html", "agent.html", "review.html", "stories.html"):
        (static / name).write_text(f"<!doctype html>{name}")
    (static / "assets" / "index-abc123.js").write_text("1")
    (static / "sdk").mkdir()
    for name in ("tongping.js", "record-abc123.js"):
        (static / "sdk" / name).write_text("1")
    async with app(tmp_path, static_dir=str(static)) as here:
        for path, content in (
            ("//", b"index"),
            ("//join", b"index"),
            ("//j/abcDEF_-1", b"index"),
            ("//agent", b"agent"),
            ("//review", b"review"),
            ("//review/RE_1", b"review"),
        ):
            page = await here.get(path)
            assert page.status == 200
            assert content in page.raw
            assert page.headers["Cache-Control"] == "no-cache"
            assert "script-src 'self'" in page.headers["Content-Security-Policy"]
            assert page.headers["Referrer-Policy"] == "no-referrer"
            assert "Server" not in page.headers
            assert (await here.get(path, headers={"If-None-Match": page.headers["ETag"]})).status == 304
        person = {"Accept": "text/html,*/*;q=0.8"}
        for path, content in (("//j/abcDEF_-1/", b"index"), ("//j/", b"index"), ("//join/", b"index"), ("//agent/", b"agent")):
            page = await here.get(path)
            assert (page.status, content in page.raw) == (200, True)
        for path in ("//j/abcDEF_-1.", "//nothing", "//agent/nothing", "//review/RE_1/nothing"):
            page = await here.get(path, headers=person)
            assert (page.status, page.raw) == (404, b"<!doctype html>index.html")
            assert (await here.get(path)).json["code"] == "not_found"
        for path in ("/nothing", "//assets/nothing.js", "//dev/stories"):
            assert (await here.get(path, headers=person)).json["code"] == "not_found"
        asset = await here.get("//assets/index-abc123.js")
        assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        for name, cache in (("tongping.js", "no-cache"), ("record-abc123.js", "public, max-age=31536000, immutable")):
            script = await here.get(f"//sdk/{name}")
            assert (script.headers["Access-Control-Allow-Origin"], script.headers["Cross-Origin-Resource-Policy"]) == (
                "*",
                "cross-origin",
            )
            assert script.headers["Cache-Control"] == cache
        for path in (
            "//sdk/nothing.js",
            "//sdk/%2e%2e/index.html",
            "//assets/%2e%2e/index.html",
            "//assets/nothing.js",
            "//dev/stories",
            "//secret.txt",
        ):
            assert (await here.get(path)).status == 404
        assert (await here.get("//healthz")).raw == b"ok\n"
        told = {"store": True, "media": True, "pages": True, "risk": True, "verification": False}
        assert (await here.get("//readyz")).json == told
        here.media.down = True
        assert (await here.get("//readyz")).status == 503
        metrics = (await here.get("//metrics")).raw
        assert b'route="/j/{secret}"' in metrics
        assert b"abcDEF" not in metrics
        docs = await here.get("/docs")
        assert b"POST</span><code>/api/v1/sessions</code>" in docs.raw
        assert (await here.get("/site")).headers["Cache-Control"] == "no-store"


async def test_cors_is_off_unless_configured(tmp_path: Path) -> None:
    asked = {"Origin": "https://bank.example", "Access-Control-Request-Method": "POST"}
    async with app(tmp_path / "off") as here:
        assert (await here.call("OPTIONS", "/sessions", headers=asked)).status == 405
        assert "Access-Control-Allow-Origin" not in (await here.get("/site", headers=asked)).headers
    async with app(tmp_path / "on", cors_origins=("https://bank.example",)) as here:
        assert (await here.call("OPTIONS", "/sessions", headers=asked)).status == 204
        assert (await here.get("/site", headers=asked)).headers["Access-Control-Allow-Origin"] == "https://bank.example"
        other = {**asked, "Origin": "https://evil.example"}
        assert (await here.call("OPTIONS", "/sessions", headers=other)).status == 405
        assert "Access-Control-Allow-Origin" not in (await here.get("/site", headers=other)).headers


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "192.0.2.9", "127.0.0.1"),
        (1, "192.0.2.9", "192.0.2.9"),
        (1, "198.51.100.1, 192.0.2.9", "192.0.2.9"),
        (2, "198.51.100.1, 192.0.2.9", "198.51.100.1"),
        (2, "192.0.2.9", "192.0.2.9"),
        (1, "not an address", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_the_caller_behind_proxies(proxies: int, forwarded: str, address: str) -> None:
    transport = mock.Mock(get_extra_info=lambda name, default=None: ("127.0.0.1", 1) if name == "peername" else default)
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded}, transport=transport)
    assert client_address(request, proxies) == address


async def test_the_signalling_endpoint_refuses_in_problems(here: Here) -> None:
    plain = await here.get("/signal")
    assert (plain.status, plain.code, plain.headers["Upgrade"]) == (426, "upgrade_required", "websocket")
    foreign = await here.get("/signal", headers={"Origin": "https://evil.example"})
    assert (foreign.status, foreign.code) == (403, "not_allowed")

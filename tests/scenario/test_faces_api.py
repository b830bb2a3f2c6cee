"""Face checks over HTTP, on an engine in this process: both ways in, who may, limits, repeats, and what is left behind."""

import asyncio
import base64
import io
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from sqlalchemy import select

from server.api import pictures
from server.store.sql import open_store
from server.store.tables import idempotency
from tests.support.bureau import Page
from tests.support.fake_engine import FakeEngine
from tests.support.server import Answer, Here, app
from tests.support.tiny_engine import ALICE, BOB, draw
from verification import errors
from verification.ports import Compared


class SlowEngine(FakeEngine):
    """Comparisons take until ``go`` is set. ``begun``: how many there are."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.begun = asyncio.Semaphore(0)

    async def compare(self, a: bytes, b: bytes, *, fmr: float | None = None) -> Compared:
        self.begun.release()
        await self.go.wait()
        return await super().compare(a, b, fmr=fmr)


async def face_key(here: Here) -> str:
    made = await here.post("/keys", {"name": "faces", "faces": True}, token=here.supervisor)
    assert made.json["key"]["faces"] is True
    return str(made.json["secret"])


async def send(
    here: Here,
    path: str,
    parts: Sequence[tuple[str, bytes | str]],
    token: str,
    *,
    method: str = "POST",
    headers: dict[str, str] | None = None,
) -> Answer:
    """As a form."""
    form = aiohttp.FormData()
    for name, content in parts:
        if isinstance(content, bytes):
            form.add_field(name, io.BytesIO(content), filename="picture.png", content_type="image/png")
        else:
            form.add_field(name, content)
    sent = {"Authorization": f"Bearer {token}"} | (headers or {})
    async with here.http.request(method, f"{here.url}/api/v1{path}", data=form, headers=sent) as answer:
        return Answer(answer.status, answer.headers.copy(), await answer.read())


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_forms_and_json_are_the_same(tmp_path: Path) -> None:
    async with app(tmp_path, engine=FakeEngine()) as here:
        key = await face_key(here)
        as_form = await send(
            here, "/face/compare", [("reference", draw(ALICE)), ("probe", draw(ALICE)), ("fmr", "0.0001")], key
        )
        body = {"reference": b64(draw(ALICE)), "probe": b64(draw(ALICE)), "fmr": 0.0001}
        as_json = await here.post("/face/compare", body, token=key)
        assert (as_form.status, as_form.json) == (200, as_json.json)
        assert (as_form.json["match"], as_form.json["fmr"], as_form.json["pack"]["name"]) == (True, 0.0001, "tiny")
        pair = [("reference", draw(ALICE)), ("probe", draw(ALICE)), ("reference", draw(ALICE)), ("probe", draw(BOB))]
        batch = await send(here, "/face/compare/batch", pair, key)
        assert [one["comparison"]["match"] for one in batch.json["pairs"]] == [True, False]
        quality = await send(here, "/face/quality", [("image", draw((60, 55, 50)))], key)
        assert quality.json["picture"]["quality"]["reasons"] == [
            {
                "code": "too_dark",
                "advice": {"zh": "光线太暗，请到亮一点的地方。", "en": "It is too dark. Go where there is more light."},
            }
        ]
        takes = [("image", draw(ALICE, size=(160 + 4 * at, 120))) for at in range(10)]
        live = await send(here, "/face/liveness", takes, key)
        assert (live.json["presentation"], live.json["assurance"]) == ("bona_fide", "uploaded_pictures")
        again = await send(here, "/face/liveness", takes[:1] * 10, key)
        assert (again.json["presentation"], again.json["reasons"][0]["code"]) == ("undetermined", "pad_too_few")
        assert live.json["assurance_note"]["en"].startswith("Uploaded pictures may")


async def test_a_picture_that_is_refused(tmp_path: Path) -> None:
    async with app(tmp_path, engine=FakeEngine()) as here:
        key = await face_key(here)
        answer = await send(here, "/face/compare", [("reference", draw(ALICE)), ("probe", draw(None))], key)
        assert (answer.status, answer.code) == (422, "no_face")
        assert answer.json["type"] == "urn:tongping:problem:no_face"
        assert (answer.json["picture"], answer.json["reasons"][0]["advice"]["zh"]) == (1, "请让整张脸出现在画面中。")
        empty = await here.post("/face/quality", {"image": ""}, token=key)
        assert (empty.status, empty.code) == (422, "image_empty")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.EngineBusy("16 calls wait already"), 503, "verification_busy"),
        (errors.EngineLost("gone"), 503, "verification_lost"),
        (errors.DeadlineMissed("late"), 503, "verification_timeout"),
    ],
)
async def test_trouble_is_told_with_when_to_come_again(tmp_path: Path, error: Exception, status: int, code: str) -> None:
    engine = FakeEngine()
    async with app(tmp_path, engine=engine) as here:
        key = await face_key(here)
        engine.next_error = error
        answer = await send(here, "/face/compare", [("reference", draw(ALICE)), ("probe", draw(ALICE))], key)
        assert (answer.status, answer.code) == (status, code)
        assert int(answer.headers["Retry-After"]) >= 1
        assert b"match" not in answer.raw


async def test_what_is_not_a_request(tmp_path: Path) -> None:
    async with app(tmp_path, engine=FakeEngine(), verification__max_body_bytes=65536) as here:
        key = await face_key(here)
        face = draw(ALICE)
        for parts, field in (
            ([("probe", face)], "reference"),
            ([("probe", face), ("reference", face), ("template", f"FT_{'A' * 26}")], "reference"),
            ([("probe", face), ("reference", face), ("why", "x")], "why"),
            ([("probe", face), ("reference", face), ("fmr", "0")], "fmr"),
        ):
            answer = await send(here, "/face/compare", parts, key)
            assert (answer.status, answer.code, answer.json["field"]) == (400, "invalid", field)
        unknown = await send(here, "/face/compare", [("probe", face), ("reference", face), ("fmr", "0.3")], key)
        assert (unknown.status, unknown.json["detail"]) == (400, "fmr: one of 0.0001, 0.001.")
        odd = await send(here, "/face/compare/batch", [("reference", face), ("probe", face), ("probe", face)], key)
        assert (odd.status, odd.json["field"]) == (400, "probe")
        both = await send(here, "/face/liveness", [("image", face), ("clip", face)], key)
        assert (both.status, both.json["field"]) == (400, "image")
        text = await here.call("POST", "/face/quality", data=b"x", headers={"Content-Type": "image/png"}, token=key)
        assert (text.status, text.code) == (415, "unsupported_media_type")
        broken = await here.call("POST", "/face/quality", data=b"{", headers={"Content-Type": "application/json"}, token=key)
        assert (broken.status, broken.code) == (400, "invalid")
        large = await send(here, "/face/quality", [("image", bytes(70_000))], key)
        assert (large.status, large.code) == (413, "too_large")

        async def endless() -> Any:
            for _ in range(20):
                yield bytes(8192)

        head = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=x"}
        async with here.http.post(f"{here.url}/api/v1/face/quality", data=endless(), headers=head) as answer:
            assert answer.status == 413


async def test_large_forms_are_read_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    really = pictures.from_form

    def watched(parts: Any, kind: Any) -> Any:
        threads.append(threading.get_ident())
        return really(parts, kind)

    monkeypatch.setattr(pictures, "from_form", watched)
    async with app(tmp_path, engine=FakeEngine()) as here:
        key = await face_key(here)
        assert (await send(here, "/face/quality", [("image", draw(ALICE))], key)).status == 200
        large = await send(here, "/face/quality", [("image", bytes(2 << 20))], key)
        assert (large.status, large.code) == (422, "image_format_unknown")
        unknown = await send(here, "/face/quality", [("why", bytes(2 << 20))], key)
        assert (unknown.status, unknown.json["field"]) == (400, "why")
    assert [thread == threading.get_ident() for thread in threads] == [True, False, False]


async def test_templates(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with app(tmp_path, engine=engine) as here:
        key = await face_key(here)
        enrol = [("image", draw(ALICE)), ("subject", "c-1"), ("consent", "consents/1")]
        once = {"Idempotency-Key": "enrol-1"}
        made = await send(here, "/face/templates", enrol, key, headers=once)
        assert made.status == 201
        template = made.json["template"]
        assert made.headers["Location"] == f"/api/v1/face/templates/{template['id']}"
        body = {"image": b64(draw(ALICE)), "subject": "c-1", "consent": "consents/1"}
        again = await here.post("/face/templates", body, token=key, headers=once)
        assert (again.status, again.json) == (201, made.json)
        assert engine.calls.count("embed") == 1
        other = await send(here, "/face/templates", [("image", draw(BOB)), *enrol[1:]], key, headers=once)
        assert (other.status, other.code) == (409, "conflict")
        second = await send(here, "/face/templates", enrol, key)
        assert (second.status, second.code) == (409, "template_exists")
        path = f"/face/templates/{template['id']}"
        assert (await here.get(path, token=key)).json == template
        found = await send(here, "/face/compare", [("template", template["id"]), ("probe", draw(ALICE))], key)
        assert (found.json["match"], found.json["template"], found.json["reference"]) == (True, template["id"], None)
        replaced = await send(here, path, [("image", draw(BOB))], key, method="PUT")
        assert (replaced.status, replaced.json["template"]["consent"]) == (200, "consents/1")
        found = await send(here, "/face/compare", [("template", template["id"]), ("probe", draw(ALICE))], key)
        assert found.json["match"] is False
        assert (await here.delete(path, token=key)).status == 204
        for answer in (
            await here.get(path, token=key),
            await here.delete(path, token=key),
            await send(here, path, [("image", draw(BOB))], key, method="PUT"),
            await send(here, "/face/compare", [("template", template["id"]), ("probe", draw(ALICE))], key),
        ):
            assert (answer.status, answer.code) == (410, "gone")
        unknown = await send(here, "/face/compare", [("template", "rubbish"), ("probe", draw(ALICE))], key)
        assert (unknown.status, unknown.code) == (404, "not_found")


async def test_the_picture_of_an_enrolment_is_kept_where_that_is_asked_for_and_never_handed_out(tmp_path: Path) -> None:
    async with app(tmp_path, engine=FakeEngine()) as here:
        key = await face_key(here)
        enrol = [("image", draw(ALICE)), ("subject", "c-1"), ("consent", "consents/1")]
        for wrong in ("maybe", "2", ""):
            refused = await send(here, "/face/templates", [*enrol, ("keep_picture", wrong)], key)
            assert (refused.status, refused.code) == (400, "invalid"), wrong
        twice = await send(here, "/face/templates", [*enrol, ("keep_picture", "true"), ("keep_picture", "true")], key)
        assert twice.status == 400
        body = {"image": b64(draw(BOB)), "subject": "c-2", "consent": "consents/2", "keep_picture": "yes"}
        assert (await here.post("/face/templates", body, token=key)).status == 400
        made = (await send(here, "/face/templates", [*enrol, ("keep_picture", "true")], key)).json["template"]
        assert made["picture_kept"] is True
        again = await here.post("/face/templates", body | {"keep_picture": False}, token=key)
        assert (again.status, again.json["template"]["picture_kept"]) == (201, False)
        path = f"/face/templates/{made['id']}"
        found = await here.get(path, token=key)
        assert found.json == made
        assert len(found.raw) < 1000, "that it is there, and no byte of it"
        replaced = await send(here, path, [("image", draw(ALICE)), ("keep_picture", "false")], key, method="PUT")
        assert replaced.json["template"]["picture_kept"] is False
        entries = (await here.get("/audit?limit=100", token=here.supervisor)).json["entries"]
        told = [one["details"].get("picture") for one in entries if one["action"].startswith("template.")]
        assert told == ["kept", None, None]


async def test_nobody_is_searched_for(tmp_path: Path) -> None:
    """Neither a list of templates nor a way from a face to a name."""
    async with app(tmp_path, engine=FakeEngine()) as here:
        key = await face_key(here)
        assert (await here.get("/face/templates", token=key)).status == 405
        assert (await here.post("/face/search", {}, token=key)).status == 404
        assert (await here.post("/face/identify", {}, token=key)).status == 404


async def test_only_keys_with_the_right_keep_templates(tmp_path: Path) -> None:
    async with app(tmp_path, engine=FakeEngine()) as here:
        session = await here.session()
        place = await here.place(session)
        pair = [("reference", draw(ALICE)), ("probe", draw(ALICE))]
        for token in (here.key, here.agent, here.supervisor):
            answer = await send(here, "/face/compare", pair, token)
            assert (answer.status, answer.code) == (403, "not_allowed")
        without = await send(here, "/face/compare", pair, place["token"])
        assert (without.status, without.json["detail"]) == (403, "The customer has not agreed to a check of their face.")
        socket = await here.http.ws_connect(f"{here.url}/api/v1/signal", max_msg_size=0)
        page = Page(socket)
        await socket.send_json({"t": "hello", "version": 1, "token": place["token"], "resume": None})
        await page.until(lambda one: bool(one.welcome))
        for decision, status in (("given", 200), ("withdrawn", 403), ("given", 200)):
            await page.say("consent.set", scope="face", decision=decision, wording="face-1", language="zh")
            answer = await send(here, "/face/compare", pair, place["token"])
            assert answer.status == status
        assert (answer.json["match"], answer.json["comparison_score"]) == (True, None)
        leading = (await here.post(f"/sessions/{session}/enter", token=here.agent)).json["token"]
        assert (await send(here, "/face/compare", pair, leading)).json["comparison_score"] > 0.9
        template = [("template", f"FT_{'A' * 26}"), ("probe", draw(ALICE))]
        assert (await send(here, "/face/compare", template, place["token"])).status == 403
        await page.close()


async def test_so_many_at_once(tmp_path: Path) -> None:
    engine = SlowEngine()
    async with app(tmp_path, engine=engine, verification__max_requests=3, verification__max_requests_per_caller=2) as here:
        first, second = await face_key(here), await face_key(here)
        pair = [("reference", draw(ALICE)), ("probe", draw(ALICE))]
        async with asyncio.TaskGroup() as group:
            tasks = []
            for key in (first, first, second):
                tasks.append(group.create_task(send(here, "/face/compare", pair, key)))
                await asyncio.wait_for(engine.begun.acquire(), 60)
            own = await send(here, "/face/compare", pair, first)
            assert (own.status, own.code, own.headers["Retry-After"]) == (429, "too_many", "1")
            all_ = await send(here, "/face/compare", pair, second)
            assert (all_.status, all_.code, all_.headers["Retry-After"]) == (503, "verification_busy", "1")
            engine.go.set()
        assert [task.result().status for task in tasks] == [200, 200, 200]
        assert (await send(here, "/face/compare", pair, first)).status == 200


async def test_who_sends_slowly_gives_the_place_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "READ_S", 0.05)
    over = asyncio.Event()

    async def slow() -> Any:
        yield b"--x\r\n"
        await over.wait()

    async with app(tmp_path, engine=FakeEngine(), verification__max_requests=1) as here:
        key = await face_key(here)
        head = {"Authorization": f"Bearer {key}", "Content-Type": "multipart/form-data; boundary=x"}
        async with here.http.post(f"{here.url}/api/v1/face/quality", data=slow(), headers=head) as answer:
            assert answer.status == 408
        over.set()
        assert (await here.post("/face/quality", {"image": b64(draw(ALICE))}, token=key)).status == 200


async def replies(store: Any) -> list[bytes]:
    """What is kept of answers to repeated requests, sealed."""
    async with store.read() as tx:
        rows = await tx._rows(select(idempotency.c.body).where(idempotency.c.about != ""))
    return [bytes(row["body"]) for row in rows]


async def test_nothing_of_a_face_is_left_in_files_or_logs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Not while the template is kept, and not a byte that would open it once it is erased."""
    engine = FakeEngine()
    plain, small = (await engine.embed(draw(ALICE))).template, (await engine.still(draw(ALICE))).jpeg
    (tmp_path / "db").mkdir()
    store = await open_store(f"sqlite:///{tmp_path}/db/store.db")
    async with app(tmp_path, engine=engine, store=store) as here:
        key = await face_key(here)
        enrol = [("image", draw(ALICE)), ("subject", "c-1"), ("consent", "consents/1"), ("keep_picture", "true")]
        made = await send(here, "/face/templates", enrol, key, headers={"Idempotency-Key": "enrol-1"})
        id = made.json["template"]["id"]
        compared = await send(here, "/face/compare", [("template", id), ("probe", draw(ALICE))], key)
        async with store.read() as tx:
            record = await tx.get_template(id)
        assert record is not None
        assert record.picture is not None
        sealed = [record.picture[at : at + 40] for at in (0, 200, len(record.picture) - 40)]
        again = await send(here, "/face/templates", enrol, key, headers={"Idempotency-Key": "enrol-1"})
        assert (again.status, again.json) == (201, made.json)
        rows = await replies(store)
        assert [row for row in rows if row] == rows != []

        def on_disk(*words: bytes) -> list[bytes]:
            files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
            return [word for word in words if any(word in content for content in files)]

        face = [plain, plain[38:], plain[38:54], draw(ALICE), draw(ALICE)[40:80], b64(plain[38:54]).encode(), b"\xff\xd8\xff"]
        face += [small[at : at + 24] for at in range(len(small) // 3, len(small) - 24, 24)]
        assert on_disk(*face) == []
        assert on_disk(record.sealed, record.key, *sealed) == [record.sealed, record.key, *sealed]
        assert (await here.delete(f"/face/templates/{id}", token=key)).status == 204
        assert on_disk(record.sealed, record.sealed[:40], record.key, record.key[20:60], b"consents/1", *rows, *sealed) == []
        assert await replies(store) == [b""]
        again = await send(here, "/face/templates", enrol, key, headers={"Idempotency-Key": "enrol-1"})
        assert (again.status, again.code) == (410, "gone")
        audit = (await here.get("/audit?limit=100", token=here.supervisor)).raw
        assert b"template.enrolled" in audit
        assert b"template.erased" in audit
        for told in (b"c-1", b"comparison_score"):
            assert told not in audit
    out = "".join(capfd.readouterr())
    assert "face/compare" in out
    for word in (str(compared.json["comparison_score"]) + "}", "comparison_score", "c-1", "consents", b64(draw(ALICE))[:40]):
        assert word not in out


async def test_metrics_and_readiness(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with app(tmp_path, engine=engine) as here:
        key = await face_key(here)
        await send(here, "/face/quality", [("image", draw(ALICE))], key)
        told = (await here.get("//metrics")).raw.decode()
        assert "tongping_verification_ready 1.0" in told
        assert 'tongping_verification_calls_total{workers="faces"} 1.0' in told
        ready = (await here.get("//readyz")).json
        assert (ready["verification"], ready["verification_confined"]) == (True, True)
        engine._counts = replace(engine._counts, unconfined=1)
        loose = await here.get("//readyz")
        assert (loose.status, loose.json["verification_confined"]) == (200, False)
        assert 'tongping_verification_workers_unconfined{workers="faces"} 1.0' in (await here.get("//metrics")).raw.decode()
    async with app(tmp_path / "off", verification__enabled=False) as here:
        assert "verification" not in (await here.get("//readyz")).json
        key = await face_key(here)
        answer = await send(here, "/face/quality", [("image", draw(ALICE))], key)
        assert (answer.status, answer.code, answer.json["detail"]) == (
            503,
            "verification_unavailable",
            "Face checks are switched off here.",
        )

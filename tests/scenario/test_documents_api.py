"""Identity documents over HTTP, on an engine in this process: what is told, what is compared, what is written down, and who may."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.scenario.test_faces_api import face_key, send
from tests.support.fake_engine import FakeEngine
from tests.support.server import Here, app
from tests.support.tiny_engine import ALICE, BOB, card, draw
from verification import errors
from verification.ports import DocumentSeen


async def audited(here: Here) -> list[dict[str, Any]]:
    entries = (await here.get("/audit", token=here.supervisor)).json["entries"]
    return [entry["details"] for entry in entries if entry["action"].startswith("document.")]


async def test_a_document_is_read(tmp_path: Path) -> None:
    async with app(tmp_path, engine=FakeEngine()) as here:
        key = await face_key(here)
        answer = await send(here, "/documents/read", [("image", card(ALICE))], key)
        assert answer.status == 200, answer.json
        found = answer.json
        assert (found["accepted"], found["kind"], found["portrait"], found["expired"]) == (
            True,
            "cn_resident_id_front",
            True,
            False,
        )
        assert {one["name"]: (one["value"], one["proven"], one["confirmed"]) for one in found["fields"]} == {
            "number": ("11010519491231002X", True, True),
            "name": ("张三", False, False),
        }
        (caution,) = found["cautions"]
        assert caution["code"] == "document_name_unconfirmed"
        assert set(caution["advice"]) == {"zh", "en"}
        none = await send(here, "/documents/read", [("image", draw(ALICE))], key)
        assert none.status == 200
        assert (none.json["accepted"], none.json["kind"], none.json["fields"]) == (False, None, [])
        reason = none.json["reasons"][0]
        assert reason["code"] == "document_not_found"
        assert set(reason["advice"]) == {"zh", "en"}
        facts = await audited(here)
        assert [one["outcome"] for one in facts] == ["accepted", "document_not_found"]
        assert "张三" not in str(facts)
        assert "11010519491231002X" not in str(facts)


async def test_its_portrait_is_compared_with_a_face(tmp_path: Path) -> None:
    async with app(tmp_path, engine=FakeEngine()) as here:
        key = await face_key(here)
        same = await send(here, "/documents/compare", [("document", card(ALICE)), ("probe", draw(ALICE))], key)
        other = await send(here, "/documents/compare", [("document", card(ALICE)), ("probe", draw(BOB))], key)
        assert (same.json["comparison"]["match"], other.json["comparison"]["match"]) == (True, False)
        assert same.json["document"]["accepted"] is True
        none = await send(here, "/documents/compare", [("document", draw(ALICE)), ("probe", draw(ALICE))], key)
        assert none.status == 200
        assert (none.json["comparison"], none.json["document"]["accepted"]) == (None, False)
        faceless = await send(here, "/documents/compare", [("document", card(None)), ("probe", draw(ALICE))], key)
        assert faceless.json["comparison"] is None
        nobody = await send(here, "/documents/compare", [("document", card(ALICE)), ("probe", draw(None))], key)
        assert (nobody.status, nobody.json["code"], nobody.json["picture"]) == (422, "no_face", 1)
        broken = await send(here, "/documents/compare", [("document", b"no picture"), ("probe", draw(ALICE))], key)
        assert (broken.status, broken.json["picture"]) == (422, 0)
        facts = await audited(here)
        assert [one.get("comparison", one["outcome"]) for one in facts][:3] == ["match", "no_match", "document_not_found"]


class EveryPictureACard(FakeEngine):
    async def document(self, image: bytes, *, today: date, portrait: bool = True) -> DocumentSeen:
        return await super().document(card(ALICE), today=today, portrait=portrait)


async def test_a_document_is_no_picture_of_its_bearer(tmp_path: Path) -> None:
    """The same file twice, and another photograph of it."""
    for engine, probe in ((FakeEngine(), card(ALICE)), (EveryPictureACard(), draw(ALICE))):
        async with app(tmp_path / engine.__class__.__name__, engine=engine) as here:
            key = await face_key(here)
            answer = await send(here, "/documents/compare", [("document", card(ALICE)), ("probe", probe)], key)
            assert (answer.status, answer.json["code"], answer.json["picture"]) == (422, "picture_of_document", 1)
            assert set(answer.json["reasons"][0]["advice"]) == {"zh", "en"}
            assert [one["outcome"] for one in await audited(here)] == ["picture_of_document"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(errors.EngineBusy("busy"), 503), (errors.EngineLost("lost"), 503), (errors.DeadlineMissed("late"), 504)],
)
async def test_an_engine_that_fails_gives_no_answer(tmp_path: Path, error: Exception, status: int) -> None:
    engine = FakeEngine()
    async with app(tmp_path, engine=engine) as here:
        key = await face_key(here)
        engine.next_error = error
        answer = await send(here, "/documents/compare", [("document", card(ALICE)), ("probe", draw(ALICE))], key)
        assert answer.status in (status, 503)
        assert "comparison" not in answer.json
        assert (await audited(here))[-1]["outcome"] == answer.json["code"]


async def test_only_who_may_check_faces(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with app(tmp_path, engine=engine) as here:
        plain = await here.post("/keys", {"name": "plain"}, token=here.supervisor)
        for path, parts in (
            ("/documents/read", [("image", card(ALICE))]),
            ("/documents/compare", [("document", card(ALICE)), ("probe", draw(ALICE))]),
        ):
            assert (await send(here, path, parts, str(plain.json["secret"]))).status == 403
            assert (await send(here, path, parts, "nobody")).status == 401
        assert engine.calls == []

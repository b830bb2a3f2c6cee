"""A clip in place of pictures for an attempt, over HTTP: with drawn faces, and one of real ones with the real workers and the pack ``base``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.transactions.token import verify_decision
from tests.scenario.test_faces_api import send
from tests.scenario.test_faces_real import ready
from tests.scenario.test_verifications_api import DETAILS, Bank, b64, settings
from tests.support import packs, portraits
from tests.support.bank_place import PICTURES, takes
from tests.support.server import Answer, app
from tests.support.short_clips import record
from tests.support.tiny_engine import ALICE, BOB, Colour, pixels
from tests.unit.verification.pictures import encoded
from verification.types import Picture


def shots(colour: Colour = ALICE, count: int = 20, **drawn: Any) -> list[Picture]:
    """So many different pictures of one face, of one size."""
    return [np.roll(pixels(colour, **drawn), 2 * (at // 2) - count // 2, 0) for at in range(count)]


async def show(bank: Bank, id: str, clip: bytes, **more: Any) -> Answer:
    return await bank.post(f"/{id}/attempts", {"clip": b64(clip)}, **more)


async def reviewed(bank: Bank, id: str) -> list[Any]:
    """The pictures of the last attempt, as a reviewer sees them; each can be had."""
    found = (await bank.here.get(f"/reviews/{id}", token=bank.here.supervisor)).json
    attempt = found["attempts"][-1]
    for one in attempt["pictures"]:
        path = f"/reviews/{id}/attempts/{attempt['attempt']['id']}/pictures/{one['name']}"
        got = await bank.here.get(path, token=bank.here.supervisor)
        assert (got.status, got.raw[:3]) == (200, b"\xff\xd8\xff")
    return list(attempt["pictures"])


async def test_a_clip_is_accepted_as_what_it_is(tmp_path: Path) -> None:
    rules = """
model_weight = 0.0

[[rule]]
name = "a_clip"
when = "assurance == \\"clip\\""
action = "refer"
reason = { zh = "上传的视频", en = "An uploaded clip" }
"""
    clip = record(shots())
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        id = await bank.ready()
        headers = {"Idempotency-Key": "show-1"}
        done, again = [await show(bank, id, clip, headers=headers) for _ in range(2)]
        assert (done.status, done.json["attempt"]["outcome"], done.json["advice"]) == (201, "accept", []), done.json
        assert done.json["attempt"]["assurance"] == done.json["verification"]["verdict"]["assurance"] == "clip"
        assert again.json == done.json
        other = await show(bank, id, record(shots(BOB)), headers=headers)
        assert (other.status, other.code) == (409, "conflict")
        jwks = (await here.get("/verifications/keys")).json
        token = done.json["verification"]["result"]
        claims = verify_decision(token, jwks, details=DETAILS, audience=bank.id, now=datetime.now(UTC))
        assert (claims.accepted, claims.assurance) == (True, "clip")
        (tmp_path / "policies" / "rules" / "default.toml").write_text(rules, encoding="utf-8")
        assert (await here.post("/risk/reload", token=here.supervisor)).status == 200
        id = await bank.ready(customer="c-2")
        as_form = await send(here, f"/verifications/{id}/attempts", [("clip", clip)], bank.secret)
        assert as_form.json["attempt"]["reasons"] == ["risk_referred"], as_form.json
        pictures = await reviewed(bank, id)
        assert [one["name"] for one in pictures] == ["upload-1", "upload-2", "upload-3", "upload-4"]
        assert [one["at_ms"] for one in pictures] == sorted({one["at_ms"] for one in pictures})
        assert pictures[-1]["at_ms"] > 1500
        assert all(one["match"] > 0.8 and one["pad"] > 0.7 and one["quality"] > 0.5 for one in pictures), pictures


async def test_clips_that_prove_nothing(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, verification__key_rate_per_min=1000)) as here:
        bank = await Bank.of(here)
        halves = [*shots(count=10), *shots(BOB)[10:]]
        for customer, clip, outcome, reasons in (
            ("somebody-else", record(shots(BOB)), "reject", ["no_match"]),
            ("nobody", record([np.zeros((120, 160, 3), np.uint8)] * 12), "reject", ["no_face"]),
            ("several", record(shots(faces=2)), "reject", ["no_face", "several_faces"]),
            ("still", record([pixels(ALICE)] * 4), "refer", ["pad_too_few"]),
            ("two", record(halves), "reject", ["no_match", "face_changed"]),
            ("screen", record(shots(striped=True)), "reject", ["pad_attack"]),
        ):
            done = await show(bank, await bank.ready(customer=customer), clip)
            found = done.json["attempt"]
            assert (found["outcome"], found["assurance"]) == (outcome, "clip"), (customer, done.json)
            assert found["reasons"][0] in reasons, (customer, found)
        broken = await show(bank, await bank.ready(customer="broken"), record(shots())[:300])
        assert (broken.json["attempt"]["reasons"], broken.json["advice"][0]["code"]) == (
            ["clip_broken", "pad_unavailable"],
            "clip_broken",
        )


async def test_what_is_no_attempt(tmp_path: Path) -> None:
    """Nothing is used up by it."""
    clip = record(shots())
    async with app(tmp_path, **settings(tmp_path)) as here:
        bank = await Bank.of(here)
        id = await bank.ready()
        for body in ({}, {"image": [b64(takes()[0])], "clip": b64(clip)}, {"image": [], "clip": ""}):
            answer = await bank.post(f"/{id}/attempts", body)
            assert (answer.status, answer.json["field"]) == (400, "image")
        twice = await send(here, f"/verifications/{id}/attempts", [("clip", clip), ("clip", clip)], bank.secret)
        assert (twice.status, twice.json["field"]) == (400, "clip")
        assert (await bank.get(id)).json["attempts_used"] == 0
        live = await bank.ready("debit_card_password_change", customer="c-2")
        refused = await show(bank, live, clip)
        assert (refused.status, refused.code, (await bank.get(live)).json["attempts_used"]) == (409, "conflict", 0)


async def test_a_clip_is_sixteen_checks(tmp_path: Path) -> None:
    async with app(tmp_path, **settings(tmp_path, verification__key_rate_per_min=20)) as here:
        bank = await Bank.of(here)
        id = await bank.ready()
        assert (await show(bank, id, record(shots(BOB)))).status == 201
        busy = await show(bank, id, record(shots()))
        assert (busy.status, (await bank.get(id)).json["attempts_used"]) == (429, 1)


async def test_a_lost_worker_is_no_pass(tmp_path: Path) -> None:
    from verification.errors import EngineLost

    told = settings(tmp_path)
    async with app(tmp_path, **told) as here:
        bank = await Bank.of(here)
        id = await bank.ready()
        told["engine"].next_error = EngineLost("gone")
        done = await show(bank, id, record(shots()))
        assert (done.json["attempt"]["outcome"], done.json["attempt"]["reasons"]) == ("reject", ["engine_lost"])
        assert (await bank.get(id)).json["state"] == "open"  # nothing was seen: another try, and nothing for a reviewer


async def test_a_clip_of_a_real_face(tmp_path: Path) -> None:
    """``base`` cannot detect attacks: referred where the policy says so, with what a reviewer looks at."""
    packs.base()
    told = settings(tmp_path)
    del told["engine"]
    text = PICTURES + "\n[refer]\nmissing_pad = true\n"
    (tmp_path / "policies" / "pictures.toml").write_text(text, encoding="utf-8")
    dad, again, other = (portraits.azure(f"Family1-{name}.jpg") for name in ("Dad1", "Dad2", "Mom1"))
    async with app(tmp_path, models_dir=str(packs.FOLDER), verification__deadline_s=60.0, **told) as here:
        await ready(here)
        bank = await Bank.of(here)
        for customer, face, outcome, code in (("c-1", again, "refer", "pad_unavailable"), ("c-2", other, "reject", "no_match")):
            id = str((await bank.ask(customer=customer)).json["id"])
            body = {"image": b64(encoded(dad))}
            assert (await here.call("PUT", f"/verifications/{id}/portrait", body, token=bank.secret)).status == 200
            done = await show(bank, id, record([np.roll(_even(face), 2 * at, 1) for at in range(12)]))
            assert (done.json["attempt"]["outcome"], done.json["attempt"]["reasons"][0]) == (outcome, code), done.json
            if outcome == "refer":
                assert [one["match"] is not None for one in await reviewed(bank, id)] == [True] * 4


def _even(picture: Picture) -> Picture:
    """As codecs want it."""
    height, width = picture.shape[:2]
    return np.ascontiguousarray(picture[: height // 2 * 2, : width // 2 * 2])


@pytest.mark.parametrize("count", [1, 4, 5, 16])
def test_what_is_spread(count: int) -> None:
    from server.services.verification_uploads import spread

    assert spread(count, 4)[0] == 0
    assert spread(count, 4)[-1] == count - 1
    assert len(set(spread(count, 4))) == min(count, 4)

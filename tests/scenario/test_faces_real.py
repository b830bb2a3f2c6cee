"""Face checks over HTTP with the real workers and the pack ``base``: people, the interface's own examples, campaigns 10 and 11.

The people are those of ../shared/data (MIT), the portrait is NASA's; both are skipped where they are not there.
"""

import asyncio
import base64
import gzip
import io
import os
import signal
import time
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from server.api.operations import BASE, OPERATIONS
from tests.scenario.test_faces_api import face_key, send
from tests.support import packs, portraits
from tests.support.machine import quick_or_skip
from tests.support.portraits import portrait
from tests.support.server import Here, app
from tests.support.short_clips import record
from tests.unit.verification.pictures import encoded, png_that_says

pytestmark = pytest.mark.asyncio(loop_scope="module")
REFUSED_S = 0.2
READY_S = 180.0
"""A deadline only: beside others workers take long to read their models."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    packs.base()
    async with app(
        tmp_path_factory.mktemp("faces"),
        models_dir=str(packs.FOLDER),
        verification__deadline_s=60.0,
        verification__key_rate_per_min=100_000,
    ) as made:
        await ready(made)
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def key(here: Here) -> str:
    return await face_key(here)


async def ready(here: Here) -> None:
    async with asyncio.timeout(READY_S):
        while not (await here.get("//readyz")).json["verification"]:  # noqa: ASYNC110 - it is only said when asked
            await asyncio.sleep(0.1)


def jpeg(picture: Any) -> bytes:
    return encoded(picture)


async def test_people_are_told_apart(here: Here, key: str) -> None:
    dad, again, other = (jpeg(portraits.azure(f"Family1-{name}.jpg")) for name in ("Dad1", "Dad2", "Mom1"))
    same = await send(here, "/face/compare", [("reference", dad), ("probe", again)], key)
    assert (same.status, same.json["match"], same.json["pack"]["name"]) == (200, True, "base")
    differs = await send(here, "/face/compare", [("reference", dad), ("probe", other)], key)
    assert (differs.json["match"], differs.json["reasons"][0]["code"]) == (False, "no_match")
    assert same.json["comparison_score"] > same.json["threshold"] > differs.json["comparison_score"]
    made = await send(here, "/face/templates", [("image", dad), ("subject", "dad"), ("consent", "c/1")], key)
    assert made.status == 201
    id = made.json["template"]["id"]
    for probe, match in ((again, True), (other, False)):
        found = await send(here, "/face/compare", [("template", id), ("probe", probe)], key)
        assert found.json["match"] is match
    assert (await here.delete(f"/face/templates/{id}", token=key)).status == 204


async def test_base_cannot_tell_living_from_not_and_says_so(here: Here, key: str) -> None:
    face = portrait()
    pictures = await send(here, "/face/liveness", [("image", jpeg(face))] * 3, key)
    clip = await send(here, "/face/liveness", [("clip", record([face] * 12))], key)
    for answer, assurance in ((pictures, "uploaded_pictures"), (clip, "uploaded_clip")):
        assert (answer.status, answer.json["presentation"], answer.json["assurance"]) == (200, "undetermined", assurance)
        assert "pad_unavailable" in [reason["code"] for reason in answer.json["reasons"]]
        assert all(frame["faces"] == 1 for frame in answer.json["frames"])
    assert clip.json["frames"][0]["at_s"] == 0
    broken = await send(here, "/face/liveness", [("clip", record([face] * 3)[:3000])], key)
    assert (broken.status, broken.code) == (422, "clip_broken")


async def test_every_example_runs(here: Here, key: str) -> None:
    document = (await here.get("/openapi.json")).json
    template = ""
    ran = 0
    checks = [operation for operation in OPERATIONS if operation.path.startswith(("/face/", "/documents/"))]
    for operation in checks:
        if operation.sends is None:
            continue
        content = document["paths"][BASE + operation.path][operation.method.lower()]["requestBody"]["content"]
        example = content["application/json"]["example"]
        path = operation.path.format(template=template)
        answer = await here.call(operation.method, path, example, token=key)
        assert answer.status == operation.status, (operation.id, answer.raw)
        if operation.id == "enrol_template":
            template = answer.json["template"]["id"]
        ran += 1
    assert ran == sum(operation.pictures for operation in checks) >= 8
    assert (await here.get(f"/face/templates/{template}", token=key)).json["state"] == "ready"
    assert (await here.delete(f"/face/templates/{template}", token=key)).status == 204


def zipped(size: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(size))
    return file.getvalue()


def hostile() -> dict[str, bytes]:
    good = encoded(portrait())
    png = encoded(portrait(), "PNG")
    return {
        "a bomb": png_that_says(50_000, 50_000),
        "a wide bomb": png_that_says(2_000_000_000, 1),
        "a zip": zipped(50 << 20),
        "a gzip": gzip.compress(bytes(50 << 20)),
        "a picture with a zip behind it": png + zipped(1000),
        "a picture with a page in it": good[:-2] + b"<script>alert(1)</script>",
        "half a picture": good[: len(good) // 2],
        "half a PNG": png[: len(png) // 2],
        "zeros": bytes(1 << 20),
        "nearly too much": b"\xff\xd8\xff\xe0" + bytes(9 << 20),
        "too much": bytes(11 << 20),
        "a vector": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
        "a GIF": b"GIF89a" + bytes(100),
    }


@pytest.mark.campaign(10)
async def test_bombs_are_refused_at_once(here: Here, key: str) -> None:
    """Refused with a code before anything is decoded; the worker stays as small as it was, and works."""
    slowest = 0.0
    for name, data in hostile().items():
        took = []
        for _ in range(3):
            began = time.perf_counter()
            answer = await send(here, "/face/quality", [("image", data)], key)
            took.append(time.perf_counter() - began)
            assert answer.status == 422, name
            assert answer.code.startswith("image_"), name
            assert answer.json["reasons"][0]["advice"]["en"], name
        slowest = max(slowest, min(took))
    assert (await send(here, "/face/quality", [("image", encoded(portrait()))], key)).status == 200
    metrics = (await here.get("//metrics")).raw.decode()
    rss = next(
        float(line.split()[1])
        for line in metrics.splitlines()
        if line.startswith('tongping_verification_rss_bytes{workers="faces"}')
    )
    assert 0 < rss <= 512 << 20
    assert 'tongping_verification_restarts_total{workers="faces"} 0.0' in metrics
    assert 'tongping_verification_work_seconds_total{clock="cpu",step="quality",workers="faces"}' in metrics
    assert 'tongping_verification_workers_unconfined{workers="faces"} 0.0' in metrics
    quick_or_skip(slowest <= REFUSED_S, f"the slowest refusal took {slowest:.3f} s")


@pytest.mark.campaign(10)
async def test_bombs_in_json_and_in_clips(here: Here, key: str) -> None:
    bomb = base64.b64encode(png_that_says(50_000, 50_000)).decode()
    answer = await here.post("/face/compare", {"reference": bomb, "probe": bomb}, token=key)
    assert (answer.status, answer.code, answer.json["picture"]) == (422, "image_too_many_pixels", 0)
    for clip in (hostile()["a zip"], b"\x1a\x45\xdf\xa3" + bytes(1 << 20), b"\0\0\0\x18ftypmp42" + bytes(1 << 20)):
        answer = await send(here, "/face/liveness", [("clip", clip)], key)
        assert (answer.status, answer.code[:5]) == (422, "clip_")


@pytest.mark.campaign(11)
async def test_a_killed_worker_is_no_answer_and_is_back(here: Here, key: str) -> None:
    pool: Any = here.server.context.faces.engine._pool  # type: ignore[attr-defined]
    pair = [("reference", encoded(portrait())), ("probe", encoded(portrait()))]
    for pid in pool.pids().values():
        os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    while (answer := await send(here, "/face/compare", pair, key)).status != 200:
        assert (answer.status, answer.json.get("match")) == (503, None)
        assert answer.code.startswith("verification_")
        assert time.monotonic() - began < 60
    assert answer.json["match"] is True

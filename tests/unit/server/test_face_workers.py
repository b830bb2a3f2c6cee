"""The workers of face checks as the server sees them: as configured, not there, not startable, or not held; it serves without them."""

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from server.config import load
from server.errors import ConfigError, VerificationUnavailable
from server.faces import PATIENCE_S, FaceWorkers, models_folder
from server.services.faces import Faces
from tests.support.face_place import KEY, Place
from tests.support.fake_engine import FakeEngine
from tests.support.tiny_engine import ALICE, card, draw
from verification import errors


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_without_an_engine_nothing_is_found_out(tmp_path: Path) -> None:
    config = load(environment={}, overrides={"data_dir": str(tmp_path), "verification.key": KEY})
    place = Place(tmp_path)
    id = await place.enrol()
    workers = FaceWorkers(config)
    await workers.start()
    try:
        async with asyncio.timeout(60):
            while workers.readiness.why == "starting":  # noqa: ASYNC110 - a thread looks at the disk
                await asyncio.sleep(0)
        assert workers.readiness.why == "pack_not_installed"
        assert "tongping models install base" in workers.readiness.detail
        faces = Faces(place.store, place.clock, place.make.id, workers, place.seal, config.verification)
        with pytest.raises(VerificationUnavailable):
            async with faces.admitted(place.key):
                pass
        with pytest.raises(VerificationUnavailable):
            await faces.compare(place.key, draw(ALICE), draw(ALICE), None)
        assert (await faces.template(id)).state is None
        await faces.erase(place.key, id)  # what was agreed to can always be taken back
        assert (workers.counts_of, workers.confined) == ({}, True)
    finally:
        await workers.close()


async def test_documents_that_nobody_reads_are_not_waited_for(tmp_path: Path) -> None:
    overrides: dict[str, Any] = {"data_dir": str(tmp_path), "verification.key": KEY, "verification.document_workers": 0}
    workers = FaceWorkers(load(environment={}, overrides=overrides))
    with pytest.raises(VerificationUnavailable, match="not read here") as refused:
        await workers.document(card(ALICE), today=date(2026, 11, 22))
    assert refused.value.code == "verification_unavailable"


async def test_the_workers_are_as_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that read documents too."""
    from verification.engine.pool import EngineConfig

    made: list[EngineConfig] = []

    def pool(config: EngineConfig) -> Any:
        made.append(config)
        raise errors.PackError("not now", code="not_now")

    monkeypatch.setattr("server.faces._load", lambda: pool)
    wanted: dict[str, Any] = {"workers": 3, "document_workers": 2, "threads": 2, "deadline_s": 7.0, "max_waiting": 5}
    wanted |= {"require_confined": ("network", "auto"), "pack_hash": "ab" * 32}
    config = load(environment={}, overrides={"data_dir": str(tmp_path)} | {f"verification.{k}": v for k, v in wanted.items()})
    record = models_folder(config) / config.verification.pack / "installed.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    workers = FaceWorkers(config)
    await workers.start()
    try:
        async with asyncio.timeout(60):
            while workers.readiness.why == "starting":  # noqa: ASYNC110 - a thread looks at the disk
                await asyncio.sleep(0)
        assert workers.readiness.why == "not_now"
    finally:
        await workers.close()
    (got,) = made
    assert {name: getattr(got, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("raised", "detail"),
    [
        (
            errors.NotConfined("this machine does not hold a worker by calls"),
            "workers of face checks cannot be started: this machine",
        ),
        (
            errors.ProviderMissing("Nonsense is not in this ONNX Runtime; there are A, B"),
            "started: Nonsense is not in this ONNX Runtime",
        ),
        (errors.HashMismatch("a file"), "The model pack base cannot be used: a file."),
        (ValueError("odd"), "cannot be started."),
        (
            errors.VerificationError("PermissionError: /srv/secret", code="engine_cannot_start"),
            "The workers of face checks cannot be started.",
        ),
    ],
)
async def test_why_there_are_no_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, raised: Exception, detail: str
) -> None:
    def pool(config: object) -> Any:
        raise raised

    monkeypatch.setattr("server.faces._load", lambda: pool)
    config = load(environment={}, overrides={"data_dir": str(tmp_path)})
    record = models_folder(config) / config.verification.pack / "installed.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    workers = FaceWorkers(config)
    await workers.start()
    try:
        async with asyncio.timeout(60):
            while workers.readiness.why == "starting":  # noqa: ASYNC110 - a thread looks at the disk
                await asyncio.sleep(0)
        assert detail in workers.readiness.detail
        assert "secret" not in workers.readiness.detail
        (line,) = [line for line in caplog.records if line.msg == "face checks are not available"]
        assert line.__dict__["detail"] == workers.readiness.detail
    finally:
        await workers.close()


async def test_without_workers_for_documents(tmp_path: Path) -> None:
    place = Place(tmp_path, document_workers=0)
    with pytest.raises(VerificationUnavailable, match="Documents are not read here"):
        await place.workers.document(card(ALICE), today=date(2026, 11, 22))
    assert place.engine.calls == []


def test_more_threads_than_a_model_can_have(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"verification\.threads"):
        load(environment={"TONGPING_VERIFICATION_THREADS": "65"})


def test_what_may_be_required_of_workers() -> None:
    def required(*words: str) -> tuple[str, ...]:
        return load(environment={"TONGPING_VERIFICATION_REQUIRE_CONFINED": ",".join(words)}).verification.require_confined

    assert required("nothing") == ("nothing",)
    assert required("auto", "network") == ("auto", "network")
    for wrong in ((), ("landlock",), ("",)):
        with pytest.raises(ConfigError, match="require_confined"):
            required(*wrong)


async def test_nothing_is_required_where_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    class Pool(FakeEngine):
        async def start(self) -> None: ...
        async def close(self) -> None: ...

    def pool(config: Any) -> Any:
        asked.append(config.require_confined)
        return Pool()

    monkeypatch.setattr("server.faces._load", lambda: pool)
    for words, wanted in (("nothing", ()), ("auto", ("auto",))):
        config = load(
            environment={"TONGPING_VERIFICATION_REQUIRE_CONFINED": words}, overrides={"data_dir": str(tmp_path / words)}
        )
        record = models_folder(config) / config.verification.pack / "installed.json"
        record.parent.mkdir(parents=True)
        record.write_text("{}")
        workers = FaceWorkers(config)
        await workers.start()
        async with asyncio.timeout(60):
            while not workers.readiness.ready:  # noqa: ASYNC110 - a thread looks at the disk
                await asyncio.sleep(0)
        await workers.close()
        assert asked[-1] == wanted


def test_switched_off(tmp_path: Path) -> None:
    workers = FaceWorkers(load(environment={}, overrides={"data_dir": str(tmp_path), "verification.enabled": False}))
    assert (workers.readiness.why, workers.enabled) == ("disabled", False)
    assert models_folder(load(environment={}, overrides={"models_dir": "/srv/models"})) == Path("/srv/models")


async def test_no_worker_is_ready(place: Place) -> None:
    place.engine._counts = replace(place.engine._counts, ready=0, none_s=PATIENCE_S)
    assert place.workers.readiness.ready  # it is waited for
    assert (await place.faces.compare(place.key, draw(ALICE), draw(ALICE), None)).match
    place.engine._counts = replace(place.engine._counts, ready=0, none_s=PATIENCE_S + 0.1)
    assert place.workers.readiness.why == "restarting"
    with pytest.raises(VerificationUnavailable):
        await place.faces.compare(place.key, draw(ALICE), draw(ALICE), None)

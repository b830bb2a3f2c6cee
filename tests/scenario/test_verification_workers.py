"""Real packs in confined workers: they answer as they do without, within their memory, and refuse a file that is not theirs."""

import asyncio
import io
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from tests.support import cards, packs
from tests.support.engine_pools import BACK_S
from tests.support.machine import quick_or_skip
from verification.documents.reading import DocumentType
from verification.engine.pool import EngineConfig, EnginePool
from verification.errors import EngineLost, FaceRefused, HashMismatch, ImageRefused
from verification.faces.analyser import Analyser
from verification.images import read
from verification.models.store import InstalledPack
from verification.reasons import ReasonCode
from verification.types import Ability

FAMILY = packs.ROOT.parent / "shared" / "data" / "dev" / "faces" / "azure_family"
MEMORY_BYTES = 512 << 20

pytestmark = pytest.mark.asyncio(loop_scope="module")


def picture(name: str) -> bytes:
    """A face with room around it, 640 × 480, as a camera gives one."""
    if not FAMILY.is_dir():
        pytest.skip("the development data are not here")
    room = Image.new("RGB", (640, 480), (127, 127, 127))
    with Image.open(FAMILY / f"{name}.jpg") as face:
        face.thumbnail((400, 400))
        room.paste(face, ((640 - face.width) // 2, (480 - face.height) // 2))
    file = io.BytesIO()
    room.save(file, "JPEG", quality=92)
    return file.getvalue()


def config(pack: InstalledPack, **changes: object) -> EngineConfig:
    values: dict[str, object] = {
        "pack": pack.pack.name, "models_dir": pack.folder.parent, "work_s": 30.0, "stall_s": 60.0, "deadline_s": 90.0, "ready_timeout_s": 60.0,
        "memory_bytes": MEMORY_BYTES,
    }  # fmt: skip
    return EngineConfig(**(values | changes))  # type: ignore[arg-type]


@pytest_asyncio.fixture(params=["base", "open"], scope="module", loop_scope="module")
async def worker(request: pytest.FixtureRequest) -> AsyncIterator[tuple[EnginePool, InstalledPack]]:
    pack = packs.base() if request.param == "base" else packs.open_pack()
    async with EnginePool(config(pack)) as pool:
        yield pool, pack


async def test_what_it_says_of_itself(worker: tuple[EnginePool, InstalledPack]) -> None:
    pool, opened = worker
    info = pool.pack
    assert (info.name, info.hash) == (opened.pack.name, opened.pack.hash)
    assert info.has_pad == info.has_mesh == (info.name == "open") == (info.pad_accept is not None)
    assert (Ability.BLINK in info.abilities) == info.has_mesh
    assert info.default_fmr in dict(info.points)
    assert {"limits", "privileges"} <= set(info.confined)


async def test_it_answers_as_the_models_do_without_it(worker: tuple[EnginePool, InstalledPack]) -> None:
    pool, opened = worker
    first, again, other = (picture(name) for name in ("Family1-Dad1", "Family1-Dad2", "Family1-Mom1"))
    analyser = Analyser(opened)
    embeddings = [analyser.embed_picture(read(data))[2] for data in (first, again, other)]
    same, different = await pool.compare(first, again), await pool.compare(first, other)
    assert same.comparison.match
    assert not different.comparison.match
    assert same.comparison.comparison_score == pytest.approx(analyser.compare(*embeddings[:2]).comparison_score, abs=1e-5)
    template = (await pool.embed(first)).template
    matched = await pool.match(template, again)
    kept = read(first)
    closely = analyser.embed(kept, analyser.one_face(kept, careful=True))
    assert matched.comparison.comparison_score == pytest.approx(
        analyser.compare(closely, embeddings[1]).comparison_score, abs=1e-5
    )
    answer = await pool.pad([first, again])
    if pool.pack.has_pad:
        assert answer.pad is not None
        assert len(answer.pad.each) == 3
    else:
        assert answer.reasons == (ReasonCode.PAD_UNAVAILABLE,)


async def test_a_frame_of_a_live_picture(worker: tuple[EnginePool, InstalledPack]) -> None:
    pool, _ = worker
    data = picture("Family1-Dad1")
    pixels = read(data).tobytes()
    first = await pool.analyse(pixels, 640, 480, template=True)
    portrait = await pool.analyse(pixels, 640, 480, reference=(await pool.embed(data)).template)
    assert portrait.identity is not None
    assert portrait.identity > dict(pool.pack.points)[pool.pack.default_fmr] + 0.2
    seen = await pool.analyse(pixels, 640, 480, reference=first.template)
    assert seen.faces == 1
    assert seen.identity == pytest.approx(1, abs=1e-4)
    assert seen.yaw is not None
    assert seen.quality is not None
    assert seen.face_colour is not None
    assert (seen.eyes is not None) == (seen.mouth is not None) == pool.pack.has_mesh
    assert (seen.pad is not None) == pool.pack.has_pad


async def test_whatever_it_looks_at_it_stays_within_its_memory(worker: tuple[EnginePool, InstalledPack]) -> None:
    pool, _ = worker
    for kind, side, more in (
        ("JPEG", 5400, {"progressive": True, "subsampling": 0}),
        ("PNG", 5400, {}),
        ("WEBP", 3100, {}),
        ("PNG", 5400, {}),
    ):
        file = io.BytesIO()
        Image.new("RGB", (side, side), (90, 120, 150)).save(file, kind, **more)
        with pytest.raises((FaceRefused, ImageRefused)):  # read and empty, or too large to be read: it depends on the format
            await pool.quality(file.getvalue())
    noise = np.random.default_rng(1).integers(0, 256, (1080, 1920, 3), np.uint8)
    assert (await pool.analyse(noise.tobytes(), 1920, 1080)).width == 1920
    assert pool.counts.restarts == 0
    assert most_ever(pool.pids()[0]) < MEMORY_BYTES


def most_ever(pid: int) -> int:
    """Bytes of memory that a process ever held at a time."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))


async def test_documents_are_read_by_workers_of_their_own() -> None:
    pictures = [
        cards.photograph(cards.front(), cards.Shot(size=(2400, 1800))),
        cards.photograph(cards.td1(), cards.Shot(turn=90)),
    ]
    async with EnginePool(config(packs.base(), document_workers=1)) as pool:
        await pool.readers.wait_ready()
        assert {"limits", "privileges"} <= set(pool.readers.pack.confined)
        found = []
        for photo in pictures:
            file = io.BytesIO()
            Image.fromarray(photo).save(file, "JPEG", quality=90)
            found.append(await pool.document(file.getvalue(), today=date(2026, 11, 22)))
        assert [seen.reading.type for seen in found] == [DocumentType.CN_ID_FRONT, DocumentType.TD1]
        assert found[0].reading.values["number"] == cards.Person().number
        assert (await pool.analyse(bytes(3 * 640 * 480), 640, 480)).faces == 0
        assert most_ever(pool.readers.pids()[0]) < MEMORY_BYTES
        assert pool.readers.counts.restarts == 0


@pytest.mark.campaign(11)
async def test_a_pack_with_a_wrong_hash_refuses_to_start_and_says_why(tmp_path: Path) -> None:
    pack = packs.base()
    shutil.copytree(pack.folder, tmp_path / "base")
    model = next(model for model in pack.pack.all_models if model.is_onnx)
    file = tmp_path / "base" / model.file
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.chmod(0o600)
    file.write_bytes(data)
    with pytest.raises(HashMismatch, match=model.file.replace(".", r"\.")):
        async with EnginePool(config(pack, models_dir=tmp_path)):
            pass


@pytest.mark.quiet
@pytest.mark.campaign(11)
async def test_it_is_back_within_five_seconds(worker: tuple[EnginePool, InstalledPack]) -> None:
    pool, _ = worker
    os.kill(pool.pids()[0], signal.SIGKILL)
    with pytest.raises(EngineLost):
        await pool.analyse(bytes(3 * 640 * 480), 640, 480)
    began = time.monotonic()
    async with asyncio.timeout(60):
        await pool.wait_ready()
    took_s = time.monotonic() - began
    assert (await pool.analyse(bytes(3 * 640 * 480), 640, 480)).faces == 0
    quick_or_skip(took_s <= BACK_S, took_s)

"""Photographs of documents as telephones take them, and the dearest pictures that are let in beside the models: none ends the worker that reads them."""

import io
from collections.abc import AsyncIterator, Callable
from datetime import date

import pytest
from PIL import Image

from tests.support import cards, packs, portraits
from tests.support.heavy_pictures import heic, jpeg, photograph, png, webp
from tests.support.machine import most_memory
from verification.documents.reading import DocumentType
from verification.engine.pool import EngineConfig, EnginePool
from verification.errors import ImageRefused
from verification.headers import look
from verification.images import DOCUMENT_LIMITS
from verification.reasons import ReasonCode
from verification.types import Picture

pytestmark = pytest.mark.campaign(10)

TODAY = date(2026, 11, 22)
SPARE_BYTES = 24 << 20


@pytest.fixture(scope="module")
def pack() -> str:
    """`open` takes more memory than `base`."""
    packs.base()
    return packs.open_pack().pack.name if packs.MIRROR.is_dir() else "base"


@pytest.fixture
async def pool(pack: str) -> AsyncIterator[EnginePool]:
    """As it is configured by default, but that it may be on a slow machine."""
    config = EngineConfig(pack=pack, models_dir=packs.FOLDER, document_workers=1, work_s=60.0, deadline_s=120.0)
    async with EnginePool(config) as pool:
        await pool.readers.wait_ready()
        yield pool


def held(pool: EnginePool) -> int:
    (pid,) = pool.readers.pids().values()
    assert pool.readers.counts.restarts == 0
    return most_memory(pid)


def _jpeg(picture: Picture, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", **options)  # type: ignore[arg-type]
    return out.getvalue()


async def test_what_telephones_take_is_read(pool: EnginePool) -> None:
    """12 and 24 megapixels of JPEG and HEIC; 12 of JPEG in several scans and full colour, and of HEIC that lies on its side."""
    for size in ((4032, 3024), (5712, 4284)):
        picture = cards.photograph(cards.front(face=portraits.portrait()), cards.Shot(size=size, blur=1.2))
        files = [_jpeg(picture), photograph(picture)]
        if size[0] < 5000:
            files += [_jpeg(picture, progressive=True, subsampling=0), photograph(picture, turned=True)]
        for file in files:
            seen = await pool.document(file, today=TODAY)
            assert seen.reading.accepted, seen.reading.reasons
            assert seen.reading.type is DocumentType.CN_ID_FRONT
            assert max(seen.reading.width, seen.reading.height) == DOCUMENT_LIMITS.work_side
    assert held(pool) < EngineConfig().document_memory_bytes - SPARE_BYTES


DEAR: dict[str, Callable[[int, int], bytes]] = {
    "png colour 8": lambda wide, high: png("colour 8", wide, high),
    "png colour alpha 8": lambda wide, high: png("colour alpha 8", wide, high),
    "jpeg cmyk progressive": lambda wide, high: jpeg("cmyk progressive", wide, high, scans=32),
    "webp lossless transparent": lambda wide, high: webp("lossless transparent", wide, high),
    "heic 420": lambda wide, high: heic("420", wide, high, grid=4),
    "heic 444 of 10 bits": lambda wide, high: heic("444 of 10 bits", wide, high),
}


async def test_the_dearest_pictures_end_no_worker(pool: EnginePool) -> None:
    for name, drawn in DEAR.items():
        header = look(drawn(256, 256))
        side = int((DOCUMENT_LIMITS.memory_bytes / header.cost) ** 0.5) // 64 * 64
        seen = await pool.document(drawn(side, side), today=TODAY)
        assert seen.reading.reasons == (ReasonCode.DOCUMENT_NOT_FOUND,), name
        print(f"{name:30s} {side} x {side} {held(pool) >> 20} MiB")
        assert held(pool) < EngineConfig().document_memory_bytes - SPARE_BYTES, name
        larger = side + 512
        with pytest.raises(ImageRefused) as refused:
            await pool.document(drawn(larger, larger * 2), today=TODAY)
        assert refused.value.code == ReasonCode.IMAGE_TOO_MANY_PIXELS

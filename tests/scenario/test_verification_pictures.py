"""The dearest pictures and clips that are read, through a worker with a real pack: as many pixels as each format and mode may have, and none of them ends it.

``TESTS_CAMPAIGN=long`` sends every mode.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.support import packs
from tests.support.heavy_pictures import (
    HEIC_KINDS,
    JPEG_KINDS,
    PNG_KINDS,
    WEBP_KINDS,
    heic,
    jpeg,
    png,
    webp,
    webp_of_many_codes,
)
from tests.support.machine import most_memory, slowness
from tests.support.webm import CLUSTER, LACED, PICTURES, WITHOUT_SIZE, block, element, pictures_track, vp8, webm
from verification.engine.pool import EngineConfig, EnginePool
from verification.errors import FaceRefused, ImageRefused
from verification.headers import look
from verification.images import DEFAULT_LIMITS

pytestmark = [pytest.mark.campaign(10)]

LONG = os.environ.get("TESTS_CAMPAIGN") == "long"
SPARE_BYTES = 12 << 20
WORK_S = EngineConfig().work_s / 1.5
"""Of a usual processor, which may be slower than the one that the limit is for."""
Drawn = Callable[[int, int], bytes]


def _all() -> Iterator[tuple[str, Drawn, bool]]:
    """Name, how it is drawn, whether it is of the short form."""
    short = {"palette 8 transparent", "grey 16", "colour 8", "colour 16", "colour alpha 8"}
    for kind in PNG_KINDS:
        yield f"png {kind}", lambda wide, high, kind=kind: png(kind, wide, high), kind in short  # type: ignore[misc]
    for kind in ("colour 8", "colour alpha 16"):
        yield f"png {kind} interlaced", lambda wide, high, kind=kind: png(kind, wide, high, interlaced=True), "alpha" in kind  # type: ignore[misc]
    for kind in JPEG_KINDS:
        dear = kind in {"cmyk progressive", "colour 444 progressive"}
        yield f"jpeg {kind}", lambda wide, high, kind=kind: jpeg(kind, wide, high, scans=32 if "prog" in kind else 0), dear  # type: ignore[misc]
    for kind in WEBP_KINDS:
        yield f"webp {kind}", lambda wide, high, kind=kind: webp(kind, wide, high), "transparent" in kind  # type: ignore[misc]
    for kind in HEIC_KINDS:
        for grid in (1, 4):
            yield (
                f"heic {kind} {grid}",
                lambda wide, high, kind=kind, grid=grid: heic(kind, wide, high, grid=grid),
                "444 of" in kind,
            )  # type: ignore[misc]


CASES = [(name, drawn) for name, drawn, short in _all() if short or LONG]


def largest(drawn: Drawn) -> list[tuple[int, int]]:
    """Width and height of pictures of this kind with nearly as many pixels as are read: nearly square ones, and JPEG just too small to be halved for
    their size alone."""
    header, limits = look(drawn(256, 256)), DEFAULT_LIMITS
    shapes = []
    costs = [header.cost] if header.cost_halved is None else [header.cost, header.cost_halved]
    for cost in costs:
        side = int(min(limits.max_pixels, limits.memory_bytes / cost) ** 0.5)
        if cost == header.cost_halved:
            shapes.append((side + 64, side - 96))
        else:
            shapes.append((min(side, 2 * limits.work_side - 1) // 64 * 64, side // 64 * 64))
    return shapes


@pytest.fixture(scope="module")
def pack() -> str:
    """`open` takes more memory than `base`."""
    packs.base()
    return packs.open_pack().pack.name if packs.MIRROR.is_dir() else "base"


@pytest.fixture
async def pool(pack: str) -> AsyncIterator[EnginePool]:
    """As it is configured by default, but that it may be on a slow machine."""
    async with EnginePool(
        EngineConfig(pack=pack, models_dir=packs.FOLDER, work_s=60.0, stall_s=90.0, deadline_s=120.0)
    ) as pool:
        yield pool


def processor_s(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def test_no_picture_that_is_read_ends_a_worker(pool: EnginePool) -> None:
    (pid,) = pool.pids().values()
    for name, drawn in CASES:
        for wide, high in largest(drawn):
            data = drawn(wide, high)
            assert len(data) < DEFAULT_LIMITS.max_bytes
            before = processor_s(pid)
            with pytest.raises(FaceRefused):  # it was read
                await pool.quality(data)
            took = processor_s(pid) - before
            print(f"{name:30s} {wide} x {high} {most_memory(pid) >> 20} MiB {took:.2f} s")
            assert most_memory(pid) < EngineConfig().memory_bytes - SPARE_BYTES, name
            assert took < WORK_S * slowness(), name
    assert pool.counts.restarts == 0


@pytest.mark.parametrize(
    ("lists", "each"),
    [
        (b"\x16\x54\xae\x6b", b"\xae\x80"),  # tracks
        (b"\x1c\x53\xbb\x6b", b"\xbb\x80"),  # cues
        (b"\x12\x54\xc3\x67", b"\x73\x73\x83\x67\xc8\x80"),  # tags, each with one more
    ],
)
async def test_webm_of_millions_of_elements(pool: EnginePool, lists: bytes, each: bytes) -> None:
    (pid,) = pool.pids().values()
    data = ebml(b"\x1a\x45\xdf\xa3", ebml(b"\x42\x82", b"webm"))
    data += ebml(b"\x18\x53\x80\x67", ebml(lists, each * ((39 << 20) // len(each))))
    with pytest.raises(ImageRefused) as refused:
        await pool.clip(data)
    assert refused.value.code == "clip_broken"
    assert most_memory(pid) < EngineConfig().memory_bytes - SPARE_BYTES
    assert pool.counts.restarts == 0


@pytest.mark.parametrize("hidden", [False, True])
async def test_webm_of_millions_of_packets(pool: EnginePool, hidden: bool) -> None:
    """In the open, and where a demuxer only comes after an error. Before they were counted six megabytes took all memory of a worker."""
    (pid,) = pool.pids().values()
    seen, many = block(vp8()[0], track=PICTURES), LACED * ((23 << 20) // len(LACED))
    if hidden:
        seen, many = seen + block(b"x", track=9), element("ec", CLUSTER + WITHOUT_SIZE + many)
    with pytest.raises(ImageRefused) as refused:
        await pool.clip(webm([seen + many]))
    assert refused.value.code == "clip_too_long"
    assert most_memory(pid) < EngineConfig().memory_bytes - SPARE_BYTES
    assert pool.counts.restarts == 0


async def test_pictures_that_nobody_sees(pack: str) -> None:
    """Two hundred of 1,920 x 1,088 between two that are shown: a worker with its usual limits says that it is at work."""
    key, other = vp8(2, (1920, 1088))[:2]
    unseen = [block(bytes([other[0] & ~0x10]) + other[1:], track=PICTURES, flags=0, at_ms=100 * at) for at in range(1, 200)]
    shown = [block(key, track=PICTURES), block(other, track=PICTURES, flags=0, at_ms=20_000)]
    data = webm([b"".join([shown[0], *unseen, shown[1]])], [pictures_track((1920, 1088))])
    async with EnginePool(EngineConfig(pack=pack, models_dir=packs.FOLDER)) as pool:
        assert 1 <= len((await pool.clip(data)).frames) <= 2
        assert pool.counts.restarts == 0


def ebml(name: bytes, content: bytes) -> bytes:
    return name + (1 << 56 | len(content)).to_bytes(8, "big") + content


async def test_webp_whose_codes_take_more_memory_than_its_pixels(pool: EnginePool) -> None:
    """How many codes there are its header does not say: the limit of address space ends decoding, not the worker."""
    (pid,) = pool.pids().values()
    (wide, high), *_ = largest(lambda wide, high: webp("lossless", wide, high))
    for groups in (1, 12_000, 20_000, 32_000, 65_536):
        with pytest.raises((FaceRefused, ImageRefused)) as refused:
            await pool.quality(webp_of_many_codes(wide, high, groups))
        assert refused.value.code == "no_face" or groups > 12_000
    assert refused.value.code == "image_broken"
    assert most_memory(pid) < EngineConfig().memory_bytes - SPARE_BYTES
    assert pool.counts.restarts == 0

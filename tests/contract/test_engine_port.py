"""What every verification engine must do: the fake that other tests use, and real workers behind a pool."""

from collections.abc import AsyncIterator
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from tests.support.fake_engine import FakeEngine
from tests.support.short_clips import record
from tests.support.tiny_engine import ALICE, BOB, COMMAND, card, draw, install, pixels
from verification.engine.pool import EngineConfig, EnginePool
from verification.errors import FaceRefused, ImageRefused, TemplateRefused
from verification.ports import EnginePort
from verification.reasons import ReasonCode

if TYPE_CHECKING:
    FAKE: EnginePort = FakeEngine()
    REAL: EnginePort = EnginePool(EngineConfig())

DIM = (60, 55, 50)


@pytest_asyncio.fixture(params=["fake", "real"], scope="module", loop_scope="module")
async def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EnginePort]:
    if request.param == "fake":
        yield FakeEngine()
        return
    folder = install(tmp_path_factory.mktemp("models")).parent
    config = EngineConfig(
        pack="tiny", models_dir=folder, command=COMMAND, work_s=20, stall_s=40, deadline_s=60, document_workers=1
    )
    async with EnginePool(config) as pool:
        await pool.readers.wait_ready()
        yield pool


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_same_and_another_person(engine: EnginePort) -> None:
    same = await engine.compare(draw(ALICE), draw(ALICE, kind="JPEG", size=(320, 240)))
    other = await engine.compare(draw(ALICE), draw(BOB))
    assert same.comparison.match
    assert not other.comparison.match
    assert other.comparison.reasons == (ReasonCode.NO_MATCH,)
    assert same.comparison.comparison_score > other.comparison.comparison_score
    assert (same.a.width, same.a.height, same.b.width, same.b.height) == (160, 120, 320, 240)
    assert same.b.face.box == pytest.approx((80, 60, 240, 180), abs=2)
    assert same.a.quality.good


async def test_operating_points(engine: EnginePort) -> None:
    strict = await engine.compare(draw(ALICE), draw(ALICE), fmr=1e-4)
    assert strict.comparison.fmr == 1e-4
    assert strict.comparison.threshold > (await engine.compare(draw(ALICE), draw(ALICE))).comparison.threshold
    with pytest.raises(ValueError, match="false match rate"):
        await engine.compare(draw(ALICE), draw(ALICE), fmr=0.5)


async def test_a_template_stands_for_its_picture(engine: EnginePort) -> None:
    embedded = await engine.embed(draw(ALICE))
    assert (await engine.match(embedded.template, draw(ALICE))).comparison.match
    assert not (await engine.match(embedded.template, draw(BOB))).comparison.match
    assert embedded.examined == await engine.quality(draw(ALICE))
    with pytest.raises(ValueError, match="false match rate"):
        await engine.match(embedded.template, draw(ALICE), fmr=0.5)


async def test_a_template_of_another_recogniser(engine: EnginePort) -> None:
    own = (await engine.embed(draw(ALICE))).template
    for spoilt, code in ((own[:4] + bytes(32) + own[36:], "template_of_another_model"), (b"rubbish", "template_broken")):
        with pytest.raises(TemplateRefused) as refused:
            await engine.match(spoilt, draw(ALICE))
        assert refused.value.code == code
    shorter = own[:36] + (1).to_bytes(2, "big") + own[38:42]
    with pytest.raises(TemplateRefused):
        await engine.match(shorter, draw(ALICE))


async def test_bad_quality_is_told_not_refused(engine: EnginePort) -> None:
    examined = await engine.quality(draw(DIM))
    assert examined.quality.reasons == (ReasonCode.TOO_DARK,)
    assert not examined.quality.good


@pytest.mark.parametrize(
    ("image", "kind", "code"),
    [
        (b"", ImageRefused, ReasonCode.IMAGE_EMPTY),
        (b"no picture at all", ImageRefused, ReasonCode.IMAGE_FORMAT_UNKNOWN),
        (draw(ALICE)[:200], ImageRefused, ReasonCode.IMAGE_TRUNCATED),
        (draw(None), FaceRefused, ReasonCode.NO_FACE),
        (draw(ALICE, faces=2), FaceRefused, ReasonCode.SEVERAL_FACES),
    ],
)
async def test_pictures_that_are_refused_and_which_of_them(
    engine: EnginePort, image: bytes, kind: type[ImageRefused | FaceRefused], code: str
) -> None:
    good = draw(ALICE)
    template = (await engine.embed(good)).template
    for call, at in (
        (engine.quality(image), 0),
        (engine.embed(image), 0),
        (engine.match(template, image), 0),
        (engine.compare(image, good), 0),
        (engine.compare(good, image), 1),
        (engine.pad([good, good, image]), 2),
    ):
        with pytest.raises(kind) as refused:
            await call
        assert (refused.value.code, refused.value.picture) == (code, at)


async def test_passive_detection_is_the_mean(engine: EnginePort) -> None:
    answer = await engine.pad([draw(ALICE), draw(ALICE, striped=True)])
    each = [pad.score for pad in answer.pictures if pad is not None]
    assert each[0] > 0.5 > each[1]
    assert answer.pad is not None
    assert answer.pad.score == pytest.approx(sum(each) / 2)
    assert len(answer.examined) == 2
    assert answer.reasons == (ReasonCode.PAD_UNSURE,)
    assert (await engine.pad([draw(ALICE)])).reasons == ()
    assert (await engine.pad([draw(ALICE, striped=True)])).reasons == (ReasonCode.PAD_ATTACK,)


async def test_frames_of_an_attempt(engine: EnginePort) -> None:
    material = await engine.liveness([draw(None), draw(ALICE), draw(ALICE, striped=True), draw(BOB)])
    assert [frame.faces for frame in material.frames] == [0, 1, 1, 1]
    assert material.frames[0].face is None
    assert material.frames[1].identity is None
    identity = [frame.identity for frame in material.frames[2:]]
    assert None not in identity
    assert material.pad is not None
    assert 0.1 < material.pad.score < 0.9
    with pytest.raises(ImageRefused) as refused:
        await engine.liveness([draw(ALICE), b"x"])
    assert refused.value.picture == 1
    nobody = await engine.liveness([draw(None)])
    assert (nobody.pad, nobody.reasons) == (None, (ReasonCode.PAD_UNAVAILABLE,))


async def test_a_clip_in_place_of_pictures(engine: EnginePort) -> None:
    pictures = [pixels(None), *[pixels(ALICE)] * 10, *[pixels(ALICE, striped=True)] * 9]
    for codec, container in (("libvpx", "webm"), ("libx264", "mp4"), ("libvpx-vp9", "webm")):
        material = await engine.clip(record(pictures, codec, container), frames=4)
        assert material.times == pytest.approx((0, 0.5, 1.0, 1.5), abs=0.11)
        assert [frame.faces for frame in material.frames] == [0, 1, 1, 1]
        assert [frame.identity is None for frame in material.frames] == [True, True, False, False]
        assert material.pad is not None
    assert len((await engine.clip(record(pictures))).frames) == 16
    for spoilt in (b"", b"no clip", record(pictures)[:300]):
        with pytest.raises(ImageRefused) as refused:
            await engine.clip(spoilt)
        assert refused.value.code.startswith("clip_")
    for frames in (0, 33):
        with pytest.raises(ValueError, match="frames"):
            await engine.clip(record(pictures), frames=frames)


async def test_a_clip_of_somebody(engine: EnginePort) -> None:
    """Compared, and with stills of it, in one look: what is kept is what was compared."""
    known = (await engine.embed(draw(ALICE))).template
    clip = record([pixels(None), *[pixels(ALICE)] * 10, *[pixels(BOB)] * 9])
    material = await engine.clip(clip, frames=4, template=known, fmr=1e-4, stills=3)
    assert [one and one.match for one in material.compared] == [None, True, True, False]
    assert {one.fmr for one in material.compared if one is not None} == {1e-4}
    assert [one.frame for one in material.stills] == [0, 2, 3]
    assert {(one.still.width, one.still.height) for one in material.stills} == {(160, 120)}
    few = await engine.clip(clip, frames=2, stills=4)
    assert ([one.frame for one in few.stills], few.compared) == ([0, 1], ())
    with pytest.raises(TemplateRefused):
        await engine.clip(clip, template=b"not a template")
    for wrong in ({"stills": 5}, {"template": known, "fmr": 0.5}):
        with pytest.raises(ValueError, match=r"stills|operating point|threshold|rate"):
            await engine.clip(clip, **wrong)  # type: ignore[arg-type]


async def test_a_document_and_the_face_on_it(engine: EnginePort) -> None:
    seen = await engine.document(card(ALICE), today=date(2026, 11, 22))
    assert seen.reading.accepted
    assert seen.reading.values["name"] == "张三"
    assert seen.portrait is not None
    assert seen.portrait.face.box == pytest.approx((40, 30, 120, 90), abs=2)
    assert (await engine.match(seen.template, draw(ALICE))).comparison.match
    assert not (await engine.match(seen.template, draw(BOB))).comparison.match
    alone = await engine.document(card(ALICE), today=date(2026, 11, 22), portrait=False)
    assert (alone.reading, alone.portrait, alone.template) == (seen.reading, None, b"")
    assert alone.reading.portrait is not None
    late = await engine.document(card(ALICE), today=date(2030, 1, 1))
    assert (late.reading.accepted, late.reading.expired, late.reading.reasons) == (False, True, (ReasonCode.DOCUMENT_EXPIRED,))
    faceless = await engine.document(card(None), today=date(2026, 11, 22))
    assert (faceless.portrait, faceless.template) == (None, b"")
    other = await engine.document(draw(ALICE), today=date(2026, 11, 22))
    assert (other.reading.type, other.reading.accepted, other.portrait) == (None, False, None)
    assert other.reading.reasons == (ReasonCode.DOCUMENT_NOT_FOUND,)
    with pytest.raises(ImageRefused):
        await engine.document(b"nothing", today=date(2026, 11, 22))
    assert engine.pack.reads_documents


async def test_a_document_in_a_frame_compared_with_the_one_who_shows_it(engine: EnginePort) -> None:
    frame = pixels(ALICE, size=(320, 240))
    frame[:24] = (0, 200, 0)
    alice, bob = [(await engine.embed(draw(who))).template for who in (ALICE, BOB)]
    seen = await engine.document_frame(memoryview(frame), 320, 240, today=date(2026, 11, 22), references=(alice, bob))
    assert (seen.reading.accepted, seen.reading.width, seen.reading.height) == (True, 320, 240)
    same, other = seen.alike
    assert same == pytest.approx((await engine.match(seen.template, draw(ALICE))).comparison.comparison_score, abs=0.02)
    assert same > 0.9 > other
    assert (await engine.document_frame(frame.tobytes(), 320, 240, today=date(2026, 11, 22))).alike == ()
    nothing = await engine.document_frame(pixels(ALICE).tobytes(), 160, 120, today=date(2026, 11, 22), references=(alice,))
    assert (nothing.reading.reasons, nothing.template, nothing.alike) == ((ReasonCode.DOCUMENT_NOT_FOUND,), b"", ())
    with pytest.raises(ValueError):  # noqa: PT011 - of two kinds
        await engine.document_frame(frame.tobytes(), 240, 240, today=date(2026, 11, 22))
    with pytest.raises(ValueError):  # noqa: PT011
        await engine.document_frame(frame.tobytes(), 0, 240, today=date(2026, 11, 22))
    with pytest.raises(TemplateRefused):
        await engine.document_frame(frame.tobytes(), 320, 240, today=date(2026, 11, 22), references=(b"no template",))


@pytest.mark.parametrize("count", [0, 33])
async def test_so_many_pictures_cannot_be(engine: EnginePort, count: int) -> None:
    with pytest.raises(ValueError, match="pictures"):
        await engine.pad([draw(ALICE)] * count)
    with pytest.raises(ValueError, match="pictures"):
        await engine.liveness([draw(ALICE)] * count)


async def test_a_frame_of_a_live_picture(engine: EnginePort) -> None:
    frame = pixels(ALICE, size=(320, 240))
    first = await engine.analyse(memoryview(frame), 320, 240, template=True)
    assert (first.width, first.height, first.faces, first.identity) == (320, 240, 1, None)
    assert first.face is not None
    assert first.scale == pytest.approx(0.2, abs=0.01)
    assert first.yaw == 0
    assert first.pad is not None
    assert first.face_colour == pytest.approx(ALICE, abs=2)
    assert len(first.thumbnail) == 64
    assert first.template
    second = await engine.analyse(frame.tobytes(), 320, 240, reference=first.template, pad=False)
    assert second.identity == pytest.approx(1, abs=1e-5)
    assert second.pad is None
    assert second.template == b""
    third = await engine.analyse(pixels(BOB, size=(320, 240)).tobytes(), 320, 240, reference=first.template)
    assert third.identity is not None
    assert third.identity < 0.7
    nobody = await engine.analyse(pixels(None).tobytes(), 160, 120, reference=first.template, template=True)
    assert (nobody.faces, nobody.face, nobody.identity, nobody.pad, nobody.template) == (0, None, None, None, b"")
    crowd = await engine.analyse(pixels(ALICE, faces=3).tobytes(), 160, 120)
    assert (crowd.faces, crowd.face) == (3, None)


@pytest.mark.parametrize(("width", "height", "count"), [(320, 240, 100), (8, 8, 192), (-20, -16, 960), (0, 0, 0)])
async def test_a_frame_whose_sizes_do_not_fit(engine: EnginePort, width: int, height: int, count: int) -> None:
    with pytest.raises(ValueError, match=r"frame|sizes"):
        await engine.analyse(bytes(count), width, height)


async def test_a_picture_to_be_kept_is_small_upright_and_says_nothing_else(engine: EnginePort) -> None:
    frame = pixels(ALICE, size=(1280, 720))
    small = await engine.still(memoryview(frame), 1280, 720)
    assert (small.width, small.height) == (640, 360)
    shown = Image.open(BytesIO(small.jpeg))
    assert (shown.format, shown.size) == ("JPEG", (640, 360))
    assert abs(np.asarray(shown, float) - frame[::2, ::2]).mean() < 12
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "CANARY"  # turned, and with a description
    file = BytesIO()
    Image.fromarray(pixels(ALICE, size=(320, 240))).save(file, "JPEG", exif=exif)
    kept = await engine.still(file.getvalue())
    assert (kept.width, kept.height) == (240, 320)
    assert b"CANARY" in file.getvalue()
    assert b"CANARY" not in kept.jpeg
    assert b"Exif" not in kept.jpeg
    with pytest.raises(ImageRefused):
        await engine.still(b"no picture")


async def test_noise_fits_as_well(engine: EnginePort) -> None:
    noise = np.random.default_rng(19).integers(0, 256, (960, 640, 3), np.uint8)
    kept = await engine.still(memoryview(np.ascontiguousarray(noise)).cast("B"), 640, 960)
    assert len(kept.jpeg) <= 96 * 1024
    assert Image.open(BytesIO(kept.jpeg)).size == (kept.width, kept.height)


@pytest.mark.parametrize(("width", "height", "count"), [(320, 240, 100), (320, 0, 320), (-20, -16, 960)])
async def test_a_picture_to_be_kept_whose_sizes_do_not_fit(engine: EnginePort, width: int, height: int, count: int) -> None:
    with pytest.raises(ValueError, match=r"frame|sizes"):
        await engine.still(bytes(count), width, height)


async def test_a_frame_that_does_not_lie_in_one_piece(engine: EnginePort) -> None:
    with pytest.raises(ValueError, match="one after the other"):
        await engine.analyse(memoryview(bytes(2 * 3 * 20 * 16))[::2], 20, 16)


async def test_what_it_says_of_itself(engine: EnginePort) -> None:
    pack = engine.pack
    assert pack.name == "tiny"
    assert len(bytes.fromhex(pack.hash)) == 32
    assert pack.has_pad
    assert pack.default_fmr in dict(pack.points)
    assert pack.pad_accept is not None
    assert pack.pad_refer is not None
    assert pack.pad_accept > pack.pad_refer
    assert not pack.has_mesh
    before = engine.counts
    await engine.quality(draw(ALICE))
    with pytest.raises(FaceRefused):
        await engine.quality(draw(None))
    after = engine.counts
    assert (after.calls - before.calls, after.answered - before.answered, after.refused - before.refused) == (2, 1, 1)
    assert after.ready == 1

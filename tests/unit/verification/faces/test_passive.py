"""Passive detection: what goes into the networks is what they were trained with, to the last factor."""

import hashlib
from dataclasses import replace
from types import MappingProxyType

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import analysers, packs, portraits
from verification.engine.session import Session
from verification.errors import ManifestInvalid
from verification.faces.analyser import Analyser
from verification.faces.insight import InsightfaceLiveness
from verification.faces.passive import MiniFas128, MiniFasNet, PassivePad, doubted, mean_pad, mirrored, softmax, surroundings
from verification.models import catalogue
from verification.models.onnx_format import Node, Tensor, model_bytes
from verification.models.pack import Model, PadThresholds, Task
from verification.reasons import ReasonCode
from verification.types import Box, Face, Pad, Picture

WHITE_FACE = Face(Box(40, 40, 120, 140), 1.0, np.array([[60, 80], [100, 80], [80, 100], [65, 120], [95, 120]], np.float32))


def minifasnets() -> list[tuple[Model, MiniFasNet]]:
    opened = packs.open_pack()
    models = [model for model in opened.pack.models[Task.PAD] if model.kind == "minifasnet"]
    assert len(models) == 2
    return [(model, MiniFasNet(Session(opened.read(model), name=model.file), model.settings)) for model in models]


class _Echo:
    """A session that keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[np.ndarray] = []  # type: ignore[type-arg]

    def run(self, tensor: np.ndarray) -> list[np.ndarray]:  # type: ignore[type-arg]
        self.given.append(tensor)
        return [np.array([[0.0, 2.0, 0.0]], np.float32)]


def test_minifasnet_takes_blue_green_red_from_0_to_255() -> None:
    picture = np.zeros((160, 160, 3), np.uint8)
    picture[:] = (250, 120, 30)
    tensor = MiniFasNet(_Echo(), {"crop": 2.7}).tensor(picture, WHITE_FACE)  # type: ignore[arg-type]
    assert tensor.shape == (1, 3, 80, 80)
    assert tensor.dtype == np.float32
    assert tensor[0, :, 40, 40].tolist() == [30, 120, 250]


def test_divided_by_255_a_living_face_would_be_rejected() -> None:
    """The mistake that everybody makes once: it is caught here, by what the networks answer."""
    picture = portraits.portrait()
    face = analysers.open_pack().one_face(picture)
    for model, network in minifasnets():
        session = Session(packs.open_pack().read(model), name=model.file)
        tensor = network.tensor(picture, face)
        right = softmax(session.run(tensor)[0][0])[1]
        wrong = softmax(session.run(tensor / np.float32(255))[0][0])[1]
        assert right > 0.7, model.file
        assert wrong < 0.3, model.file
        assert network.score(picture, face) == pytest.approx(right)


def test_the_third_takes_red_green_blue_from_0_to_1() -> None:
    picture = np.zeros((160, 160, 3), np.uint8)
    picture[:] = (255, 51, 0)
    network = MiniFas128(_Echo(), {"crop": 1.5})  # type: ignore[arg-type]
    tensor = network.tensor(picture, WHITE_FACE)
    assert tensor.shape == (1, 3, 128, 128)
    assert tensor[0, :, 64, 64].tolist() == pytest.approx([1.0, 0.2, 0.0])
    edge = network.tensor(picture, Face(Box(-30, -30, 60, 60), 1.0, WHITE_FACE.points))
    assert edge[0, 0].min() == pytest.approx(1.0)  # mirrored, not black


def test_the_portrait_is_bona_fide_and_a_photographed_screen_is_not() -> None:
    analyser = analysers.open_pack()
    portrait = portraits.portrait()
    pad = analyser.pad(portrait, analyser.one_face(portrait))
    assert pad is not None
    assert len(pad.each) == len(pad.names) == 3
    assert pad.score == pytest.approx(min(sum(pad.each) / 3, doubted(pad.each[0], 0.90, 0.70)))
    assert analyser.pad_reasons(pad) == ()
    screen = _screen(portrait)
    shown = analyser.pad(screen, analyser.one_face(screen))
    assert shown is not None
    assert shown.score < pad.score - 0.3
    assert analyser.pad_reasons(shown) != ()


def _screen(picture: Picture) -> Picture:
    """Shown on a phone before a camera: smaller, in a dark frame, bluish and with stripes."""
    import cv2

    small = cv2.resize(picture, (300, 300), interpolation=cv2.INTER_AREA).astype(np.float32)
    rows, columns = np.mgrid[:300, :300]
    moire = 12 * np.sin(rows * 1.9)[..., None] + 9 * np.sin(columns * 2.1 + rows * 0.3)[..., None]
    small = np.clip(small * (0.85, 0.9, 1.08) + moire + 14, 0, 255)
    wall = np.full((480, 480, 3), (96, 88, 80), np.float32)
    wall[60:420, 80:400] = 12
    wall[90:390, 90:390] = small
    return np.asarray(cv2.GaussianBlur(wall, (0, 0), 0.9).astype(np.uint8))


def test_base_cannot_tell() -> None:
    analyser = analysers.base()
    portrait = portraits.portrait()
    assert analyser.pad(portrait, analyser.one_face(portrait)) is None
    assert analyser.pad_reasons(None) == (ReasonCode.PAD_UNAVAILABLE,)


def test_what_is_no_number_is_an_attack() -> None:
    class Says:
        def __init__(self, score: float | None) -> None:
            self._score = score

        def score(self, picture: object, face: object) -> float | None:
            return self._score

    portrait = portraits.portrait()
    face = analysers.base().one_face(portrait)
    for bad in (float("nan"), float("inf")):
        pad = PassivePad([("a", Says(0.9)), ("b", Says(bad)), ("c", Says(None))]).judge(portrait, face)
        assert pad is not None
        assert pad.each == (0.9, 0.0)
        assert pad.score == pytest.approx(0.45)


def test_scores_mean_what_the_manifest_says() -> None:
    analyser = analysers.open_pack()
    thresholds = analyser.pack.thresholds.pad
    assert isinstance(thresholds, PadThresholds)
    assert analyser.pad_reasons(Pad(thresholds.accept, (thresholds.accept,))) == ()
    assert analyser.pad_reasons(Pad(thresholds.accept - 0.01, (0.5,))) == (ReasonCode.PAD_UNSURE,)
    assert analyser.pad_reasons(Pad(thresholds.refer - 0.01, (0.1,))) == (ReasonCode.PAD_ATTACK,)


class _Says:
    def __init__(self, score: float | None) -> None:
        self._score = score

    def score(self, picture: Picture, face: Face) -> float | None:
        return self._score


@pytest.mark.parametrize(
    ("scores", "score"),
    [
        ((0.95, 0.9, 0.9), 0.85),  # sure enough: 0.95 is half way from 0.90 to 1, as 0.85 is from 0.70
        ((1.0, 0.9, 0.8), 0.9),
        ((0.95, 0.4, 0.3), 0.55),  # the others may doubt as before
        ((0.90, 1.0, 1.0), 0.70),
        ((0.89, 1.0, 1.0), 0.6922),  # nearly sure is not sure: no others outvote it
        ((0.45, 1.0, 1.0), 0.35),
        ((0.0, 1.0, 1.0), 0.0),
        ((None, 1.0, 0.5), 0.75),  # who cannot tell has no doubts; nor is anything gained
        ((float("nan"), 1.0, 1.0), 0.0),
    ],
)
def test_who_is_sure_of_the_living_is_not_outvoted(scores: tuple[float | None, ...], score: float) -> None:
    judge = PassivePad([(name, _Says(each)) for name, each in zip("abc", scores, strict=True)], sure={"a": 0.90}, accept=0.70)
    pad = judge.judge(portraits.portrait(), WHITE_FACE)
    assert pad is not None
    assert pad.score == pytest.approx(score, abs=1e-4)
    assert pad.each == pytest.approx(tuple(0.0 if each != each else each for each in scores if each is not None))
    mean = mean_pad([pad, pad])
    assert mean is not None
    assert mean.score == pytest.approx(pad.score)


def test_doubts_stay_in_the_mean_over_frames() -> None:
    judge = PassivePad([("a", _Says(0.45)), ("b", _Says(1.0))], sure={"a": 0.90}, accept=0.70)
    doubting, content = judge.judge(portraits.portrait(), WHITE_FACE), Pad(0.9, (0.9, 0.9), ("a", "b"))
    mean = mean_pad([doubting, content])
    assert mean is not None
    assert mean.score == pytest.approx((0.35 + 0.9) / 2)


@given(st.floats(0, 1), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_doubts_grow_with_what_is_said(score: float, sure: float, accept: float) -> None:
    assert 0 <= doubted(score, sure, accept) <= 1
    assert doubted(min(1.0, score + 0.01), sure, accept) >= doubted(score, sure, accept)
    assert doubted(sure, sure, accept) == pytest.approx(accept)
    assert (doubted(0.0, sure, accept), doubted(1.0, sure, accept)) == (0.0, pytest.approx(1.0))


def test_the_mean_over_frames() -> None:
    one, two = Pad(0.8, (0.9, 0.7), ("a", "b")), Pad(0.4, (0.5, 0.3), ("a", "b"))
    mean = mean_pad([one, None, two])
    assert mean is not None
    assert mean.score == pytest.approx(0.6)
    assert mean.each == pytest.approx((0.7, 0.5))
    assert mean.names == ("a", "b")
    assert mean_pad([]) is None
    assert mean_pad([None]) is None
    unnamed = mean_pad([Pad(0.8, (0.8,)), Pad(0.4, (0.4,))])
    assert unnamed is not None
    assert unnamed.score == pytest.approx(0.6)
    assert unnamed.names == ()


def test_no_frame_is_left_out_of_the_mean_as_a_model_could_not_tell() -> None:
    """Whatever model answers first: an answer of few models, a low one, counts too."""
    both, one = Pad(0.8, (0.9, 0.7), ("a", "b")), Pad(0.1, (0.1,), ("b",))
    for pads in ([both, one], [one, both]):
        mean = mean_pad(pads)
        assert mean is not None
        assert dict(zip(mean.names, mean.each, strict=True)) == pytest.approx({"a": 0.9, "b": 0.4})
        assert mean.score == pytest.approx(0.65)


# ---------------------------------------------------------------- crops


@pytest.mark.parametrize(
    ("box", "scale", "shape"),
    [
        (Box(100, 100, 200, 220), 2.0, (241, 201)),  # inside
        (Box(0, 0, 100, 120), 2.0, (241, 201)),  # moved in from the corner
        (Box(540, 360, 640, 480), 2.0, (241, 201)),  # and from the other
        (Box(100, 60, 400, 420), 4.0, (480, 400)),  # too large for the picture: less
        (Box(-50, -50, -10, -10), 2.0, (81, 81)),
    ],
)
def test_surroundings_stay_in_the_picture(box: Box, scale: float, shape: tuple[int, int]) -> None:
    picture = np.zeros((480, 640, 3), np.uint8)
    part = surroundings(picture, box, scale)
    assert part.shape[:2] == pytest.approx(shape, abs=1)
    assert part.size


def test_a_square_over_the_edge_is_mirrored() -> None:
    picture = np.arange(10 * 12 * 3).reshape(10, 12, 3).astype(np.uint8)
    part = mirrored(picture, -2, -3, 6)
    assert part.shape == (6, 6, 3)
    assert part[3, 2].tolist() == picture[0, 0].tolist()
    assert part[2, 2].tolist() == picture[1, 0].tolist()
    assert part[3, 1].tolist() == picture[0, 1].tolist()
    assert mirrored(picture, 100, 100, 6) is picture


def test_softmax_is_calm() -> None:
    assert softmax(np.array([1000.0, 0.0], np.float32)).tolist() == pytest.approx([1.0, 0.0])


# ---------------------------------------------------------------- insightface's addon


def _liveness_model() -> bytes:
    """Of the addon's shapes; its answer is how bright the crop is."""
    graph = [Node("GlobalAveragePool", ("input",), "m", {}), Node("Flatten", ("m",), "f", {"axis": 1}),
             Node("MatMul", ("f", "third"), "p", {}), Node("Reshape", ("p", "shape"), "live", {})]  # fmt: skip
    constants = {"third": np.full((3, 1), 1 / 3, np.float32), "shape": np.array([1], np.int64)}
    return model_bytes(
        "brightness",
        graph,
        constants,
        [Tensor("input", "float32", (1, 3, 80, 80))],
        [Tensor("live", "float32", (1,))],
        note="t",
    )


def test_insightfaces_addon_is_asked_and_may_not_tell() -> None:
    pytest.importorskip("insightface")
    addon = InsightfaceLiveness(Session(_liveness_model(), name="liveness"))
    bright = np.full((200, 200, 3), 204, np.uint8)
    assert addon.score(bright, WHITE_FACE) == pytest.approx(0.8, abs=0.01)
    cut = Face(Box(0, 0, 40, 40), 1.0, WHITE_FACE.points - (65, 85))
    assert addon.score(bright, cut) is None
    assert (
        addon.score(bright, Face(WHITE_FACE.box, 1.0, WHITE_FACE.points * (-1, 1) + (200, 0))) is None
    )  # a mirror image of a face
    judged = PassivePad([("addon", addon)])
    assert judged.judge(bright, cut) is None
    told = judged.judge(bright, WHITE_FACE)
    assert told is not None
    assert told.names == ("addon",)


def test_a_pack_with_insightfaces_addon_is_loaded() -> None:
    """Its manifest says nothing of the addon's tensors: nothing is asked of them."""
    pytest.importorskip("insightface")
    shipped = catalogue.shipped()["insightface"].model(Task.PAD)
    assert shipped is not None
    assert (shipped.kind, dict(shipped.inputs), dict(shipped.outputs)) == ("insightface_liveness", {}, {})
    opened, data = packs.open_pack(), _liveness_model()
    addon = msgspec.structs.replace(shipped, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))

    class WithAddon:
        pack = replace(opened.pack, models=MappingProxyType({**opened.pack.models, Task.PAD: (addon,)}))

        def read(self, model: Model) -> bytes:
            return data if model == addon else opened.read(model)

    analyser = Analyser(WithAddon())
    face = Face(Box(200, 120, 320, 280), 1.0, WHITE_FACE.points + np.array([180, 80], np.float32))
    pad = analyser.pad(np.full((480, 640, 3), 204, np.uint8), face)
    assert pad is not None
    assert pad.names == (addon.file,)
    assert pad.score == pytest.approx(0.8, abs=0.01)


def test_a_pad_model_of_an_unknown_kind_is_refused() -> None:
    opened = packs.open_pack()
    for task in (Task.PAD, Task.DETECTOR, Task.RECOGNISER):
        odd = msgspec.structs.replace(opened.pack.models[task][0], kind="something")
        models = MappingProxyType({**opened.pack.models, task: (odd,)})
        with pytest.raises(ManifestInvalid, match="something"):
            Analyser(replace(opened, pack=replace(opened.pack, models=models)))
    for task in (Task.DETECTOR, Task.RECOGNISER, Task.LANDMARKS5):
        without = MappingProxyType({key: value for key, value in packs.base().pack.models.items() if key is not task})
        with pytest.raises(ManifestInvalid):
            Analyser(replace(packs.base(), pack=replace(packs.base().pack, models=without)))

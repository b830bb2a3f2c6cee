"""dlib's recogniser: its file read to the last byte, and as ONNX the same numbers as dlib itself."""

import contextlib
import hashlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support import packs
from tests.support.repository import ROOT
from verification.errors import FileDamaged
from verification.models import dlib_onnx
from verification.models.dlib_weights import MAX_DAT_BYTES, Affine, Convolution, Network, Pool, Product, read_network
from verification.models.pack import Task

FACES = ROOT.parent / "shared" / "data" / "dev" / "faces" / "azure_family"
DAT = "dlib_face_recognition_resnet_model_v1.dat"
EQUAL = 1e-5


# ---------------------------------------------------------------- a small network, written as dlib writes one


def whole(value: int) -> bytes:
    size = (abs(value).bit_length() + 7) // 8
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def one(value: int) -> bytes:
    """dlib writes a zero with a byte of its own."""
    return whole(value) if value else b"\x01\x00"


def real(mantissa: int, exponent: int = 0) -> bytes:
    return one(mantissa) + one(exponent)


def text(value: str) -> bytes:
    return one(len(value)) + value.encode()


def sizes(*values: int) -> bytes:
    return b"".join(map(one, values))


def tensor(values: NDArray[np.float32], *shape: int) -> bytes:
    return one(2) + sizes(*shape) + values.astype("<f4").tobytes()


EMPTY = one(2) + sizes(0, 0, 0, 0)
END = b"110" + EMPTY * 3
NUMBERS = np.random.default_rng(3)


def some(count: int) -> NDArray[np.float32]:
    return NUMBERS.standard_normal(count).astype(np.float32)


def convolution(filters: int, channels: int, window: int, stride: int, padding: int) -> bytes:
    values = some(filters * channels * window * window + filters)
    head = (
        text("con_4") + tensor(values, values.size, 1, 1, 1) + sizes(filters, window, window, stride, stride, padding, padding)
    )
    return head + one(1) + sizes(filters, channels, window, window) + one(1) + sizes(1, filters, 1, 1) + real(1) * 4


def affine(channels: int) -> bytes:
    alias = one(1) + sizes(1, channels, 1, 1)
    return text("affine_") + tensor(some(2 * channels), 2 * channels, 1, 1, 1) + alias * 2 + one(0)


def pool(kind: str, window: int, stride: int) -> bytes:
    return text(f"{kind}_pool_2") + sizes(window, window, stride, stride, 0, 0)


def product(inputs: int, outputs: int) -> bytes:
    alias = one(1) + sizes(inputs, outputs, 1, 1) + one(1) + sizes(0, 0, 0, 0)
    return (
        text("fc_2")
        + sizes(outputs, inputs)
        + tensor(some(inputs * outputs), inputs, outputs, 1, 1)
        + alias
        + one(1)
        + real(1) * 4
    )


RELU, ADD = text("relu_"), text("add_prev_")


def layers() -> list[bytes]:
    """7 × 7 to 5 × 5, a maximum to 2 × 2, a block that halves it and doubles the channels, one that does not, a product."""
    return [
        *(convolution(2, 3, 3, 1, 0), affine(2), RELU, pool("max", 2, 2)),
        *(convolution(4, 2, 2, 2, 0), affine(4), RELU, convolution(4, 4, 3, 1, 1), affine(4), pool("avg", 2, 2), ADD, RELU),
        *(convolution(4, 4, 1, 1, 0), affine(4), RELU, convolution(4, 4, 1, 1, 0), affine(4), ADD, RELU),
        *(pool("avg", 0, 1), product(4, 3)),
    ]


def network(parts: list[bytes], *, size: int = 7, loss: str = "loss_metric_2", nested: bytes | None = None) -> bytes:
    versions = one(2) * (len(parts) - 1) + one(1) + one(3) if nested is None else nested
    head = one(1) + text(loss) + real(1, -3) + real(3, -2) + versions
    first = text("input_rgb_image_sized") + real(123) + real(117) + real(104) + sizes(size, size)
    return head + first + parts[0] + END + one(1) + b"".join(part + END for part in parts[1:])


@cache
def small() -> bytes:
    return network(layers())


def test_a_network_is_read_layer_by_layer() -> None:
    found = read_network(small())
    assert isinstance(found, Network)
    assert found.means == (123.0, 117.0, 104.0)
    assert found.size == (7, 7)
    assert len(found.layers) == len(layers())
    first, second, last = found.layers[0], found.layers[1], found.layers[-1]
    assert isinstance(first, Convolution)
    assert first.weights.shape == (2, 3, 3, 3)
    assert (first.stride, first.padding) == ((1, 1), (0, 0))
    assert isinstance(second, Affine)
    assert second.gamma.shape == (2,)
    assert found.layers[3] == Pool(True, (2, 2), (2, 2), (0, 0))
    assert isinstance(last, Product)
    assert last.weights.shape == (4, 3)


def test_a_small_network_gives_the_numbers_that_its_layers_say() -> None:
    """Every layer computed by hand, blocks and filling up with zeros included."""
    packs.need_packages()
    import onnxruntime

    found = read_network(small())
    chips = np.random.default_rng(5).integers(0, 256, (2, 7, 7, 3), dtype=np.uint8)
    fed = dlib_onnx.input_of(found, chips)
    session = onnxruntime.InferenceSession(dlib_onnx.build(small()), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {dlib_onnx.INPUT: fed})
    for row, picture in zip(answer, fed, strict=True):
        assert np.abs(row - by_hand(found, picture.astype(np.float64))).max() < 1e-4


def by_hand(found: Network, x: NDArray[np.float64]) -> NDArray[np.float64]:
    todo = list(reversed(found.layers))

    def step(x: NDArray[np.float64]) -> NDArray[np.float64]:
        layer = todo.pop()
        if isinstance(layer, Convolution):
            (pad, _), (stride, _), window = layer.padding, layer.stride, layer.weights.shape[2]
            padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
            side = (padded.shape[1] - window) // stride + 1
            out = np.empty((layer.weights.shape[0], side, side))
            for row, column in np.ndindex(side, side):
                cut = padded[:, row * stride : row * stride + window, column * stride : column * stride + window]
                out[:, row, column] = (layer.weights * cut).sum(axis=(1, 2, 3)) + layer.biases
            return out
        if isinstance(layer, Affine):
            return x * layer.gamma[:, None, None] + layer.beta[:, None, None]
        if isinstance(layer, Pool):
            if layer.window == (0, 0):
                return x.mean(axis=(1, 2))
            (window, _), (stride, _) = layer.window, layer.stride
            side = (x.shape[1] - window) // stride + 1
            cut = [x[:, r * stride : r * stride + window, c * stride : c * stride + window] for r, c in np.ndindex(side, side)]
            values = [part.max(axis=(1, 2)) if layer.maximum else part.mean(axis=(1, 2)) for part in cut]
            return np.array(values).T.reshape(-1, side, side)
        if isinstance(layer, Product):
            return x @ layer.weights
        return np.maximum(x, 0)

    for _ in range(4):
        x = step(x)
    for _ in range(2):
        before = x
        for _ in range(5):
            x = step(x)
        if isinstance(todo[-1], Pool):
            before = step(before)
        todo.pop()
        shape = tuple(map(max, before.shape, x.shape))
        x = sum(
            np.pad(part, [(0, full - there) for full, there in zip(shape, part.shape, strict=True)]) for part in (before, x)
        )
        x = step(x)
    return step(step(x))


def replaced(index: int, part: bytes) -> bytes:
    parts = layers()
    parts[index] = part
    return network(parts)


DAMAGED = {
    "nothing": b"",
    "another loss": network(layers(), loss="loss_binary_log_"),
    "too many layers": network(layers(), nested=one(2) * 2000),
    "a version nobody knows": network(layers(), nested=one(7) + one(3)),
    "more behind it": small() + b"\0",
    "a byte missing": small()[:-1],
    "a layer nobody knows": replaced(2, text("dropout_")),
    "a name that is too long": replaced(2, one(65) + b"x" * 65),
    "an affine that does not fit": replaced(1, affine(2).replace(sizes(1, 2, 1, 1), sizes(1, 3, 1, 1))),
    "a pool without a stride": replaced(3, pool("max", 2, 0)),
    "filters that do not fit": replaced(
        0, convolution(2, 3, 3, 1, 0).replace(one(1) + sizes(1, 2, 1, 1), one(1) + sizes(1, 1, 1, 1))
    ),
    "a product that does not fit": replaced(-1, product(4, 3).replace(sizes(3, 4), sizes(2, 4), 1)),
    "a size below nothing": replaced(3, text("max_pool_2") + sizes(-2, 2, 2, 2, 0, 0)),
    "an exponent that cannot be": small().replace(real(1, -3), real(1, -3000), 1),
    "a tensor of another version": small().replace(EMPTY, one(3) + EMPTY[2:], 1),
    "flags of another kind": small().replace(b"110", b"1x0", 1),
    "a number of sixty bytes": b"\x3c" + small()[1:],
    "a tensor larger than the file": replaced(1, text("affine_") + one(2) + sizes(1 << 20, 1, 1, 1)),
    "weights that are no numbers": replaced(1, affine(2)[:19] + b"\xff" * 4 + affine(2)[23:]),
    "more than anybody has": b"\0" * (MAX_DAT_BYTES + 1),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_weights_are_refused(content: bytes) -> None:
    with pytest.raises(FileDamaged) as refused:
        read_network(content)
    assert refused.value.detail


ANOTHER = {
    "it does not begin with a convolution": [RELU, *layers()[1:]],
    "a convolution for other channels": [convolution(2, 4, 3, 1, 0), *layers()[1:]],
    "nothing left of the picture": [*layers()[:3], pool("max", 9, 9), *layers()[4:]],
    "a block with a maximum": [*layers()[:9], pool("max", 2, 2), *layers()[10:]],
    "a block without a sum": [*layers()[:10], RELU, *layers()[11:]],
    "no average at the end": [*layers()[:-2], pool("max", 0, 1), layers()[-1]],
    "a product for other channels": [*layers()[:-1], product(5, 3)],
    "more behind the product": [*layers(), RELU],
    "no product": layers()[:-1],
    "a padded pool": [*layers()[:3], text("max_pool_2") + sizes(2, 2, 2, 2, 1, 1), *layers()[4:]],
}


@pytest.mark.parametrize("parts", ANOTHER.values(), ids=ANOTHER.keys())
def test_another_network_is_not_built(parts: list[bytes]) -> None:
    content = network(parts)
    read_network(content)
    with pytest.raises(FileDamaged):
        dlib_onnx.build(content)


@settings(max_examples=300)
@given(st.data())
def test_changed_weights_are_refused_or_read_but_nothing_else(data: st.DataObject) -> None:
    changed = bytearray(small())
    for _ in range(data.draw(st.integers(1, 5))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(changed[: data.draw(st.integers(0, len(changed)) | st.just(len(changed)))])
    with contextlib.suppress(FileDamaged):
        dlib_onnx.build(cut)


@given(st.binary(max_size=400))
def test_any_bytes_are_refused(content: bytes) -> None:
    with pytest.raises(FileDamaged):
        read_network(content)


# ---------------------------------------------------------------- the real one


@cache
def both() -> tuple[object, object, Network]:
    """dlib's own model, the pack's session, and the network they are both made of."""
    import dlib
    import onnxruntime

    installed = packs.base()
    recogniser = installed.pack.model(Task.RECOGNISER)
    assert recogniser is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(installed.read(recogniser), options, providers=["CPUExecutionProvider"])
    return dlib.face_recognition_model_v1(str(installed.file(DAT))), session, read_network(installed.file(DAT).read_bytes())


def difference(chip: NDArray[np.uint8]) -> float:
    ours, session, found = both()
    theirs = np.array(ours.compute_face_descriptor(chip))  # type: ignore[attr-defined]
    (answer,) = session.run(None, {dlib_onnx.INPUT: dlib_onnx.input_of(found, chip[None])})  # type: ignore[attr-defined]
    return float(np.abs(theirs - answer[0]).max())


def test_it_is_built_the_same_each_time_and_as_the_manifest_says() -> None:
    installed = packs.base()
    recogniser = installed.pack.model(Task.RECOGNISER)
    assert recogniser is not None
    assert hashlib.sha256(dlib_onnx.build(installed.file(DAT).read_bytes())).hexdigest() == recogniser.sha256


def test_random_chips_give_what_dlib_gives() -> None:
    numbers = np.random.default_rng(11)
    chips = [numbers.integers(0, 256, (150, 150, 3), dtype=np.uint8) for _ in range(4)]
    chips += [np.full((150, 150, 3), value, np.uint8) for value in (0, 255)]
    assert max(map(difference, chips)) < EQUAL


def test_real_chips_give_what_dlib_gives() -> None:
    if not FACES.is_dir():
        pytest.skip("the development faces (../shared/data/dev) are not there")
    installed = packs.base()
    import cv2
    import dlib

    points = installed.pack.model(Task.LANDMARKS5)
    assert points is not None
    predictor = dlib.shape_predictor(str(installed.path(points)))
    detector = dlib.get_frontal_face_detector()
    chips = []
    for path in sorted(FACES.glob("*.jpg"))[:6]:
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        picture = cv2.resize(picture, (320, 320 * picture.shape[0] // picture.shape[1]))
        chips += [dlib.get_face_chip(picture, predictor(picture, box), 150, 0.25) for box in detector(picture)[:1]]
    assert len(chips) >= 3
    assert max(map(difference, chips)) < EQUAL


def test_several_chips_at_once_give_the_same_as_one_by_one() -> None:
    _, session, found = both()
    chips = np.random.default_rng(2).integers(0, 256, (3, 150, 150, 3), dtype=np.uint8)
    (together,) = session.run(None, {dlib_onnx.INPUT: dlib_onnx.input_of(found, chips)})  # type: ignore[attr-defined]
    for row, chip in zip(together, chips, strict=True):
        (alone,) = session.run(None, {dlib_onnx.INPUT: dlib_onnx.input_of(found, chip[None])})  # type: ignore[attr-defined]
        assert np.abs(row - alone[0]).max() < EQUAL


def test_the_pack_gives_the_network_its_own_means() -> None:
    _, _, found = both()
    recogniser = packs.base().pack.model(Task.RECOGNISER)
    assert recogniser is not None
    assert np.allclose(recogniser.settings["mean"], found.means, atol=1e-3)
    assert recogniser.settings["size"] == found.size[0]

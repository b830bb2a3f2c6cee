"""PyTorch's files without PyTorch and without unpickling; and MiniFASNet made of them as others made it."""

import contextlib
import os
import pickle
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.support import packs, torch_file
from verification.errors import FileDamaged
from verification.models import minifas_onnx
from verification.models.torch_weights import MAX_PTH_BYTES, read_tensors

Tensors = dict[str, NDArray[Any]]
TWO: Tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(7, dtype=np.int64)}


def test_tensors_are_read_by_name() -> None:
    found = read_tensors(torch_file.write(TWO))
    assert set(found) == {"a", "n"}
    assert found["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["a"].dtype == np.float32
    assert found["n"].item() == 7


class Harm:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch /tmp/tongping-harm",)


def head(state: bytes, more: bytes = b"") -> bytes:
    return torch_file.MAGIC + torch_file.VERSION + torch_file.SIZES + state + more


WHOLE = torch_file.write(TWO)
ONE: Tensors = {"a": TWO["a"]}
KEYS, STORAGES = torch_file.keys(ONE), torch_file.storages(ONE)
REFUSED = {
    "nothing": b"",
    "another pickle": pickle.dumps(3, 2) * 5,
    "a zip, as newer versions write": b"PK\x03\x04" + bytes(100),
    "code instead of tensors": head(pickle.dumps(Harm(), 2)),
    "code instead of the version": torch_file.MAGIC + pickle.dumps(Harm(), 2),
    "a class to be made": head(torch_file.PROTO + torch_file.named("builtins", "object") + b")R."),
    "an instruction nobody needs": head(torch_file.PROTO + b"I1\n."),
    "a memo that is not there": head(torch_file.PROTO + b"h\x09."),
    "a stack that is empty": head(torch_file.PROTO + b"R."),
    "a value put into nothing": head(torch_file.PROTO + b"NK\x01K\x02s."),
    "a list put into a dictionary": head(torch_file.PROTO + b"}(K\x01e."),
    "cut short in a pickle": WHOLE[:40],
    "cut short in a text": head(torch_file.PROTO + b"X\xff\xff\0\0abc"),
    "a text that is none": head(torch_file.PROTO + b"X\x01\0\0\0\xff."),
    "no dictionary": head(torch_file.PROTO + b"].", KEYS),
    "a number for a tensor": head(torch_file.PROTO + b"}" + torch_file.text("a") + b"K\x01s.", KEYS),
    "keys that are no list": head(torch_file.state(ONE), torch_file.PROTO + b"}."),
    "a big-endian machine": torch_file.MAGIC
    + torch_file.VERSION
    + torch_file.SIZES.replace(b"\x88", b"\x89")
    + torch_file.state(ONE),
    "a byte missing": WHOLE[:-1],
    "a byte more": WHOLE + b"\0",
    "a key of nobody": head(torch_file.state(ONE), torch_file.keys({"b": TWO["a"]}) + STORAGES),
    "a key twice": head(torch_file.state(ONE), torch_file.PROTO + b"](" + torch_file.text("ka") * 2 + b"e." + STORAGES * 2),
    "a storage that is missing": head(torch_file.state(TWO), KEYS + STORAGES),
    "a tensor over the end": head(torch_file.state(ONE, offset=1), KEYS + STORAGES),
    "a storage of another size": head(torch_file.state(ONE, count=5), KEYS + STORAGES),
    "a storage of another kind": head(torch_file.state(ONE).replace(b"FloatStorage", b"ByteStorage"), KEYS + STORAGES),
    "strides that turn it": head(
        torch_file.state(ONE).replace(torch_file.whole(3) + torch_file.whole(1), torch_file.whole(1) + torch_file.whole(2)),
        KEYS + STORAGES,
    ),
    "a size below nothing": head(torch_file.state(ONE).replace(torch_file.whole(2), torch_file.whole(-2)), KEYS + STORAGES),
    "weights that are no numbers": torch_file.write({"a": np.array([np.nan], dtype=np.float32)}),
    "more than anybody has": b"\0" * (MAX_PTH_BYTES + 1),
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED.keys())
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(FileDamaged) as refused:
        read_tensors(content)
    assert refused.value.detail
    assert not os.path.exists("/tmp/tongping-harm")


@settings(max_examples=300)
@given(st.data())
def test_changed_files_are_refused_or_read_but_nothing_else(data: st.DataObject) -> None:
    changed = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(FileDamaged):
        read_tensors(bytes(changed[: data.draw(st.integers(0, len(changed)) | st.just(len(changed)))]))


# ---------------------------------------------------------------- the network, with channels enough to tell it


NUMBERS = np.random.default_rng(4)


def some(*shape: int) -> NDArray[np.float32]:
    return (NUMBERS.standard_normal(shape) * 0.5).astype(np.float32)


def normalisation(name: str, channels: int) -> Tensors:
    return {
        f"{name}.weight": some(channels),
        f"{name}.bias": some(channels),
        f"{name}.running_mean": some(channels),
        f"{name}.running_var": np.abs(some(channels)) + 0.5,
        f"{name}.num_batches_tracked": np.array(9, dtype=np.int64),
    }


def convolution(name: str, filters: int, channels: int, window: int, *, bent: bool = True) -> Tensors:
    made = {f"{name}.conv.weight": some(filters, channels, window, window), **normalisation(f"{name}.bn", filters)}
    return made | ({f"{name}.prelu.weight": some(filters)} if bent else {})


def block(name: str, channels: int, inner: int, out: int) -> Tensors:
    made = convolution(f"{name}.conv", inner, channels, 1) | convolution(f"{name}.conv_dw", inner, 1, 3)
    return made | convolution(f"{name}.project", out, inner, 1, bent=False)


def squeeze(name: str, channels: int) -> Tensors:
    made = {f"{name}.fc1.weight": some(2, channels, 1, 1), **normalisation(f"{name}.bn1", 2)}
    return made | {f"{name}.fc2.weight": some(channels, 2, 1, 1), **normalisation(f"{name}.bn2", channels)}


@cache
def network() -> Tensors:
    made = convolution("conv1", 4, 3, 3) | convolution("conv2_dw", 4, 1, 3)
    made |= block("conv_23", 4, 6, 5) | block("conv_3.model.0", 5, 3, 5) | block("conv_3.model.1", 5, 4, 5)
    made |= squeeze("conv_3.model.1.se_module", 5) | block("conv_34", 5, 6, 4) | block("conv_45", 4, 4, 6)
    made |= convolution("conv_6_sep", 7, 6, 1) | convolution("conv_6_dw", 7, 1, 5, bent=False)
    made |= {"linear.weight": some(8, 7), **normalisation("bn", 8), "prob.weight": some(3, 8)}
    return {f"module.{name}": value for name, value in made.items()}


def by_hand(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The network layer by layer, nothing folded."""
    left = {name.removeprefix("module."): value.astype(np.float64) for name, value in network().items()}

    def normalise(x: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        gamma, beta, mean, variance = (left[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var"))
        shape = (-1, *[1] * (x.ndim - 1))
        return (x - mean.reshape(shape)) / np.sqrt(variance + 1e-5).reshape(shape) * gamma.reshape(shape) + beta.reshape(shape)

    def convolve(x: NDArray[np.float64], weights: NDArray[np.float64], stride: int, padding: int) -> NDArray[np.float64]:
        each = weights.shape[1] == 1 and x.shape[0] != 1
        padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
        window = weights.shape[2]
        side = (padded.shape[1] - window) // stride + 1
        out = np.empty((weights.shape[0], side, side))
        for row, column in np.ndindex(side, side):
            cut = padded[:, row * stride : row * stride + window, column * stride : column * stride + window]
            out[:, row, column] = (weights[:, 0] * cut).sum(axis=(1, 2)) if each else np.tensordot(weights, cut, 3)
        return out

    def layer(x: NDArray[np.float64], name: str, stride: int = 1, padding: int | None = None) -> NDArray[np.float64]:
        weights = left[f"{name}.conv.weight"]
        x = normalise(convolve(x, weights, stride, weights.shape[2] // 2 if padding is None else padding), f"{name}.bn")
        slope = left.get(f"{name}.prelu.weight")
        return x if slope is None else np.where(x > 0, x, x * slope[:, None, None])

    def through(x: NDArray[np.float64], name: str, stride: int = 1) -> NDArray[np.float64]:
        return layer(layer(layer(x, f"{name}.conv"), f"{name}.conv_dw", stride), f"{name}.project")

    x = through(layer(layer(x, "conv1", 2), "conv2_dw"), "conv_23", 2)
    x = x + through(x, "conv_3.model.0")
    inner = through(x, "conv_3.model.1")
    weight = normalise(
        left["conv_3.model.1.se_module.fc1.weight"][:, :, 0, 0] @ inner.mean(axis=(1, 2)), "conv_3.model.1.se_module.bn1"
    )
    weight = normalise(
        left["conv_3.model.1.se_module.fc2.weight"][:, :, 0, 0] @ np.maximum(weight, 0), "conv_3.model.1.se_module.bn2"
    )
    x = x + inner / (1 + np.exp(-weight))[:, None, None]
    x = layer(layer(through(through(x, "conv_34", 2), "conv_45", 2), "conv_6_sep"), "conv_6_dw", padding=0)
    return left["prob.weight"] @ normalise(left["linear.weight"] @ x.ravel(), "bn")


def run(model: bytes, picture: NDArray[np.float32]) -> NDArray[np.float32]:
    packs.need_packages()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    answer: NDArray[np.float32] = session.run(None, {minifas_onnx.INPUT: picture[None]})[0][0]
    return answer


def test_the_network_gives_what_its_layers_say() -> None:
    picture = np.random.default_rng(8).uniform(0, 2, (3, 80, 80)).astype(np.float32)
    answer = run(minifas_onnx.build(torch_file.write(network())), picture)
    assert np.abs(answer - by_hand(picture.astype(np.float64))).max() < 1e-4


def test_it_is_built_the_same_each_time() -> None:
    assert minifas_onnx.build(torch_file.write(network())) == minifas_onnx.build(torch_file.write(network()))


ANOTHER: dict[str, Tensors] = {
    "nothing": {},
    "a layer more": network() | {"module.extra.weight": some(1)},
    "a layer less": {name: value for name, value in network().items() if name != "module.conv1.prelu.weight"},
    "other channels": network() | {"module.conv_6_sep.conv.weight": some(7, 5, 1, 1)},
    "another window": network() | {"module.conv1.conv.weight": some(4, 3, 5, 5)},
    "slopes of other channels": network() | {"module.conv1.prelu.weight": some(3)},
    "a normalisation of other channels": network() | {"module.bn.weight": some(3)},
    "a variance below nothing": network() | {"module.bn.running_var": -np.ones(8, dtype=np.float32)},
    "a residual that does not fit": {
        name: value for name, value in network().items() if not name.startswith("module.conv_3.model.0.project")
    }
    | {f"module.{name}": value for name, value in convolution("conv_3.model.0.project", 6, 3, 1, bent=False).items()},
    "weights of channels that do not fit": network()
    | {f"module.conv_3.model.1.se_module.{name}": value for name, value in {"fc2.weight": some(6, 2, 1, 1)}.items()}
    | {f"module.{name}": value for name, value in normalisation("conv_3.model.1.se_module.bn2", 6).items()},
    "classes that do not fit": network() | {"module.prob.weight": some(3, 7)},
    "whole numbers for weights": network() | {"module.prob.weight": np.ones((3, 8), dtype=np.int64)},
}


@pytest.mark.parametrize("tensors", ANOTHER.values(), ids=ANOTHER.keys())
def test_another_network_is_not_built(tensors: Tensors) -> None:
    with pytest.raises(FileDamaged):
        minifas_onnx.build(torch_file.write(tensors))


# ---------------------------------------------------------------- the real ones, as the mirror has them


def tensors_of(model: bytes) -> Tensors:
    """The weights of the ONNX that others made, named as the authors named them; normalisations are folded in already."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_model_from_string(model).graph
    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    found: Tensors = {}
    products: list[NDArray[Any]] = []
    for node in graph.node:
        name = node.output[0].strip("/").rpartition("/")[0].replace("/", ".").replace("model.model.", "model.")
        if node.op_type == "Conv":
            squeezed = name.endswith((".fc1", ".fc2"))
            weights, biases = constants[node.input[1]], constants[node.input[2]]
            found[f"{name}.weight"] = weights
            after = name[:-3] + "bn" + name[-1] if squeezed else name.removesuffix("conv") + "bn"
            ones = np.ones_like(biases)
            found |= {f"{after}.weight": ones, f"{after}.bias": biases, f"{after}.running_mean": 0 * ones}
            found[f"{after}.running_var"] = ones - np.float32(minifas_onnx.EPSILON)
        elif node.op_type == "PRelu":
            found[f"{name}.weight"] = constants[node.input[1]].ravel()
        elif node.op_type == "MatMul":
            products.append(constants[node.input[1]].T)
    found |= {f"bn.{part}": constants[f"bn.{part}"] for part in ("weight", "bias", "running_mean", "running_var")}
    found["linear.weight"], found["prob.weight"] = products
    return found


@pytest.mark.parametrize("file", ["minifasnet_v2_2.7_80x80.onnx", "minifasnet_v1se_4.0_80x80.onnx"])
def test_the_real_networks_give_what_others_made_of_them(file: str) -> None:
    theirs = packs.open_pack().file(file).read_bytes()
    if len(theirs) != (packs.MIRROR / file).stat().st_size:
        pytest.skip("open was not installed from the mirror")
    ours = minifas_onnx.build(torch_file.write(tensors_of(theirs)))
    numbers = np.random.default_rng(6)
    pictures = [numbers.uniform(0, 255, (3, 80, 80)).astype(np.float32) for _ in range(2)] + [
        np.full((3, 80, 80), 90, np.float32)
    ]
    for picture in pictures:
        assert np.abs(run(ours, picture) - run(theirs, picture)).max() < 1e-4

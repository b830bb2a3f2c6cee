"""MiniFASNet, a passive detector of attacks, as an ONNX model made of the authors' own weights. Sans I/O.

The ``.pth`` files of minivision-ai/Silent-Face-Anti-Spoofing (Apache-2.0), versions V2 and V1SE: a MobileFaceNet with narrow blocks, of which
V1SE weighs the channels of some. Normalisations are folded into convolutions; the last product, its normalisation and the three
classes are one matrix.

Input ``input``: (1, 3, 80, 80) float32, blue, green, red, 0 to 255 - not 0 to 1, which rejects everybody. Output ``logits``: (1, 3).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verification.errors import FileDamaged
from verification.models.graph import Graph
from verification.models.onnx_format import Node, Tensor, model_bytes
from verification.models.torch_weights import read_tensors

INPUT, OUTPUT = "input", "logits"
SIDE = 80
EPSILON = 1e-5
NOTE = "MiniFASNet by minivision-ai, Apache-2.0, https://github.com/minivision-ai/Silent-Face-Anti-Spoofing"
_PREFIX = "module."


def build(pth: bytes) -> bytes:
    """The ONNX model of these weights. Raises FileDamaged for any other network."""
    state = _State(read_tensors(pth))
    graph = Graph(shape=(3, SIDE, SIDE), value=INPUT)
    _convolution(graph, state, "conv1", window=3, stride=2)
    _convolution(graph, state, "conv2_dw", window=3, each=True)
    for halving, following in (("conv_23", "conv_3"), ("conv_34", "conv_4"), ("conv_45", "conv_5")):
        _block(graph, state, halving, stride=2)
        number = 0
        while f"{following}.model.{number}.conv.conv.weight" in state:
            _residual(graph, state, f"{following}.model.{number}")
            number += 1
    _convolution(graph, state, "conv_6_sep", window=1)
    _convolution(graph, state, "conv_6_dw", window=5, each=True, padding=0, bent=False)
    graph.add("Flatten", (graph.value,), graph.shape, axis=1)
    product, offset = state.normalised("linear.weight", "bn")
    classes = state.take("prob.weight").astype(np.float64)
    if classes.shape[1:] != offset.shape or product.shape[1] != graph.shape[0] * graph.shape[1] * graph.shape[2]:
        raise FileDamaged("the last layers of this network do not fit")
    state.nothing_left()
    graph.constants["classes"] = (classes @ product).T.astype(np.float32)
    graph.constants["offset"] = (classes @ offset).astype(np.float32)
    graph.add("MatMul", (graph.value, "classes"), graph.shape)
    graph.nodes.append(Node("Add", (graph.value, "offset"), OUTPUT))
    return model_bytes(
        "MiniFASNet",
        graph.nodes,
        graph.constants,
        [Tensor(INPUT, "float32", (1, 3, SIDE, SIDE))],
        [Tensor(OUTPUT, "float32", (1, classes.shape[0]))],
        note=NOTE,
    )


class _State:
    """Tensors by name, each taken once."""

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        self._left = {
            name.removeprefix(_PREFIX): value for name, value in tensors.items() if not name.endswith(".num_batches_tracked")
        }

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str) -> NDArray[np.float32]:
        value = self._left.pop(name, None)
        if value is None or value.dtype != np.float32 or not value.size:
            raise FileDamaged(f"this network has no {name}")
        return value

    def normalised(self, weights: str, normalisation: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weights with the normalisation behind them folded in, and what is added: https://arxiv.org/abs/1502.03167, inference."""
        raw = self.take(weights).astype(np.float64)
        gamma, beta, mean, variance = (
            self.take(f"{normalisation}.{part}").astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        if {gamma.shape, beta.shape, mean.shape, variance.shape} != {raw.shape[:1]} or (variance < 0).any():
            raise FileDamaged(f"{normalisation} of this network does not fit")
        scale = gamma / np.sqrt(variance + EPSILON)
        return raw * scale.reshape(-1, *[1] * (raw.ndim - 1)), beta - mean * scale

    def nothing_left(self) -> None:
        if self._left:
            raise FileDamaged(f"this network also has {next(iter(self._left))}")


def _convolution(
    graph: Graph,
    state: _State,
    name: str,
    *,
    window: int,
    stride: int = 1,
    each: bool = False,
    padding: int | None = None,
    bent: bool = True,
    parts: tuple[str, str] = ("conv", "bn"),
) -> None:
    """``each``: every channel by itself. ``bent``: a PReLU follows."""
    weights, offset = state.normalised(f"{name}.{parts[0]}.weight", f"{name}.{parts[1]}")
    if weights.ndim != 4 or weights.shape[2:] != (window, window):
        raise FileDamaged(f"{name} of this network has another window")
    around = window // 2 if padding is None else padding
    graph.convolve(
        weights.astype(np.float32),
        offset.astype(np.float32),
        stride=(stride, stride),
        padding=(around, around),
        groups=graph.shape[0] if each else 1,
    )
    if bent:
        slope = state.take(f"{name}.prelu.weight")
        if slope.shape != graph.shape[:1]:
            raise FileDamaged(f"{name}.prelu of this network does not fit")
        constant = f"s{len(graph.nodes)}"
        graph.constants[constant] = slope.reshape(-1, 1, 1)
        graph.add("PRelu", (graph.value, constant), graph.shape)


def _block(graph: Graph, state: _State, name: str, *, stride: int = 1) -> None:
    _convolution(graph, state, f"{name}.conv", window=1)
    _convolution(graph, state, f"{name}.conv_dw", window=3, stride=stride, each=True)
    _convolution(graph, state, f"{name}.project", window=1, bent=False)


def _residual(graph: Graph, state: _State, name: str) -> None:
    before, shape = graph.value, graph.shape
    _block(graph, state, name)
    if f"{name}.se_module.fc1.weight" in state:
        _weigh_channels(graph, state, f"{name}.se_module")
    if graph.shape != shape:
        raise FileDamaged(f"{name} of this network does not fit what it is added to")
    graph.add("Add", (before, graph.value), shape)


def _weigh_channels(graph: Graph, state: _State, name: str) -> None:
    """Squeeze and excitation: https://arxiv.org/abs/1709.01507."""
    before, shape = graph.value, graph.shape
    graph.add("GlobalAveragePool", (graph.value,), (shape[0], 1, 1))
    _convolution(graph, state, name, window=1, bent=False, parts=("fc1", "bn1"))
    graph.add("Relu", (graph.value,), graph.shape)
    _convolution(graph, state, name, window=1, bent=False, parts=("fc2", "bn2"))
    graph.add("Sigmoid", (graph.value,), graph.shape)
    if graph.shape != (shape[0], 1, 1):
        raise FileDamaged(f"{name} of this network does not fit")
    graph.add("Mul", (before, graph.value), shape)

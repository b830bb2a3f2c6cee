"""dlib's face recogniser as an ONNX model: the same weights, the same numbers (to 1e-5), the same bytes every time. Sans I/O.

ResNet-34 cut to 29 convolutions: 7×7/2, 3×3/2 maximum, fourteen residual blocks, average of everything, a product to 128 numbers.
The affine layers are folded into their convolutions. A block that halves the picture adds a 2×2/2 average of its input; of two
tensors that are added, dlib fills up the smaller with zeros, in channels and at the right and lower edge.

Input ``face``: (N, 3, 150, 150) float32, red, green, blue, (x - means) / 256; output ``embedding``: (N, 128).
"""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from verification.errors import FileDamaged
from verification.models.dlib_weights import (
    AddPrevious,
    Affine,
    Convolution,
    Layer,
    Network,
    Pool,
    Product,
    Relu,
    Weights,
    read_network,
)
from verification.models.graph import Graph
from verification.models.onnx_format import Node, Tensor, model_bytes
from verification.models.pack import ANY

T = TypeVar("T", Convolution, Affine, Relu, Pool, AddPrevious, Product)

INPUT, OUTPUT = "face", "embedding"
NOTE = "dlib_face_recognition_resnet_model_v1 by Davis E. King, CC0 1.0, https://github.com/davisking/dlib-models"


def build(dat: bytes) -> bytes:
    """The ONNX model of these weights. Raises FileDamaged for any other network than this one."""
    network = read_network(dat)
    graph = _Graph(shape=(3, *network.size), value=INPUT)
    layers = _Layers(network.layers)
    graph.convolve_and_scale(*layers.convolution())
    graph.relu(layers)
    graph.pool(layers.take(Pool))
    while isinstance(layers.next, Convolution):
        _block(graph, layers)
    everything = layers.take(Pool)
    if everything.maximum or everything.window != (0, 0):
        raise FileDamaged("this dlib network does not end in an average of everything")
    graph.add("GlobalAveragePool", (graph.value,), graph.shape)
    graph.add("Flatten", (graph.value,), graph.shape, axis=1)
    product = layers.take(Product)
    if product.weights.shape[0] != graph.shape[0] or layers.next is not None:
        raise FileDamaged("the last layer of this dlib network does not fit")
    graph.constants["product"] = product.weights
    graph.nodes.append(Node("MatMul", (graph.value, "product"), OUTPUT))
    return model_bytes(
        "dlib_face_recognition_resnet_model_v1",
        graph.nodes,
        graph.constants,
        [Tensor(INPUT, "float32", (ANY, 3, *network.size))],
        [Tensor(OUTPUT, "float32", (ANY, product.weights.shape[1]))],
        note=NOTE,
    )


def input_of(network: Network, chips: NDArray[np.uint8]) -> Weights:
    """``chips``: (N, rows, columns, 3) RGB, as the network wants them."""
    centred = (chips.astype(np.float32) - np.asarray(network.means, np.float32)) / np.float32(256)
    return np.ascontiguousarray(centred.transpose(0, 3, 1, 2))


def _block(graph: "_Graph", layers: "_Layers") -> None:
    """Two convolutions beside the input itself, or beside its 2×2 average where the block halves the picture."""
    before = (graph.value, graph.shape)
    graph.convolve_and_scale(*layers.convolution())
    graph.relu(layers)
    graph.convolve_and_scale(*layers.convolution())
    beside = (graph.value, graph.shape)
    graph.value, graph.shape = before
    if isinstance(layers.next, Pool):
        pool = layers.take(Pool)
        if pool.maximum or pool.window == (0, 0):
            raise FileDamaged("a block of this dlib network takes another pool than an average")
        graph.pool(pool)
    layers.take(AddPrevious)
    graph.add_filled(beside)
    graph.relu(layers)


class _Layers:
    """The layers in order, taken by what must come next."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._left = list(reversed(layers))

    @property
    def next(self) -> Layer | None:
        return self._left[-1] if self._left else None

    def take(self, kind: type[T]) -> T:
        layer = self._left.pop() if self._left else None
        if not isinstance(layer, kind):
            raise FileDamaged(f"this dlib network has another layer where {kind.__name__} should be")
        return layer

    def convolution(self) -> tuple[Convolution, Affine]:
        return self.take(Convolution), self.take(Affine)


class _Graph(Graph):
    """With what dlib's layers need."""

    def convolve_and_scale(self, convolution: Convolution, affine: Affine) -> None:
        """The affine layer is folded into the convolution."""
        if affine.gamma.size != convolution.biases.size:
            raise FileDamaged("an affine layer of this dlib network does not fit its convolution")
        gamma = affine.gamma.astype(np.float64)
        weights = (convolution.weights * gamma[:, None, None, None]).astype(np.float32)
        biases = (convolution.biases * gamma + affine.beta).astype(np.float32)
        self.convolve(weights, biases, stride=convolution.stride, padding=convolution.padding)

    def relu(self, layers: _Layers) -> None:
        layers.take(Relu)
        self.add("Relu", (self.value,), self.shape)

    def pool(self, pool: Pool) -> None:
        rows, columns = self.sizes(pool.window, pool.stride, pool.padding)
        if pool.padding != (0, 0):
            raise FileDamaged("a pool of this dlib network is padded")
        operation = "MaxPool" if pool.maximum else "AveragePool"
        self.add(operation, (self.value,), (self.shape[0], rows, columns), kernel_shape=pool.window, strides=pool.stride)

    def add_filled(self, other: tuple[str, tuple[int, int, int]]) -> None:
        """The last output plus ``other``, each filled up with zeros to the larger of both."""
        mine, shape = (self.value, self.shape), tuple(map(max, self.shape, other[1]))
        names = [self._filled(name, size, (shape[0], shape[1], shape[2])) for name, size in (mine, other)]
        self.add("Add", (names[0], names[1]), (shape[0], shape[1], shape[2]))

    def _filled(self, name: str, size: tuple[int, int, int], wanted: tuple[int, int, int]) -> str:
        if size == wanted:
            return name
        missing = [full - there for full, there in zip(wanted, size, strict=True)]
        pads = f"p{len(self.nodes)}"
        self.constants[pads] = np.array([0, 0, 0, 0, 0, *missing], dtype=np.int64)
        self.add("Pad", (name, pads), wanted)
        return self.value

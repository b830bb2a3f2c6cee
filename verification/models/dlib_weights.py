"""Reads the network of ``dlib_face_recognition_resnet_model_v1.dat`` as dlib serialises it. Sans I/O.

Numbers are packed: one byte whose low four bits say how many bytes follow and whose top bit is the sign, then those, little endian.
A real number is two such, mantissa and exponent of two. A tensor is version 2, four dimensions, then little-endian float32. A network's
layers stand one inside the other: first the versions of all, from the outermost in, then the layers from the innermost out, each with
a name, its settings, its parameters, three flags, and three tensors that training left (empty). Format:
http://dlib.net/dlib/dnn/core.h.html and layers.h.html (``serialize``).

Everything is bounded by the file's own length before anything is made of it; what does not fit raises FileDamaged.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from verification.errors import FileDamaged

MAX_DAT_BYTES = 64 << 20
_MAX_NESTED = 1024
_LAYER, _TAG_OR_SKIP, _INNERMOST = 2, 1, 3

Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Convolution:
    """``weights``: (filters, channels, rows, columns); ``stride`` and ``padding``: rows, columns."""

    weights: Weights
    biases: Weights
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Affine:
    """Each channel times ``gamma`` plus ``beta``."""

    gamma: Weights
    beta: Weights


@dataclass(frozen=True, slots=True)
class Relu:
    pass


@dataclass(frozen=True, slots=True)
class Pool:
    """``window`` (0, 0): everything."""

    maximum: bool
    window: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True)
class AddPrevious:
    """Adds the output of a layer that was tagged; the smaller of the two is filled up with zeros."""


@dataclass(frozen=True, slots=True)
class Product:
    """``weights``: (inputs, outputs), no biases."""

    weights: Weights


Layer = Convolution | Affine | Relu | Pool | AddPrevious | Product


@dataclass(frozen=True, slots=True)
class Network:
    """``means``: subtracted from red, green and blue (0 to 255) before they are divided by 256. ``size``: rows, columns. Layers: input first."""

    means: tuple[float, float, float]
    size: tuple[int, int]
    layers: tuple[Layer, ...]


def read_network(data: bytes) -> Network:
    """The whole file and nothing after it. Raises FileDamaged."""
    if len(data) > MAX_DAT_BYTES:
        raise FileDamaged(f"{len(data)} bytes of dlib weights are too many")
    reader = _Reader(data)
    reader.expect(1, "version of the loss")
    if reader.text() != "loss_metric_2":
        raise FileDamaged("these dlib weights are not those of a metric network")
    reader.real()
    reader.real()
    count = _layers_below(reader)
    if reader.text() != "input_rgb_image_sized":
        raise FileDamaged("these dlib weights do not take a picture")
    means = (reader.real(), reader.real(), reader.real())
    size = (reader.whole(4096), reader.whole(4096))
    layers: list[Layer] = []
    for _ in range(count):
        layers.append(_layer(reader))
        if reader.take(3).strip(b"01"):
            raise FileDamaged("flags of a layer are neither true nor false")
        for _ in range(3):
            reader.tensor()
        if len(layers) == 1:
            reader.expect(1, "expansion factor")
    if reader.left:
        raise FileDamaged(f"{reader.left} bytes stand behind the dlib weights")
    return Network(means, size, tuple(layers))


def _layers_below(reader: "_Reader") -> int:
    """How many layers are nested in one another, from their versions."""
    count = 1
    for _ in range(_MAX_NESTED):
        version = reader.integer()
        if version == _INNERMOST:
            return count
        if version == _LAYER:
            count += 1
        elif version != _TAG_OR_SKIP:
            raise FileDamaged(f"version {version} of a dlib layer is not known")
    raise FileDamaged("too many dlib layers")


def _layer(reader: "_Reader") -> Layer:
    name = reader.text()
    if name == "con_4":
        return _convolution(reader)
    if name == "affine_":
        parameters = reader.tensor()
        gamma, beta = reader.alias(), reader.alias()
        reader.integer()
        if gamma != beta or math.prod(gamma) * 2 != parameters.size:
            raise FileDamaged("an affine layer's parameters do not fit")
        half = math.prod(gamma)
        return Affine(parameters.ravel()[:half], parameters.ravel()[half:])
    if name == "relu_":
        return Relu()
    if name in {"max_pool_2", "avg_pool_2"}:
        window, stride, padding = reader.pair(), reader.pair(), reader.pair()
        if 0 in stride:
            raise FileDamaged("a pool without a stride")
        return Pool(name == "max_pool_2", window, stride, padding)
    if name == "add_prev_":
        return AddPrevious()
    if name == "fc_2":
        return _product(reader)
    raise FileDamaged("a dlib layer of another kind than this network has")


def _convolution(reader: "_Reader") -> Convolution:
    parameters = reader.tensor().ravel()
    count = reader.whole(1 << 16)
    window, stride, padding = reader.pair(), reader.pair(), reader.pair()
    filters, biases = reader.alias(), reader.alias()
    for _ in range(4):
        reader.real()
    sizes = math.prod(filters), math.prod(biases)
    if (
        filters[0] != count
        or filters[2:] != window
        or sizes[1] != count
        or sum(sizes) != parameters.size
        or 0 in (*stride, count)
    ):
        raise FileDamaged("a convolution's parameters do not fit")
    return Convolution(parameters[: sizes[0]].reshape(filters), parameters[sizes[0] :], stride, padding)


def _product(reader: "_Reader") -> Product:
    outputs, inputs = reader.whole(1 << 16), reader.whole(1 << 16)
    parameters = reader.tensor()
    weights, biases = reader.alias(), reader.alias()
    reader.integer()
    for _ in range(4):
        reader.real()
    if math.prod(biases) or weights[:2] != (inputs, outputs) or parameters.size != inputs * outputs or not parameters.size:
        raise FileDamaged("the last layer's parameters do not fit")
    return Product(parameters.reshape(inputs, outputs))


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise FileDamaged("the dlib weights are cut short")
        self._at += count
        return self._data[self._at - count : self._at]

    def integer(self) -> int:
        control = self.take(1)[0]
        length = control & 0x0F
        if length > 8 or control & 0x70:
            raise FileDamaged("a number in the dlib weights is malformed")
        value = int.from_bytes(self.take(length), "little")
        return -value if control & 0x80 else value

    def whole(self, most: int) -> int:
        value = self.integer()
        if not 0 <= value <= most:
            raise FileDamaged(f"a size of {value} in the dlib weights cannot be")
        return value

    def pair(self) -> tuple[int, int]:
        return self.whole(256), self.whole(256)

    def expect(self, value: int, what: str) -> None:
        found = self.integer()
        if found != value:
            raise FileDamaged(f"{what} in the dlib weights is {found} and not {value}")

    def real(self) -> float:
        mantissa, exponent = self.integer(), self.integer()
        if not -1100 <= exponent <= 900:
            raise FileDamaged("a real number in the dlib weights cannot be")
        return math.ldexp(mantissa, exponent)

    def text(self) -> str:
        return self.take(self.whole(64)).decode("latin-1")

    def dimensions(self) -> tuple[int, int, int, int]:
        return self.whole(1 << 24), self.whole(1 << 24), self.whole(1 << 16), self.whole(1 << 16)

    def alias(self) -> tuple[int, int, int, int]:
        self.expect(1, "version of an alias")
        return self.dimensions()

    def tensor(self) -> Weights:
        self.expect(2, "version of a tensor")
        shape = self.dimensions()
        count = math.prod(shape)
        if count * 4 > self.left:
            raise FileDamaged("the dlib weights are cut short")
        values = np.frombuffer(self.take(count * 4), dtype="<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise FileDamaged("a weight is not a number")
        return values.reshape(shape)

"""As much of ONNX's file format as packs need: what a model's inputs and outputs are, and how a model that is built here is written.

Written by hand and not by a library, so that the same weights give the same bytes with every version of every package: the manifest
has the hash of what is built. Protocol buffers: https://protobuf.dev/programming-guides/encoding/; the messages:
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Sans I/O.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from verification.errors import FileDamaged
from verification.models.pack import ANY

IR_VERSION = 8
OPSET = 13
ELEMENT_NAMES = {1: "float32", 2: "uint8", 7: "int64", 10: "float16"}
ELEMENT_NUMBERS = {name: number for number, name in ELEMENT_NAMES.items()}
_MAX_FIELDS = 1 << 20
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or an output. ``element``: as in ``ELEMENT_NAMES``, or the format's own number."""

    name: str
    element: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph that is written. Attributes are whole numbers, or lists of them."""

    operation: str
    inputs: tuple[str, ...]
    output: str
    attributes: Mapping[str, int | Sequence[int]] = field(default_factory=dict)


def inputs_and_outputs(model: bytes) -> tuple[list[Tensor], list[Tensor]]:
    """What must be fed and what comes out, in the model's order. Raises FileDamaged for what is no ONNX model."""
    view = memoryview(model)
    graphs = [value for number, value in _fields(view) if number == 7 and isinstance(value, memoryview)]
    if len(graphs) != 1:
        raise FileDamaged("this is no ONNX model: it has no graph")
    constant: set[str] = set()
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    for number, value in _fields(graphs[0]):
        if not isinstance(value, memoryview):
            continue
        if number == 5:
            constant.update(_text(name) for key, name in _fields(value) if key == 8)
        elif number == 11:
            inputs.append(_value_info(value))
        elif number == 12:
            outputs.append(_value_info(value))
    return [tensor for tensor in inputs if tensor.name not in constant], outputs


def names_other_files(model: bytes) -> bool:
    """Whether weights of the model lie in another file (``TensorProto.data_location`` EXTERNAL), which no hash of the model covers.

    Looks at every tensor there can be: of the graph, of its operations' attributes, of graphs within and of the model's own functions. Raises
    FileDamaged for what is no ONNX model, or is nested deeper than any.
    """
    return _external(memoryview(model), "model", _MAX_DEPTH)


_MAX_DEPTH = 32
_WITHIN: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
"""Of each message of onnx.proto the fields that lead to tensors."""


def _external(view: memoryview, message: str, depth: int) -> bool:
    if depth == 0:
        raise FileDamaged("this is no ONNX model: it is nested too deeply")
    for number, value in _fields(view):
        if message == "tensor":
            if (number == 14 and value != 0) or number == 13:  # data_location, external_data
                return True
        elif number in _WITHIN[message] and _external(_message(value), _WITHIN[message][number], depth - 1):
            return True
    return False


def _value_info(view: memoryview) -> Tensor:
    name, element = "", ""
    shape: tuple[int | str, ...] = ()
    for number, value in _fields(view):
        if number == 1:
            name = _text(value)
        elif number == 2:
            for kind, tensor in _fields(_message(value)):
                if kind == 1:
                    element, shape = _tensor_type(_message(tensor))
    if not name or not element:
        raise FileDamaged("an input or output of the model is no tensor")
    return Tensor(name, element, shape)


def _tensor_type(view: memoryview) -> tuple[str, tuple[int | str, ...]]:
    element = ""
    shape: tuple[int | str, ...] = ()
    for number, value in _fields(view):
        if number == 1 and isinstance(value, int):
            element = ELEMENT_NAMES.get(value, str(value))
        elif number == 2:
            shape = tuple(_dimension(_message(one)) for key, one in _fields(_message(value)) if key == 1)
    return element, shape


def _dimension(view: memoryview) -> int | str:
    sizes = [value for number, value in _fields(view) if number == 1 and isinstance(value, int)]
    return sizes[-1] if sizes and 0 < sizes[-1] < 1 << 31 else ANY


def _message(value: "int | memoryview") -> memoryview:
    if not isinstance(value, memoryview):
        raise FileDamaged("this is no ONNX model: a number stands where a message should")
    return value


def _text(value: "int | memoryview") -> str:
    try:
        return bytes(_message(value)).decode("utf-8")
    except UnicodeDecodeError:
        raise FileDamaged("this is no ONNX model: a name is no text") from None


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(field number, value) of a message. Raises FileDamaged where lengths do not fit."""
    at = 0
    for _ in range(_MAX_FIELDS):
        if at == len(view):
            return
        key, at = _varint(view, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(view, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(view, at)
        elif kind == _FIXED64:
            length = 8
        elif kind == _FIXED32:
            length = 4
        else:
            raise FileDamaged(f"this is no ONNX model: wire type {kind}")
        if length > len(view) - at:
            raise FileDamaged("this is no ONNX model: it is cut short")
        yield number, view[at : at + length]
        at += length
    raise FileDamaged("this is no ONNX model: too many fields")


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            raise FileDamaged("this is no ONNX model: it is cut short")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise FileDamaged("this is no ONNX model: a number without an end")


# ---------------------------------------------------------------- writing


def model_bytes(
    name: str,
    nodes: Iterable[Node],
    constants: Mapping[str, NDArray[np.float32] | NDArray[np.int64]],
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    *,
    note: str = "",
) -> bytes:
    """A model of the standard operations (opset 13). ``note``: where its weights come from, kept in the file."""
    graph = b"".join(
        [
            *(_bytes(1, _node(number, node)) for number, node in enumerate(nodes)),
            _bytes(2, name.encode()),
            *(_bytes(5, _constant(key, value)) for key, value in constants.items()),
            *(_bytes(11, _written_info(tensor)) for tensor in inputs),
            *(_bytes(12, _written_info(tensor)) for tensor in outputs),
        ]
    )
    opset = _bytes(1, b"") + _number(2, OPSET)
    return b"".join(
        [_number(1, IR_VERSION), _bytes(2, b"tongping"), _bytes(6, note.encode()), _bytes(7, graph), _bytes(8, opset)]
    )


def _written_varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field_number: int, value: int) -> bytes:
    return _written_varint(field_number << 3 | _VARINT) + _written_varint(value)


def _bytes(field_number: int, value: bytes) -> bytes:
    return _written_varint(field_number << 3 | _BYTES) + _written_varint(len(value)) + value


def _node(number: int, node: Node) -> bytes:
    return b"".join(
        [
            *(_bytes(1, name.encode()) for name in node.inputs),
            _bytes(2, node.output.encode()),
            _bytes(3, f"{number}_{node.operation}".encode()),
            _bytes(4, node.operation.encode()),
            *(_bytes(5, _attribute(key, value)) for key, value in node.attributes.items()),
        ]
    )


def _attribute(name: str, value: int | Sequence[int]) -> bytes:
    if isinstance(value, int):
        return _bytes(1, name.encode()) + _number(3, value) + _number(20, 2)
    return _bytes(1, name.encode()) + b"".join(_number(8, one) for one in value) + _number(20, 7)


def _constant(name: str, value: "NDArray[np.float32] | NDArray[np.int64]") -> bytes:
    element = ELEMENT_NUMBERS[value.dtype.name]
    little = np.ascontiguousarray(value, dtype=value.dtype.newbyteorder("<"))
    dimensions = b"".join(_number(1, size) for size in value.shape)
    return dimensions + _number(2, element) + _bytes(8, name.encode()) + _bytes(9, little.tobytes())


def _written_info(tensor: Tensor) -> bytes:
    dimensions = b"".join(_bytes(1, _number(1, size) if isinstance(size, int) else _bytes(2, b"N")) for size in tensor.shape)
    kind = _number(1, ELEMENT_NUMBERS[tensor.element]) + _bytes(2, dimensions)
    return _bytes(1, tensor.name.encode()) + _bytes(2, _bytes(1, kind))

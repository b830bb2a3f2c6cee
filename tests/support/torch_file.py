"""Writes a ``.pth`` as PyTorch before 1.6 did, pickle by pickle, without PyTorch."""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

PROTO, STOP = b"\x80\x02", b"."
MAGIC = PROTO + b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little") + STOP
VERSION = PROTO + b"M\xe9\x03" + STOP


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def whole(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def named(module: str, name: str) -> bytes:
    return b"c" + f"{module}\n{name}\n".encode()


SIZES = PROTO + b"}(" + text("protocol_version") + b"M\xe9\x03" + text("little_endian") + b"\x88u" + STOP
DICT = named("collections", "OrderedDict") + b")R"


def tensor(key: str, value: NDArray[Any], *, offset: int = 0, count: int | None = None) -> bytes:
    kind = "LongStorage" if value.dtype.kind == "i" else "FloatStorage"
    held = value.size if count is None else count
    storage = b"(" + text("storage") + named("torch", kind) + text(key) + text("cpu") + whole(held) + b"Nt" + b"Q"
    steps = [int(np.prod(value.shape[at + 1 :])) for at in range(value.ndim)]
    shape = b"(" + b"".join(map(whole, value.shape)) + b"t"
    strides = b"(" + b"".join(map(whole, steps)) + b"t"
    made = named("torch._utils", "_rebuild_tensor_v2") + b"(" + storage + whole(offset) + shape + strides + b"\x89" + DICT
    return made + b"tR"


def state(tensors: Mapping[str, NDArray[Any]], **odd: int) -> bytes:
    pairs = b"".join(text(name) + tensor(f"k{name}", value, **odd) for name, value in tensors.items())
    return PROTO + DICT + b"(" + pairs + b"u" + STOP


def keys(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    return PROTO + b"](" + b"".join(text(f"k{name}") for name in tensors) + b"e" + STOP


def storages(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    return b"".join(
        struct.pack("<q", value.size) + np.ascontiguousarray(value, value.dtype.newbyteorder("<")).tobytes()
        for value in tensors.values()
    )


def write(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """float32 and int64 tensors."""
    return MAGIC + VERSION + SIZES + state(tensors) + keys(tensors) + storages(tensors)

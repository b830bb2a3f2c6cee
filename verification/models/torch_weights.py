"""Reads the tensors of a ``.pth`` file as PyTorch wrote them before version 1.6, without PyTorch and without unpickling. Sans I/O.

Five pickles follow one another - a magic number, a version, sizes of types, the tensors by name, the keys of their storages - and then the
storages. A pickle is a program that may call anything; here it is interpreted with the few instructions and the four names that
such a file has, and nothing is imported or called. https://docs.python.org/3/library/pickletools.html; ``torch/serialization.py``.

Everything else, and whatever does not fit the file's length, raises FileDamaged.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verification.errors import FileDamaged

MAX_PTH_BYTES = 64 << 20
_MAX_TENSORS = 4096
_MAGIC, _VERSION = 0x1950A86A20F9469CFC6C, 1001
_DICT, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
_STORAGES: Mapping[str, np.dtype[Any]] = {"torch FloatStorage": np.dtype("<f4"), "torch LongStorage": np.dtype("<i8")}


@dataclass(frozen=True, slots=True)
class _Name:
    """Something that the pickle would import."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class _View:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]


def read_tensors(data: bytes) -> dict[str, NDArray[Any]]:
    """Every tensor by its name. Raises FileDamaged."""
    if len(data) > MAX_PTH_BYTES:
        raise FileDamaged(f"{len(data)} bytes of weights are too many")
    at = 0
    heads: list[Any] = []
    for _ in range(5):
        value, at = _interpret(data, at)
        heads.append(value)
    magic, version, sizes, named, keys = heads
    if magic != _MAGIC or version != _VERSION or not isinstance(sizes, dict) or sizes.get("little_endian") is not True:
        raise FileDamaged("this is no file of weights that PyTorch wrote")
    if not isinstance(named, dict) or not isinstance(keys, list) or len(named) > _MAX_TENSORS:
        raise FileDamaged("this file of weights has no tensors by name")
    views = {name: view for name, view in named.items() if isinstance(name, str) and isinstance(view, _View)}
    if len(views) != len(named):
        raise FileDamaged("this file of weights has other things than tensors")
    storages = _read_storages(data, at, keys, {view.storage.key: view.storage for view in views.values()})
    return {name: _tensor(view, storages[view.storage.key]) for name, view in views.items()}


def _read_storages(data: bytes, at: int, keys: list[Any], wanted: Mapping[str, _Storage]) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for key in keys:
        storage = wanted.get(key) if isinstance(key, str) else None
        if storage is None or key in found:
            raise FileDamaged("a storage of these weights belongs to no tensor")
        kind = _STORAGES[storage.kind]
        size = storage.count * kind.itemsize
        if len(data) - at < 8 + size or int.from_bytes(data[at : at + 8], "little") != storage.count:
            raise FileDamaged("these weights are cut short")
        found[key] = np.frombuffer(data, dtype=kind, count=storage.count, offset=at + 8)
        at += 8 + size
    if at != len(data) or len(found) != len(wanted):
        raise FileDamaged("these weights have more or less than their tensors")
    return found


def _tensor(view: _View, storage: NDArray[Any]) -> NDArray[Any]:
    count = math.prod(view.shape)
    if view.offset + count > storage.size:
        raise FileDamaged("a tensor reaches over the end of its storage")
    values = storage[view.offset : view.offset + count].reshape(view.shape)
    if not np.isfinite(values).all():
        raise FileDamaged("a weight is not a number")
    return values.astype(values.dtype.newbyteorder("="))


_PLAIN = {
    b"N": "NONE",
    b"\x88": "NEWTRUE",
    b"\x89": "NEWFALSE",
    b")": "EMPTY_TUPLE",
    b"(": "MARK",
    b"}": "EMPTY_DICT",
    b"]": "EMPTY_LIST",
    b"t": "TUPLE",
    b"\x85": "TUPLE1",
    b"\x86": "TUPLE2",
    b"\x87": "TUPLE3",
    b"R": "REDUCE",
    b"Q": "BINPERSID",
    b"s": "SETITEM",
    b"u": "SETITEMS",
    b"e": "APPENDS",
    b"b": "BUILD",
    b".": "STOP",
}
_NUMBERS = {b"\x80": ("PROTO", 1), b"J": ("BININT", 4), b"K": ("BININT1", 1), b"M": ("BININT2", 2), b"q": ("BINPUT", 1)} | {
    b"r": ("LONG_BINPUT", 4),
    b"h": ("BINGET", 1),
    b"j": ("LONG_BINGET", 4),
}
"""Instructions without and with a number of so many bytes behind them; BININT's has a sign."""


def _interpret(data: bytes, at: int) -> tuple[Any, int]:
    """The value of the pickle that begins at ``at``, and where it ends."""
    machine = _Machine()
    try:
        for name, argument, end in _instructions(data, at):
            if name == "STOP":
                return machine.pop(), end
            machine.step(name, argument)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise FileDamaged(f"these weights cannot be read: {error}") from None
    raise FileDamaged("these weights are cut short")


def _instructions(data: bytes, at: int) -> Iterator[tuple[str, Any, int]]:
    """(name, argument, where the next one begins); as many as there are."""
    while at < len(data):
        code, at = data[at : at + 1], at + 1
        if code in _PLAIN:
            yield _PLAIN[code], None, at
        elif code in _NUMBERS:
            name, size = _NUMBERS[code]
            value, at = _bytes(data, at, size)
            yield name, int.from_bytes(value, "little", signed=name == "BININT"), at
        elif code == b"\x8a":
            length, at = _bytes(data, at, 1)
            value, at = _bytes(data, at, length[0])
            yield "LONG1", int.from_bytes(value, "little", signed=True), at
        elif code == b"X":
            length, at = _bytes(data, at, 4)
            value, at = _bytes(data, at, int.from_bytes(length, "little"))
            yield "BINUNICODE", value.decode("utf-8"), at
        elif code == b"c":
            end = data.index(b"\n", data.index(b"\n", at) + 1)
            yield "GLOBAL", data[at:end].replace(b"\n", b" ").decode("ascii"), end + 1
            at = end + 1
        else:
            raise FileDamaged(f"these weights have instruction {code!r}, which weights do not need")


def _bytes(data: bytes, at: int, count: int) -> tuple[bytes, int]:
    if count > len(data) - at:
        raise FileDamaged("these weights are cut short")
    return data[at : at + count], at + count


_MARK = object()


class _Machine:
    """A stack and a memo."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def pop(self) -> Any:
        return self._stack.pop()

    def _to_mark(self) -> list[Any]:
        found: list[Any] = []
        while (value := self._stack.pop()) is not _MARK:
            found.append(value)
        found.reverse()
        return found

    def step(self, name: str, argument: Any) -> None:
        """One instruction. Raises FileDamaged for one that such files do not have."""
        push = self._stack.append
        if name in {"BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1"}:
            push(argument)
        elif name in _CONSTANTS:
            push(_CONSTANTS[name])
        elif name == "PROTO":
            return
        elif name in {"BINPUT", "LONG_BINPUT"}:
            self._memo[argument] = self._stack[-1]
        elif name in {"BINGET", "LONG_BINGET"}:
            push(self._memo[argument])
        elif name == "MARK":
            push(_MARK)
        elif name == "EMPTY_DICT":
            push({})
        elif name == "EMPTY_LIST":
            push([])
        elif name == "TUPLE":
            push(tuple(self._to_mark()))
        elif name in {"TUPLE1", "TUPLE2", "TUPLE3"}:
            size = int(name[-1])
            values = tuple(self._stack[-size:])
            del self._stack[-size:]
            push(values)
        elif name == "GLOBAL":
            push(_Name(argument))
        else:
            self._change(name)

    def _change(self, name: str) -> None:
        if name == "REDUCE":
            arguments, called = self.pop(), self.pop()
            self._stack.append(_called(called, arguments))
        elif name == "BINPERSID":
            self._stack.append(_storage(self.pop()))
        elif name == "SETITEM":
            value, key = self.pop(), self.pop()
            self._top(dict)[key] = value
        elif name == "SETITEMS":
            values = self._to_mark()
            self._top(dict).update(zip(values[::2], values[1::2], strict=True))
        elif name == "APPENDS":
            values = self._to_mark()
            self._top(list).extend(values)
        else:  # BUILD, of a dictionary: its attributes, which only PyTorch's versions of modules are
            self.pop()
            self._top(dict)

    def _top(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise FileDamaged("these weights cannot be read")
        return self._stack[-1]


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


def _called(called: Any, arguments: Any) -> Any:
    """The two things that such a file makes: a dictionary, and a view of a storage."""
    if called == _Name(_DICT) and arguments == ():
        return {}
    if called == _Name(_TENSOR) and isinstance(arguments, tuple) and len(arguments) == 6:
        storage, offset, shape, strides = arguments[:4]
        if isinstance(storage, _Storage) and _whole((offset,)) and _whole(shape) and _whole(strides) and len(shape) <= 4:
            if strides != tuple(math.prod(shape[at + 1 :]) for at in range(len(shape))):
                raise FileDamaged("a tensor of these weights is not contiguous")
            return _View(storage, offset, shape)
    raise FileDamaged("these weights call something, which weights need not do")


def _storage(described: Any) -> _Storage:
    if isinstance(described, tuple) and len(described) == 6:
        what, kind, key, _, count, view = described
        known = isinstance(kind, _Name) and kind.name in _STORAGES
        if what == "storage" and known and isinstance(key, str) and _whole((count,)) and view is None:
            return _Storage(key, kind.name, count)
    raise FileDamaged("a storage of these weights is of another kind")


def _whole(values: Any) -> bool:
    return isinstance(values, tuple) and all(type(value) is int and 0 <= value < 1 << 28 for value in values)

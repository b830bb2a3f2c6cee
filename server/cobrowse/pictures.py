"""Large pictures, read piece by piece: JSON of megabytes is never read at once, and what was read of it goes as soon as it is done with. Sans-I/O."""

from typing import Any

import msgspec

PIECE_BYTES = 16 * 1024
MAX_LEVELS = 32
"""Above which a large node is taken apart; further down, where a page that nests so deep has it, it is read whole: every level is looked over once more."""
_NODE_COSTS, _SKIPPED_COSTS = 1024, 8192  # bytes that are read, or looked over, while a node is made

Json = dict[str, Any]


class _Data(msgspec.Struct):
    node: msgspec.Raw
    initialOffset: Any = None  # noqa: N815 - as rrweb names it


class _Picture(msgspec.Struct):
    data: _Data
    type: Any = None
    timestamp: Any = None


class _Node(msgspec.Struct, omit_defaults=True):
    childNodes: list[msgspec.Raw]  # noqa: N815
    type: Any = None
    id: Any = None
    tagName: Any = None  # noqa: N815
    attributes: Any = None
    rootId: Any = None  # noqa: N815
    isSVG: Any = None  # noqa: N815
    isShadow: Any = None  # noqa: N815
    isShadowHost: Any = None  # noqa: N815
    compatMode: Any = None  # noqa: N815


_picture = msgspec.json.Decoder(_Picture).decode
_node = msgspec.json.Decoder(_Node).decode
_anything = msgspec.json.Decoder().decode


def read_event(raw: bytes, picture: int) -> object:
    """An event; of a large ``picture`` (its type) the node is a ``msgspec.Raw``, for ``read_node``. Raises msgspec.DecodeError."""
    if len(raw) > PIECE_BYTES:
        try:
            found = _picture(raw)
        except msgspec.ValidationError:
            return _anything(raw)
        if found.type == picture:
            data = {"node": found.data.node, "initialOffset": found.data.initialOffset}
            return {"type": found.type, "data": data, "timestamp": found.timestamp}
    return _anything(raw)


def read_node(raw: msgspec.Raw, level: int) -> tuple[object, int]:
    """(a node, as how many it took time); of a large one those below it are ``msgspec.Raw``. Raises msgspec.DecodeError."""
    size = len(memoryview(raw))
    if size > PIECE_BYTES and level < MAX_LEVELS:
        try:
            found = _node(raw)
        except msgspec.ValidationError:
            return _anything(raw), size // _NODE_COSTS
        return {
            name: value for name in found.__struct_fields__ if (value := getattr(found, name)) is not None
        }, size // _SKIPPED_COSTS
    return _anything(raw), size // _NODE_COSTS

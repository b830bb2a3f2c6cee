"""Large pictures, read piece by piece: JSON of megabytes is never read at once, and what was read of it goes as soon as it is done with. Sans-I/O."""

from typing import Any

import msgspec

PIECE_BYTES = 16 * 1024
MAX_LEVELS = 32
"""Above which a large node is taken apart; further down, where a page that nests so deep has it, it is read whole: every level is looked over once more."""
_NODE_COSTS, _SKIPPED_COSTS = 1024, 8192  # bytes that are read, or looked over, while a node is made

Json = dict[str, Any]


class Given(msgspec.Struct, gc=False):
    """A node as it came, whatever stands in it; what nobody asks for is left out. ``attributes``: ``msgspec.Raw`` where they were not read."""

    id: Any = None
    type: Any = None
    tagName: Any = None  # noqa: N815
    attributes: Any = None
    childNodes: Any = None  # noqa: N815
    textContent: Any = None  # noqa: N815
    rootId: Any = None  # noqa: N815
    isSVG: Any = None  # noqa: N815
    isShadow: Any = None  # noqa: N815
    isShadowHost: Any = None  # noqa: N815
    compatMode: Any = None  # noqa: N815


class Read(Given, gc=False):
    """With all below it."""

    attributes: msgspec.Raw = msgspec.Raw()
    childNodes: "list[Read] | None" = None  # noqa: N815


class _Top(Given, gc=False):
    """Of a large one."""

    attributes: msgspec.Raw = msgspec.Raw()
    childNodes: list[msgspec.Raw] | None = None  # noqa: N815


class _Document(Given, gc=False):
    """What stands at the top has little below it, and is read at once."""

    attributes: msgspec.Raw = msgspec.Raw()
    childNodes: list[_Top] | None = None  # noqa: N815


class _Data(msgspec.Struct):
    node: _Document
    initialOffset: Any = None  # noqa: N815 - as rrweb names it


class _Picture(msgspec.Struct):
    data: _Data
    type: Any = None
    timestamp: Any = None


_picture = msgspec.json.Decoder(_Picture).decode
_top = msgspec.json.Decoder(_Top).decode
_read = msgspec.json.Decoder(Read).decode
_anything = msgspec.json.Decoder().decode


def read_event(raw: bytes, picture: int) -> object:
    """An event; of a large ``picture`` (its type) the node is ``Given``, and what stands below that and its like ``msgspec.Raw``, for ``read_node``. Raises msgspec.DecodeError."""
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
    """(a node, as how many it took time): ``Given``, or what is no node; of a large one those below it are ``msgspec.Raw``. Raises msgspec.DecodeError."""
    size = len(memoryview(raw))
    is_large = size > PIECE_BYTES and level < MAX_LEVELS
    try:
        return (_top(raw), size // _SKIPPED_COSTS) if is_large else (_read(raw), size // _NODE_COSTS)
    except msgspec.ValidationError:
        return as_given(_anything(raw)), size // _NODE_COSTS


def as_given(found: object) -> object:
    """Of what was read as a dictionary: ``Given``; those below it are dictionaries still."""
    if type(found) is not dict:
        return found
    get = found.get
    return Given(
        get("id"),
        get("type"),
        get("tagName"),
        get("attributes"),
        get("childNodes"),
        get("textContent"),
        get("rootId"),
        get("isSVG"),
        get("isShadow"),
        get("isShadowHost"),
        get("compatMode"),
    )


def read_attributes(given: object) -> Json:
    """Of ``Given``. Raises msgspec.DecodeError."""
    if type(given) is msgspec.Raw:
        given = _anything(given) if len(memoryview(given)) else None
    return given if type(given) is dict else {}

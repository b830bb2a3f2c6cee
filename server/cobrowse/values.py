"""Numbers as events have them, where they are such. Sans-I/O."""

from enum import IntEnum


class NodeType(IntEnum):
    DOCUMENT = 0
    DOCTYPE = 1
    ELEMENT = 2
    TEXT = 3
    COMMENT = 5


def number(value: object) -> float | int | None:
    """A coordinate, CSS pixels or ms, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -10_000_000 < value < 10_000_000:
        return None
    return value if isinstance(value, int) else round(value, 2)


def whole(value: object, most: int) -> int | None:
    return value if type(value) is int and 0 <= value <= most else None


def place(value: object) -> int | list[int] | None:
    """The place of a rule, or of one within others."""
    if isinstance(value, list):
        return [one for one in value if whole(one, 100_000) is not None] if len(value) <= 8 else None
    return whole(value, 100_000)

"""What is known within one event of elements that came alike. Sans-I/O."""

from typing import Any

from server.cobrowse.shadow import Look

Json = dict[str, Any]


class Same:
    """What leaves of elements with the same attributes in one event. ``left``, ``lost``: by whether words are shown there, the attributes that leave, and how
    many of those that could do not."""

    __slots__ = ("left", "look", "lost")

    def __init__(self, look: Look) -> None:
        self.look = look
        self.left: list[Json | None] = [None, None]
        self.lost = [0, 0]


class Came:
    """What is known of elements that came with the same tag and attributes in one event. ``same``: None where what leaves depends on more; ``unknown``: how many
    attributes no table names; ``is_link``: to a sheet that was not read."""

    __slots__ = ("attributes", "is_link", "same", "tag", "unknown")

    def __init__(self, tag: str, attributes: Json, same: Same | None, unknown: int) -> None:
        self.tag = tag
        self.attributes = attributes
        self.same = same
        self.unknown = unknown
        self.is_link = tag == "link" and type(attributes.get("_cssText")) is not str

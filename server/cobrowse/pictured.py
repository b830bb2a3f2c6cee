"""Which images of a page may be seen: of each only a number leaves, which the tab made up. Sans-I/O. Addresses of images never come here."""

import re
from typing import Any

from server.cobrowse.matching import Matching
from server.cobrowse.rules import Level
from server.cobrowse.shadow import Node

MOST = 200
"""Of one event."""
MOST_NUMBER = 10_000
WRITTEN = "data-asset"
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")


class Pictured:
    """``found``: of the event at hand, nodes that show an image, and which."""

    def __init__(self) -> None:
        self.found: list[tuple[int, int]] = []

    def clear(self) -> None:
        self.found.clear()

    def put(self, node: Node, matching: Matching, text: str | None, made: dict[str, Any], *, changed: bool) -> bool:
        """Whether it may be seen; what stood there before goes in any case. A rule must name the node itself, and none mask or block where it stands."""
        may = node.here & matching.images != 0 and node.level > Level.SEALED and len(self.found) < MOST
        if may and text is not None and _NUMBER.fullmatch(text) and int(text) <= MOST_NUMBER:
            self.found.append((node.id, int(text)))
            made[WRITTEN] = text
            return True
        if changed:
            made[WRITTEN] = None
        return False

"""Elements as rules see them, one above the other."""

from collections.abc import Mapping

from server.cobrowse.matching import Matching
from server.cobrowse.rules import Page
from server.cobrowse.selectors import read_selector
from server.cobrowse.shadow import Look, Node


def element(tag: str, above: Node | None = None, attributes: Mapping[str, str] | None = None) -> Node:
    """The number of all of them is 1."""
    return Node(1, Look(tag, attributes or {}), above)


def stands(matching: Matching, node: Node | None) -> tuple[int, int]:
    """``here`` and ``so_far`` of a node, 0 and 0 above the top."""
    if node is None:
        return 0, 0
    above, above_so_far = stands(matching, node.above)
    here = matching.here(matching.fits(node), above, above_so_far)
    return here, above_so_far | here


def matches(selector: str, node: Node) -> bool:
    matching = Matching(Page(name="page", values=(read_selector(selector),)))
    return stands(matching, node)[0] & matching.values != 0

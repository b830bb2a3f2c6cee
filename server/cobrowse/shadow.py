"""What the server knows of a page: which nodes there are, what stands above each, and what of it may be seen. Sans-I/O. Words are not kept."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

from server.cobrowse.rules import Level

NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


NOBODY = -1


class Look:
    """What rules see of an element by itself; one for all elements of a page that look the same. ``tag``: in lower case, empty for what is no element.
    ``attributes``: only those that rules look at."""

    __slots__ = (
        "__weakref__",
        "attributes",
        "classes",
        "fits",
        "leaves_as",
        "named",
        "sealed",
        "secret",
        "sensitive",
        "shuts",
        "svg",
        "tag",
    )

    def __init__(self, tag: str, attributes: Mapping[str, str] = NO_ATTRIBUTES, *, svg: bool = False) -> None:
        self.tag = tag
        self.attributes = attributes
        self.classes = frozenset(attributes.get("class", "").split())
        self.svg = svg
        self.leaves_as: str | None = None
        """``allowed.element_as``."""
        self.fits = 0
        """``matching.Matching.fits``."""
        self.sensitive = False
        """What is entered there is never seen."""
        self.shuts = 0
        """What is in there: 2: it is sealed; 1: it can be written in as in a field, so unless it is one whose value may be read."""
        self.secret = False
        """As it is a password or the like: never again, either."""
        self.named: tuple[str, ...] = ()
        """Name and id, of fields that words are entered in."""
        self.sealed = False
        """It has more than can be looked at."""


class Node(msgspec.Struct, eq=False):
    """One node of an epoch. ``here``, ``so_far``: ``standing.Stand``. ``clickable``: rules name it as what others may click. ``sensitive``: what is entered there is
    never seen. ``said``: what last left of its words or of what is entered there, where that tells nothing: a mask, a blank or ""; None: words, or nothing. ``below``:
    the first right below it, the newest; ``before``, ``after``: beside it. By their ids, so that nothing refers to itself in a circle: all goes by counting."""

    id: int
    look: Look
    above: "Node | None"
    level: Level = Level.MASKED
    depth: int = 0
    here: int = 0
    so_far: int = 0
    value_shown: bool = False
    clickable: bool = False
    sensitive: bool = False
    said: str | None = None
    below: int = NOBODY
    before: int = NOBODY
    after: int = NOBODY

    @property
    def tag(self) -> str:
        return self.look.tag

    @property
    def attributes(self) -> Mapping[str, str]:
        return self.look.attributes

    @property
    def classes(self) -> frozenset[str]:
        return self.look.classes

    @property
    def svg(self) -> bool:
        return self.look.svg


class Shadow:
    """The nodes by their ids."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        """Only ``put``, ``remove`` and ``clear`` change it."""

    def get(self, id: object) -> Node | None:
        return self.nodes.get(id) if type(id) is int else None

    def clear(self) -> None:
        self.nodes.clear()

    def all_below(self, node: Node) -> Iterator[Node]:
        """Without itself; above before below."""
        nodes, waiting = self.nodes, [node.below]
        while waiting:
            id = waiting.pop()
            while id != NOBODY:
                one = nodes[id]
                yield one
                if one.below != NOBODY:
                    waiting.append(one.below)
                id = one.after

    def put(self, node: Node) -> None:
        """A node of the same id is replaced, with all below it."""
        nodes, id = self.nodes, node.id
        if id in nodes:
            self.remove(nodes[id])
        nodes[id] = node
        if (above := node.above) is not None:
            first = above.below
            if first != NOBODY:
                node.after = first
                nodes[first].before = id
            above.below = id

    def remove(self, node: Node) -> None:
        """With all below it."""
        nodes, above = self.nodes, node.above
        for one in [node, *self.all_below(node)]:
            one.below = NOBODY
            del nodes[one.id]
        if node.before != NOBODY:
            nodes[node.before].after = node.after
        elif above is not None and above.below == node.id:
            above.below = node.after
        if node.after != NOBODY:
            nodes[node.after].before = node.before

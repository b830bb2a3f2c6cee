"""What the server knows of a page: which nodes there are, what stands above each, and what of it may be seen. Sans-I/O. Words are not kept."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from server.cobrowse.rules import Level

NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class Node:
    """One node of an epoch. ``tag``: in lower case, empty for what is no element. ``attributes``: only those that rules look at."""

    __slots__ = (
        "above",
        "attributes",
        "below",
        "classes",
        "depth",
        "filled",
        "id",
        "level",
        "sensitive",
        "svg",
        "tag",
        "value_shown",
    )

    def __init__(self, id: int, tag: str, above: "Node | None", attributes: Mapping[str, str] = NO_ATTRIBUTES) -> None:
        self.id = id
        self.tag = tag
        self.above = above
        self.depth: int = 0 if above is None else above.depth + 1
        self.below: dict[int, Node] = {}
        self.attributes = attributes
        self.classes = frozenset(attributes.get("class", "").split())
        self.level = Level.MASKED
        self.value_shown = False
        self.svg = False
        self.filled: bool | None = None
        """Whether what is entered there was last said to be something; None: nothing was said."""
        self.sensitive = False
        """What is entered there is never seen."""

    def all_below(self) -> "Iterator[Node]":
        """Without itself; above before below."""
        waiting = list(self.below.values())
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.below.values())


class Shadow:
    """The nodes by their ids."""

    def __init__(self) -> None:
        self._nodes: dict[int, Node] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, id: object) -> Node | None:
        return self._nodes.get(id) if type(id) is int else None

    def clear(self) -> None:
        self._nodes.clear()

    def put(self, node: Node) -> None:
        """A node of the same id is replaced, with all below it."""
        if (known := self._nodes.get(node.id)) is not None:
            self.remove(known)
        self._nodes[node.id] = node
        if node.above is not None:
            node.above.below[node.id] = node

    def remove(self, node: Node) -> None:
        """With all below it."""
        if node.above is not None:
            node.above.below.pop(node.id, None)
        for one in (node, *node.all_below()):
            if self._nodes.get(one.id) is one:
                del self._nodes[one.id]

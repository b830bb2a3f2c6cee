"""What the server knows of a page: which nodes there are, what stands above each, and what of it may be seen. Sans-I/O. Words are not kept."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from server.cobrowse.rules import Level

NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


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
        self.secret = False
        """As it is a password or the like: never again, either."""
        self.named: tuple[str, ...] = ()
        """Name and id, of fields that words are entered in."""
        self.sealed = False
        """It has more than can be looked at."""


class Node:
    """One node of an epoch. ``here``, ``so_far``: ``matching.Matching.here``, and all of that from here up. The nodes below it are a list linked through them,
    the newest first."""

    __slots__ = (
        "_after",
        "_before",
        "_below",
        "above",
        "clickable",
        "depth",
        "here",
        "id",
        "level",
        "look",
        "said",
        "sensitive",
        "so_far",
        "value_shown",
    )

    def __init__(self, id: int, look: Look, above: "Node | None", level: Level = Level.MASKED) -> None:
        self.id = id
        self.look = look
        self.above = above
        self.depth: int = 0 if above is None else above.depth + 1
        self.level = level
        self.here = 0
        self.so_far = 0
        self.value_shown = False
        self.clickable = False
        """Rules name it as what others may click."""
        self.sensitive = False
        """What is entered there is never seen."""
        self.said: str | None = None
        """What last left of its words or of what is entered there, where that tells nothing: a mask, a blank or ""; None: words, or nothing."""
        self._below: Node | None = None
        self._before: Node | None = None
        self._after: Node | None = None

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

    def all_below(self) -> "Iterator[Node]":
        """Without itself; above before below."""
        waiting = [self._below]
        while waiting:
            node = waiting.pop()
            while node is not None:
                yield node
                if node._below is not None:
                    waiting.append(node._below)
                node = node._after

    def _unlink(self) -> None:
        if self._before is not None:
            self._before._after = self._after
        elif self.above is not None and self.above._below is self:
            self.above._below = self._after
        if self._after is not None:
            self._after._before = self._before
        self._before = self._after = None

    def _forget(self) -> None:
        """What stands below and beside it, so that nothing refers to itself in a circle when all of it goes."""
        self._below = self._before = self._after = None


class Shadow:
    """The nodes by their ids."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        """Only ``put``, ``remove`` and ``clear`` change it."""

    def get(self, id: object) -> Node | None:
        return self.nodes.get(id) if type(id) is int else None

    def clear(self) -> None:
        for node in self.nodes.values():
            node._forget()
        self.nodes.clear()

    def put(self, node: Node) -> None:
        """A node of the same id is replaced, with all below it."""
        nodes, id = self.nodes, node.id
        if id in nodes:
            self.remove(nodes[id])
        nodes[id] = node
        if (above := node.above) is not None:
            node._after = first = above._below
            if first is not None:
                first._before = node
            above._below = node

    def remove(self, node: Node) -> None:
        """With all below it."""
        gone = [node, *node.all_below()]
        node._unlink()
        for one in gone:
            one._forget()
            if self.nodes.get(one.id) is one:
                del self.nodes[one.id]

"""What rules say of elements where they stand: worked out once in an event for all that look the same in places of which rules say the same. Sans-I/O."""

from server.cobrowse.matching import Matching
from server.cobrowse.rules import Level
from server.cobrowse.shadow import Look


class Stand:
    """A place in which rules say the same of whatever stands below. ``here``, ``so_far``: ``matching.Matching.here``, and all of that from here up.
    ``below``: what was worked out already."""

    __slots__ = ("below", "clickable", "here", "level", "so_far", "value_shown")

    def __init__(self, here: int, so_far: int, level: Level, matching: Matching) -> None:
        self.here = here
        self.so_far = so_far
        self.level = level
        self.value_shown = here & matching.values != 0
        self.clickable = here & matching.click != 0
        self.below: dict[Look, Stand] = {}


class Standing:
    """By the rules of one page, until ``clear``."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching
        self._known: dict[tuple[int, int, int], Stand] = {}

    def clear(self) -> None:
        self._known.clear()

    def at(self, here: int, so_far: int, level: Level) -> Stand:
        key = here, so_far, level.value
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = Stand(here, so_far, level, self._matching)
        return found

    def of(self, look: Look, above: Stand) -> Stand:
        """Of an element right below another."""
        found = above.below.get(look)
        if found is None:
            matching, level = self._matching, above.level
            here = matching.here(look.fits, above.here, above.so_far) if look.fits else 0
            if here or level <= Level.BLOCKED:
                level = matching.level(here, level)
            if look.shuts and level > Level.SEALED and (look.sealed or not here & matching.values):
                level = Level.SEALED
            found = above.below[look] = self.at(here, above.so_far | here, level)
        return found

"""How many live attempts are looked at at once. One more would make all of them late, so it is refused before it begins: nothing is used up."""

from collections.abc import Iterator
from contextlib import contextmanager

from server.errors import VerificationBusy


class AttemptsBusy(VerificationBusy):
    """All places are taken. No attempt was begun."""

    code = "attempts_busy"


class AttemptRoom:
    """``most`` None: as many as come."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self.taken = 0
        self.refused = 0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Raises AttemptsBusy."""
        if self._most is not None and self.taken >= self._most:
            self.refused += 1
            raise AttemptsBusy("As many live checks as can be looked at are under way.")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

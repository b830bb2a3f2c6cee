"""Where evidence is kept. ``server/evidence.py`` binds it."""

from collections.abc import Sequence
from typing import Protocol

from server.transactions.material import Picture


class EvidenceLost(Exception):
    """It cannot be written, or is not there, or is not what was sealed. ``code`` says which, as ``docs/evidence.md`` has them."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class EvidenceStore(Protocol):
    """Sealed under ``name``; ``digest`` is the hex SHA-256 of what stands on disk as its sealed manifest. Nothing here waits for long: it works beside the
    event loop, a few at a time. All raise EvidenceLost."""

    async def seal(
        self, name: str, *, type: str, created_s: float, keep_until_s: float, facts: bytes, pictures: Sequence[Picture]
    ) -> str:
        """The digest; on disk when it returns."""
        ...

    async def facts(self, name: str, digest: str) -> bytes: ...
    async def read(self, name: str, digest: str, picture: str) -> bytes: ...

    async def check(self, name: str, digest: str) -> int:
        """Every byte of it; how many pictures."""
        ...

    async def erase(self, name: str) -> bool:
        """Whether there was any."""
        ...

    async def old(self, after: str, before_s: float, limit: int) -> list[str]:
        """Names of what was begun before that time (seconds since 1970), finished or not, in order, from the one after this on."""
        ...

    async def names(self) -> list[str]:
        """Of everything, finished or not."""
        ...

    async def facts_sealed(self, name: str) -> bytes | None:
        """As they were sealed, whatever the record says of it; None where they cannot be read."""
        ...

    async def keep_until_s(self, name: str) -> float | None:
        """As it was sealed; None where nothing can be said."""
        ...

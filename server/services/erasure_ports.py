"""Where it is written down what was erased, so that it stays erased when an older copy of the database comes back. ``server/erasures.py`` binds it."""

from datetime import datetime
from typing import Protocol

import msgspec

from server.domain.ids import CaseId, RecordingId, SessionId, TemplateId


class ErasedPicture(msgspec.Struct, frozen=True, kw_only=True):
    """Of an enrolment. ``kept_at``: when it was; those before it went with it, and one that was kept later is none of this."""

    template: TemplateId
    kept_at: datetime


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """What one erasing is about: ids, and of whom a keyed digest in hex. ``request``: the bank's own name for it. ``done``: whether that was written down
    too; where nothing says of whom, it was written before that was done, and counts as done. ``pictures``: of which the template stays. ``evidence``: names in
    the vault; none in a line of before these were written."""

    id: str
    at: datetime
    actor: str
    request: str
    cases: tuple[CaseId, ...]
    templates: tuple[TemplateId, ...]
    sessions: tuple[SessionId, ...]
    recordings: tuple[RecordingId, ...]
    customer: str = ""
    pictures: tuple[ErasedPicture, ...] = ()
    evidence: tuple[str, ...] = ()
    done: bool = False


class ErasureJournal(Protocol):
    async def append(self, erasure: Erasure) -> None:
        """On disk when it returns. Raises DependencyError: then nothing may be erased."""
        ...

    async def finish(self, id: str) -> None:
        """All of this one is done. Raises DependencyError: then it is done again at the next start."""
        ...

    async def all(self) -> list[Erasure]:
        """The oldest first. Raises DependencyError: it cannot be read, or was changed."""
        ...

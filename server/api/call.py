"""One call of an operation, after it was authenticated, authorised and decoded, and the answer to it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

from server.context import Context
from server.domain import ids
from server.domain.grants import Grant
from server.domain.model import Session
from server.errors import NotFound, Unauthenticated
from server.services.principal import Principal, PrincipalKind


@dataclass(frozen=True, slots=True)
class Call:
    """``grants``: what the caller may do here, in the path's session where there is one. ``key``: the Idempotency-Key."""

    context: Context
    request: web.Request
    address: str
    principal: Principal | None
    grants: frozenset[Grant]
    session: Session | None
    body: Any
    query: Any
    key: str

    @property
    def who(self) -> Principal:
        if self.principal is None:
            raise Unauthenticated("Sign in first.")
        return self.principal

    @property
    def where(self) -> Session:
        if self.session is None:
            raise NotFound("There is no such session.")
        return self.session

    def id(self, name: str, prefix: str) -> str:
        """A path parameter that must be an identifier. Raises NotFound."""
        text = self.request.match_info[name]
        if not ids.is_id(text, prefix):
            raise NotFound(f"There is no such {name}.")
        return text

    @property
    def knows_who_waits(self) -> bool:
        """Whether the caller may know of those in the session's waiting room."""
        return self.who.kind is not PrincipalKind.PARTICIPANT or Grant.PARTICIPANT_ADMIT in self.grants

    def chunks(self) -> AsyncIterator[bytes]:
        """The raw body as it comes."""
        return cast("AsyncIterator[bytes]", self.request.content.iter_chunked(64 * 1024))


@dataclass(frozen=True, slots=True)
class Reply:
    """``body``: a struct, bytes that are JSON already, or None. ``location``: of what was created."""

    body: Any = None
    location: str = ""


Handler = Callable[[Call], Awaitable[Reply | web.StreamResponse]]
Handlers = Mapping[str, Handler]

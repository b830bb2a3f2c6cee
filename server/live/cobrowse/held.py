"""A share as it is held: where it is, who looks, the site that it is of, and what it needs from elsewhere."""

from dataclasses import dataclass, field
from typing import Protocol

from server.cobrowse import orders, share
from server.cobrowse.messages import ShareState, Who
from server.cobrowse.rules import RulePack
from server.cobrowse.share import Share
from server.domain.ids import ParticipantId, SessionId
from server.live.cobrowse.journal import Journal
from server.live.cobrowse.keeper import Keeper
from server.live.due import AT_ONCE


class Sanitising(Protocol):
    """``server.sanitisers.Sanitisers``."""

    def open(self, share: str, rules: str, key: bytes) -> None: ...
    def shut(self, share: str) -> None: ...
    def has_room(self, share: str) -> bool: ...
    def order(self, share: str, what: orders.Sanitise | orders.Look) -> None:
        """Raises SanitiserAway."""
        ...


class SanitiserAway(Exception):
    """There is no process for this share now, or it does not keep up: what it was to do is lost."""


class Connected(Protocol):
    """A socket of a share: ``wires.Wire``."""

    @property
    def id(self) -> str: ...
    def wake(self) -> None: ...
    def hush(self) -> None: ...
    def finish(self, code: str, *, again: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class Site:
    """One of the bank's. ``tab``: what its pages are told. ``pack``: the rules; ``presence``: whether staff see who is on its pages, and may offer help."""

    key: str
    name: str
    origins: frozenset[str]
    tab: share.Site
    pack: RulePack
    presence: bool = False

    @property
    def rules(self) -> str:
        """Hash of the rules that hold."""
        return self.tab.rules

    @property
    def bank(self) -> tuple[str, str]:
        return self.tab.bank_zh, self.tab.bank_en


@dataclass(frozen=True, slots=True)
class ShareSettings:
    shares: int = 500
    per_address: int = 20
    viewers: int = 8


@dataclass(slots=True, eq=False)
class Held:
    """A share, and where it is. ``viewers``: by connection; ``people``: everybody who has looked or asked to and whose place is not over. ``alone``: the session was made for it, and
    its customer need not be inside; ``led``: somebody who leads has been, ``enter_until``: may be on the way. ``brought``: identity of whoever typed the
    code or offered help. ``due_at``: it is looked after then, unless something happens before; ``seen``: its session, as it was (``Due.number``)."""

    share: Share
    site: Site
    token: bytes
    address: str
    code: str
    session: SessionId | None = None
    customer: ParticipantId | None = None
    alone: bool = False
    led: bool = False
    enter_until: float = 0.0
    brought: tuple[str, Who] = ("", Who.OTHER)
    journal: Journal | None = None
    wires: dict[str, Connected] = field(default_factory=dict)
    viewers: dict[str, ParticipantId] = field(default_factory=dict)
    people: set[ParticipantId] = field(default_factory=set)
    told: ShareState | None = None
    ended_at: float | None = None
    keeper: Keeper | None = None
    keep_at: float = 0.0
    due_at: float = AT_ONCE
    seen: int = 0

"""Who is on the bank's pages now and shares nothing: where they are, as rules call it, and whether somebody offered them help. Sans-I/O.

Kept of a page is the name that rules have for it; of who is there nothing but what this server calls them. One who said no, or did not answer, is asked by nobody
again for ``AGAIN_S``. Whoever comes when there is no more room takes the place of the oldest one of the address that has most, so that a crowd of one
address keeps nobody of another one out.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol, TypeVar

import msgspec

from server.cobrowse.backlog import Line
from server.cobrowse.messages import (
    Body,
    Bye,
    SiteAccepted,
    SiteAnswer,
    SiteAt,
    SiteHello,
    SiteMessage,
    SiteOffer,
    SiteWithdrawn,
)
from server.cobrowse.net import identifies
from server.cobrowse.rules import ELSEWHERE, RulePack
from server.errors import Conflict, NotFound
from server.signalling.rates import TokenBucket

OFFER_S = 60.0
AGAIN_S = 3600.0
AWAY_S = 20.0
"""So long somebody is known still who goes from one page to the next."""
ACCEPTED_S = 60.0
"""So long whoever offered is told which session came of it."""
MOST_PAGES = 8
"""Of one visitor, at a time."""


class VisitedSite(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def pack(self) -> RulePack: ...
    @property
    def bank(self) -> tuple[str, str]:
        """Its name in Chinese and in English."""
        ...


class Offer(msgspec.Struct, kw_only=True):
    """``accepted``: since when the customer has said yes. ``session``: which came of it."""

    id: str
    staff: str
    name: str
    until: float
    accepted: bool = False
    session: str = ""


class Visitor:
    """``since``: on this step, at least as far as is known."""

    def __init__(self, id: str, secret: str, site: VisitedSite, address: str, language: str, now: float) -> None:
        self.id, self.secret, self.site, self.address, self.language = id, secret, site, address, language
        self.came = now
        self.lines: dict[str, Line] = {}
        self.away_since: float | None = now
        self.page, self.step, self.errors, self.since = "", "", 0, now
        self.offer: Offer | None = None
        self.not_before = 0.0
        self.messages = TokenBucket(1, 20, now)

    def say(self, body: Body) -> None:
        for line in self.lines.values():
            line.say(body)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One of them as staff see it. ``offer``: "" none, ``open`` or ``accepted`` by who asks, ``other`` by somebody else, ``no``: not to be asked now. ``session``: what came
    of who asks' own."""

    id: str
    site: str
    page: str
    step: str
    errors: int
    dwell_s: int
    here_s: int
    offer: str
    session: str


class Visitors:
    """Every method that may have something sent answers with the connections to wake."""

    def __init__(self, most: int, per_address: int) -> None:
        self._most, self._per_address = most, per_address
        self._visitors: dict[str, Visitor] = {}
        self._by_secret: dict[tuple[str, str], Visitor] = {}
        self._by_line: dict[str, Visitor] = {}
        self._lines: dict[str, Line] = {}

    def __len__(self) -> int:
        return len(self._visitors)

    # ---- pages

    def come(self, connection: str, hello: SiteHello, site: VisitedSite, id: str, address: str, now: float) -> list[str]:
        """``id``: for one who is new."""
        line = self._lines[connection] = Line()
        visitor = self._by_secret.get((site.key, hello.visitor))
        if visitor is not None and (visitor.address != address or len(visitor.lines) >= MOST_PAGES):
            line.end(Bye(code="too_many", again=False))
            return [connection]
        if visitor is None:
            if not self._makes_room(address):
                line.end(Bye(code="too_many", again=False))
                return self._stirred()
            visitor = Visitor(id, hello.visitor, site, address, hello.language, now)
            self._visitors[id] = self._by_secret[site.key, hello.visitor] = visitor
        visitor.lines[connection] = line
        visitor.away_since = None
        self._by_line[connection] = visitor
        offer = visitor.offer
        if offer is not None and not offer.accepted:
            line.say(_said(visitor, offer, now))
        return self._stirred()

    def said(self, connection: str, body: SiteMessage, now: float) -> tuple[Visitor | None, list[str]]:
        """The visitor, where they have just accepted an offer."""
        visitor = self._by_line.get(connection)
        accepted = None
        if visitor is None or self._lines[connection].over:
            return None, []
        if not visitor.messages.take(now):
            self._lines[connection].end(Bye(code="too_many", again=False))
        elif isinstance(body, SiteAt):
            self._at(visitor, body, now)
        elif isinstance(body, SiteAnswer):
            accepted = self._answered(visitor, body, now)
        else:
            self._lines[connection].end(Bye(code="invalid", again=False))
        return accepted, self._stirred()

    def went(self, connection: str, now: float) -> None:
        self._lines.pop(connection, None)
        visitor = self._by_line.pop(connection, None)
        if visitor is None:
            return
        visitor.lines.pop(connection, None)
        if not visitor.lines:
            visitor.away_since = now

    def take(self, connection: str) -> Body | None:
        line = self._lines.get(connection)
        return line.take() if line is not None else None

    def _at(self, visitor: Visitor, body: SiteAt, now: float) -> None:
        page = visitor.site.pack.page(body.url)
        named = page.name != ELSEWHERE and not page.pause
        visitor.page = page.name if named else ""
        visitor.step = body.step if named and not identifies(body.step) else ""
        visitor.errors = body.errors if named else 0
        visitor.since = now - body.dwell_s

    def _answered(self, visitor: Visitor, body: SiteAnswer, now: float) -> Visitor | None:
        offer = visitor.offer
        if offer is None or offer.id != body.offer or offer.accepted:
            return None
        if not body.given:
            self._no(visitor, now)
            visitor.say(SiteWithdrawn(late=False))
            return None
        offer.accepted, offer.until = True, now + ACCEPTED_S
        return visitor

    # ---- staff

    def seen_by(self, staff: str, now: float) -> list[Seen]:
        """Those who are connected, the longest on their step first; where nothing is wrong behind those where it is."""
        here = [one for one in self._visitors.values() if one.lines or (one.offer is not None and one.offer.accepted)]
        here.sort(key=lambda one: (one.errors == 0, one.since))
        return [self._seen(one, staff, now) for one in here]

    def offer(self, id: str, offer: str, staff: str, name: str, now: float) -> list[str]:
        """Raises as ``may_offer``."""
        visitor = self.may_offer(id, staff, now)
        visitor.offer = Offer(id=offer, staff=staff, name=name, until=now + OFFER_S)
        visitor.say(_said(visitor, visitor.offer, now))
        return self._stirred()

    def may_offer(self, id: str, staff: str, now: float) -> Visitor:
        """Raises NotFound, Conflict: somebody else has offered, they are not to be asked again now, or this member of staff has an offer open."""
        visitor = self._visitors.get(id)
        if visitor is None or not visitor.lines:
            raise NotFound("This customer is not on the site any more.")
        if visitor.offer is not None:
            raise Conflict("Help is offered to this customer already.")
        if now < visitor.not_before:
            raise Conflict("This customer was asked, and is not to be asked again now.")
        if any(
            one.offer is not None and one.offer.staff == staff and not one.offer.accepted for one in self._visitors.values()
        ):
            raise Conflict("Another customer has an offer of yours. Wait for the answer, or take it back.")
        return visitor

    def withdraw(self, id: str, staff: str, now: float) -> list[str]:
        """Raises NotFound: there is none of theirs that waits."""
        visitor = self._visitors.get(id)
        if visitor is None or visitor.offer is None or visitor.offer.staff != staff or visitor.offer.accepted:
            raise NotFound("There is no such offer.")
        self._no(visitor, now)
        visitor.say(SiteWithdrawn(late=False))
        return self._stirred()

    def came_of(self, visitor: Visitor, session: str, token: str) -> list[str]:
        """What they accepted is there; ``token`` "": it came to nothing."""
        if token and visitor.offer is not None:
            visitor.offer.session = session
            visitor.say(SiteAccepted(token=token))
        else:
            visitor.offer = None
            visitor.say(SiteWithdrawn(late=True))
        return self._stirred()

    # ---- time

    def tick(self, now: float) -> list[str]:
        for visitor in list(self._visitors.values()):
            offer = visitor.offer
            if offer is not None and now >= offer.until:
                if not offer.accepted:
                    visitor.say(SiteWithdrawn(late=False))
                self._no(visitor, now)
            if visitor.away_since is not None and now >= visitor.away_since + AWAY_S and (offer is None or not offer.accepted):
                self._forget(visitor)
        return self._stirred()

    def end(self, code: str) -> list[str]:
        for line in self._lines.values():
            line.end(Bye(code=code, again=True))
        return self._stirred()

    def _no(self, visitor: Visitor, now: float) -> None:
        visitor.offer, visitor.not_before = None, now + AGAIN_S

    def _seen(self, visitor: Visitor, staff: str, now: float) -> Seen:
        offer, session = "no" if now < visitor.not_before else "", ""
        if visitor.offer is not None:
            own = visitor.offer.staff == staff
            offer = ("accepted" if visitor.offer.accepted else "open") if own else "other"
            session = visitor.offer.session if own else ""
        return Seen(
            id=visitor.id,
            site=visitor.site.name,
            page=visitor.page,
            step=visitor.step,
            errors=visitor.errors,
            dwell_s=max(0, int(now - visitor.since)),
            here_s=max(0, int(now - visitor.came)),
            offer=offer,
            session=session,
        )

    def _makes_room(self, address: str) -> bool:
        waiting = [one for one in self._visitors.values() if one.offer is None]
        if sum(one.address == address for one in self._visitors.values()) >= self._per_address:
            waiting = [one for one in waiting if one.address == address]
        elif len(self._visitors) < self._most:
            return True
        if waiting:
            self._forget(oldest_of_the_fullest(waiting))
        return bool(waiting)

    def _forget(self, visitor: Visitor) -> None:
        for connection, line in visitor.lines.items():
            line.end(Bye(code="too_many", again=False))
            self._by_line.pop(connection, None)
        visitor.lines.clear()
        del self._visitors[visitor.id], self._by_secret[visitor.site.key, visitor.secret]

    def _stirred(self) -> list[str]:
        return [connection for connection, line in self._lines.items() if line.stirred()]


class FromAddress(Protocol):
    @property
    def address(self) -> str: ...


One = TypeVar("One", bound=FromAddress)


def oldest_of_the_fullest(waiting: Iterable[One]) -> One:
    """The first of those whose address has most of them."""
    ones = list(waiting)
    count = Counter(one.address for one in ones)
    return max(ones, key=lambda one: count[one.address])


def _said(visitor: Visitor, offer: Offer, now: float) -> SiteOffer:
    zh, en = visitor.site.bank
    return SiteOffer(offer=offer.id, name=offer.name, seconds=max(1, round(offer.until - now)), bank_zh=zh, bank_en=en)

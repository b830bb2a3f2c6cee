"""Who is on the bank's pages now and shares nothing: where they are, as rules call it, and whether somebody offered them help. Sans-I/O.

Kept of a page is the name that rules have for it; of who is there nothing but what this server calls them. One who said no, or did not answer, is asked by nobody
again for ``AGAIN_S``, also when they were away meanwhile. Whoever comes when there is no more room takes the place of the oldest one of the address that has most,
so that a crowd of one address keeps nobody of another one out.

Anybody may come and say something, so that none of it costs more the more there are.
"""

import heapq
import math
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from server.cobrowse.backlog import Line
from server.cobrowse.crowd import Crowd
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
MOST_REFUSED = 20_000
"""Of so many it is known that they are not to be asked; beyond it the oldest is forgotten."""
MOST_LISTED = 200
LIST_S = 1.0
"""So long the same ones are listed, in the same order, to all staff."""


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
    """``shown``: to the customer. ``accepted``: they have said yes, on the page ``by``. ``session``: which came of it."""

    id: str
    staff: str
    name: str
    until: float
    shown: bool = False
    accepted: bool = False
    by: str = ""
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
        self.messages = TokenBucket(1, 20, now)

    @property
    def key(self) -> tuple[str, str]:
        return self.site.key, self.secret


class Answered(NamedTuple):
    visitor: Visitor
    offer: Offer
    given: bool


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
        self._woken: dict[str, None] = {}
        self._addresses: Counter[str] = Counter()
        self._waiting = Crowd()
        """Who has no offer."""
        self._offers: dict[str, tuple[Visitor, Offer]] = {}
        self._away: OrderedDict[str, Visitor] = OrderedDict()
        """The longest away first."""
        self._refused: OrderedDict[tuple[str, str], float] = OrderedDict()
        """Until when they are not to be asked; the oldest first."""
        self._listed: list[Visitor] = []
        self._listed_at = -math.inf

    def __len__(self) -> int:
        return len(self._visitors)

    # ---- pages

    def come(self, connection: str, hello: SiteHello, site: VisitedSite, id: str, address: str, now: float) -> list[str]:
        """``id``: for one who is new."""
        line = self._lines[connection] = Line()
        visitor = self._by_secret.get((site.key, hello.visitor))
        if visitor is not None and (visitor.address != address or len(visitor.lines) >= MOST_PAGES):
            self._end(connection)
            return self._stirred()
        if visitor is None:
            if not self._makes_room(address):
                self._end(connection)
                return self._stirred()
            visitor = Visitor(id, hello.visitor, site, address, hello.language, now)
            self._visitors[id] = self._by_secret[visitor.key] = visitor
            self._addresses[address] += 1
            self._waiting.add(id, address)
        visitor.lines[connection] = line
        visitor.away_since = None
        self._away.pop(visitor.id, None)
        self._by_line[connection] = visitor
        offer = visitor.offer
        if offer is not None and offer.shown and not offer.accepted:
            self._say(connection, _said(visitor, offer, now))
        return self._stirred()

    def said(self, connection: str, body: SiteMessage, now: float) -> tuple[Answered | None, list[str]]:
        """What they have just answered to an offer."""
        visitor = self._by_line.get(connection)
        answered = None
        if visitor is None or self._lines[connection].over:
            return None, []
        if not visitor.messages.take(now):
            self._end(connection)
        elif isinstance(body, SiteAt):
            self._at(visitor, body, now)
        elif isinstance(body, SiteAnswer):
            answered = self._answered(visitor, connection, body, now)
        else:
            self._end(connection, "invalid")
        return answered, self._stirred()

    def went(self, connection: str, now: float) -> None:
        self._lines.pop(connection, None)
        self._woken.pop(connection, None)
        visitor = self._by_line.pop(connection, None)
        if visitor is None:
            return
        visitor.lines.pop(connection, None)
        if not visitor.lines:
            visitor.away_since = now
            self._away[visitor.id] = visitor

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

    def _answered(self, visitor: Visitor, connection: str, body: SiteAnswer, now: float) -> Answered | None:
        offer = visitor.offer
        if offer is None or offer.id != body.offer or offer.accepted or not offer.shown:
            return None
        if body.given:
            offer.accepted, offer.by, offer.until = True, connection, now + ACCEPTED_S
        else:
            self._no(visitor, now)
            self._tell(visitor, SiteWithdrawn(late=False))
        return Answered(visitor, offer, body.given)

    # ---- staff

    def seen_by(self, staff: str, now: float) -> list[Seen]:
        """Those who are connected, the longest on their step first; where nothing is wrong behind those where it is. At most ``MOST_LISTED``, and who has an
        offer of theirs."""
        if now >= self._listed_at + LIST_S:
            self._listed_at = now
            here = (one for one in self._visitors.values() if _here(one))
            self._listed = heapq.nsmallest(MOST_LISTED, here, key=lambda one: (one.errors == 0, one.since))
        listed = [one for one in self._listed if self._visitors.get(one.id) is one and _here(one)]
        known = {one.id for one in listed}
        own = [one for one, offer in self._offers.values() if offer.staff == staff and one.id not in known and _here(one)]
        return [self._seen(one, staff, now) for one in [*own, *listed]]

    def offer(self, id: str, offer: str, staff: str, name: str, now: float) -> None:
        """Nobody else offers them anything; they see it once ``show`` is called. Raises NotFound, Conflict: somebody else has offered, they are not to be asked
        again now, or this member of staff has an offer open."""
        visitor = self._visitors.get(id)
        if visitor is None or not visitor.lines:
            raise NotFound("This customer is not on the site any more.")
        if visitor.offer is not None:
            raise Conflict("Help is offered to this customer already.")
        if now < self._not_before(visitor):
            raise Conflict("This customer was asked, and is not to be asked again now.")
        if any(one.staff == staff and not one.accepted for _, one in self._offers.values()):
            raise Conflict("Another customer has an offer of yours. Wait for the answer, or take it back.")
        visitor.offer = Offer(id=offer, staff=staff, name=name, until=now + OFFER_S)
        self._offers[id] = visitor, visitor.offer
        self._waiting.discard(id, visitor.address)

    def show(self, id: str, offer: str, now: float) -> list[str]:
        """Raises NotFound: they are gone, and nothing was offered."""
        visitor, made = self._offers.get(id, (None, None))
        if visitor is None or made is None or made.id != offer or not visitor.lines:
            self.unmade(id, offer)
            raise NotFound("This customer is not on the site any more.")
        made.shown, made.until = True, now + OFFER_S
        self._tell(visitor, _said(visitor, made, now))
        return self._stirred()

    def unmade(self, id: str, offer: str) -> None:
        """It was not shown: they may be asked."""
        visitor, made = self._offers.get(id, (None, None))
        if visitor is not None and made is not None and made.id == offer and not made.shown:
            self._without(visitor)

    def withdraw(self, id: str, staff: str, now: float) -> tuple[str, list[str]]:
        """The offer. Raises NotFound: there is none of theirs that waits."""
        visitor, offer = self._offers.get(id, (None, None))
        if visitor is None or offer is None or offer.staff != staff or offer.accepted or not offer.shown:
            raise NotFound("There is no such offer.")
        self._no(visitor, now)
        self._tell(visitor, SiteWithdrawn(late=False))
        return offer.id, self._stirred()

    def came_of(self, visitor: Visitor, session: str, token: str) -> list[str]:
        """What they accepted is there, for the page that they did so on, or another one where that is gone; ``token`` "": it came to nothing."""
        offer = visitor.offer
        if token and offer is not None:
            offer.session = session
            to = offer.by if offer.by in visitor.lines else next(iter(visitor.lines), "")
            for connection in visitor.lines:
                self._say(connection, SiteAccepted(token=token) if connection == to else SiteWithdrawn(late=False))
        else:
            self._without(visitor)
            self._tell(visitor, SiteWithdrawn(late=True))
        return self._stirred()

    # ---- time

    def tick(self, now: float) -> list[str]:
        for visitor, offer in list(self._offers.values()):
            if now < offer.until:
                continue
            if not offer.shown:
                self._without(visitor)
                continue
            if not offer.accepted:
                self._tell(visitor, SiteWithdrawn(late=False))
            self._no(visitor, now)
        while self._away and now >= _since(next(iter(self._away.values()))) + AWAY_S:
            _, visitor = self._away.popitem(last=False)
            if visitor.offer is None or not visitor.offer.accepted:
                self._forget(visitor)
        while self._refused and now >= next(iter(self._refused.values())):
            self._refused.popitem(last=False)
        return self._stirred()

    def end(self, code: str) -> list[str]:
        for connection in self._lines:
            self._end(connection, code, again=True)
        return self._stirred()

    def _no(self, visitor: Visitor, now: float) -> None:
        self._without(visitor)
        self._refused[visitor.key] = now + AGAIN_S
        self._refused.move_to_end(visitor.key)
        if len(self._refused) > MOST_REFUSED:
            self._refused.popitem(last=False)

    def _not_before(self, visitor: Visitor) -> float:
        return self._refused.get(visitor.key, 0.0)

    def _without(self, visitor: Visitor) -> None:
        """The offer is over. Who was away for it is looked at next."""
        visitor.offer = None
        if self._offers.pop(visitor.id, None) is None:
            return
        self._waiting.add(visitor.id, visitor.address)
        if visitor.away_since is not None:
            self._away[visitor.id] = visitor
            self._away.move_to_end(visitor.id, last=False)

    def _seen(self, visitor: Visitor, staff: str, now: float) -> Seen:
        offer, session = "no" if now < self._not_before(visitor) else "", ""
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
        if self._addresses[address] >= self._per_address:
            oldest = self._waiting.oldest(address)
        elif len(self._visitors) < self._most:
            return True
        else:
            oldest = self._waiting.oldest()
        if oldest is not None:
            self._forget(self._visitors[oldest])
        return oldest is not None

    def _forget(self, visitor: Visitor) -> None:
        for connection in visitor.lines:
            self._end(connection)
            self._by_line.pop(connection, None)
        visitor.lines.clear()
        del self._visitors[visitor.id], self._by_secret[visitor.key]
        self._away.pop(visitor.id, None)
        self._offers.pop(visitor.id, None)
        self._waiting.discard(visitor.id, visitor.address)
        self._addresses[visitor.address] -= 1
        if not self._addresses[visitor.address]:
            del self._addresses[visitor.address]

    # ---- lines

    def _say(self, connection: str, body: Body) -> None:
        self._lines[connection].say(body)
        self._woken[connection] = None

    def _tell(self, visitor: Visitor, body: Body) -> None:
        for connection in visitor.lines:
            self._say(connection, body)

    def _end(self, connection: str, code: str = "too_many", *, again: bool = False) -> None:
        self._lines[connection].end(Bye(code=code, again=again))
        self._woken[connection] = None

    def _stirred(self) -> list[str]:
        woken, self._woken = self._woken, {}
        return list(woken)


def _here(visitor: Visitor) -> bool:
    return bool(visitor.lines) or (visitor.offer is not None and visitor.offer.accepted)


def _since(visitor: Visitor) -> float:
    assert visitor.away_since is not None
    return visitor.away_since


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

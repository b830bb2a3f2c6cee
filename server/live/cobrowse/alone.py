"""A page that is shown although no session is there: one is made for it, of whoever of the staff typed its code or offered help, with a place for its customer. They
go into it like into any session of theirs; the customer need not."""

from typing import NamedTuple, Protocol

from server.cobrowse.messages import Who
from server.domain.ids import ParticipantId, SessionId, StaffId
from server.domain.model import STAFF_IDENTITY, Language, Participant, Session
from server.live.cobrowse.held import Held, Site
from server.live.cobrowse.journal import PageRecords
from server.live.cobrowse.shares import Shares


class Places(Protocol):
    """``server.services.page_places.PagePlaces``."""

    async def begin(
        self, staff: StaffId, language: Language, share: str, visitor: str, offer: str
    ) -> tuple[Session, Participant]: ...
    async def link(self, session_id: SessionId, place_id: ParticipantId, actor: str) -> str: ...


class Accepted(NamedTuple):
    """Which offer, by whom on the site. Both "": none was made."""

    visitor: str = ""
    offer: str = ""


NO_OFFER = Accepted()


class Alone:
    def __init__(self, shares: Shares, records: PageRecords, places: Places) -> None:
        self._shares = shares
        self._records = records
        self._places = places

    async def by_code(self, staff: StaffId, code: str, language: Language) -> Session:
        """They typed it. Raises NotFound, Gone, TooMany, StoreUnavailable."""
        return await self._begin(staff, self._shares.take_code(code, f"{STAFF_IDENTITY}{staff}"), language, Who.TYPED, NO_OFFER)

    async def by_offer(
        self, staff: StaffId, site: Site, address: str, language: Language, accepted: Accepted
    ) -> tuple[Session, str]:
        """The customer said yes. With the token for their tabs. Raises StoreUnavailable."""
        held, token = self._shares.begin(site, address, "")
        return await self._begin(staff, held, language, Who.OFFERED, accepted), token

    async def _begin(self, staff: StaffId, held: Held, language: Language, who: Who, accepted: Accepted) -> Session:
        try:
            session, place = await self._places.begin(staff, language, held.share.id, *accepted)
            await self._records.attached(session.id, place.id, staff, held.share.id, held.site.rules)
        except BaseException:
            self._shares.give_back(held)
            raise
        self._shares.open(held, session.id, place.id, language, (f"{STAFF_IDENTITY}{staff}", who), alone=True)
        return session

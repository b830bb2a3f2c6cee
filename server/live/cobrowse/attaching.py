"""What the people of a session say about the page that is shown in it, and what they are told."""

from typing import TYPE_CHECKING

from server.domain.grants import Grant
from server.domain.model import ConsentScope, SessionStatus
from server.errors import Conflict, NotAllowed, NotFound
from server.live.briefing import whose
from server.live.member import Member
from server.live.people.leading import leads
from server.signalling.messages_cobrowse import CobrowseAttach

if TYPE_CHECKING:
    from server.live.session import LiveSession


async def attach(session: "LiveSession", member: Member, body: CobrowseAttach) -> None:
    """The page's consents are the customer's whom the session is for, who must be inside. Raises NotFound (no page has this code, or none is shown on this
    server), NotAllowed, Conflict, Gone, TooMany, StoreUnavailable."""
    shares = session.needs.cobrowse()
    if shares is None:
        raise NotFound("No pages are shown on this server.")
    _leads(member)
    customer = whose(session)
    if session.status is not SessionStatus.OPEN or customer is None:
        raise Conflict("There is no customer in this session.")
    await shares.attach(session, member, customer, body.code)


def detach(session: "LiveSession", member: Member) -> None:
    """Raises NotFound, NotAllowed, Conflict."""
    shares = session.needs.cobrowse()
    if shares is None:
        raise NotFound("No pages are shown on this server.")
    _leads(member)
    shares.detach(session)


def withdrawn(session: "LiveSession", member: Member, scope: ConsentScope) -> None:
    """A customer says no to pages by signalling, where no step and nobody is named: nothing of theirs is shown any more."""
    shares = session.needs.cobrowse()
    if shares is not None and scope in (ConsentScope.PAGE_VIEW, ConsentScope.PAGE_CONTROL):
        shares.withdrawn(session.id, member.id)


def greeted(session: "LiveSession", member: Member) -> None:
    """A new page, which shows none yet."""
    shares = session.needs.cobrowse()
    if shares is not None and Grant.COBROWSE_VIEW in member.grants and shares.of(session.id) is not None:
        member.send(shares.view(session.id))


def _leads(member: Member) -> None:
    if not leads(member):
        raise NotAllowed("Only whoever leads this session shows a page in it.")

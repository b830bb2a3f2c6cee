"""The TURN relay's credentials of those who are here: in the welcome, and again before they end."""

from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import msgspec

from server.live.member import Member
from server.services.ice_servers import Issued
from server.signalling.messages import IceServers, MediaLimits

if TYPE_CHECKING:
    from server.live.needs import Needs


class IceIssuer(Protocol):
    """``server.services.ice_servers.TurnRelay``."""

    @property
    def version(self) -> int: ...
    def issue(self, participant: str) -> Issued: ...


class NoRelay:
    """Where there is no TURN relay."""

    version = 0

    def issue(self, participant: str) -> Issued:
        return Issued([], None, 0)


def _issue(needs: "Needs", member: Member) -> Issued:
    issued = needs.ice.issue(member.id)
    member.ice_renew_at, member.ice_version = issued.renew_at, issued.version
    return issued


def limits(needs: "Needs", member: Member) -> MediaLimits:
    """For the snapshot."""
    return msgspec.structs.replace(needs.settings.media, ice_servers=_issue(needs, member).servers)


def renew(needs: "Needs", member: Member, wall: datetime) -> None:
    """Tell a page that is here, when its credential ends soon or the relay is another."""
    due = member.ice_renew_at is not None and wall >= member.ice_renew_at
    if (due or member.ice_version != needs.ice.version) and member.connection is not None:
        member.send(IceServers(servers=_issue(needs, member).servers))

"""A customer's page that is shown in a session: who attaches it, and that it is there. What goes over its own sockets is ``server/cobrowse/messages.py``. Part
of ``messages.py``."""

from typing import Annotated

import msgspec

from server.cobrowse.messages import ShareState
from server.signalling.base import Body


class CobrowseAttach(Body, frozen=True, kw_only=True, tag="cobrowse.attach"):
    """The customer has read the six digits that their page shows. Only whoever leads; needs ``cobrowse.view``."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=12)]


class CobrowseDetach(Body, frozen=True, kw_only=True, tag="cobrowse.detach"):
    """Nobody looks at it any more; it is over. Only whoever leads; needs ``cobrowse.view``."""


class CobrowseChanged(Body, frozen=True, kw_only=True, tag="cobrowse.changed"):
    """To everybody with ``cobrowse.view``: the page that is shown in this session, by which its own socket is asked for; ``share`` null: none any more.
    ``site``: what the bank calls it."""

    share: str | None
    state: ShareState | None
    site: str


CobrowseClient = CobrowseAttach | CobrowseDetach

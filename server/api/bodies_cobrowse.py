"""Customers on the bank's pages, as staff see them (``docs/cobrowse.md``)."""

from typing import Annotated, Literal

import msgspec

from server.api.bodies import Answer, Request
from server.domain.model import Language


class BeginPage(Request, frozen=True, kw_only=True):
    """``code``: six digits that the customer reads from their page."""

    code: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}$")]
    language: Language = Language.ZH


class SeenVisitor(Answer, frozen=True, kw_only=True):
    """``page``: what the rules call the page, "" for one that they do not name or never show. ``step``, ``errors``: as the bank's page says. ``offer``: "" none, ``open`` or
    ``accepted``: yours, ``other``: somebody else's, ``no``: not to be asked now. ``session``: what came of yours."""

    id: str
    site: str
    page: str
    step: str
    errors: int
    dwell_s: int
    here_s: int
    offer: Literal["", "open", "accepted", "other", "no"]
    session: str


class SeenVisitors(Answer, frozen=True, kw_only=True):
    """``presence``: whether any site tells who is on it."""

    presence: bool
    visitors: list[SeenVisitor]

"""What a share wants done, and what it is told of it: between the state machine (``share``), the process that sanitises and whoever runs both. Sans-I/O.

Orders to the sanitiser of one share are carried out one after the other, in the order in which they were given, and so are their answers: a ``Look`` sees
the page as it was after all events before it.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

from server.cobrowse.messages import ActKind, Scope, ShareState
from server.domain.model import ConsentDecision


class Facts(Protocol):
    """What the sanitiser knows of a node. ``known``: it is there, and something of it is shown. ``level``: of ``rules.Level``. ``value_shown``: rules let what is
    entered there be read; ``sensitive``: whatever they say, never. ``clickable``: rules name it as what may be
    clicked. ``above``: tag and ``type`` of what it stands in, the nearest first."""

    @property
    def known(self) -> bool: ...
    @property
    def tag(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def level(self) -> int: ...
    @property
    def value_shown(self) -> bool: ...
    @property
    def sensitive(self) -> bool: ...
    @property
    def clickable(self) -> bool: ...
    @property
    def above(self) -> Sequence[tuple[str, str]]: ...


# ---------------------------------------------------------------- to the sanitiser


class Sanitise(msgspec.Struct, frozen=True, kw_only=True):
    """One event as rrweb wrote it. Answered by ``Share.cleaned`` with the same ``order``, whatever comes of it. A ``page`` other than that of the order before
    is another document: a sanitiser that knows nothing. ``gap``: events before it were left out: ``Sanitiser.lose`` first, so that nothing leaves until
    the next whole picture, while what was secret once stays secret."""

    order: int
    page: int
    text: str
    gap: bool


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What a node is. Answered by ``Share.looked`` with the same ``look``; of another page than that of the last ``Sanitise``: None."""

    look: int
    page: int
    node: int


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """``text``: the event as it may leave, JSON, "" for nothing; ``kind``: of rrweb's (``sanitiser.EventType``), of what leaves, -1 for nothing. ``name``: what
    the rules call the page, "" before its first Meta event. ``hidden``: ``Sanitised.paused``; ``resync``, ``dropped``, ``pictured``: as there."""

    order: int
    text: str = ""
    kind: int = -1
    name: str = ""
    hidden: bool = False
    resync: bool = False
    dropped: Mapping[str, int] = {}
    pictured: tuple[tuple[int, int], ...] = ()


# ---------------------------------------------------------------- to whoever runs it


class Wake(msgspec.Struct, frozen=True, kw_only=True):
    """There is something to ``Share.take`` for this connection. After a ``Bye`` the connection is closed."""

    connection: str


class Hush(msgspec.Struct, frozen=True, kw_only=True):
    """What this viewer was sent of the page was taken back: what of it is still under way is to be stopped, by closing the connection where there is no other way."""

    connection: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """To be stored, with its audit entry; answered by ``Share.recorded`` in any case. ``given`` is in force only after that; ``refused`` and ``withdrawn``
    are at once. ``rules``: SHA-256 of what holds."""

    number: int
    viewer: str
    scope: Scope
    decision: ConsentDecision
    rules: str


class Noted(StrEnum):
    """What the audit is told besides consents."""

    VIEWER_CAME = "viewer_came"
    VIEWER_LEFT = "viewer_left"
    ASKED = "asked"
    UNANSWERED = "unanswered"
    RELEASED = "released"  # by the viewer
    LAPSED = "lapsed"  # with the document, or as the viewer was away too long
    PAUSED = "paused"
    RESUMED = "resumed"
    HIDDEN = "hidden"  # the page is one that is never shown
    SHOWN = "shown"
    TAKEN_BACK = "taken_back"
    CALL_ASKED = "call_asked"  # into the conversation
    CALL_ANSWERED = "call_answered"
    ACT = "act"
    DROPPED = "dropped"  # at the end: what the sanitiser left out, by kinds
    ENDED = "ended"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """For the audit: no content, no addresses, no values."""

    what: Noted
    details: Mapping[str, str | int]


class Begin(msgspec.Struct, frozen=True, kw_only=True):
    """An act, to be stored in the audit before anything of it goes on; answered by ``Share.begun`` in any case. What is not stored is not done. ``number``: of
    ``acts``, as in the ``Note`` of what came of it."""

    number: int
    viewer: str
    kind: ActKind


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """The state is another one. ``ENDED`` comes once: the share can be forgotten when its connections are closed."""

    state: ShareState


class Invite(msgspec.Struct, frozen=True, kw_only=True):
    """The customer wants into the conversation. Answered by ``Share.invited`` in any case."""

    viewer: str


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """An image as the tab sent it, to be drawn anew where it can do nothing. Answered by ``Share.drawn`` with the same ``number`` in any case."""

    number: int
    data: bytes


Output = Draw | Invite | Sanitise | Look | Wake | Hush | Record | Begin | Note | Changed

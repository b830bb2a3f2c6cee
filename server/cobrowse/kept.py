"""What of a share is kept with a recording: what its viewers get, without their names, and only what those do who are recorded themselves. Sans-I/O.

The recorder has a seat of its own (``Share.recorder_came``) that may do nothing and is no reason to show anything: it sees the page while somebody else does.
"""

from collections.abc import Collection
from typing import NamedTuple

import msgspec

from server.cobrowse.messages import (
    ActKind,
    ActOutcome,
    Body,
    Bye,
    Mark,
    Pointer,
    Scope,
    ShareState,
    Unmark,
    ViewAsset,
    ViewDom,
)

CONNECTION = "recorder"
"""Its place among the connections of a share, whose ids are random."""


class KeptViewer(msgspec.Struct, frozen=True, kw_only=True):
    """``id``: of the participant; the recording's events have the name."""

    id: str
    role: str
    granted: list[Scope]


class KeptState(Body, frozen=True, kw_only=True, tag="kept.state"):
    """As ``ViewState``. ``shown``: somebody sees the page; else nothing of it is known here. ``paused``: by the customer, or they are on hold."""

    state: ShareState
    shown: bool
    hidden: bool
    front: bool
    viewers: list[KeptViewer]
    page: int = 0
    name: str = ""
    step: str = ""
    errors: int = 0


class KeptAct(Body, frozen=True, kw_only=True, tag="kept.act"):
    """Somebody did something in the page, or proposed it; what was entered is not here."""

    viewer: str
    page: int
    node: int
    kind: ActKind
    outcome: ActOutcome


class KeptBegin(Body, frozen=True, kw_only=True, tag="kept.begin"):
    """A whole picture follows. All that stands at this moment besides."""

    state: KeptState | None
    marks: list[Mark]


class KeptPaused(Body, frozen=True, kw_only=True, tag="kept.paused"):
    """Nothing is known from here on until the next picture. The recorder says so of a pause, without ``why``."""

    why: str


class KeptLine(NamedTuple):
    """``begins``: a player may begin here; ``blank``: from here on nothing is shown."""

    text: bytes
    begins: bool = False
    blank: bool = False


OVER = KeptState(state=ShareState.ENDED, shown=False, hidden=False, front=False, viewers=[])
_encode = msgspec.json.Encoder().encode
TOO_MUCH = KeptLine(_encode(KeptPaused(why="too_much")), blank=True)


class Kept:
    """Lines out of what waits for the recorder, in order."""

    def __init__(self) -> None:
        self._state: KeptState | None = None
        self._marks: dict[tuple[str, str], Mark] = {}
        self._n = 0
        self.changes = 0
        """Since the newest picture."""

    def lines(self, body: Body, whom: Collection[str]) -> list[KeptLine]:
        """``whom``: those who are recorded."""
        match body:
            case KeptState():
                return [self._stated(body, whom)]
            case Bye():
                return [self._stated(OVER, whom)]
            case ViewDom():
                return self._page(body, whom)
            case Mark() if body.viewer in whom:
                self._marks[body.viewer, body.id] = body
            case Unmark() if body.viewer in whom:
                gone = [one for one in self._marks if one[0] == body.viewer and body.id in ("", one[1])]
                for one in gone:
                    del self._marks[one]
            case Pointer() | KeptAct() if body.viewer in whom:
                pass
            case ViewAsset():
                pass
            case _:
                return []
        return [KeptLine(_encode(body))]

    def _stated(self, body: KeptState, whom: Collection[str]) -> KeptLine:
        state = msgspec.structs.replace(body, viewers=[one for one in body.viewers if one.id in whom])
        self._state = state
        self._marks = {key: mark for key, mark in self._marks.items() if state.shown and mark.page == state.page}
        return KeptLine(_encode(state), blank=not state.shown)

    def _page(self, body: ViewDom, whom: Collection[str]) -> list[KeptLine]:
        found = []
        if body.picture and body.n != self._n:
            self.changes = 0
            marks = [mark for mark in self._marks.values() if mark.viewer in whom and mark.page == body.page]
            found.append(KeptLine(_encode(KeptBegin(state=self._state, marks=marks)), begins=True))
        elif body.n != self._n:
            self.changes += 1
        self._n = body.n
        return [*found, KeptLine(_encode(body))]

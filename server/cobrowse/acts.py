"""What viewers do in the page, from their asking to what came of it. Sans-I/O. ``gate`` says what may be done."""

import msgspec

from server.cobrowse.gate import NEEDS, WITH_VALUE, is_plain
from server.cobrowse.messages import Act, ActKind, ActOutcome, ViewDone
from server.cobrowse.orders import Note, Noted
from server.cobrowse.seats import Seat

LATE_S = 10.0
PROPOSAL_S = 60.0
"""A proposal waits for the customer."""
MOST_AT_ONCE = 8
"""Of one viewer."""


class Doing(msgspec.Struct, kw_only=True):
    """``page``: the server's number of the document. ``begun``: it is in the audit; ``sent``: it waits for the tab; ``taken``: the tab has it."""

    seat: Seat
    act: Act
    page: int
    until: float
    begun: bool = False
    sent: bool = False
    taken: bool = False

    def is_granted(self) -> bool:
        return self.seat.may(NEEDS[self.act.kind])


class Acts:
    """Those that are under way, by their number: the one that the sanitiser is asked with, too."""

    def __init__(self) -> None:
        self._doing: dict[int, Doing] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._doing)

    def begin(self, seat: Seat, act: Act, page: int, now: float) -> int | None:
        """The number of a new one; None: too many at once."""
        if sum(one.seat is seat for one in self._doing.values()) >= MOST_AT_ONCE:
            return None
        self._last += 1
        until = now + (PROPOSAL_S if act.kind is ActKind.PROPOSE else LATE_S)
        self._doing[self._last] = Doing(seat=seat, act=act, page=page, until=until)
        return self._last

    def get(self, number: int) -> Doing | None:
        return self._doing.get(number)

    def of_tab(self, id: str) -> int | None:
        """The number that an id of the tab's means."""
        number = int(id) if id.isascii() and id.isdigit() and len(id) < 16 else 0
        return number if number in self._doing and self._doing[number].sent else None

    def all(self) -> list[tuple[int, Doing]]:
        return list(self._doing.items())

    def over(self, number: int, outcome: ActOutcome) -> Note:
        """Tells the viewer; what the audit is to be told."""
        doing = self._doing.pop(number)
        return refused(doing.seat, doing.act, outcome, number)

    def next_deadline(self) -> float | None:
        return min((one.until for one in self._doing.values()), default=None)


def refused(seat: Seat, act: Act, outcome: ActOutcome, number: int | None = None) -> Note:
    """What came of an act, for the viewer and for the audit: never what was entered. ``number``: None for one that was not begun."""
    if seat.line is not None:
        seat.line.say(ViewDone(act=act.act, outcome=outcome))
    details: dict[str, str | int] = {"viewer": seat.person.id, "kind": act.kind.value, "outcome": outcome.value}
    return Note(what=Noted.ACT, details=details if number is None else {**details, "act": number})


def is_well_formed(act: Act) -> bool:
    """A value only where one is entered, and one that reads as it is; nobody says for somebody else."""
    return not act.viewer and (not act.value or act.kind in WITH_VALUE) and is_plain(act.value)

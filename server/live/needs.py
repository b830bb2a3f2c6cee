"""What live sessions and desks are made with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server.clock import Clock
from server.live import ice
from server.live.people.desk_offers import DeskOffers
from server.live.people.records import PeopleRecords
from server.live.ports import CaseBriefs, EntryRecords, MediaPort, RecorderPort, SessionRecords
from server.live.recording.endings import Endings
from server.live.recording.records import RecordingRecords
from server.live.records import Records
from server.live.settings import LiveSettings
from server.live.taps import Taps

if TYPE_CHECKING:
    from server.live.cobrowse.shares import Shares
    from server.live.together import Tables
    from server.services.verification_live import LiveAttempts


@dataclass(frozen=True, slots=True)
class Needs:
    """What live sessions are made with."""

    records: Records
    people: PeopleRecords
    desks: DeskOffers
    sessions: SessionRecords
    entries: EntryRecords
    media: MediaPort
    recorder: RecorderPort
    recordings: RecordingRecords
    endings: Endings
    taps: Taps
    attempts: Callable[[], "LiveAttempts | None"]  # None: transactions are not verified here
    briefs: Callable[[], CaseBriefs | None]  # likewise
    cobrowse: Callable[[], "Shares | None"]  # None: no pages are shown here
    pdfs: Callable[[], "Tables | None"]  # None: no PDFs are shown here
    ice: ice.IceIssuer
    clock: Clock
    settings: LiveSettings
    new_key: Callable[[], str]  # resume keys: unguessable
    waiting_changed: Callable[[], None]
    people_changed: Callable[[], None]  # somebody came, went or was cut off, in any session

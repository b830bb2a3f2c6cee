"""Bounds of live sessions."""

from dataclasses import dataclass, field
from typing import Literal

from server.services.disclosure import Disclosed
from server.signalling.messages import FileLimits, MediaLimits
from server.signalling.messages_recording import ChecklistItem
from server.signalling.protocol import Limits


@dataclass(frozen=True, slots=True)
class RecordingSettings:
    """``at_start``: whether staff ask for a recording, or everybody is asked as soon as a customer and somebody who leads are there.

    ``retention_days``: how long it is kept, as everybody is told; 0 until somebody erases it. ``page_wordings``: of the bank's own consent texts those that say
    that a shared page is kept.
    """

    enabled: bool = False
    checklist: tuple[ChecklistItem, ...] = ()
    at_start: Literal["manual", "ask"] = "manual"
    retention_days: int = 0
    page_wordings: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """All durations in seconds."""

    connection: Limits = field(default_factory=Limits)
    recording: RecordingSettings = field(default_factory=RecordingSettings)
    media: MediaLimits = field(default_factory=lambda: MediaLimits(audio_slots=6, video_slots=24))
    files: FileLimits = field(default_factory=lambda: FileLimits(max_bytes=0, media_types=[]))
    waiting: int = 100  # customers in the waiting list: one more who asks for a person: too_many
    members: int = 25  # people in one session at a time; one more: too_many
    sessions: int = 2000  # live ones in this process; one more: too_many
    desks_per_staff: int = 5  # desk connections of one account; one more moves the oldest
    desks: int = 1000
    disclosed: Disclosed = Disclosed.EVERYBODY  # who is told of a supervisor who listens
    agent_lost_s: float = 3.0  # the others are told that whoever leads is gone after this
    agent_offer_s: float = 15.0  # and with no colleague inside it is offered to free desks after this
    agent_keep_s: float = 60.0  # how long the place of whoever leads is kept
    offer_s: float = 30.0  # a colleague answers a hand-over within this
    come_s: float = 30.0  # and comes within this
    here_s: float = 5.0  # who has come is here with their media connected, or after this
    picture_s: float = 3.0  # the switch waits so long for the picture of who is here
    linger_s: float = 1.0  # the picture of who handed over stays so long, to be replaced without a gap
    join_s: float = 10.0  # from hello to welcome
    store_s: float = 5.0  # one transaction
    media_connect_s: float = 8.0  # an offer
    media_control_s: float = 2.0  # any other command to the relay
    retry_s: float = 1.0  # a gate that could not be set is tried again after this
    renew_before_s: float = 120.0  # a token is renewed so long before it ends (at half its life if it is shorter)
    wait_keep_s: float = 600.0  # a waiting customer whose page is gone keeps the place in the list so long
    wait_connect_s: float = 60.0  # one whose page has never connected is dropped from it after this
    wait_refresh_s: float = 15.0  # estimated waits are told anew this often
    abandoned_s: float = 12 * 3600.0  # an open session that nobody is in nor invited to is ended after this; 0: never
    sweep_s: float = 600.0  # such sessions are looked for this often
    history: int = 200  # chat messages in a snapshot
    history_chars: int = 100_000  # of text in a snapshot: a slow line must take it within the write deadline
    quality_per_s: float = 1.0
    quality_burst: float = 3.0
    offers_per_s: float = 0.5  # each may be a new connection at the relay; more: too_many
    offers_burst: float = 15.0
    stored_per_s: float = 5.0  # chat messages and decisions of one person; more: too_many, and nothing is stored
    stored_burst: float = 60.0
    hello_per_s: float = 0.5  # connections of one place, new or resumed; more: too_many
    hello_burst: float = 20.0

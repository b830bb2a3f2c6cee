"""The consent gate: which of a participant's sources the relay may forward. Sans-I/O.

A source is open if and only if the session is open, the participant has not left, their token grants publishing it, and the
newest decision of that participant about that scope is ``given`` and stored. Shutting does not wait for the store: ``hold``
comes first, and only a later stored ``given`` lifts it.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from server.domain.grants import Grant
from server.domain.ids import ParticipantId
from server.domain.model import Consent, ConsentDecision, ConsentScope, SessionStatus, Source

PUBLISH: Final[dict[Source, Grant]] = {
    Source.MICROPHONE: Grant.PUBLISH_MICROPHONE,
    Source.CAMERA: Grant.PUBLISH_CAMERA,
    Source.SCREEN: Grant.PUBLISH_SCREEN,
}
SCOPES: Final[dict[ConsentScope, Source]] = {
    ConsentScope.MICROPHONE: Source.MICROPHONE,
    ConsentScope.CAMERA: Source.CAMERA,
    ConsentScope.SCREEN: Source.SCREEN,
}


class Forwarded(NamedTuple):
    """What the relay forwards of somebody, and to whom: to those of the same ``circle``, or to those named in ``only``."""

    sources: frozenset[Source] = frozenset()
    circle: str = ""
    only: frozenset[ParticipantId] | None = None

    def tightens(self, before: "Forwarded") -> bool:
        """Whether somebody loses something by this that they had ``before``."""
        return bool(before.sources - self.sources) or (before.circle, before.only) != (self.circle, self.only)

    def reaches(self, subscriber: ParticipantId, circle: str) -> bool:
        return circle == self.circle if self.only is None else subscriber in self.only


class Narrowed(NamedTuple):
    """What was said that narrows and is not carried out yet. It is in force from when it was said: see ``narrowing.py``.

    ``sources``: not forwarded. ``unrecorded``, ``unseen``: consent taken back about the recording, about a check of the face.
    """

    sources: frozenset[Source] = frozenset()
    held: bool = False
    out: bool = False  # on the way out: nothing is forwarded of them or to them
    unrecorded: bool = False
    unseen: bool = False

    def and_(self, other: "Narrowed") -> "Narrowed":
        """Both."""
        return Narrowed(
            self.sources | other.sources,
            self.held or other.held,
            self.out or other.out,
            self.unrecorded or other.unrecorded,
            self.unseen or other.unseen,
        )


class ConsentGate:
    """The gate of one participant. It starts shut; ``decided`` is told what the store holds, oldest first."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self.grants = frozenset(grants)
        self._given: set[Source] = set()
        self._held: set[Source] = set()

    def hold(self, scope: ConsentScope) -> None:
        """Shut at once: a refusal or withdrawal was said and is not stored yet."""
        if scope in SCOPES:
            self._held.add(SCOPES[scope])

    @property
    def held(self) -> bool:
        """Whether something was taken back that the store does not know of."""
        return bool(self._held)

    def decided(self, consent: Consent) -> None:
        """A decision is durably stored."""
        source = SCOPES.get(consent.scope)
        if source is None:
            return
        self._held.discard(source)
        if consent.decision is ConsentDecision.GIVEN:
            self._given.add(source)
        else:
            self._given.discard(source)

    def open_sources(self, status: SessionStatus) -> frozenset[Source]:
        if status is not SessionStatus.OPEN:
            return frozenset()
        return frozenset(source for source in self._given - self._held if PUBLISH[source] in self.grants)

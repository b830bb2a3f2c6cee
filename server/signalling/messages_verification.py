"""Verifying a transaction on the live stream: who begins, what the person's page shows, how it went. Part of ``messages.py``."""

from enum import StrEnum

from server.domain.ids import CaseId, ParticipantId
from server.signalling.base import AnyId, Body
from server.transactions.brief import CaseBrief
from server.transactions.cues import Cue
from server.transactions.decision import Outcome


class VerificationState(StrEnum):
    """``playing``: the person's page shows what is asked. ``over``: decided, or it did not begin."""

    PLAYING = "playing"
    OVER = "over"


class VerificationBegin(Body, frozen=True, kw_only=True, tag="verification.begin"):
    """An attempt at a case of this session, on this customer's camera. Customers: only on their own. Needs ``verification.run``.

    ``light`` false: without the screen's colours, for whoever cannot bear them or does not want them; what that means is the policy's.
    """

    case: AnyId
    participant: AnyId
    light: bool = True


class VerificationCannot(Body, frozen=True, kw_only=True, tag="verification.cannot"):
    """The person who is being looked at cannot do what is asked: something else is asked, as far as the policy allows. ``light``: they
    cannot bear the colours, or do not want them, and there are no more of them, whatever is asked just then."""

    light: bool = False


class VerificationStop(Body, frozen=True, kw_only=True, tag="verification.stop"):
    """No more of the attempt that runs: it has been used up. By the person who is looked at, or by staff. Needs ``verification.run``."""


class AgentReason(StrEnum):
    """``declined``: no check of the face is wanted. ``cannot``: it does not work, or they cannot do what it asks. ``help``: anything else."""

    DECLINED = "declined"
    CANNOT = "cannot"
    HELP = "help"


class VerificationAgent(Body, frozen=True, kw_only=True, tag="verification.agent"):
    """A customer alone in a session that is there for a verification asks for a person, and waits in line; ``wanted`` false: no longer. ``no_staff``: nobody
    is on duty. Needs ``verification.run``."""

    reason: AgentReason
    wanted: bool = True


class VerificationCases(Body, frozen=True, kw_only=True, tag="verification.cases"):
    """The cases of this session, the newest first, all of them each time. To the customer whom the session is for and to staff with ``verification.run``,
    when they come and when one of them changes."""

    cases: list[CaseBrief]


class VerificationChanged(Body, frozen=True, kw_only=True, tag="verification.changed"):
    """To the person and to staff. ``number`` counts attempts from 1, ``left`` how many more there are. ``warning``: the screen's colours will change.

    ``outcome``: of an attempt that is over, null where it did not begin: then ``problem`` says why, a code. What spoke against it is not told here.
    """

    case: CaseId
    participant: ParticipantId
    state: VerificationState
    number: int = 0
    left: int = 0
    warning: bool = False
    outcome: Outcome | None = None
    problem: str = ""


class VerificationCue(Body, frozen=True, kw_only=True, tag="verification.cue"):
    """To the person's page alone: what to show and to speak now. ``colour``: ``#rrggbb``, "" for the page as it was. See Verification in
    ``docs/protocol.md``."""

    case: CaseId
    cue: Cue
    within_s: float = 0.0
    action: str = ""
    number: int = 0
    of: int = 0
    left: int = 0
    colour: str = ""
    wait_s: float = 0.0
    fade_s: float = 0.0
    reasons: list[str]


class ReviewsChanged(Body, frozen=True, kw_only=True, tag="reviews.changed"):
    """Desk connections with ``verification.review`` only: a verification waits for a review, or waits for it no more. ``GET /reviews`` says which."""

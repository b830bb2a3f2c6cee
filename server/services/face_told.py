"""What of an answer is told to whom. A customer with a session token is told the decision, the reasons and the advice, and no score: whoever may ask again
and again with an exact score is told which way to change a forged picture until it passes. Pure.

Measures of a picture's quality are told to everybody: they say how to make a better one, and nothing of whether it passes.
"""

from msgspec.structs import replace

from server.api.bodies_faces import ComparedBatch, ComparedPair, FaceComparison, LivenessChecked
from server.domain.model import Role
from server.errors import NotAllowed
from server.services.principal import Principal, PrincipalKind


def scores(who: Principal) -> bool:
    """Whether these are told: to API keys and to who works for the bank."""
    if who.kind is PrincipalKind.PARTICIPANT:
        return who.role in {Role.AGENT, Role.SUPERVISOR}
    return True


def check_point(who: Principal, fmr: float | None) -> None:
    """Whoever may ask at each operating point is told the score all the same. Raises NotAllowed."""
    if fmr is not None and not scores(who):
        raise NotAllowed("The false match rate is the bank's to choose.")


def comparison(who: Principal, found: FaceComparison) -> FaceComparison:
    return found if scores(who) else replace(found, comparison_score=None)


def batch(who: Principal, found: ComparedBatch) -> ComparedBatch:
    pairs = [
        ComparedPair(comparison=comparison(who, pair.comparison) if pair.comparison else None, fault=pair.fault)
        for pair in found.pairs
    ]
    return ComparedBatch(pairs=pairs)


def liveness(who: Principal, found: LivenessChecked) -> LivenessChecked:
    if scores(who):
        return found
    frames = [replace(frame, pad_score=None, comparison_score=None) for frame in found.frames]
    return replace(found, pad_score=None, frames=frames)

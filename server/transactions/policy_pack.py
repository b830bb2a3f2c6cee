"""Whether a policy asks what the model pack can answer. Sans-I/O."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from server.transactions.policy import Policy


@dataclass(frozen=True, slots=True)
class PackSays:
    """Of the pack that is installed. ``points``: false match rates that it was evaluated at. ``names``: of all packs that there are. ``unseen``: what a policy asks
    of a person that it cannot see, "" for nothing."""

    name: str
    points: tuple[float, ...]
    names: frozenset[str]
    unseen: Callable[["Policy"], str] = lambda _: ""


def has_point(points: tuple[float, ...], fmr: float) -> bool:
    return any(math.isclose(point, fmr, rel_tol=1e-6) for point in points)


def unfit(policy: "Policy", pack: PackSays) -> Iterator[str]:
    """What no attempt of this type could be judged by, and thresholds that would never hold."""
    if not has_point(pack.points, policy.fmr):
        there = ", ".join(f"{point:g}" for point in sorted(pack.points))
        yield f"{policy.type}: fmr: the model pack {pack.name} was not evaluated at {policy.fmr:g}; there are {there}"
    if cannot := pack.unseen(policy):
        yield f"{policy.type}: challenge: the model pack {pack.name} cannot see what it asks: {cannot}"
    for name in sorted(policy.thresholds.keys() - pack.names):
        yield f"{policy.type}: thresholds.{name}: there is no such model pack; there are {', '.join(sorted(pack.names))}"

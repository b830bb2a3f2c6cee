"""What the attempts of living people came to, by type of transaction: what skips on a busy machine must not skip for good."""

from dataclasses import dataclass, field

import pytest

from tests.support.machine import busy, quick_or_skip


@dataclass(frozen=True, slots=True)
class Try:
    """``alone``: by themselves, not in a conversation. ``came``: to what was wanted. ``busy``: whether the machine was."""

    type: str
    alone: bool
    came: bool
    busy: bool


@dataclass(slots=True)
class Tries:
    all: list[Try] = field(default_factory=list)

    def made(self, type: str, outcome: str | None, wanted: str, told: str, *, alone: bool) -> None:
        """Where more wait for this machine's processors than it has, too few pictures are made or looked at: then it says nothing, whatever the reasons are.
        That somebody was accepted who was not to be is always said."""
        assert outcome != "accept" or wanted == "accept", f"{type}: {told}"
        self.all.append(Try(type, alone, outcome == wanted, busy()))
        quick_or_skip(outcome == wanted, f"{type}: {told}")

    def came_once(self, type: str, *, alone: bool) -> None:
        """Skips where none of this type was made, or the machine was busy at each."""
        made = [one for one in self.all if (one.type, one.alone) == (type, alone)]
        if not made:
            pytest.skip(f"{type}: no attempt was made in this run")
        if any(one.came for one in made):
            return
        if all(one.busy for one in made):
            pytest.skip(f"{type}: too busy to say, at each of {len(made)} attempts")
        pytest.fail(f"{type}: none of {len(made)} attempts came to what was wanted")


TRIES = Tries()

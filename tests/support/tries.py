"""What the attempts of people before the camera came to, by type of transaction and by what was wanted: what skips on a busy machine must not skip for good."""

from dataclasses import dataclass, field

import pytest

from tests.support import long_form
from tests.support.machine import busy, quick_or_skip


@dataclass(frozen=True, slots=True)
class Try:
    """``alone``: by themselves, not in a conversation. ``came``: to what was wanted. ``busy``: whether the machine was."""

    type: str
    wanted: str
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
        self.all.append(Try(type, wanted, alone, outcome == wanted, busy()))
        quick_or_skip(outcome == wanted, f"{type}: {told}")

    def came_once(self, type: str, wanted: str, *, alone: bool) -> None:
        """Skips where nothing of this type was to come to this, or the machine was busy at each attempt: of the long form that is a failure, it has shown nothing."""
        made = [one for one in self.all if (one.type, one.wanted, one.alone) == (type, wanted, alone)]
        what = f"{type}, {wanted}"
        if not made:
            pytest.skip(f"{what}: no attempt was made in this run")
        if any(one.came for one in made):
            return
        if all(one.busy for one in made) and not long_form.LONG:
            pytest.skip(f"{what}: too busy to say, at each of {len(made)} attempts")
        pytest.fail(f"{what}: none of {len(made)} attempts came to what was wanted")


TRIES = Tries()

"""What subscribers want to see, each taken up as often as key frames may be asked for: any change may need some. Sans I/O.

A page that resizes its pictures back and forth would else cost every publisher two key frames a second, and so everybody who watches.
"""

from collections.abc import Mapping

from media.relay.feedback import KEYS_AT_ONCE, KEYS_PER_S, Allowance

Wish = tuple[int, Mapping[str, int]]
"""How many pictures, and how tall each slot is drawn."""


class Wishes:
    """Of each participant only the newest waits."""

    def __init__(self) -> None:
        self._allowances: dict[str, Allowance] = {}
        self._waiting: dict[str, Wish] = {}

    def say(self, participant: str, wish: Wish, now: float) -> bool:
        """Whether it is to be taken up now; else ``due`` gives it, unless another one comes before."""
        allowance = self._allowances.setdefault(participant, Allowance(KEYS_PER_S, KEYS_AT_ONCE, now))
        if allowance.take(1, now):
            self._waiting.pop(participant, None)
            return True
        self._waiting[participant] = wish
        return False

    def withdraw(self, participant: str) -> None:
        """What waits is not wanted any more: it went back to what there is."""
        self._waiting.pop(participant, None)

    def due(self, now: float) -> list[tuple[str, Wish]]:
        """What waited and is to be taken up now."""
        found = [(name, wish) for name, wish in self._waiting.items() if self._allowances[name].take(1, now)]
        for name, _ in found:
            del self._waiting[name]
        return found

    def forget(self, participant: str) -> None:
        """Who is gone."""
        self._waiting.pop(participant, None)
        self._allowances.pop(participant, None)

    def clear(self) -> None:
        self._waiting.clear()
        self._allowances.clear()

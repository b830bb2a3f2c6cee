"""``throttle.ThrottleCore`` with a clock, as ``services.ports.Throttle`` wants it."""

from collections.abc import Mapping

from server.auth.throttle import DEFAULT, POLICIES, Policy, ThrottleCore
from server.clock import Clock
from server.errors import TooMany


class Throttle:
    """Raises TooMany where the core says how long to wait."""

    def __init__(self, clock: Clock, policies: Mapping[str, Policy] = POLICIES, default: Policy = DEFAULT) -> None:
        self._clock = clock
        self._core = ThrottleCore(policies, default)

    def check(self, scope: str, who: str) -> None:
        """Let an attempt through (it counts as failed until ``succeeded``). Raises TooMany with ``retry_after_s``."""
        retry_after_s = self._core.attempt(scope, who, self._clock.monotonic())
        if retry_after_s > 0:
            raise TooMany("There were too many attempts. Please try again later.", retry_after_s=retry_after_s)

    def failed(self, scope: str, who: str) -> None:
        self._core.failed(scope, who, self._clock.monotonic())

    def succeeded(self, scope: str, who: str) -> None:
        self._core.succeeded(scope, who, self._clock.monotonic())

"""Token bucket: how often something may happen. Sans-I/O: the caller brings ``now``."""


class TokenBucket:
    """``rate_per_s`` units come back each second, up to ``burst``. It starts full."""

    def __init__(self, rate_per_s: float, burst: float, now: float) -> None:
        if rate_per_s <= 0 or burst <= 0:
            raise ValueError("rate and burst must be positive")
        self._rate_per_s = rate_per_s
        self._burst = burst
        self._level = burst
        self._at = now

    def take(self, now: float, amount: float = 1) -> bool:
        """Whether ``amount`` units are there; takes them if so, and nothing otherwise. ``now``: monotonic seconds."""
        if now > self._at:
            self._level = min(self._burst, self._level + (now - self._at) * self._rate_per_s)
            self._at = now
        if amount > self._level:
            return False
        self._level -= amount
        return True

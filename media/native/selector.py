"""The loop's selector, in which media is received while the loop waits: what C can do alone wakes nobody up."""

import selectors
from collections.abc import Callable


class MediaSelector(selectors.EpollSelector):
    """``serve``, where it is set, waits instead: at most so many seconds, -1 for ever; whether one of the selector's own files
    (``fileno``) may be ready then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.serve: Callable[[float], bool] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.serve is None:
            return super().select(timeout)
        return super().select(0) if self.serve(-1.0 if timeout is None else max(0.0, timeout)) else []

"""Which state of lists and rules this server works with, where several share a database."""


class Generation:
    """``known``: ``RiskStore.risk_generation`` of what the engine has; None: nothing was read yet."""

    def __init__(self) -> None:
        self.known: int | None = None

    def own(self, before: int, after: int) -> bool:
        """This server made ``after`` of ``before``: whether its engine had ``before``, and is to be changed likewise. Else the next assessment reads
        everything again, or one has done so already."""
        if self.known != before:
            return False
        self.known = after
        return True

"""What the main process of a load test and those that make the load say to each other: one JSON object to a line."""

import msgspec


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The first line to a process. ``authorization``: the header for REST. ``address``: this machine's on the way to the server.

    ``ramp``: of this process, joins a second; 0: as fast as they go. ``first``: number of its first room.
    """

    url: str
    authorization: str
    address: str
    rooms: int
    first: int
    people: int
    ramp: float
    insecure: bool


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """The lines after it. The end of the input: end the sessions and stop."""

    seconds: float


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """All who could come are in, and the relay carries what they send, or did not within the time for it (``flows`` false).

    ``joins_s``: (when it began, how long it took) of each, seconds; the former on the machine's monotonic clock.
    """

    joins_s: list[tuple[float, float]]
    failures: dict[str, int]
    flows: bool
    warm_up_s: float


class Counted(msgspec.Struct, frozen=True, kw_only=True, tag="counted"):
    """``measured``: a ``media.bench.tally.Measured`` as JSON. ``failures``: since ``Ready``."""

    measured: msgspec.Raw
    failures: dict[str, int]


class Broken(msgspec.Struct, frozen=True, kw_only=True, tag="broken"):
    """It cannot go on."""

    why: str


Report = Ready | Counted | Broken
MAX_LINE = 64 << 20

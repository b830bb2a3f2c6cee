"""Transport-wide congestion control feedback, both ways (draft-holmer-rmcat-transport-wide-cc-extensions-01). S."""

from typing import NamedTuple


class Arrival(NamedTuple):
    """``sequence``: 16-bit transport-wide number. ``arrival_us``: when it came in (the receiver's clock), None when lost."""

    sequence: int
    arrival_us: int | None


class Feedback(NamedTuple):
    """``arrivals``: one per number from ``base_sequence`` on. ``count``: 8-bit feedback packet count."""

    base_sequence: int
    count: int
    reference_time_us: int
    arrivals: tuple[Arrival, ...]


class ArrivalLog:
    """What came in from one publisher since the last feedback; builds the feedback bodies."""

    def add(self, sequence: int, arrival_us: int) -> None:
        """Note a packet. ``arrival_us``: monotonic microseconds."""
        raise NotImplementedError

    def build(self, sender_ssrc: int, media_ssrc: int) -> list[bytes]:
        """RTCP packets that report everything noted since the last call; empty when nothing came in. Send every 50 ms."""
        raise NotImplementedError


def parse_feedback(body: bytes) -> Feedback:
    """Read ``rtcp.TransportFeedback.body``. Raises RtcpError, nothing else."""
    raise NotImplementedError

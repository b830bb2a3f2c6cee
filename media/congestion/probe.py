"""When to send padding to find out whether the path carries more, and what the answer was. S.

A cluster is a short train at a chosen rate; what is compared is the rate at which it left with the rate at which it
arrived (packet train dispersion, as WebRTC's probe controller and probe bitrate estimator do it). Media sent meanwhile is part
of the train: a cluster is known by its time, not by marks on its packets.
"""

from typing import NamedTuple

from media.congestion.trend import Results

TRAIN_S = 0.06
TRAIN_BITS = 60_000
MAX_TRAIN_S = 0.15
MIN_STEPS = 4
"""A train is ``TRAIN_S`` long, longer where ``TRAIN_BITS`` take longer, and has at least so many bursts: one tick's is not all."""
STEP_S = 0.015
ANSWER_S = 1.0
"""Feedback that has not come by then does not come; RTT is added."""
REST_S = 0.1
"""The same for the rest of a train of whose last burst some has come, and after which nothing was sent."""
RECEIVED = 0.60
"""With less than this part of a train arrived it says nothing."""
SLOWER = 0.90
LOSSY = 0.10
"""A train that arrived at less than ``SLOWER`` of its rate, or lost this part more than is usual, has met the limit."""
MARGIN = 0.95
INITIAL = (2.0, 4.0)
STEP_UP = 2.0
CAUTIOUS_STEP_UP = 1.5
"""The second after a train that met the limit and after a back-off: its padding makes less of a queue, and costs less."""
MORE = 1.2
"""A train that met the limit at so many times the estimate has found more nevertheless: the next one comes as soon as after success."""
OVER_DEMAND = 1.25
INTERVAL_S = 1.5
FOUND_INTERVAL_S = 0.5
MAX_INTERVAL_S = 2.0
MAX_SHARE = 0.05
"""Padding is at most this part of what the estimate allows over ``INTERVAL_S`` or more, the first clusters left out."""
LEAST_SHARE_BPS = 20_000
"""… but that much is always allowed: an estimate near its floor is looked up from as soon as any other."""
SETTLE_S = 1.0
"""After a back-off nothing is probed for this long: the queue drains first."""
DRAIN_S = 0.15
"""The queue that a train leaves behind is our own doing for this long, and for as long as its bytes take, up to
``MAX_DRAIN_S``: it is no over-use."""
MAX_DRAIN_S = 0.5
MAX_STEP_BYTES = 20_000
MIN_CLUSTER_PACKETS = 5


class Outcome(NamedTuple):
    """``bps``: what the path carried, at least (``limited`` False) or at most (True). ``loss``: of the train."""

    bps: float
    limited: bool
    loss: float = 0.0


class _Cluster:
    __slots__ = (
        "answered", "before_bps", "bps", "ended", "first", "first_end", "first_sent", "last_arrival", "last_sent", "packets", "sent_bytes",
        "shortest_s", "started", "steps", "total", "train",
    )  # fmt: skip

    def __init__(self, bps: float, before_bps: float, now: float, *, first: bool, shortest_s: float = TRAIN_S) -> None:
        self.bps = bps
        self.before_bps = before_bps
        self.first = first
        self.shortest_s = shortest_s
        self.started = now
        self.ended = -1.0
        self.steps = 0
        self.sent_bytes = 0
        self.first_sent = self.last_sent = -1.0
        self.first_end = self.last_arrival = -1.0
        self.total = self.packets = self.answered = self.train = 0


class Prober:
    """``due`` says each tick how many bytes of padding to send now; ``on_results`` reads the answer out of the feedback.

    At most one cluster is under way. ``sent_bytes``: padding asked for so far. ``masked_until``: delay of packets
    sent before this time may come from the last train.
    """

    __slots__ = ("_allowed_at", "_asked_bps", "_cautious", "_cluster", "_initial", "_interval", "_last_due", "_max_bps", "_spent", "_spent_at", "failed", "masked_until", "sent_bytes", "succeeded")  # fmt: skip

    def __init__(self, now: float, max_bps: float) -> None:
        self._max_bps = max_bps
        self._cluster: _Cluster | None = None
        self._initial = list(INITIAL)
        self._asked_bps = 0.0
        self._cautious = False
        self._interval = INTERVAL_S
        self._allowed_at = now
        self._last_due = now
        self._spent = 0.0
        self._spent_at = now
        self.masked_until = -1.0
        self.sent_bytes = self.succeeded = self.failed = 0

    @property
    def busy(self) -> bool:
        return self._cluster is not None

    def backed_off(self, now: float) -> None:
        """The rate was just cut: stop, and wait until the queue is empty."""
        self._cluster = None
        self._asked_bps = 0.0
        self._cautious = True
        self._initial.clear()
        self._allowed_at = max(self._allowed_at, now + SETTLE_S)

    def recovered(self, now: float) -> None:
        """The path is back, or what was wrong is over: ask soon."""
        self._interval = INTERVAL_S
        self._cautious = False
        self._allowed_at = min(self._allowed_at, now)
        self._spent = 0.0

    def ask(self, bps: float) -> None:
        """One long train at this rate as soon as may be, whatever is wanted: what does it lose?"""
        if self._cluster is None:
            self._asked_bps = min(bps, self._max_bps)

    def due(self, estimate_bps: float, demand_bps: float, allowed: bool, media_bytes: int, now: float) -> int:
        """Bytes of padding to send now. Call each 5 … 25 ms.

        ``demand_bps``: what would be sent if the path carried it. ``allowed``: the queue does not grow and feedback comes; where that
        ends, so does the train, and is read as far as it went: it is what made the queue grow.
        ``media_bytes``: sent since the last call; they are part of the train.
        """
        cluster = self._cluster
        if not allowed:
            if cluster is not None and cluster.ended < 0:
                if cluster.steps < MIN_STEPS:
                    self._cluster = None
                cluster.ended = self._last_due
            return 0
        if cluster is None:
            asked, self._asked_bps = self._asked_bps, 0.0
            first = bool(self._initial) and not asked
            target = asked or self._target(estimate_bps, demand_bps, now)
            if target <= 0:
                return 0
            cluster = self._cluster = _Cluster(
                target, estimate_bps, now, first=first, shortest_s=MAX_TRAIN_S if asked else TRAIN_S
            )
            self._last_due = now - STEP_S
            media_bytes = 0
        if cluster.ended >= 0:
            return 0
        elapsed = now - self._last_due
        if elapsed < STEP_S / 2:
            return 0
        self._last_due = now
        cluster.steps += 1
        wanted = min(int(cluster.bps * elapsed / 8) - media_bytes, MAX_STEP_BYTES)
        if (
            now - cluster.started >= min(max(cluster.shortest_s, TRAIN_BITS / cluster.bps), MAX_TRAIN_S)
            and cluster.steps >= MIN_STEPS
        ):
            cluster.ended = now
        self.masked_until = now + DRAIN_S
        wanted = max(wanted, 0)
        cluster.sent_bytes += wanted
        self.sent_bytes += wanted
        if not cluster.first:
            self._spent += 8 * wanted
        return wanted

    def _target(self, estimate_bps: float, demand_bps: float, now: float) -> float:
        """The rate of a cluster to be started now, or 0."""
        if now < self._allowed_at:
            return 0
        enough = demand_bps * OVER_DEMAND
        if self._initial:
            target = min(estimate_bps * self._initial.pop(0), self._max_bps)
            return target if target > 1.05 * estimate_bps else 0
        step = CAUTIOUS_STEP_UP if self._cautious else STEP_UP
        target = min(estimate_bps * step, enough, self._max_bps)
        if demand_bps <= estimate_bps or target <= 1.05 * estimate_bps:
            return 0
        share = max(MAX_SHARE * estimate_bps, LEAST_SHARE_BPS)
        self._spent = max(0.0, self._spent - (now - self._spent_at) * share)
        self._spent_at = now
        if self._spent > share * INTERVAL_S:
            return 0
        return target

    def on_results(self, results: Results, now: float) -> None:
        """Results in order of sending. Costs nothing while no cluster is under way."""
        cluster = self._cluster
        if cluster is None:
            return
        end = cluster.ended if cluster.ended >= 0 else now
        for sent, arrival, size in results:
            if sent < cluster.started or sent > end:
                continue
            cluster.answered += 1
            if arrival < 0:
                continue
            cluster.packets += 1
            if cluster.first_sent < 0:
                cluster.first_sent = sent
            if sent == cluster.first_sent:
                cluster.first_end = max(cluster.first_end, arrival)
            else:
                cluster.train += size
                cluster.last_sent = max(cluster.last_sent, sent)
                cluster.last_arrival = max(cluster.last_arrival, arrival)
            cluster.total += size

    def outcome(self, newest_sent: float, rtt_s: float, loss: float, now: float) -> Outcome | None:
        """The answer, once: when feedback has passed the end of the train (``newest_sent``: of what was reported) or is overdue.

        ``loss``: what is lost anyway, a fraction.
        """
        cluster = self._cluster
        if cluster is None or cluster.ended < 0:
            return None
        wait = ANSWER_S if newest_sent < cluster.ended else 0.0 if newest_sent > cluster.ended else REST_S
        if wait and now - cluster.ended < wait + rtt_s:
            return None
        self._cluster = None
        found = self._measure(cluster, loss)
        if found is None or found.limited:
            self.failed += 1
            self._initial.clear()
            self._cautious = True
            more = found is not None and found.bps >= MORE * cluster.before_bps
            self._interval = INTERVAL_S if more else min(2 * self._interval, MAX_INTERVAL_S)
            self._allowed_at = now + (FOUND_INTERVAL_S if more else self._interval)
        else:
            self.succeeded += 1
            self._cautious = False
            self._interval = INTERVAL_S
            self._allowed_at = now if self._initial else now + FOUND_INTERVAL_S
        return found

    def _measure(self, cluster: _Cluster, usual: float) -> Outcome | None:
        """From the end of the first burst to the end of the last: what was sent in that time, and in what time it arrived."""
        sent_s = cluster.last_sent - cluster.first_sent
        arrival_s = cluster.last_arrival - cluster.first_end
        if cluster.packets < MIN_CLUSTER_PACKETS or sent_s <= 0 or arrival_s <= 0:
            return None
        if cluster.packets < RECEIVED * cluster.answered:
            return None
        sent_bps = 8 * cluster.train / sent_s
        arrival_bps = 8 * cluster.train / arrival_s
        if arrival_bps > 2 * sent_bps:
            return None
        loss = 1 - cluster.packets / cluster.answered
        if arrival_bps < SLOWER * sent_bps or loss > LOSSY + usual:
            return Outcome(MARGIN * min(sent_bps, arrival_bps), limited=True, loss=loss)
        return Outcome(min(sent_bps, arrival_bps), limited=False, loss=loss)

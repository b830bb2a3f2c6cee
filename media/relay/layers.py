"""The layers of a source as there are to choose from, and which of them somebody needs. Sans I/O."""

from collections.abc import Collection, Iterable

from media.congestion.allocate import Layer
from media.relay.epoch import EVERYTHING
from media.relay.publication import Publication
from media.relay.uplink import Uplink

PAUSE_AFTER_S = 3.0
"""A layer that nobody needs any more is sent on for so long, lest it be needed again at once."""
UNSEEN_AFTER_S = 10.0
"""A layer that has not come by then is waited for only while somebody has the highest that came."""
AUDIO_BPS = 40_000
MOST_AUDIO_BPS = 200_000
"""No voice is given more of a path than this, whatever was measured: sound goes before all pictures, so one flood would hold everybody's."""
STEP = 1.15
PAUSED_STEP = 2.0
"""A layer that pauses costs at least so many times what the one below it does: what it last measured may be from when it faded."""
BEGINS_S = 3.0
"""A browser sends an encoding that was paused with less at first; for so long it is taken to cost what it did before."""
PAUSE_S = 1.0
_GUESSES = ((180, 150_000), (360, 450_000), (540, 900_000), (720, 1_500_000))
_MOST_BPS = 2_500_000
"""What a picture so tall may need, until it is measured."""
SCREEN_LINES = 1080
CAMERA_LINES = 720


def guess_bps(height: int) -> int:
    return next((bps for lines, bps in _GUESSES if height <= lines), _MOST_BPS)


def heights(publication: Publication) -> dict[str, int]:
    """Lines of each layer that has come: as its key frames say, else by halves from the one next to it, lowest first."""
    rids = publication.rids or ("",)
    known = {rid: u.height for rid, u in publication.layers.items() if u.height}
    top = SCREEN_LINES if publication.source == "screen" else CAMERA_LINES
    found: dict[str, int] = {}
    for index, rid in enumerate(rids):
        if rid in publication.layers:
            near = min((abs(index - i), r, i) for i, r in enumerate(rids) if r in known) if known else None
            found[rid] = (
                (top >> (len(rids) - 1 - index)) if near is None else max(1, int(known[near[1]] * 2.0 ** (index - near[2])))
            )
    return found


class Costs:
    """What the encodings of one source cost, in bit/s: measured, and remembered over a pause."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, float]] = {}
        self._begun: dict[str, tuple[float, float]] = {}

    def factor(self, rid: str, uplink: Uplink) -> float:
        """By how much it costs more than is measured. Call at every measurement."""
        measured = uplink.rates[-1]
        last_at, before = self._last.get(rid, (0.0, 0.0))
        if last_at and uplink.last_at - last_at > PAUSE_S:
            self._begun[rid] = uplink.last_at, before
        self._last[rid] = uplink.last_at, measured
        begun_at, before = self._begun.get(rid, (0.0, 0.0))
        if not begun_at or measured <= 0:
            return 1.0
        if uplink.last_at - begun_at > BEGINS_S:
            del self._begun[rid]
            return 1.0
        return max(1.0, before / measured)


def ladder(publication: Publication, costs: Costs | None = None, *, redundant: bool = True) -> list[Layer]:
    """What can be chosen from: the temporal layers of every encoding that has come, with what they cost. ``redundant``: of a voice, with
    what it carries of earlier packets.

    Of an encoding above another one only what costs more than all of that, and not the lowest of three temporal layers: a smaller
    picture that moves is better than a larger one that stutters.
    """
    if publication.kind == "audio":
        uplink = next(iter(publication.layers.values()), None)
        measured = int(uplink.rates[-1 if redundant else 0]) if uplink is not None else 0
        return [Layer("", EVERYTHING, min(measured or AUDIO_BPS, MOST_AUDIO_BPS), 0)]
    lines = heights(publication)
    found: list[Layer] = []
    below = 0.0
    newest = max((publication.layers[rid].last_at for rid in lines), default=0.0)
    for rid, height in sorted(lines.items(), key=lambda item: item[1]):
        uplink = publication.layers[rid]
        more = 1.0 if costs is None else costs.factor(rid, uplink)
        total = more * uplink.rates[-1]
        if total <= 0:
            total = publication.guesses.get(height) or guess_bps(height)
        elif newest - uplink.last_at > PAUSE_S and total < PAUSED_STEP * below:
            total = PAUSED_STEP * below
        else:
            for tid in range(uplink.top_tid):
                if not below or (more * uplink.rates[tid] > STEP * below and (tid or uplink.top_tid < 2)):
                    found.append(Layer(rid, tid, int(more * uplink.rates[tid]), height))
        found.append(Layer(rid, EVERYTHING, int(total), height))
        below = total
    return found


class Needed:
    """Which encodings of one simulcast source its publisher is to send: those that somebody wants, is about to have or waits with, and
    the lowest."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._last: dict[str, float] = {}
        self.told: tuple[str, ...] | None = None

    def update(self, publication: Publication, now: float, soon: Collection[str] = ()) -> tuple[str, ...] | None:
        """The whole list at first and when it changed; None otherwise. ``soon``: rids that somebody is about to have.

        At first because the publisher may remember another list, from before its source stood still.
        """
        rids = publication.rids
        if len(rids) < 2:
            return None
        wanted = {rids[0], *soon, *self._unseen(publication, now)}
        for downlink in publication.takers:
            shown = downlink.uplink or downlink.pending
            if downlink.target is None:
                wanted.update(rids)
            else:
                wanted.add(downlink.target)
            if shown is not None and not _flows(publication.layers.get(downlink.target or ""), now):
                wanted.add(shown.rid)
        for rid in wanted:
            self._last[rid] = now
        active = tuple(rid for rid in rids if now - self._last.get(rid, self._since) < PAUSE_AFTER_S)
        if active == self.told:
            return None
        self.told = active
        return active

    def _unseen(self, publication: Publication, now: float) -> Iterable[str]:
        """A browser begins with the lowest layers: too early to say, or, later, whoever has the highest there is may want higher."""
        missing = [rid for rid in publication.rids if rid not in publication.layers]
        if not missing or now - self._since < UNSEEN_AFTER_S:
            return missing
        top = next((rid for rid in reversed(publication.rids) if rid in publication.layers), None)
        return missing if any(each.target == top for each in publication.takers) else []


def _flows(uplink: Uplink | None, now: float) -> bool:
    return uplink is not None and now - uplink.last_at < 1.0

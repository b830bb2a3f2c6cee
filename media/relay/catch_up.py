"""A picture for somebody who comes into the middle of its stream: the newest key frame and what followed it, out of the ring, at once.

Else a newcomer waits for a key frame of its own: a request to the publisher, its encoder, and the way back. What is sent so has
times one millisecond apart, the newest its own: a receiver takes nothing of it for late, and plays it no later than what follows.

Never sent: what came before ``since``, when the subscriber was let in; what came while the gate was shut (the ring has none of it).
"""

from media.relay.downlink import Downlink
from media.relay.forward import Forwarder
from media.relay.publication import Publication
from media.relay.uplink import RingEntry, Uplink
from media.wire.payload import is_key

YOUNG_S = 1.0
"""Older packets are too long ago: what followed takes longer to decode than a new key frame to come."""
MAX_BYTES = 64_000
"""As much as a large key frame, which would come as one burst too."""
MAX_PACKETS = 128
MAX_FRAMES = 40
"""Each takes one of the slot's epochs, of which it has ``downlink.EPOCHS``."""
STEP_S = 0.001


def newest_run(uplink: Uplink, since: float, now: float) -> list[RingEntry]:
    """The packets from the newest key frame on, oldest first; empty when one is missing, or there is too much of it, or it is too old.

    So it is when any of them came before ``since``, even if the rest of its frame came after, sent again.
    """
    oldest = max(since, now - YOUNG_S)
    run: list[RingEntry] = []
    size = frames = 0
    at_key = False
    seq = uplink.max_seq
    while len(run) < MAX_PACKETS and (entry := uplink.kept(seq)) is not None:
        if not run or entry.ts != run[-1].ts:
            if at_key:
                return run[::-1]
            frames += 1
        size += len(entry.payload)
        if entry.at < oldest or frames > MAX_FRAMES or size > MAX_BYTES:
            return []
        run.append(entry)
        if entry.header is not None:
            if entry.header[1]:
                return run[::-1]
        elif is_key(uplink.codec, entry.payload, 0, len(entry.payload)):
            at_key = True  # of some codecs several packets say so: it begins where the frame does
        seq = (seq - 1) & 0xFFFF
    return []


def catch_up(forwarder: Forwarder, publication: Publication, downlink: Downlink, since: float, now: float) -> bool:
    """Send a slot that shows nothing yet what it waits for, or else the next lower layer of which a key frame is there.

    False when there is none. The slot goes on waiting for the layer that it is to show. ``since``: nothing that came earlier.
    """
    target = downlink.pending
    if target is None or downlink.uplink is not None or target.kind != "video" or downlink not in publication.active:
        return False
    codec = downlink.codecs.get(publication.codec_key)
    lower = [u for u in publication.layers.values() if u is not target and u.height <= target.height]
    for uplink in (target, *sorted(lower, key=lambda one: -one.height)):
        run = newest_run(uplink, since, now)
        if run and codec is not None:
            downlink.switch(uplink, codec, run[0].seq, _times(run, uplink.rate)[run[0].ts], run[0].header, now)
            _send(forwarder, publication, downlink, uplink, run, now)
            publication.steer(downlink, now)
            return True
    return False


def _times(run: list[RingEntry], rate: int) -> dict[int, int]:
    """By a frame's own time: the incoming time to send it as if it had that. The newest keeps its own."""
    stamps = list(dict.fromkeys(entry.ts for entry in run))
    step = int(STEP_S * rate)
    return {ts: (stamps[-1] - step * back) & 0xFFFFFFFF for back, ts in enumerate(reversed(stamps))}


def _send(
    forwarder: Forwarder, publication: Publication, downlink: Downlink, uplink: Uplink, run: list[RingEntry], now: float
) -> None:
    offset = downlink.ts_off
    times = _times(run, uplink.rate)
    last = -1
    for entry in run:
        if entry.ts != last:
            last = entry.ts
            downlink.shift(entry.seq, offset + times[last] - last)
        forwarder.send_kept(publication, downlink, uplink, entry, now)
    downlink.changed()

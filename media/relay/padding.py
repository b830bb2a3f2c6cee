"""What a probe is made of: packets of late sent again, so that it repairs what may be lost, else padding. Sans I/O.

Both leave on a slot's RTX SSRC (RFC 4588), where a receiver drops what it has already.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from media.relay.downlink import Downlink

MIN_AGAIN_BYTES = 300
"""Shorter packets are not worth sending again."""
PADDING_BYTES = 255
MAX_PACKETS = 80
OVERHEAD_BYTES = 40


def padding(shown: Sequence[Downlink], all_slots: Iterable[Downlink], size: int, number: Callable[[], int]) -> Iterator[bytes]:
    """Plain packets of about ``size`` bytes together. ``number`` gives the next transport-wide number."""
    left = size
    count = 0
    for downlink in shown:
        if downlink.kind == "video" and downlink.rtx_head.opening:
            for epoch, entry in downlink.recent():
                if epoch.codec.rtx is not None and len(entry.payload) >= MIN_AGAIN_BYTES:
                    packet = downlink.rebuild(epoch, entry, number())
                    left -= len(packet) + OVERHEAD_BYTES
                    count += 1
                    yield packet
                    if left <= 0 or count >= MAX_PACKETS:
                        return
    slot = next((d for d in all_slots if d.kind == "video" and d.rtx_head.opening and d.rtx_head.ssrc), None)
    while slot is not None and left > 0 and count < MAX_PACKETS:
        packet = slot.padding(min(PADDING_BYTES, max(1, left)), number())
        left -= len(packet) + OVERHEAD_BYTES
        count += 1
        yield packet

"""A media worker as the recorder sees it: ``python -m tests.support.recording_worker SOCKET RECORDING ZERO_MONO_US``.

Sends packets until it is killed and prints, a line each, how many the socket has taken.
"""

import sys
import time

from media.recording.feed import Feed
from media.recording.wire import TrackInfo
from tests.support.recordings import rtp


def main() -> None:
    path, recording, zero = sys.argv[1:]
    feed = Feed(path, "scripted")
    track = feed.open_track(
        recording,
        TrackInfo(
            track="TR_1",
            participant="PA_1",
            source="microphone",
            kind="audio",
            codec="opus",
            clock_rate=48000,
            zero_wall_us=0,
            zero_mono_us=int(zero),
        ),
        time.monotonic(),
    )
    count = 0
    while True:
        for _ in range(10):
            track.packet(rtp(count, count * 960, bytes(100)), time.monotonic())
            count += 1
        while feed.waiting or not feed.connected:
            feed.tick(time.monotonic())
        print(count, flush=True)


if __name__ == "__main__":
    main()

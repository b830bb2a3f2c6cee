"""Co-browse: how long the sanitiser takes, and how quick, silent and cheap it all is between the customer's page and those who look.

A page as banks have them, made here (``bench_cobrowse_page``). Times are by the clock on the wall; what ends in ``_cpu_ms`` is processor time, which says more where
others use the machine. **The sanitiser**, in this process, from the bytes of rrweb's event to the bytes that leave:

- ``sanitiser_snapshot_15k_ms``: the whole picture, the median; ``sanitiser_slice_max_ms``: the longest that it goes on without a pause, reading and writing the
  JSON among it, of the middle one of the pictures;
- ``ratio_to_reading``: its processor time over what it takes to read and write the picture with ``json``, in turns with it: no server that masks a second time is
  known, so this is the floor for one that changes nothing;
- ``sanitiser_event_p95_ms``: typing, changed words and classes, rows that come and go, the pointer, scrolling, in that page;
- ``bytes_per_minute``: what each viewer gets of a minute in which eight fields are filled; ``picture_bytes``: of the whole page before it;
- ``share_bytes``: what a share keeps of the page between events; ``first_picture_ms``, ``first_slice_max_ms``: of the first picture in which its style sheet
  of 40,000 characters comes, which no other share had.

**All of it** (``--shares 0``: not), a server of its own with its sanitiser, over its sockets, with pages of ``--live-nodes`` nodes; this process plays the customers,
their pages and the staff. Server and sanitiser have one core together where there is more than one:

- ``page_to_agent_p95_ms``: from the frame's leaving the customer's page to its coming to the agent's, one page in which 20 things happen a second;
- ``ratio_to_bare_relay``: processor time of an event over that of a relay that passes the same frames on as they are, in turns; ``…_p50``: by the clock;
- ``slow_viewer_ratio``: 95th percentile of who is fast, beside somebody at 64 kbit/s over without them, in turns, 100 events a second; ``…_low``, ``…_high``: between
  what it lies; ``slow_viewer_control_ratio``: in the same turns, of a page at which nobody slow looks: what the machine did; ``slow_viewer_memory_bytes``: what the server's process grows meanwhile;
- ``revoke_to_silence_ms``: from the customer's taking back until the last thing of the page comes to whoever looked: the longest of all; ``revoke_to_told_ms``: until
  they are told so; ``revoked_frames_after``: of the page that came after that; at ``revoke_events_s`` events a second of all pages, which took ``revoke_cpu_percent`` of a core, while
  this process was late by ``revoke_driver_lag_p95_ms``;
- ``shares``, ``p95_ms``, ``cpu_percent``: pages at a time, ``--step`` more each time, ``--rate`` events a second each; ``shares_per_core``: the most of those
  that were tried with p95 within 100 ms, nothing missing and a core not full; ``…_by_cpu``: ``shares`` over the part of a core that they took.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence

from server import bench_cobrowse_live as live
from server.bench_cobrowse_place import Wanted
from server.bench_cobrowse_sanitiser import measure
from server.loadtest.settings import LoadtestFailed

MOST_NODES, MOST_SHARES, MOST_SECONDS = 50_000, 5000, 600


def main(arguments: Sequence[str]) -> int:
    """The exit status. 1 with one line: it could not be measured."""
    parser = argparse.ArgumentParser(prog="tongping bench cobrowse", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--nodes", type=int, default=15_000, help="of the page")
    parser.add_argument("--pictures", type=int, default=20, help="of the whole page")
    parser.add_argument("--events", type=int, default=2000, help="that happen in it")
    parser.add_argument("--shares", type=int, default=500, help="most pages at a time on a server; 0: the sanitiser alone")
    parser.add_argument("--step", type=int, default=100, help="so many more each time")
    parser.add_argument("--rate", type=float, default=3.0, help="events a second of each")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--revocations", type=int, default=50, help="at least")
    parser.add_argument("--rounds", type=int, default=3, help="without and with a slow viewer")
    parser.add_argument("--live-nodes", type=int, default=1000, help="of each page on the server")
    asked = parser.parse_args(arguments)
    if not 500 <= asked.nodes <= MOST_NODES or min(asked.pictures, asked.events) < 1:
        parser.error(f"--nodes is 500 to {MOST_NODES}, and at least one of the others")
    if not 0 <= asked.shares <= MOST_SHARES or not 500 <= asked.live_nodes <= MOST_NODES:
        parser.error(f"--shares is 0 to {MOST_SHARES}, --live-nodes 500 to {MOST_NODES}")
    least = min(asked.step, asked.revocations, asked.rounds)
    if least < 1 or not 1 <= asked.seconds <= MOST_SECONDS or not 0.1 <= asked.rate <= 100:
        parser.error(f"--step, --revocations and --rounds are at least 1, --seconds 1 to {MOST_SECONDS}, --rate 0.1 to 100")
    found = measure(nodes=asked.nodes, pictures=asked.pictures, events=asked.events)
    wanted = Wanted(asked.shares, asked.step, asked.rate, asked.seconds, asked.revocations, asked.rounds, asked.live_nodes)
    try:
        found |= asyncio.run(live.measure(wanted)) if asked.shares else {}
    except LoadtestFailed as problem:
        print(f"bench cobrowse: {problem}", file=sys.stderr)
        return 1
    found |= {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
    if asked.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:28} {value}")
    sys.stdout.flush()
    return 0

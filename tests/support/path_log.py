"""What congestion control in a media worker of a real call saw and did, written down line by line as JSON.

A server started with ``logged(folder)`` among its settings has workers that write ``folder/*.jsonl``; nothing of the worker is changed
for it, its methods are wrapped when the interpreter starts. Times are seconds of the monotonic clock. Each line is a list, its first item
says what it is, the second which connection (0 for the first one):

``j`` whose it is: participant. ``s`` packets sent: [number, at, bytes] each. ``f`` feedback: at, its bytes in hexadecimal, and the estimate, what arrives, the standing
queue in s after it. ``p`` padding asked for: at, bytes. ``o`` a probe's answer: at, bit/s, limited, loss. ``d`` a decrease: at, bit/s
from, to. ``w`` what is wanted: at, demand, floor, what is allocated, layers, ladders. ``e`` what a publisher is to send: at, participant,
source, rids. ``k`` a key frame asked for: at, participant, rid. ``x`` a slot goes over to another layer: at, mid, rid.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_START = """import sys
if 'media.worker' in sys.orig_argv:
    import tests.support.path_log as log
    log.install({folder!r})
"""


def logged(folder: Path) -> dict[str, str]:
    """Settings for ``ServerProcess``. ``folder`` is made."""
    start = folder / "start"
    start.mkdir(parents=True)
    (start / "sitecustomize.py").write_text(_START.format(folder=str(folder)), encoding="utf-8")
    return {"PYTHONPATH": f"{start}{os.pathsep}{ROOT}"}


def lines(folder: Path) -> list[list[Any]]:
    """All lines of all workers, in order; an unfinished last line is left out."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        *whole, _ = path.read_text(encoding="utf-8").split("\n")
        found += [json.loads(line) for line in whole]
    return found


def install(folder: str) -> None:
    """Wrap what is to be watched, in this process."""
    from time import monotonic as clock

    from media.congestion.estimator import Estimator
    from media.congestion.history import MASK, MAX_PACKET
    from media.congestion.probe import Prober
    from media.relay.director import Director
    from media.relay.downlink import Downlink
    from media.relay.peer import Peer
    from media.relay.quality import Quality

    file = (Path(folder) / f"{os.getpid()}.jsonl").open("w", encoding="utf-8", buffering=1)
    whose: dict[int, int] = {}
    noted: dict[int, int] = {}
    wanted: dict[int, object] = {}

    def write(*line: object) -> None:
        file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def wrap(owner: type, name: str, around: Callable[..., Any]) -> None:
        plain = getattr(owner, name)
        setattr(owner, name, lambda self, *args, **more: around(plain, self, *args, **more))

    def made(plain: Callable[..., None], self: Quality, *args: Any, **more: Any) -> None:
        plain(self, *args, **more)
        for part in (self, self.estimator, self.estimator.prober):
            whose[id(part)] = len(noted)
        noted[id(self)] = self.sent.number[0]

    def heard(plain: Callable[..., None], self: Quality, body: bytes, now: float) -> None:
        sent, newest = self.sent, self.sent.number[0]
        packets = []
        number = noted[id(self)]
        while number != newest:
            number = (number + 1) & 0xFFFF
            packets.append([number, round(sent.at[number & MASK], 6), sent.size[number & MASK] & MAX_PACKET])
        noted[id(self)] = newest
        if packets:
            write("s", whose[id(self)], packets)
        plain(self, body, now)
        state = self.estimator
        write(
            "f",
            whose[id(self)],
            now,
            body.hex(),
            state.estimate_bps,
            round(state.acked_bps or 0),
            round(state.delay.queue_s, 4),
        )

    def ticked(plain: Callable[..., int], self: Quality, total: int, now: float) -> int:
        padding = plain(self, total, now)
        if padding:
            write("p", whose[id(self)], now, padding)
        return padding

    def answered(plain: Callable[..., Any], self: Prober, newest_sent: float, rtt_s: float, loss: float, now: float) -> Any:
        found = plain(self, newest_sent, rtt_s, loss, now)
        if found is not None:
            write("o", whose[id(self)], now, round(found.bps), found.limited, round(found.loss, 3))
        return found

    def decreased(plain: Callable[..., None], self: Estimator, now: float) -> None:
        before = self.estimate_bps
        plain(self, now)
        write("d", whose[id(self)], now, before, self.estimate_bps)

    def allocated(plain: Callable[..., Any], self: Quality, wants: Any, now: float) -> Any:
        found = plain(self, wants, now)
        layers = [(str(key[2]), choice.layer) for key, choice in found.choices.items()]
        ladders = [(str(want.key[2]), want.slot_height, want.layers) for want in wants if want.kind != "audio"]
        chosen = [(source, layer and (layer.rid, layer.temporal)) for source, layer in layers]
        if wanted.get(id(self)) != (chosen, found.demand_bps // 50_000):
            wanted[id(self)] = chosen, found.demand_bps // 50_000
            state = self.estimator
            write("w", whose[id(self)], now, round(state.demand_bps), state.floor_bps, found.total_bps, layers, ladders)
        return found

    def directed(plain: Callable[..., None], self: Director, room: str, emit: Callable[[Any], None], tell: Any) -> None:
        def tell_all(event: Any) -> None:
            if type(event).__name__ == "Encodings":
                write("e", 0, clock(), event.participant, event.source, event.active)
            emit(event)

        plain(self, room, tell_all, tell)

    def asked(plain: Callable[..., None], self: Peer, uplink: Any) -> None:
        write("k", 0, clock(), self.participant, uplink.rid)
        plain(self, uplink)

    def switched(plain: Callable[..., None], self: Downlink, uplink: Any, *args: Any) -> None:
        plain(self, uplink, *args)
        write("x", 0, clock(), self.mid, uplink.rid)

    def joined(plain: Callable[..., None], self: Peer, *args: Any, **more: Any) -> None:
        plain(self, *args, **more)
        write("j", whose[id(self.quality)], self.participant)

    wrap(Peer, "__init__", joined)
    wrap(Peer, "_ask_key", asked)
    wrap(Downlink, "switch", switched)
    wrap(Quality, "__init__", made)
    wrap(Quality, "on_feedback", heard)
    wrap(Quality, "tick", ticked)
    wrap(Quality, "allocate", allocated)
    wrap(Prober, "outcome", answered)
    wrap(Estimator, "_decrease", decreased)
    wrap(Director, "__init__", directed)
    write("h", 0, clock(), sys.version_info[:3])

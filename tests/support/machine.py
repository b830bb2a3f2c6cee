"""Whether this machine has time to spare for a measurement."""

import os
import time
import zlib
from pathlib import Path

import pytest

BUSY = 2.0
"""Runnable processes for each core, averaged over a minute, from which on times say nothing about what is measured."""
BUSY_BESIDE = 1.0
"""The same where ``make test`` runs something else at the same time (``BESIDE``)."""
BESIDE = "TESTS_RUN_BESIDE_OTHERS"
STOLEN = 0.1
"""Of the time of our cores what others on the same hardware may have had while a test ran."""
_began = (0, 0)


def load_per_core() -> float:
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def _ticks() -> tuple[int, int]:
    """Of all cores since the machine began: (taken by others on the same hardware, all). Zeros where the system does not say."""
    try:
        user, nice, system, idle, iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split(None, 9)[1:9])
    except (OSError, ValueError):
        return 0, 0
    return steal, user + nice + system + idle + iowait + irq + softirq + steal


def begins() -> None:
    """A test does: what is stolen is counted from here."""
    global _began
    _began = _ticks()


def stolen() -> float:
    """The share of this test's time that others had."""
    (steal, total), (steal_before, total_before) = _ticks(), _began
    return (steal - steal_before) / max(1, total - total_before)


def busy() -> bool:
    """Whether what is measured now says something of this machine rather than of what it measures."""
    return load_per_core() > (BUSY_BESIDE if os.environ.get(BESIDE) else BUSY) or stolen() > STOLEN


def quick_or_skip(fine: bool, told: object) -> None:
    """Assert what was measured; where it is not ``fine`` on a busy machine, skip with the figures instead."""
    if not fine:
        load, lost = load_per_core(), stolen()
        if busy():
            pytest.skip(f"too busy to say ({load:.1f} processes wait for each core, {lost:.0%} of it is others'): {told}")
    assert fine, told


def most_memory(pid: int) -> int:
    """Bytes that were resident at the most."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10


PACE_S = 0.05
_SQUEEZED = zlib.compress(bytes(range(256)) * (1 << 16), 1)


def slowness() -> float:
    """How many times as long as a usual core this one takes now for a fixed piece of work, at least 1: what a limit in seconds of a processor is
    multiplied with."""
    before = time.process_time()
    zlib.decompress(_SQUEEZED)
    zlib.crc32(bytes(1 << 25))
    return max(1.0, (time.process_time() - before) / PACE_S)

"""Whether this machine has time to spare for a measurement."""

import os
from pathlib import Path

import pytest

BUSY = 2.0
"""Runnable processes for each core, averaged over a minute, from which on times say nothing about what is measured."""


def load_per_core() -> float:
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def quick_or_skip(fine: bool, told: object) -> None:
    """Assert what was measured; where it is not ``fine`` on a busy machine, skip with the figures instead."""
    if not fine and load_per_core() > BUSY:
        pytest.skip(f"the machine is too busy to say ({load_per_core():.1f} processes wait for each core): {told}")
    assert fine, told


def most_memory(pid: int) -> int:
    """Bytes that were resident at the most."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10

"""What a process has used and the machine has left, as the kernel counts it. SHELL. None, or 0, where that cannot be seen."""

import contextlib
import os
import sys
import time
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_CPUCLOCK_SCHED = 2
_CGROUP = Path("/sys/fs/cgroup")
_THREADS_FIELD = 17
"""Of ``/proc/PID/stat`` behind the name in brackets (proc_pid_stat(5): num_threads is the 20th of all)."""


def cpu_s(pid: int) -> float | None:
    """Processor time of all its threads, those that ended too, in seconds: ``clock_getcpuclockid(3)``, which Linux lets everybody read."""
    if sys.platform != "linux":
        return None
    try:
        return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return None


def rss_bytes(pid: int) -> int:
    """What it holds of the machine's memory."""
    with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{pid}/statm", "rb") as statm:
        return int(statm.read().split()[1]) * _PAGE
    return 0


def threads(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{pid}/stat", "rb") as stat:
        return int(stat.read().rpartition(b")")[2].split()[_THREADS_FIELD])
    return 0


def available_bytes() -> int | None:
    """Memory that a new process can take without anybody's being swapped out or ended: the machine's, and that of this container (cgroup v2)."""
    found = [size for size in (_machine(), _container()) if size is not None]
    return min(found, default=None)


def _machine() -> int | None:
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/meminfo", "rb") as lines:
        for line in lines:
            if line.startswith(b"MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _container(root: Path = _CGROUP) -> int | None:
    """What is cached of files counts as free."""
    try:
        most = int((root / "memory.max").read_text())
        taken = int((root / "memory.current").read_text())
        lines = (root / "memory.stat").read_text().splitlines()
    except (OSError, ValueError):
        return None
    cached = sum(int(words[1]) for words in map(str.split, lines) if words[:1] in (["inactive_file"], ["active_file"]))
    return max(0, most - taken + cached)

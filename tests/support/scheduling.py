"""Tests run as ordinary processes, whatever a library makes of them.

SVT-AV1 gives the thread that opens an encoder, and those it starts, the real-time policy SCHED_FIFO at priority 99 where that is
root (``svt_av1_enc_init``). All that such a test run starts afterwards inherits it: on two cores browsers and servers then starve each other.
"""

import os
from pathlib import Path
from typing import Any

if hasattr(os, "sched_getscheduler"):
    REAL_TIME = frozenset({os.SCHED_FIFO, os.SCHED_RR})
else:  # not Linux: nobody has been seen to change it there
    REAL_TIME = frozenset[int]()


def is_real_time() -> bool:
    """Whether what this thread starts now would run before everything else."""
    return bool(REAL_TIME) and os.sched_getscheduler(0) in REAL_TIME


def make_ordinary() -> None:
    """Every thread of this process, those of libraries too."""
    if not REAL_TIME:
        return
    for task in Path("/proc/self/task").iterdir():
        try:
            if os.sched_getscheduler(int(task.name)) in REAL_TIME:
                os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))
        except ProcessLookupError:
            continue  # it ended meanwhile


def opened(encoder: Any) -> Any:
    """``encoder``, an ``av`` codec context that has all its settings, opened without what it does to the caller."""
    try:
        encoder.open()
    finally:
        make_ordinary()
    return encoder

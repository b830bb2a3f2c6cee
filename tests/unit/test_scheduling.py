import os
import threading
from pathlib import Path

import pytest

from tests.support.packetise import Encoder
from tests.support.scheduling import REAL_TIME, is_real_time, make_ordinary

pytestmark = pytest.mark.skipif(
    not REAL_TIME or os.geteuid() != 0, reason="only root on Linux can be given real-time scheduling"
)


def policies() -> set[int]:
    return {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}


def test_an_av1_encoder_leaves_no_thread_real_time():
    encoder = Encoder("av1")
    assert encoder.next(key=True)[0]
    assert not REAL_TIME & policies()


def test_real_time_threads_are_found_and_made_ordinary():
    started, done = threading.Event(), threading.Event()
    other = threading.Thread(
        target=lambda: (os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1)), started.set(), done.wait())
    )
    other.start()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        assert started.wait(10)
        assert is_real_time()
        assert policies() >= REAL_TIME
        make_ordinary()
        assert not is_real_time()
        assert not REAL_TIME & policies()
    finally:
        make_ordinary()
        done.set()
        other.join()

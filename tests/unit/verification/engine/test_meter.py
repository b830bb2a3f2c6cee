"""What the kernel says of a process: its time, its memory, its threads, and what is left for another one."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from verification.engine import meter

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
NOBODY = 2**22 + 1
"""More than any process has."""


@LINUX
def test_a_process_of_ours() -> None:
    before, known = time.process_time(), meter.cpu_s(os.getpid())
    after = time.process_time()
    assert known is not None
    assert before <= known <= after
    assert meter.rss_bytes(os.getpid()) > 1 << 20
    threads, go_on = meter.threads(os.getpid()), threading.Event()
    waiting = threading.Thread(target=go_on.wait)
    waiting.start()
    assert meter.threads(os.getpid()) == threads + 1
    go_on.set()
    waiting.join()


@LINUX
def test_another_process_whatever_its_name_is() -> None:
    """A name in brackets may have brackets and spaces in it (proc_pid_stat(5))."""
    code = "import ctypes, sys; ctypes.CDLL(None).prctl(15, b'a) b (c', 0, 0, 0); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert meter.threads(other.pid) == 1
        assert (meter.cpu_s(other.pid) or 0) > 0
        assert meter.rss_bytes(other.pid) > 0


def test_nobody() -> None:
    assert meter.cpu_s(NOBODY) is None
    assert (meter.rss_bytes(NOBODY), meter.threads(NOBODY)) == (0, 0)


def test_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert meter.cpu_s(os.getpid()) is None


@LINUX
def test_what_is_left() -> None:
    left = meter.available_bytes()
    assert left is not None
    assert left > 1 << 20


def test_a_container_s_share(tmp_path: Path) -> None:
    assert meter._container(tmp_path) is None
    for name, text in {
        "memory.max": "1000000\n",
        "memory.current": "700000\n",
        "memory.stat": "anon 1\ninactive_file 100000\nactive_file 50000\nfile 9\n",
    }.items():
        (tmp_path / name).write_text(text)
    assert meter._container(tmp_path) == 450_000
    (tmp_path / "memory.current").write_text("2000000\n")
    assert meter._container(tmp_path) == 0
    (tmp_path / "memory.max").write_text("max\n")
    assert meter._container(tmp_path) is None

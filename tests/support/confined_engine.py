"""What a verification worker is not able to do: each attempt in a child of its own that is confined as one is.

python tests/support/confined_engine.py [root]    prints a JSON object: attempt → "no", "killed" or "did"

Root gives up its rights first, so that what is refused is refused by nothing that an ordinary user has not got as well; ``root`` keeps them.
"""

import _thread
import ctypes
import functools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.confined import COLUMN, USER, attempt, calls
from verification.engine import confine

MORE_BYTES = 256 << 20


def confined() -> None:
    """All of it, as in ``worker.serve``."""
    held = (*confine.leave_network(), *confine.confine(4, MORE_BYTES))
    assert {"limits", "privileges", "calls"} <= set(held), held


def filtered() -> None:
    """The filter alone."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)
    assert confine.filter_calls(libc)


def attempts(folder: str) -> dict[str, Callable[[], object]]:
    """What an attacker with Python in such a process would begin with."""
    return {
        "a socket": lambda: socket.socket(),
        "a local socket": lambda: socket.socketpair(),
        "a file of everybody's": lambda: open("/etc/hostname", "rb").read(),
        "a model": lambda: open(f"{folder}/file", "rb").read(),
        "a new file": lambda: open(f"{folder}/new", "wb"),
        "a folder": lambda: os.listdir("/"),
        "its own memory as a file": lambda: open("/proc/self/mem", "rb"),
        "a process's environment": lambda: open(f"/proc/{os.getppid()}/environ", "rb").read(),
        "a program": lambda: subprocess.run(["/bin/true"]),
        "a child": lambda: os.fork(),
        "a signal": lambda: os.kill(os.getppid(), signal.SIGUSR1),
        "the environment": lambda: os.environ["PATH"],
        "a secret in it": lambda: os.environ["TONGPING_SECRET"],
        "a module": lambda: __import__("colorsys"),
        "much memory": lambda: bytearray(2 * MORE_BYTES),
        "other limits": lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40)),
        "many files": lambda: [os.dup(0) for _ in range(8)],
        "many threads": many_threads,
    }


def many_threads() -> None:
    """With stacks so small that memory is no limit."""
    threading.stack_size(32 << 10)
    try:
        for _ in range(confine.SPARE_THREADS + 400):
            _thread.start_new_thread(time.sleep, (60.0,))
    except RuntimeError as error:
        raise OSError("no more threads") from error


def tried() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/sub")
        Path(folder, "file").write_text("kept")
        found = {name: attempt(confined, what) for name, what in attempts(folder).items()}
        victim = os.fork()
        if not victim:
            signal.pause()
        libc = ctypes.CDLL(None, use_errno=True)

        def call(number: int, arguments: tuple[object, ...]) -> None:
            plain = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
            if libc.syscall(ctypes.c_long(number), *plain) == -1 and ctypes.get_errno() == 1:
                raise OSError(1, "refused")

        if COLUMN is not None:
            for name, (numbers, arguments) in calls(folder, victim).items():
                if numbers[COLUMN] >= 0:
                    found[f"call {name}"] = attempt(filtered, functools.partial(call, numbers[COLUMN], arguments))
        if Path("/proc/self/task", str(os.getpid()), "children").read_text().split() == [str(victim)]:
            found["children"] = "no"
        if os.waitpid(victim, os.WNOHANG) == (0, 0):
            found["others are harmed"] = "no"
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
        if sorted(os.listdir(folder)) == ["file", "sub"] and Path(folder, "file").read_text() == "kept":
            found["files are changed"] = "no"
    return found


if __name__ == "__main__":
    if os.geteuid() == 0 and "root" not in sys.argv:
        os.setgroups([])
        os.setresgid(USER, USER, USER)
        os.setresuid(USER, USER, USER)
    print(json.dumps(tried()))

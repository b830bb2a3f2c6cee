"""Runs ``make run`` as a newcomer would, until its links are printed and ``/readyz`` answers; says how long it took; stops it.

    python3 tests/bare/probe.py LIMIT_S

Standard library only: it runs where nothing is installed yet. Exit status 1 says what was missing.
"""

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

WANTED = ("bank", "customer", "agent", "expert")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (OSError, urllib.error.URLError):
        return False


def main(limit_s: float) -> int:
    port = free_port()
    began = time.monotonic()
    command = ["make", "run", f"PORT={port}"]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, stdin=subprocess.DEVNULL
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert running.stdout is not None
        for line in running.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    missing = set(WANTED)
    problem = ""
    while missing:
        try:
            line = lines.get(timeout=max(0.0, began + limit_s - time.monotonic()))
        except queue.Empty:
            problem = f"not ready after {limit_s:.0f} s; no link for {sorted(missing)}"
            break
        if line is None:
            problem = f"ended before it was ready; no link for {sorted(missing)}"
            break
        print("   ", re.sub(r"(?i)(password\W+)\S+", r"\1…", line.rstrip()), flush=True)
        if line.startswith("bank  http"):  # on a port of its own
            missing.discard("bank")
        if f":{port}" in line:
            missing -= {who for who in WANTED if re.search(who, line, re.IGNORECASE)}
    took_s = time.monotonic() - began
    if not problem and not ready(port):
        problem = "the links were printed, but /readyz does not answer 200"
    if running.poll() is None:
        os.killpg(running.pid, signal.SIGINT)
    try:
        running.wait(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        problem = problem or "did not stop within 15 s of an interrupt"
    if not problem and took_s > limit_s:
        problem = f"took {took_s:.1f} s, more than {limit_s:.0f} s"
    print(f"probe: {problem or f'links printed and ready after {took_s:.1f} s'}", flush=True)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))

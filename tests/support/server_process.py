"""``tongping serve --demo`` as a user starts it, in a folder of its own; stopped with an interrupt."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.ports import free_tcp_port

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN_S = 120.0
STOP_WITHIN_S = 60.0
CALLS_ONLY = {"TONGPING_VERIFICATION_ENABLED": "0"}
"""Where a test is of calls alone: two more processes that load models take the seconds in which the call begins."""
_ADDRESS = re.compile(r"(https?://[^\s/]+)/agent")
_BANK = re.compile(r"^bank  (https?://[^\s/]+)$")


class ServerProcess:
    """``with ServerProcess(folder) as server``. ``bank``: the demo's bank. ``cut_port`` is an origin that it accepts besides its own (see ``cutter.py``), ``bank_port`` that
    of the demo's bank."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._data = folder / "data"
        self.cut_port = free_tcp_port()
        self.bank_port = free_tcp_port()
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TONGPING_") and name != "PORT"},
            "TONGPING_DATA_DIR": str(self._data),
            "TONGPING_PORT": "0",
            "TONGPING_DEMO_BANK_PORT": str(self.bank_port),
            "TONGPING_CORS_ORIGINS": f"http://127.0.0.1:{self.cut_port}",
            **settings,
        }
        self._log = folder / "server.log"
        self.under: tuple[str, ...] = ()
        """A module that runs the server's, and its arguments; for the next ``start``."""
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.bank = ""
        self.agent = ("agent", "")
        self.supervisor = ("supervisor", "")

    @property
    def agent_url(self) -> str:
        return f"{self.url}/agent"

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self._data

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def media_workers(self) -> list[int]:
        """The process ids of its media workers now."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                status = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:  # ended meanwhile
                continue
            if int(status[1]) == self.pid and b"media.worker" in command:
                found.append(int(folder.name))
        return found

    def kill(self) -> None:
        """As a machine does that runs out of memory; nobody is told. ``start`` it again before the block ends."""
        assert self._process is not None
        self._process.kill()
        self.died()

    def died(self) -> int:
        """Waits until it is over, whoever ended it; how it ended. ``start`` it again before the block ends."""
        assert self._process is not None
        status = self._process.wait(STOP_WITHIN_S)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """In the same folder, perhaps on another port."""
        self.url = ""
        log = self._log.open("a", encoding="utf-8")
        with log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self.under, "server", "serve", "--demo"],
                cwd=ROOT,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        lines: queue.Queue[str | None] = queue.Queue()
        out = self._process.stdout
        assert out is not None

        def read() -> None:
            for line in out:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=read, daemon=True).start()
        deadline = time.monotonic() + READY_WITHIN_S
        try:
            while not self.url:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
                assert line is not None, f"the server ended before it was ready:\n{self.log}"
                if found := _BANK.match(line.strip()):
                    self.bank = found[1]
                if found := _ADDRESS.search(line):
                    self.url = found[1]
        except queue.Empty:
            self._stop()
            raise AssertionError(f"no link within {READY_WITHIN_S:.0f} s:\n{self.log}") from None
        except AssertionError:
            self._stop()
            raise
        passwords = json.loads((self._data / "demo-passwords.json").read_text(encoding="utf-8"))
        self.agent, self.supervisor = [(name, passwords[name]) for name in ("agent", "supervisor")]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        status = self._stop()
        assert status in (0, -signal.SIGINT, 130), f"the server ended with {status}:\n{self.log}"

    def _stop(self) -> int:
        process = self._process
        assert process is not None
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_WITHIN_S)
        if process.stdout is not None:
            process.stdout.close()
        return process.returncode

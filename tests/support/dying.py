"""Runs a module that kills itself (SIGKILL) while it writes: ``python -m tests.support.dying INSTRUCTIONS SYNCS MODULE …``.

From SIGUSR1 on: with INSTRUCTIONS > 0 when SQLite has run about that many virtual-machine instructions in writing, wherever that is; with SYNCS > 0 at that call of
``fsync`` for a file of the server's own, before it is made. SQLite's log is emptied every few commits, so that kills are in the middle of that too.
"""

import os
import runpy
import signal
import sys
import threading
from typing import Any

from server.store import checkpoints, sql
from tests.support.store_writer import COMMITS

STEP = 25
"""Instructions between two looks."""


class Countdown:
    """Of what is told to ``one``, once it is ``armed``."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.armed = threading.Event()

    def one(self) -> None:
        if self.left > 0 and self.armed.is_set():
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def count_instructions(countdown: Countdown) -> None:
    """Of the connections that write."""
    configure = sql._configure_writer

    def configured(connection: Any, entry: Any) -> None:
        configure(connection, entry)
        connection.driver_connection._connection.set_progress_handler(countdown.one, STEP)

    sql._configure_writer = configured


def count_syncs(countdown: Countdown) -> None:
    sync = os.fsync

    def counted(descriptor: int) -> None:
        countdown.one()
        sync(descriptor)

    os.fsync = counted


def main() -> None:
    instructions, syncs = Countdown(-(-int(sys.argv[1]) // STEP)), Countdown(int(sys.argv[2]))
    count_instructions(instructions)
    count_syncs(syncs)
    checkpoints.EVERY = COMMITS

    def arm(number: int, frame: object) -> None:
        del number, frame
        instructions.armed.set()
        syncs.armed.set()

    signal.signal(signal.SIGUSR1, arm)
    sys.argv = sys.argv[3:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

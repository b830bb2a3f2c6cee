"""Runs a module whose track files stand still while a FIFO is there: ``python -m tests.support.stuck_disk FIFO MODULE …``.

A write waits until somebody opens the FIFO for writing and closes it; who does that removes it first.
"""

import os
import runpy
import stat
import sys


def main() -> None:
    fifo = sys.argv[1]
    write = os.write

    def stuck(fd: int, data: bytes) -> int:
        if stat.S_ISREG(os.fstat(fd).st_mode) and os.path.exists(fifo):
            with open(fifo, "rb") as gate:
                gate.read()
        return write(fd, data)

    os.write = stuck
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

"""Building and loading ``forward.so``. No headers but the C library's are needed: libsrtp is called by address."""

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cffi import FFI

HERE = Path(__file__).resolve().parent
SOURCES = (HERE / "forward.h", HERE / "forward.c")
FLAGS = ("-O2", "-std=gnu11", "-fPIC", "-shared", "-fvisibility=default")
BUILD_DEADLINE_S = 60


def target() -> Path:
    """Named after its sources: what was built from others is not found, so never loaded."""
    content = b"".join(source.read_bytes() for source in SOURCES)
    return HERE / f"forward-{hashlib.sha256(content).hexdigest()[:16]}.so"


def build() -> str:
    """Make the library unless it is there. Returns "", or one line that says why it cannot be made: Python is used then."""
    path = target()
    if path.exists():
        return ""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return "no C compiler: the relay forwards in Python, which costs more CPU"
    making = path.with_suffix(".making")
    command = [compiler, *FLAGS, "-o", str(making), str(SOURCES[1])]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=BUILD_DEADLINE_S)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the C compiler did not work ({type(error).__name__}): the relay forwards in Python"
    if done.returncode:
        return f"the C compiler failed: {done.stderr.strip().splitlines()[-1:] or ''}: the relay forwards in Python"
    for old in HERE.glob("forward-*.so"):
        old.unlink(missing_ok=True)
    making.replace(path)
    return ""


class Library:
    """The loaded library: ``ffi`` for its structs, ``lib`` for its functions."""

    def __init__(self, path: Path) -> None:
        """Raises OSError: it is not there, or not for this machine."""
        self.ffi: Any = FFI()
        self.ffi.cdef(SOURCES[0].read_text())
        self.lib: Any = self.ffi.dlopen(str(path))


def load() -> Library | None:
    """None where it was not built."""
    try:
        return Library(target())
    except OSError:
        return None


if __name__ == "__main__":
    import sys

    problem = build()
    if problem:
        print(problem, file=sys.stderr)

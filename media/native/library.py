"""Building and loading the core: one shared library of all ``.c`` files. No headers but the C library's are needed: libsrtp is called by address."""

import hashlib
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cffi import FFI

HERE = Path(__file__).resolve().parent
HEADERS = (HERE / "forward.h", HERE / "feedback.h", HERE / "inlet.h")
"""Read by cffi as well, in this order."""
CODE = (HERE / "forward.c", HERE / "feedback.c", HERE / "inlet.c")
FLAGS = ("-O2", "-std=gnu11", "-fPIC", "-shared", "-fvisibility=default", "-ffp-contract=off")
"""The last: what is computed is what Python computes, bit by bit, also where a processor multiplies and adds in one step."""
BUILD_DEADLINE_S = 60


def target() -> Path:
    """Named after its sources: what was built from others is not found, so never loaded."""
    content = " ".join(FLAGS).encode() + b"".join(source.read_bytes() for source in (*HEADERS, *CODE))
    return HERE / f"core-{hashlib.sha256(content).hexdigest()[:16]}.so"


def build() -> str:
    """Make the library unless it is there. Returns "", or one line that says why it cannot be made: Python is used then."""
    path = target()
    if path.exists():
        return ""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return "no C compiler: the relay forwards in Python, which costs more CPU"
    making = path.with_suffix(".making")
    command = [compiler, *FLAGS, "-o", str(making), *map(str, CODE)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=BUILD_DEADLINE_S)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the C compiler did not work ({type(error).__name__}): the relay forwards in Python"
    if done.returncode:
        return f"the C compiler failed: {done.stderr.strip().splitlines()[-1:] or ''}: the relay forwards in Python"
    for old in HERE.glob("*.so"):
        old.unlink(missing_ok=True)
    making.replace(path)
    return ""


class Library:
    """The loaded library: ``ffi`` for its structs, ``lib`` for its functions."""

    def __init__(self, path: Path) -> None:
        """Raises OSError: it is not there, or not for this machine."""
        self.ffi: Any = FFI()
        self.ffi.cdef("".join(header.read_text() for header in HEADERS))
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

"""Runs a function of the tests in a process of its own, again where it hangs: SVT-AV1 now and then waits for itself for ever.

``apart("tests.support.studio:coded", person, 2.0)``: arguments and result go over as pickles, between two processes of the same tests.
"""

import importlib
import pickle
import subprocess
import sys
from typing import Any

DEADLINE_S = 60.0
TRIES = 3


def apart(function: str, *arguments: object) -> Any:
    """Raises AssertionError where it fails, or hangs each time."""
    for _ in range(TRIES):
        try:
            done = subprocess.run(
                [sys.executable, "-m", "tests.support.apart", function],
                input=pickle.dumps(arguments),
                capture_output=True,
                timeout=DEADLINE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            continue
        assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
        return pickle.loads(done.stdout)
    raise AssertionError(f"{function} hung {TRIES} times")


if __name__ == "__main__":
    module, _, name = sys.argv[1].partition(":")
    given = pickle.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(pickle.dumps(getattr(importlib.import_module(module), name)(*given)))

"""The whole suite on two cores: what only has to be right in two lanes at once, then what says how quick something is, alone.

    python -m scripts.suite

Every test runs exactly once: the second lane is all that the first leaves out, and both leave out the marker ``quiet``. The second
lane's words come when it is over; they are kept in ``test-output/``. Exit status: 0 when all passed and the coverage gate holds.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "test-output"
PYTEST = [sys.executable, "-m", "scripts.coverage_gate", "run", "--durations=25", "--durations-min=2"]
FIRST = [
    "tests/unit",
    "tests/contract",
    "tests/fuzz",
    "tests/browser/test_bundle.py",
    "tests/browser/test_keyboard.py",
    "tests/browser/test_stories.py",
]
LANES = {
    "npm": [sys.executable, "scripts/bootstrap.py", "npm", "test"],
    "first lane": [*PYTEST, *FIRST, "-m", "not quiet"],
    "second lane": [*PYTEST, "tests", *(f"--ignore={path}" for path in FIRST), "-m", "not quiet"],
    "quiet": [*PYTEST, "tests", "-m", "quiet"],
}
"""The browser side's own tests come before the second lane, beside the first."""
ENDS_WITHIN_S = 60.0


def gate(step: str) -> int:
    return subprocess.run([sys.executable, "-m", "scripts.coverage_gate", step], cwd=ROOT, check=False).returncode  # noqa: S603


def run(name: str) -> int:
    """In sight, to its end."""
    print(f"== {name}", flush=True)
    began = time.monotonic()
    status = subprocess.run(LANES[name], cwd=ROOT, check=False).returncode  # noqa: S603
    print(f"== {name}: {'passed' if status == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s", flush=True)
    return status


def beside(began: float) -> dict[str, int]:
    """npm and the second lane, one after the other, out of sight, while the first lane runs in sight."""
    failed: dict[str, int] = {}
    OUTPUT.mkdir(exist_ok=True)
    log = OUTPUT / "second-lane.log"
    with log.open("wb") as out:
        again = [sys.executable, "-m", "scripts.suite", "second"]
        second = subprocess.Popen(again, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)  # noqa: S603
        try:
            failed["first lane"] = run("first lane")
            failed["npm and second lane"] = second.wait()
        finally:
            if second.poll() is None:
                second.send_signal(signal.SIGINT)
                second.wait(ENDS_WITHIN_S)
    print(log.read_text(encoding="utf-8", errors="replace"), end="", flush=True)
    print(f"== both lanes: {time.monotonic() - began:.0f} s", flush=True)
    return failed


def main() -> int:
    began = time.monotonic()
    gate("erase")
    status = beside(began)
    status["quiet"] = run("quiet")
    status["coverage"] = gate("report")
    failed = [name for name, code in status.items() if code != 0]
    print(f"test: {'failed: ' + ', '.join(failed) if failed else 'all good'} ({time.monotonic() - began:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["second"]:
        sys.exit(max([abs(run(name)) for name in ("npm", "second lane")]))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

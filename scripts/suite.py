"""The whole suite: what only has to be right in several parts at once, then what says how quick something is, alone.

    python -m scripts.suite

Every test file is in exactly one of ``PARTS``, the first that names it; each part is a run of pytest of its own without the tests marked ``quiet``,
which run at the end with nothing beside them. A part begins as soon as another is over, in the order of ``BEGIN``, one more of them at a time than there
are cores: many tests only wait. What a part says comes when it is over and stays in ``test-output/``; what failed anywhere is said once more at the very
end.

A few tests that failed beside others, or in the quiet part, are run once more, alone (``again``): these drive browsers, media and killed processes on cores that
they share, if only with the other machines of the same hardware. What passes then is no failure of the suite, but UNSTEADY: said at the end, kept in
``test-output/unsteady.json``, and a fault of its own to be found. Unit tests are the same twice and get no second run. Exit status: 0 when all passed, once or again, and the coverage gate holds.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from tests.support.failures import Failure, read
from tests.support.machine import BESIDE

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "test-output"
SLOWEST = ["--durations=15", "--durations-min=2"]
PARTS: dict[str, tuple[str, ...]] = {
    "stories": ("tests/browser/test_stories.py", "tests/browser/test_keyboard.py", "tests/browser/test_bundle.py"),
    "cores": ("tests/unit/media/*", "tests/unit/turn/*", "tests/unit/verification/*"),
    "own": (
        "tests/browser/test_demo*.py",
        "tests/browser/test_own*.py",
        "tests/browser/test_rev*.py",
        "tests/scenario/test_de*.py",
    ),
    "shared": ("tests/browser/test_cob*.py", "tests/browser/test_pdf*.py"),
    "calls": ("tests/browser/test_[a-q]*.py",),
    "server": ("tests/unit/*",),
    "pages": ("tests/browser/*",),
    "media": (
        "tests/scenario/test_media*.py",
        "tests/scenario/test_campaign_1*.py",
        "tests/scenario/test_s[tu]*.py",
        "tests/scenario/test_t*.py",
    ),
    "checks": ("tests/biometrics/*", "tests/scenario/test_verification*.py", "tests/scenario/test_faces*.py"),
    "cases": (
        "tests/scenario/test_live*.py",
        "tests/scenario/test_self*.py",
        "tests/scenario/test_c*.py",
        "tests/scenario/test_document*.py",
    ),
    "recording": ("tests/scenario/test_record*.py", "tests/scenario/test_export*.py", "tests/scenario/test_remux.py"),
    "scenario": ("tests/scenario/*",),
    "others": ("tests/*",),
}
"""Patterns of files, where ``*`` goes through folders; the last is whatever the others leave."""
NPM = "npm"
BEGIN = (
    *("cores", "scenario", "server", "shared", "checks", "calls", "recording", "own"),
    *("media", NPM, "cases", "stories", "others", "pages"),
)
"""The longest first, so that all are over at nearly one time; what drives browsers is between what does not: two of these at a time leave pictures enough to be
coded."""
MEASURED = ("cores", "server")
"""The parts that cover the sans-I/O cores."""
QUIET = "quiet"
AGAIN = "again"
TESTS_FAILED = 1
"""How pytest ends where tests failed, and nothing else went wrong."""
MOST_AGAIN = 8
"""So many at most are run once more: where more fail, it is not the machine."""
COMPILED_ANEW = "PYTHONDONTWRITEBYTECODE"
"""Not passed on: every process that a test starts would compile all our modules, which is a third of its start."""
MOST_S = 2400.0
"""No part takes so long: one that does hangs, and is ended."""
HUNG_S = 300
"""After so long with one test the log says where each of its threads is."""
ENDS_WITHIN_S = 60.0
MOST_AT_ONCE = 4
"""However many cores are counted: in a container they may not all be ours, and each part takes a gigabyte or so."""
MOST_LINES = 90
"""Of the failures at the end, all together."""
LAST_OF_A_LOG = 25
"""Lines of a part that failed without a test that did."""


def files_of_tests() -> list[str]:
    """In the order in which pytest would come to them."""
    return sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py"))


def divided(files: Sequence[str]) -> dict[str, list[str]]:
    """Which files each part runs; a part without any is not there."""
    parts: dict[str, list[str]] = {}
    for file in files:
        name = next(name for name, patterns in PARTS.items() if any(fnmatch(file, pattern) for pattern in patterns))
        parts.setdefault(name, []).append(file)
    return {name: parts[name] for name in PARTS if name in parts}


def failures_file(name: str) -> Path:
    return OUTPUT / f"{name}.jsonl"


def pytest_command(name: str, files: Sequence[str], marker: str) -> list[str]:
    begin = ["scripts.coverage_gate", "run"] if name in MEASURED else ["pytest"]
    notes = [
        "-o",
        f"faulthandler_timeout={HUNG_S}",
        "-p",
        "tests.support.failures",
        f"--failures={failures_file(name)}",
        f"--junitxml={OUTPUT / name}.xml",
    ]
    return [sys.executable, "-m", *begin, *notes, *SLOWEST, "-m", marker, *files]


@dataclass(slots=True)
class Part:
    """One process: what it runs and, when it is over, what came of it. Seconds of processors are its own and of all that it waited for."""

    name: str
    command: list[str]
    beside: bool = False
    """Others run at the same time, which tests of how quick something is are told."""
    process: "subprocess.Popen[bytes] | None" = None
    began: float = 0.0
    took_s: float = 0.0
    processors_s: float = 0.0
    status: int = 0
    failures: list[Failure] = field(default_factory=list)
    limit: threading.Timer | None = None

    @property
    def log(self) -> Path:
        return OUTPUT / f"{self.name}.log"

    def start(self) -> None:
        failures_file(self.name).unlink(missing_ok=True)
        self.began = time.monotonic()
        with self.log.open("wb") as out:
            nothing, same = subprocess.DEVNULL, subprocess.STDOUT
            told = {name: value for name, value in os.environ.items() if name not in (BESIDE, COMPILED_ANEW)}
            told |= {BESIDE: "1"} if self.beside else {}
            self.process = subprocess.Popen(self.command, cwd=ROOT, env=told, stdin=nothing, stdout=out, stderr=same)  # noqa: S603
        self.limit = threading.Timer(MOST_S, self.process.kill)
        self.limit.daemon = True
        self.limit.start()
        print(f"== {self.name}: begins", flush=True)

    def ended(self, status: int, processors_s: float) -> None:
        assert self.process is not None
        assert self.limit is not None
        self.limit.cancel()
        self.status = self.process.returncode = status
        self.took_s, self.processors_s = time.monotonic() - self.began, processors_s
        self.failures = read(failures_file(self.name))
        print(self.log.read_text(encoding="utf-8", errors="replace"), end="", flush=True)
        print(f"== {self.told()}", flush=True)

    def told(self) -> str:
        how = "passed" if self.status == 0 else f"FAILED (status {self.status})"
        return f"{self.name}: {how} in {self.took_s:.0f} s, {self.processors_s:.0f} s of a processor"


def at_once(parts: Sequence[Part], most: int) -> None:
    """Run all of them, as many at a time; returns when the last is over."""
    waiting, running = list(parts), dict[int, Part]()
    try:
        while waiting or running:
            while waiting and len(running) < most:
                part = waiting.pop(0)
                part.start()
                assert part.process is not None
                running[part.process.pid] = part
            pid, status, used = os.wait4(-1, 0)
            if pid in running:
                running.pop(pid).ended(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime)
    finally:
        stop([part.process for part in running.values() if part.process is not None])


def stop(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """As with Ctrl-C, then for good."""
    for process in processes:
        process.send_signal(signal.SIGINT)
    until = time.monotonic() + ENDS_WITHIN_S
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def failed_lines(parts: Sequence[Part], most: int = MOST_LINES) -> Iterator[str]:
    """Of every failure its name and the end of what was said of it; the more failures, the fewer lines of each."""
    total = sum(max(1, len(part.failures)) for part in parts if part.status != 0)
    each = max(1, most // max(1, total) - 1)
    for part in parts:
        if part.status == 0:
            continue
        for failure in part.failures:
            yield f"-- {part.name}: {failure.test} ({failure.when})"
            yield from (f"   {line}" for line in failure.lines(each))
        if not part.failures:
            yield f"-- {part.name}: status {part.status}, no test failed; the end of {part.log.relative_to(ROOT)}:"
            lines = part.log.read_text(encoding="utf-8", errors="replace").splitlines()
            yield from (f"   {line[:240]}" for line in lines[-min(LAST_OF_A_LOG, max(each, 10)) :])


def to_run_again(parts: Sequence[Part]) -> list[str]:
    """The tests that failed beside others or in the quiet part; none where anything else failed too, or too many did."""
    failed = [part for part in parts if part.status != 0]
    if not all(
        (part.beside or part.name == QUIET)
        and part.status == TESTS_FAILED
        and part.name not in (*MEASURED, NPM)
        and part.failures
        for part in failed
    ):
        return []
    if any(failure.when == "collect" for part in failed for failure in part.failures):
        return []
    tests = list(dict.fromkeys(failure.test for part in failed for failure in part.failures))
    return tests if len(tests) <= MOST_AGAIN else []


def again(parts: list[Part]) -> list[str]:
    """Run what failed once more, with nothing beside it; return what passed now. Parts in which all did have passed."""
    tests = to_run_again(parts)
    if not tests:
        return []
    part = Part(AGAIN, [*pytest_command(AGAIN, tests, ""), "--skips-are-failures"])
    at_once([part], 1)
    still = {failure.test for failure in part.failures}
    part.status = part.status or int(bool(still))
    unsteady = [test for test in tests if test not in still] if part.status in (0, TESTS_FAILED) else []
    (OUTPUT / "unsteady.json").write_text(json.dumps(unsteady, indent=1), encoding="utf-8")
    for one in parts:
        one.failures = [failure for failure in one.failures if failure.test not in unsteady]
        if one.status == TESTS_FAILED and one.name not in MEASURED and not one.failures:
            one.status = 0
    parts.append(part)
    return unsteady


def gate(step: str) -> int:
    return subprocess.run([sys.executable, "-m", "scripts.coverage_gate", step], cwd=ROOT, check=False).returncode  # noqa: S603


def main() -> int:
    began = time.monotonic()
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / "unsteady.json").unlink(missing_ok=True)
    gate("erase")
    files = files_of_tests()
    parts = [Part(name, pytest_command(name, own, f"not {QUIET}"), beside=True) for name, own in divided(files).items()]
    parts.append(Part(NPM, [sys.executable, "scripts/bootstrap.py", "npm", "test"], beside=True))
    parts.sort(key=lambda part: BEGIN.index(part.name))
    at_once(parts, min((os.cpu_count() or 1) + 1, MOST_AT_ONCE))
    print(f"== all parts beside each other: {time.monotonic() - began:.0f} s", flush=True)
    marked = [file for file in files if f"mark.{QUIET}" in (ROOT / file).read_text(encoding="utf-8")]
    parts.append(Part(QUIET, pytest_command(QUIET, marked, QUIET)))
    at_once(parts[-1:], 1)
    unsteady = again(parts)
    covered = gate("report") == 0
    print("\n".join(["", *failed_lines(parts), "", *(part.told() for part in parts)]))
    print("".join(f"UNSTEADY: {test} failed and passed when run again, alone\n" for test in unsteady), end="")
    failed = [part.name for part in parts if part.status != 0] + ([] if covered else ["coverage"])
    print(f"test: {'failed: ' + ', '.join(failed) if failed else 'all good'} ({time.monotonic() - began:.0f} s)")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)

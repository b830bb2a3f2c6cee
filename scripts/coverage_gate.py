"""Coverage of the sans-I/O cores: measured while the whole suite runs, and not below the gate.

    python -m scripts.coverage_gate run [PYTEST ARGUMENT …]
    python -m scripts.coverage_gate report

Only the cores are traced, so the suite is hardly slower. What a core does in another process (a media worker) does not count.
"""

import io
import os
import sys
from pathlib import Path

import coverage
import coverage.exceptions

from tests.support.structure import sans_io_sources

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / ".coverage"
GATE_PERCENT = 95.0


def measuring() -> coverage.Coverage:
    return coverage.Coverage(
        data_file=str(DATA),
        config_file=False,
        branch=True,
        include=[str(ROOT / path) for path in sans_io_sources()],
        concurrency=["thread", "greenlet"],
    )


def run(arguments: list[str]) -> int:
    """pytest in this process, traced from before its first import."""
    measured = measuring()
    measured.erase()
    measured.start()
    import pytest

    status = pytest.main(arguments)
    measured.stop()
    measured.save()
    return int(status)


def report() -> int:
    """The table, and 1 when the cores as a whole are below the gate or one was never imported."""
    measured = measuring()
    measured.load()
    measured.exclude(r"^\s*\.\.\.$")
    measured.exclude(r"if TYPE_CHECKING:")
    seen = {Path(name).relative_to(ROOT).as_posix() for name in measured.get_data().measured_files()}
    never = [path for path in sans_io_sources() if path not in seen]
    table = io.StringIO()
    try:
        total = measured.report(file=table, show_missing=True, skip_covered=True, precision=1)
    except coverage.exceptions.NoDataError:
        print("no core was measured: run the tests first")
        return 1
    print(table.getvalue())
    for path in never:
        print(f"never imported by a test: {path}")
    print(f"coverage of the sans-I/O cores: {total:.1f} % (gate {GATE_PERCENT:.0f} %)")
    return 1 if total < GATE_PERCENT or never else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    sys.exit(report() if sys.argv[1:2] == ["report"] else run(sys.argv[2:]))

"""Coverage of the sans-I/O cores: measured while the whole suite runs, and not below the gate.

    python -m scripts.coverage_gate erase
    python -m scripts.coverage_gate run [PYTEST ARGUMENT …]
    python -m scripts.coverage_gate report

Every ``run`` since the last ``erase`` counts, also those at the same time. Only the cores are traced, so the suite is hardly slower. What a core does in another process (a media worker) does not count.
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


def measuring(*, one_of_several: bool = False) -> coverage.Coverage:
    return coverage.Coverage(
        data_file=str(DATA),
        data_suffix=one_of_several or None,
        config_file=False,
        branch=True,
        include=[str(ROOT / path) for path in sans_io_sources()],
        concurrency=["thread", "greenlet"],
    )


def erase() -> int:
    measuring().erase()
    for path in ROOT.glob(f"{DATA.name}.*"):
        path.unlink()
    return 0


def run(arguments: list[str]) -> int:
    """pytest in this process, traced from before its first import."""
    measured = measuring(one_of_several=True)
    measured.start()
    import pytest

    status = pytest.main(arguments)
    measured.stop()
    measured.save()
    return int(status)


def report() -> int:
    """The table, and 1 when the cores as a whole are below the gate or one was never imported."""
    measured = measuring()
    try:
        measured.combine()
    except coverage.exceptions.NoDataError:
        print("no core was measured: run the tests first")
        return 1
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
    step, *more = sys.argv[1:]
    sys.exit({"erase": erase, "report": report}[step]() if step != "run" else run(more))

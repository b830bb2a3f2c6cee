"""Coverage of the sans-I/O cores by the tests that are made for them, and not below the gate.

    python -m scripts.coverage_gate erase
    python -m scripts.coverage_gate run [PYTEST ARGUMENT …]
    python -m scripts.coverage_gate run-with-greenlets [PYTEST ARGUMENT …]
    python -m scripts.coverage_gate report

Every run since the last ``erase`` counts, also those at the same time. Tracing makes Python two to four times as slow, whatever is traced (and greenlets,
which SQLAlchemy has, cost half as much again): it is switched off while Hypothesis draws its examples and in tests with the marker ``untraced``. What only
these reach does not count, nor what a core does in another process (a media worker).
"""

import io
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import coverage
import coverage.exceptions

from tests.support.structure import sans_io_sources

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / ".coverage"
GATE_PERCENT = 95.0


def measuring(*, one_of_several: bool = False, greenlets: bool = False) -> coverage.Coverage:
    return coverage.Coverage(
        data_file=str(DATA),
        data_suffix=one_of_several or None,
        config_file=False,
        branch=True,
        include=[str(ROOT / path) for path in sans_io_sources()],
        concurrency=["thread", "greenlet"] if greenlets else ["thread"],
    )


def erase() -> int:
    measuring().erase()
    for path in ROOT.glob(f"{DATA.name}.*"):
        path.unlink()
    return 0


def not_traced(item: "pytest.Item") -> bool:
    """Whether this test would take long if it were: hundreds of examples, or it says so."""
    from hypothesis import is_hypothesis_test

    return is_hypothesis_test(getattr(item, "obj", None)) or item.get_closest_marker("untraced") is not None


def run(arguments: list[str], *, greenlets: bool = False) -> int:
    """pytest in this process, traced from before its first import."""
    measured = measuring(one_of_several=True, greenlets=greenlets)
    measured.start()
    import pytest

    class Switch:
        @pytest.hookimpl(wrapper=True)
        def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
            if not not_traced(item):
                return (yield)
            measured.stop()
            try:
                return (yield)
            finally:
                measured.start()

    status = pytest.main(arguments, plugins=[Switch()])
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
    if step in ("run", "run-with-greenlets"):
        sys.exit(run(more, greenlets=step != "run"))
    sys.exit({"erase": erase, "report": report}[step]())

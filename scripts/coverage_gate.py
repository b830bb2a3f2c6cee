"""Coverage of the sans-I/O cores by the tests that are made for them, and not below the gate.

    python -m scripts.coverage_gate erase
    python -m scripts.coverage_gate run [PYTEST ARGUMENT …]
    python -m scripts.coverage_gate report

Every run since the last ``erase`` counts, also those at the same time. Lines and branches are noted by code put into the cores as they are imported, which
is taken out again where it has been: a run is as quick as without. What a core does in another process (a media worker) does not count.
"""

import json
import os
import sys
from pathlib import Path

import slipcover

from tests.support.structure import sans_io_sources

ROOT = Path(__file__).resolve().parent.parent
DATA = ".coverage"
GATE_PERCENT = 95.0


def erase() -> int:
    for path in ROOT.glob(f"{DATA}.*"):
        path.unlink()
    return 0


def run(arguments: list[str]) -> int:
    """pytest in this process, where every core is measured from its first import on."""
    cores = [str(ROOT / path) for path in sans_io_sources()]
    measured = slipcover.Slipcover(branch=True, exclude_also=[r"^\s*\.\.\.$"])
    with slipcover.ImportManager(measured, slipcover.FileMatcher(sources=cores)):
        import pytest

        status = pytest.main(["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning", *arguments])
    (ROOT / f"{DATA}.{os.getpid()}").write_text(json.dumps(measured.get_coverage()), encoding="utf-8")
    return int(status)


def report() -> int:
    """The table, and 1 when the cores as a whole are below the gate or one was never imported."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(ROOT.glob(f"{DATA}.*"))]
    if not runs:
        print("no core was measured: run the tests first")
        return 1
    whole, *others = runs
    for other in others:
        slipcover.merge_coverage(whole, other)
    slipcover.print_coverage(whole, skip_covered=True, missing_width=80)
    never = [path for path in sans_io_sources() if not whole["files"].get(path, {}).get("executed_lines")]
    for path in never:
        print(f"never imported by a test: {path}")
    total = whole["summary"]["percent_covered"]
    print(f"coverage of the sans-I/O cores: {total:.1f} % (gate {GATE_PERCENT:.0f} %)")
    return 1 if total < GATE_PERCENT or never else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    step, *more = sys.argv[1:]
    sys.exit(run(more) if step == "run" else {"erase": erase, "report": report}[step]())

"""The reports that shipped manifests cite, and the pages that show them, are the same runs."""

import hashlib
from pathlib import Path

import pytest

from verification.models.catalogue import shipped, shipped_report
from verification.models.cited import check_report

DOCS = Path(__file__).resolve().parents[4] / "docs"


@pytest.mark.parametrize("name", ["base", "open", "insightface-wq8"])
def test_every_threshold_cites_a_report_that_found_it(name: str) -> None:
    pack = shipped()[name]
    assert pack.thresholds.comparison is not None
    assert pack.thresholds.comparison.evaluation is not None
    assert pack.thresholds.pad is None or pack.thresholds.pad.evaluation is not None
    for evaluation in pack.evaluations:
        content = shipped_report(evaluation.report)
        assert content is not None
        assert hashlib.sha256(content).hexdigest() == evaluation.sha256
        check_report(pack, evaluation, content)
        assert (DOCS / "evaluation" / evaluation.report).read_bytes() == content
        page = (DOCS / "evaluation" / evaluation.report).with_suffix(".md").read_text()
        assert "elf-tested" in page


def test_plots_of_the_pages_are_there() -> None:
    pages = [DOCS / "verification.md", *(DOCS / "evaluation").glob("*.md")]
    shown = [page.parent / line[4:-1] for page in pages for line in page.read_text().splitlines() if line.startswith("![](")]
    assert shown
    assert [plot for plot in shown if not plot.is_file()] == []

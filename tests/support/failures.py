"""A plugin of pytest that notes failures in a file as they come, so that several runs beside each other can be told of at one end.

    python -m pytest -p tests.support.failures --failures=test-output/some.jsonl …

One JSON object a line: ``test`` (its node id), ``when`` (collect, setup, call, teardown), ``text`` (the last lines of what pytest says of it).
What was noted before a run died is there all the same. With ``--skips-are-failures`` a test that skipped is noted as well.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

LAST_LINES = 15
LONGEST_LINE = 240


@dataclass(frozen=True, slots=True)
class Failure:
    """One test that failed in one of its phases."""

    test: str
    when: str
    text: str

    def lines(self, most: int = LAST_LINES) -> list[str]:
        """The end of what was said: there is what was asked and where."""
        return self.text.splitlines()[-most:] if most > 0 else []


def shortened(text: str) -> str:
    """The last lines that are not empty, none of them longer than a few lines of a screen."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]}…" for line in lines[-LAST_LINES:])


def read(path: Path) -> list[Failure]:
    """What was noted there; nothing where no file is. A line that was cut off when its writer was killed is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            found.append(Failure(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


class Notes:
    """The hooks."""

    def __init__(self, path: Path, *, skips: bool) -> None:
        self._path, self._skips = path, skips
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")

    def _note(self, failure: Failure) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(failure)) + "\n")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed or (report.skipped and self._skips):
            self._note(Failure(report.nodeid, report.when or "call", shortened(report.longreprtext)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._note(Failure(report.nodeid, "collect", shortened(report.longreprtext)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--failures", default="", metavar="FILE", help="note each failure there, a JSON object a line")
    parser.addoption("--skips-are-failures", action="store_true", help="note there what skipped, too")


def pytest_configure(config: pytest.Config) -> None:
    if path := config.getoption("failures"):
        config.pluginmanager.register(Notes(Path(path), skips=config.getoption("skips_are_failures")), "failures-notes")

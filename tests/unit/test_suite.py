"""`make test` itself: every test file runs in one part, and what failed is said at the end."""

import signal
import subprocess
import sys
import textwrap
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from scripts import suite
from scripts.suite import Part
from tests.support import failures, long_form
from tests.support.failures import Failure


@pytest.fixture(autouse=True)
def output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    monkeypatch.setattr(suite, "OUTPUT", tmp_path / "test-output")
    suite.OUTPUT.mkdir()
    return suite.OUTPUT


def python(name: str, code: str) -> Part:
    return Part(name, [sys.executable, "-c", textwrap.dedent(code)])


def test_every_test_file_is_in_one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "ROOT", Path(__file__).resolve().parents[2])
    files = suite.files_of_tests()
    parts = suite.divided(files)
    assert Path(__file__).name in {Path(file).name for file in parts["server"]}
    assert Counter(file for part in parts.values() for file in part) == Counter(files)
    assert set(parts) == set(suite.PARTS), "a part without a file"
    assert sorted(suite.BEGIN) == sorted([*suite.PARTS, suite.NPM])


def test_a_file_that_no_pattern_knows_runs_with_the_last_part() -> None:
    assert suite.divided(["tests/new/test_new.py"]) == {list(suite.PARTS)[-1]: ["tests/new/test_new.py"]}


def test_failures_are_noted_and_told(output: Path) -> None:
    file = suite.ROOT / "test_bad.py"
    file.write_text(
        textwrap.dedent("""
            import pytest

            @pytest.fixture
            def broken():
                yield
                raise RuntimeError("afterwards")

            def test_good(): ...
            def test_wrong():
                assert 6 * 7 == 41, "the answer"
            def test_leaves_something(broken): ...
            @pytest.mark.skip
            def test_skipped(): ...
            """)
    )
    (suite.ROOT / "test_worse.py").write_text("import nothing_of_this_name\n")
    notes = suite.failures_file("bad")
    here = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.failures", f"--failures={notes}", "-p", "no:cacheprovider"]
    command += ["--continue-on-collection-errors", "test_bad.py", "test_worse.py"]
    done = subprocess.run(command, cwd=suite.ROOT, env={"PYTHONPATH": str(here)}, capture_output=True, check=False)
    assert done.returncode == 1, done.stdout.decode()
    found = failures.read(notes)
    assert [(failure.test, failure.when) for failure in found] == [
        ("test_worse.py", "collect"),
        ("test_bad.py::test_wrong", "call"),
        ("test_bad.py::test_leaves_something", "teardown"),
    ]
    part = Part("bad", [], status=1, failures=found)
    told = "\n".join(suite.failed_lines([Part("fine", []), part]))
    assert "-- bad: test_bad.py::test_wrong (call)" in told
    assert "AssertionError: the answer" in told
    assert "RuntimeError: afterwards" in told
    assert "nothing_of_this_name" in told
    assert "fine" not in told


def test_of_many_failures_little_is_said_of_each_and_of_all_something(output: Path) -> None:
    text = "\n".join(f"line {n}" for n in range(failures.LAST_LINES))
    for many in (1, 5, 40):
        told = list(
            suite.failed_lines([Part("bad", [], status=1, failures=[Failure(f"t{n}", "call", text) for n in range(many)])])
        )
        assert len(told) <= suite.MOST_LINES
        assert sum(line.startswith("-- bad: t") for line in told) == many
        assert told[-1].strip() == f"line {failures.LAST_LINES - 1}"


def test_long_lines_and_empty_ones_are_cut() -> None:
    assert failures.shortened("a\n\n  \n" + "b" * 1000) == "a\n" + "b" * failures.LONGEST_LINE + "…"


def test_what_a_killed_run_noted_is_read_but_for_its_last_half_line(output: Path) -> None:
    notes = suite.failures_file("killed")
    assert failures.read(notes) == []
    notes.write_text('{"test": "a", "when": "call", "text": "x"}\n{"test": "b", "wh')
    assert failures.read(notes) == [Failure("a", "call", "x")]


def test_parts_run_as_many_at_a_time(capfd: pytest.CaptureFixture[str]) -> None:
    meets = "from pathlib import Path; import os, time\nmark = Path({mine!r}); mark.touch()\nwhile not Path({other!r}).exists(): os.sched_yield()\nprint({mine!r})"
    parts = [
        python("one", meets.format(mine="a", other="b")),
        python("two", meets.format(mine="b", other="a")),
        python("three", "print('the third'); raise SystemExit(3)"),
    ]
    suite.at_once(parts, 2)
    assert [part.status for part in parts] == [0, 0, 3]
    assert all(part.took_s > 0 < part.processors_s for part in parts)
    printed = capfd.readouterr().out
    assert "the third" in printed
    assert "three: FAILED (status 3) in" in printed
    told = "\n".join(suite.failed_lines(parts))
    assert told.startswith("-- three: status 3, no test failed; the end of test-output/three.log:\n   the third")
    assert "one" not in told


def test_only_what_runs_beside_others_is_told_so(capfd: pytest.CaptureFixture[str]) -> None:
    parts = [
        python(name, f"import os; print('{name}:', os.environ.get({suite.BESIDE!r}))") for name in ("alone", "one_of_many")
    ]
    parts[1].beside = True
    suite.at_once(parts, 1)
    printed = capfd.readouterr().out
    assert "alone: None\n" in printed
    assert "one_of_many: 1\n" in printed


def test_a_part_that_is_killed_has_failed(capfd: pytest.CaptureFixture[str]) -> None:
    part = python("killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    suite.at_once([part], 1)
    assert part.status == -signal.SIGKILL


def failed(name: str, *tests: str, status: int = 1, beside: bool = True, when: str = "call") -> Part:
    return Part(name, [], beside=beside, status=status, failures=[Failure(test, when, "") for test in tests])


def test_few_tests_that_failed_beside_others_or_in_quiet_are_run_again() -> None:
    two = failed("pages", "a.py::one", "a.py::one", "a.py::two")
    assert suite.to_run_again([two, Part("fine", [], beside=True)]) == ["a.py::one", "a.py::two"]
    quiet = failed("quiet", "c.py::speed", beside=False)
    assert suite.to_run_again([two, quiet]) == ["a.py::one", "a.py::two", "c.py::speed"]
    for other in (
        failed("media", *(f"b.py::{n}" for n in range(7))),  # nine in all
        failed("server", "c.py::unit"),
        failed("alone", "c.py::speed", beside=False),
        failed("npm", status=1),
        failed("own", status=-9),
        failed("own", "c.py::three", status=2),
        failed("own", "c.py", when="collect"),
    ):
        assert suite.to_run_again([two, other]) == [], other.name


@pytest.mark.parametrize(("body", "passes"), [("...", True), ("assert False", False), ("pytest.skip('too busy')", False)])
def test_what_passes_alone_is_unsteady_and_what_does_not_stays_red(
    output: Path, monkeypatch: pytest.MonkeyPatch, body: str, passes: bool
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    (suite.ROOT / "test_again.py").write_text(f"import pytest\n\ndef test_one():\n    {body}\n")
    parts = [failed("pages", "test_again.py::test_one"), Part("fine", [], beside=True)]
    assert suite.again(parts) == (["test_again.py::test_one"] if passes else [])
    assert [part.status for part in parts] == ([0, 0, 0] if passes else [1, 0, 1])
    assert (output / "unsteady.json").read_text().count("test_one") == passes


def test_nothing_runs_again_where_nothing_failed(output: Path) -> None:
    parts = [Part("fine", [], beside=True)]
    assert (suite.again(parts), len(parts), list(output.iterdir())) == ([], 1, [])


def test_what_runs_is_ended_with_the_suite(tmp_path: Path) -> None:
    code = "import signal, sys\ntry: print('begun', flush=True) or signal.pause()\nexcept KeyboardInterrupt: sys.exit(7)"
    with ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)) for _ in range(2)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
        suite.stop(processes)
        assert [process.returncode for process in processes] == [7, 7]


def test_what_a_run_reached_is_measured(tmp_path: Path) -> None:
    """Lines and branches of the cores, by a run that is a part of the suite and measured in turn."""
    here = Path(__file__).resolve().parents[2]
    core = tmp_path / "core.py"
    core.write_text(
        textwrap.dedent("""
            def larger(a, b):
                if a > b:
                    return a
                return b
            """)
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n")
    (tmp_path / "test_core.py").write_text("from core import larger\n\ndef test_larger():\n    assert larger(2, 1) == 2\n")
    code = f"""
        import pathlib, sys
        from scripts import coverage_gate as gate
        gate.ROOT = pathlib.Path({str(tmp_path)!r})
        gate.sans_io_sources = lambda: ["core.py"]
        sys.path.insert(0, str(gate.ROOT))
        assert gate.erase() == 0 and gate.report() == 1
        assert gate.run(["-q", "-p", "no:cacheprovider"]) == 0
        assert gate.report() == 1, "one line and one branch of three are left out"
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(here)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no core was measured" in done.stdout
    assert "66.7 % (gate 95 %)" in done.stdout
    assert "never imported" not in done.stdout


def test_what_the_long_form_runs_besides_is_there() -> None:
    here = Path(__file__).resolve().parents[2]
    for name in long_form.TESTS:
        file, _, test = name.partition("::")
        assert f"def {test.partition('[')[0]}(" in (here / file).read_text(encoding="utf-8"), name


def test_only_the_named_variant_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_form, "TESTS", ["a.py::one[2]", "a.py::two"])
    names = ["a.py::one[1]", "a.py::one[2]", "a.py::two", "a.py::two[1]", "a.py::three"]
    assert long_form.left_out(names) == {"a.py::one[2]", "a.py::two", "a.py::two[1]"}
    monkeypatch.setattr(long_form, "LONG", True)
    assert long_form.left_out(names) == set()

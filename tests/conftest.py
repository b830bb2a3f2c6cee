"""What every test gets: Hypothesis without deadlines, and the same examples in every run unless asked otherwise.

The same examples find nothing new by being many: 40 of each test here, where it does not set its own. ``HYPOTHESIS_PROFILE=search`` looks for new ones,
100 of each; ``campaign`` for 1,000.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support import long_form, machine
from tests.support.extras import pytest_pycollect_makemodule, pytest_runtest_call, pytest_runtest_setup
from tests.support.scheduling import is_real_time, make_ordinary

__all__ = ["pytest_pycollect_makemodule", "pytest_runtest_call", "pytest_runtest_setup"]

_SLOW = [HealthCheck.too_slow]
settings.register_profile("default", deadline=None, derandomize=True, max_examples=40, suppress_health_check=_SLOW)
settings.register_profile("search", deadline=None, suppress_health_check=_SLOW)
settings.register_profile("campaign", deadline=None, max_examples=1000, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", type=int, default=0, metavar="N", help="only the tests of trust campaign N")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    number = config.getoption("campaign")
    if number:
        chosen = [item for item in items if any(number in mark.args for mark in item.iter_markers("campaign"))]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    longer = set() if any("::" in one for one in config.args) else long_form.left_out(item.nodeid for item in items)
    if longer:
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid in longer])
        items[:] = [item for item in items if item.nodeid not in longer]


@pytest.fixture(autouse=True)
def _ordinary_scheduling() -> Iterator[None]:
    """What one test does to the process, all later ones and their browsers would inherit."""
    machine.begins()
    yield
    if is_real_time():
        make_ordinary()
        pytest.fail("this test left the process with real-time scheduling: tests/support/scheduling.py")

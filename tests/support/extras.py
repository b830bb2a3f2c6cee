"""What becomes of tests of face and document checks where ``TONGPING_VERIFICATION=0`` left their packages out: they are skipped, and say why.

Hooks of ``tests/conftest.py``. Where every package is there they do nothing, so that a missing import is an error like any other.
"""

import importlib.util
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

PACKAGES = ("cv2", "dlib", "insightface", "matplotlib", "onnx", "onnxruntime", "pi_heif", "rapidocr")
"""Import names of the extra ``verification``, and of what it brings."""
MISSING = frozenset(name for name in PACKAGES if importlib.util.find_spec(name) is None)


def reason(error: BaseException | None) -> str | None:
    """Why what raised ``error`` is skipped; None: it is a fault."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in MISSING:
        return f"{error.name} is not installed: make verification"
    return None


class _Module(pytest.Module):
    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return list(super().collect())
        except self.CollectError as failed:
            why = reason(failed.__cause__)
            if why is None:
                raise
            pytest.skip(why, allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """A file that cannot be imported without them is skipped as a whole."""
    return _Module.from_parent(parent, path=module_path) if MISSING else None  # type: ignore[no-any-return]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    yield from _skipped()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    yield from _skipped()


def _skipped() -> Generator[None, None, None]:
    """A test that comes upon one of them while it runs."""
    try:
        yield
    except ModuleNotFoundError as error:
        why = reason(error)
        if why is None:
            raise
        pytest.skip(why)

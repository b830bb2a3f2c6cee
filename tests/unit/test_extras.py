"""Without the packages of face checks their tests are skipped and say why; any other import that fails is a failure."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HIDE = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {"cv2", "dlib"} else PathFinder.find_spec(name, path, target)

sys.meta_path = [Without if finder is PathFinder else finder for finder in sys.meta_path]
"""


def test_what_needs_a_package_that_was_left_out_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    (tmp_path / "test_whole.py").write_text("import cv2.dnn\ndef test_one(): pass\ndef test_two(): pass\n")
    (tmp_path / "test_later.py").write_text(
        "import pytest\n"
        "@pytest.fixture\ndef detector():\n    import dlib\n"
        "def test_of_it(detector): pass\n"
        "def test_in_it():\n    import cv2\n"
        "def test_without(): pass\n"
        "def test_fault():\n    import no_such_package\n"
    )
    (tmp_path / "test_fault.py").write_text("import no_such_package\n")
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "tests.support.extras", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "--continue-on-collection-errors", "--rootdir", str(tmp_path), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "cv2 is not installed: make verification" in done.stdout
    assert "dlib is not installed: make verification" in done.stdout
    assert "1 failed, 1 passed, 3 skipped, 1 error" in done.stdout

"""Runs a module of the server's with the tests' engine in place of the workers that look at faces: ``python -m tests.support.scored_server MODULE …``.

All else is what serves: decisions, evidence, reviews, signatures, store and audit.
"""

import runpy
import sys
from typing import Any

from server import faces
from server.config import Config
from tests.support.fake_engine import FakeEngine


class Scored(faces.FaceWorkers):
    def __init__(self, config: Config, engine: Any = None) -> None:
        super().__init__(config, engine or FakeEngine())


def main() -> None:
    faces.FaceWorkers = Scored  # type: ignore[misc]
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()

"""What a server writes while it serves."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from server import telemetry


@contextmanager
def written() -> Iterator[io.StringIO]:
    """The telemetry as it serves, everything of it, writing here; all as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    out = io.StringIO()
    telemetry.configure("debug", out)
    yield out
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for package in telemetry.OUR_PACKAGES:
        logging.getLogger(package).setLevel(logging.NOTSET)

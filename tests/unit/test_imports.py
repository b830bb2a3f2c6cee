"""The import rules of ``docs/architecture.md``, read from the sources; and proof that a broken rule is found."""

import pytest

from tests.support import structure

KNOWN = frozenset(
    {
        "server/app.py",
        "server/api/app.py",
        "server/domain/ids.py",
        "server/store/sql.py",
        "media/wire/rtp.py",
        "media/worker.py",
    }
)


def test_every_module_keeps_the_rules() -> None:
    assert [str(found) for found in structure.check()] == []


def test_every_pattern_names_something() -> None:
    found = structure.sources()
    unused = [pattern for pattern in structure.SANS_IO if not any(structure.fnmatch(path, pattern) for path in found)]
    assert unused == []
    assert sorted(structure.SHELLS - set(found)) == []
    assert sorted(structure.BINDS_PACKAGES - set(found)) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("media/worker.py", "import server.app"),
        ("media/worker.py", "from server.domain import ids"),
        ("media/worker.py", "def f():\n    from verification import ports"),
        ("server/api/app.py", "import media.worker"),
        ("server/api/app.py", "from media import worker"),
        ("server/domain/ids.py", "import asyncio"),
        ("server/domain/ids.py", "from socket import socket"),
        ("server/domain/ids.py", "from time import monotonic"),
        ("server/domain/ids.py", "import random"),
        ("server/domain/ids.py", "from pathlib import Path"),
        ("server/domain/ids.py", "import aiohttp"),
        ("server/domain/ids.py", "from server.store import sql"),
        ("server/domain/ids.py", "from server.store.sql import Store"),
        ("server/domain/ids.py", "from ..store import sql"),
        ("server/domain/ids.py", "from datetime import datetime\nx = datetime.now()"),
        ("server/domain/ids.py", "import datetime\nx = datetime.datetime.now(tz)"),
        ("server/domain/ids.py", "x = open('file')"),
        ("server/domain/ids.py", "async def f():\n    return 1"),
        ("media/wire/rtp.py", "from media.worker import Worker"),
        ("media/wire/rtp.py", "from media import worker"),
        ("media/wire/rtp.py", "import aioice"),
    ],
)
def test_a_planted_violation_is_found(path: str, text: str) -> None:
    assert len(structure.check_source(path, text, KNOWN)) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("server/app.py", "from media import worker"),
        ("server/api/app.py", "import asyncio\nfrom server.store.sql import Store"),
        ("server/store/sql.py", "from datetime import datetime\nx = datetime.now()"),
        ("media/worker.py", "import socket\nfrom media.wire.rtp import read"),
        ("media/wire/rtp.py", "import struct\nfrom collections.abc import Sequence\nfrom aioice import stun"),
        ("server/domain/ids.py", "class P(Protocol):\n    async def f(self) -> int: ..."),
        ("server/domain/ids.py", "from datetime import UTC, datetime\nx = datetime.fromtimestamp(now, UTC)"),
    ],
)
def test_what_is_allowed_is_not_reported(path: str, text: str) -> None:
    assert structure.check_source(path, text, KNOWN) == []

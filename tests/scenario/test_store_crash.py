"""Campaign 12, short form: the writing process is killed (SIGKILL) again and again, and nothing acknowledged is lost."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.audit.chain import GENESIS, Checkpoint
from server.audit.verify import verify_database
from server.store.sql import open_store
from tests.support.records import Records

KILLS = int(os.environ.get("TESTS_KILLS", "30"))  # the long form: 1000
SEED = 12
KILLS_A_DATABASE = 100
"""All of it is checked after every kill; then a new one is begun."""


@pytest.fixture
def writers() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.store_writer"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
        cwd=Path(__file__).resolve().parents[2],
    )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def run_and_kill(process: subprocess.Popen[str], path: Path, round: int, instructions: int, kill_after: int) -> set[str]:
    """What was acknowledged before the kill: by itself at ``instructions``, or by us after ``kill_after`` acknowledgements."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{round} {instructions} {path}\n")
    acknowledged: set[str] = set()
    writer = 0
    for line in process.stdout:
        word, _, value = line.strip().partition(" ")
        if word == "writer":
            writer = int(value)
        elif word == "done":
            acknowledged.add(value)
            if not instructions and len(acknowledged) == kill_after:
                os.kill(writer, signal.SIGKILL)
        else:
            assert (word, value) == ("over", str(-signal.SIGKILL))
            break
    return acknowledged


def stored(path: Path) -> tuple[set[str], set[str], set[str]]:
    """Sessions by the three things that each transaction wrote about them."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        queries = (
            "SELECT id FROM sessions",
            "SELECT session_id FROM messages",
            "SELECT json_extract(entry, '$.details.session') FROM audit",
        )
        sessions, messages, audited = ({row[0] for row in connection.execute(query)} for query in queries)
    finally:
        connection.close()
    return sessions, messages, audited


@pytest.mark.campaign(12)
async def test_a_killed_writer_loses_nothing_that_was_acknowledged(writers: subprocess.Popen[str], tmp_path: Path) -> None:
    chance = random.Random(SEED)
    inside = written = 0
    for round in range(KILLS):
        if round % KILLS_A_DATABASE == 0:
            path = tmp_path / f"store{round}.db"
            acknowledged: set[str] = set()
            head = Checkpoint(number=0, hash=GENESIS)
        # Two kills of three inside a statement, at a place that does not depend on time; the others at a moment of their own.
        instructions = chance.randint(20, 3000) if round % 3 else 0
        new = run_and_kill(writers, path, round, instructions, kill_after=chance.randint(1, 25))
        acknowledged |= new
        written += len(new)
        inside += instructions > 0
        report = verify_database(path, checkpoints=[head] if head.number else [])  # before anybody has recovered it
        assert report.ok, (round, report)
        head = report.head
        sessions, messages, audited = stored(path)
        assert acknowledged <= sessions, f"round {round}: {len(acknowledged - sessions)} acknowledged records are lost"
        assert sessions == messages == audited, f"round {round}: half a transaction is in the database"
    print(f"{KILLS} kills, {inside} of them inside a statement; {written} sessions acknowledged, none lost")
    assert written > KILLS
    assert inside >= KILLS // 2
    # And the next one goes on where they stopped.
    store = await open_store(f"sqlite:///{path}")
    async with store.begin() as tx:
        assert (await tx.append_audit(Records().event())).number == head.number + 1
    await store.close()

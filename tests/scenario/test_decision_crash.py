"""Campaign 12 for decisions: the process that decides is killed (SIGKILL) again and again, in the database's writing, in the evidence's and anywhere; nothing that was
acknowledged is lost, no decision has half its evidence, and nobody redeems twice."""

import hashlib
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
from server.domain.ids import CaseId
from server.services.verification_redeems import AlreadyRedeemed
from server.store import sql
from server.store.sql import open_store
from server.transactions.case import CaseState
from tests.support.decision_writer import PICTURES, bank, composed

KILLS = int(os.environ.get("TESTS_KILLS", "20"))  # with those of test_store_crash 50; the long form: 1000
SEED = 1212
KILLS_A_FOLDER = 10
"""All of it is checked after every kill; then a new one is begun."""
MOST_INSTRUCTIONS = 8_000
"""Of SQLite before a kill: some ten transactions through all their steps."""
DECIDED = {CaseState.ACCEPTED}


@pytest.fixture
def writers() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.decision_writer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def run_and_kill(
    process: subprocess.Popen[str], folder: Path, round: int, how: tuple[int, int], kill_after: int
) -> list[list[str]]:
    """What was acknowledged: words of each line. ``how``: instructions, syncs; both 0: killed by us after so many lines."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{round} {how[0]} {how[1]} {folder}\n")
    told: list[list[str]] = []
    writer = 0
    for line in process.stdout:
        words = line.split()
        if words[0] == "writer":
            writer = int(words[1])
        elif words[0] == "over":
            assert words[1] == str(-signal.SIGKILL), "nobody killed it"
            break
        else:
            told.append(words)
            if how == (0, 0) and len(told) == kill_after:
                os.kill(writer, signal.SIGKILL)
    return told


@pytest.mark.campaign(12)
async def test_a_server_killed_while_it_decides_loses_nothing_that_was_acknowledged(
    writers: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "WAIT_S", 60.0)  # of our own looking at it, on a disk that others keep busy
    chance = random.Random(SEED)
    seen = {"created": 0, "decided": 0, "redeemed": 0, "erasing": 0, "erased": 0}
    folder, told, head = tmp_path, dict[tuple[str, str], str](), Checkpoint(number=0, hash=GENESIS)
    refused: set[str] = set()
    for round in range(KILLS):
        if round % KILLS_A_FOLDER == 0:
            folder = tmp_path / f"data{round}"
            folder.mkdir()
            told, head = {}, Checkpoint(number=0, hash=GENESIS)
        how = ((chance.randint(200, MOST_INSTRUCTIONS), 0), (0, chance.randint(1, 60)), (0, 0))[round % 3]
        for words in run_and_kill(writers, folder, round, how, chance.randint(1, 30)):
            told[words[0], words[1]] = words[2] if len(words) > 2 else ""
            seen[words[0]] += 1
        report = verify_database(folder / "tongping.db", checkpoints=[head] if head.number else [])
        assert report.ok, (round, report)
        head = report.head
        await check(folder, told, refused, round)
    print(f"{KILLS} kills; acknowledged, and none lost: {seen}")
    assert all(seen.values()), seen


async def check(folder: Path, told: dict[tuple[str, str], str], refused: set[str], round: int) -> None:
    """As the next server finds it. ``refused``: cases whose second redemption was refused already: that they are redeemed is looked at again all the same."""
    store = await open_store(f"sqlite:///{folder}/tongping.db")
    made, post = await composed(folder, store)
    try:
        async with store.read() as tx:
            for (word, id), value in told.items():
                case = await tx.get_case(CaseId(id))
                assert case is not None, (round, word, id)
                if word == "decided":
                    assert case.state in DECIDED
                    assert hashlib.sha256(case.result.encode()).hexdigest() == value
                elif word == "redeemed":
                    assert case.redeemed_at is not None
                elif word == "erased":
                    assert case.evidence_erased_at is not None
            with sqlite3.connect(f"file:{folder}/tongping.db?mode=ro", uri=True) as connection:
                known = [id for (id,) in connection.execute("SELECT id FROM verification_cases")]
            cases = [case for id in known if (case := await tx.get_case(CaseId(id))) is not None]
        for case in cases:
            decided, erasing = case.state in DECIDED, ("erasing", case.id) in told
            found = await made.evidence.evidence_of(case)
            assert len(found) == (decided and case.evidence_erased_at is None), (
                round,
                case.id,
                "told or not, it has its evidence",
            )
            assert erasing or case.evidence_erased_at is None
            for kept in found:
                if not (kept.lost and erasing):  # its keys go first, and the record last
                    assert kept.lost == "", (round, case.id)
                    assert len(kept.pictures) == len(PICTURES)
                    for shown in kept.pictures:
                        assert (await made.evidence.picture(kept.name, kept.digest, shown.name)).startswith(b"\xff\xd8")
            assert case.id not in refused or case.redeemed_at is not None
            if decided and case.redeemed_at is not None and case.id not in refused:
                refused.add(case.id)
                with pytest.raises(AlreadyRedeemed):
                    await made.redeem(bank(), case.id, case.result)
    finally:
        await post.close()
        await store.close()

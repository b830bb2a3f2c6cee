"""A process that is killed: for each line of its input it forks a writer, which writes to the store until somebody kills it.

``python -m tests.support.store_writer``. Input: ``ROUND INSTRUCTIONS DATABASE`` a line; with INSTRUCTIONS > 0 the writer kills itself
(SIGKILL) when SQLite has run that many virtual-machine instructions in writing, wherever that is. Output, a line each:
``writer PID``, then ``done ID`` for every transaction that was acknowledged, then ``over STATUS``
(-9 when it was killed).
"""

import asyncio
import os
import signal
import sqlite3
import sys

from sqlalchemy import event

from server.errors import StoreUnavailable
from server.store import checkpoints
from server.store.sql import SqlStore, open_store
from tests.support.records import Records

WRITERS = 3
MAX_WRITES = 5000  # a writer that nobody kills ends
COMMITS = 4
"""Until the log is brought into the database, so that kills are in the middle of that too."""


def say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


def arm(store: SqlStore, instructions: int) -> None:
    """SIGKILL in the middle of whatever SQLite does at that instruction of the writing connection."""

    def configure(connection: object, entry: object) -> None:
        del entry
        driver: sqlite3.Connection = connection.driver_connection._connection  # type: ignore[attr-defined]
        driver.set_progress_handler(lambda: os.kill(os.getpid(), signal.SIGKILL), instructions)

    event.listen(store.writer.sync_engine, "connect", configure)


async def write(path: str, round: int, instructions: int) -> None:
    make = Records()
    make.skip(round * 1_000_000)
    store = await open_store(f"sqlite:///{path}")
    if instructions:
        await store.writer.dispose()
        arm(store, instructions)

    async def writer() -> None:
        for _ in range(MAX_WRITES):
            session = make.session()
            participant = make.participant(session.id)
            try:
                async with store.begin() as tx:
                    await tx.add_session(session)
                    await tx.add_participant(participant)
                    await tx.add_message(make.message(session.id, participant.id, client_id="1"))
                    await tx.append_audit(make.event(session=session.id))
            except StoreUnavailable:  # a disk that others keep busy: refused, and so not acknowledged
                continue
            say(f"done {session.id}")

    await asyncio.gather(*(writer() for _ in range(WRITERS)))
    await store.close()


def main() -> None:
    checkpoints.EVERY = COMMITS
    for line in sys.stdin:
        round, instructions = (int(word) for word in line.split()[:2])
        path = line.rstrip("\n").split(" ", 2)[2]
        writer = os.fork()
        if writer == 0:
            say(f"writer {os.getpid()}")
            asyncio.run(write(path, round, instructions))
            os._exit(0)
        _, status = os.waitpid(writer, 0)
        say(f"over {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()

"""The store on a SQL database: SQLite by default (aiosqlite), PostgreSQL (asyncpg) by URL.

SQLite: WAL, ``synchronous=FULL`` (a commit is on disk when it returns), ``secure_delete``, foreign keys, ``BEGIN IMMEDIATE`` for writers, one connection
that writes, a few that read and one that empties the log beside them (``checkpoints``). PostgreSQL: ``synchronous_commit``; readers are REPEATABLE READ and read-only,
the writer is READ COMMITTED, so that it sees what others wrote before it had its turn. Write transactions are serialised: in the process by a lock, between processes by the
database (PostgreSQL: an advisory lock), so that the audit chain has one head.

Overflow: at most ``MAX_WAITING_WRITERS`` transactions wait for the lock and none longer than ``WAIT_S``; beyond that StoreUnavailable.
A task that is cancelled while its commit runs waits for the commit's end first: the outcome is never in the air.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from server.errors import ConfigError, StoreUnavailable
from server.store import checkpoints, one_way
from server.store.migrate import WRITER_LOCK, check_current, upgrade
from server.store.sql_transaction import SqlTransaction, translated

READERS = 4
WAIT_S = 10.0
MAX_WAITING_WRITERS = 1000
BUSY_TIMEOUT_MS = 5000
SCRUB_WAIT_MS = 50

_DRIVERS = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


async def open_store(url: str, *, migrate: bool = True) -> "SqlStore":
    """Connect; with ``migrate`` bring the database to today's revision first.

    ``url``: ``sqlite:////data/tongping.db`` (the folder must exist) or ``postgresql://…``. Raises ConfigError (a URL that
    is wrong, a database of another revision), StoreUnavailable.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        _prepare_file(parsed)
    store = SqlStore(parsed)
    try:
        with translated():
            if migrate:
                async with store.writer.connect() as connection:
                    await upgrade(connection)
            async with store.writer.connect() as connection:
                await check_current(connection)
    except BaseException:
        await store.close()
        raise
    return store


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigError("the database URL is not valid") from None
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise ConfigError(f"the database {parsed.drivername} is not supported: use sqlite or postgresql")
    return parsed.set(drivername=driver)


def _prepare_file(url: URL) -> None:
    """The file exists with mode 0600 before SQLite opens it: it holds personal data, and its WAL inherits the mode."""
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise ConfigError("SQLite needs a path to a file")
    path = Path(url.database)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as exc:
        raise ConfigError(f"the database {path} cannot be opened: {exc.strerror}") from exc


def _engine(url: URL, *, connections: int, begin: str, read_only: bool) -> AsyncEngine:
    own = _postgresql(read_only=read_only) if url.get_backend_name() == "postgresql" else {}
    try:
        engine = create_async_engine(
            url, pool_size=connections, max_overflow=0, pool_timeout=WAIT_S, hide_parameters=True, **own
        )
    except (NoSuchModuleError, ModuleNotFoundError) as exc:
        raise ConfigError(f"the database driver {url.drivername} is not installed") from exc
    if url.get_backend_name() == "sqlite":
        event.listen(engine.sync_engine, "do_connect", one_way.use)
        event.listen(engine.sync_engine, "connect", _configure_reader if read_only else _configure_writer)
        # The driver must not begin transactions of its own: https://docs.sqlalchemy.org/en/21/dialects/sqlite.html
        event.listen(engine.sync_engine, "begin", one_way.begin(begin))
    return engine


def _postgresql(*, read_only: bool) -> dict[str, Any]:
    """A connection that the database has closed meanwhile is replaced before it is used; nobody waits for a lock longer than for the own writer's, and a server
    that vanished in the middle of a transaction keeps its locks for half a minute, not for hours. Whatever the database's own defaults are, a writer sees what
    was committed before it had its turn.
    """
    settings = {
        "application_name": "tongping",
        "synchronous_commit": "on",
        "lock_timeout": str(round(WAIT_S * 1000)),
        "idle_in_transaction_session_timeout": "30000",
        "tcp_keepalives_idle": "15",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
    }
    how: dict[str, Any] = {"isolation_level": "READ COMMITTED"}
    if read_only:
        how = {"isolation_level": "REPEATABLE READ", "execution_options": {"postgresql_readonly": True}}
    return {"pool_pre_ping": True, "connect_args": {"timeout": WAIT_S, "server_settings": settings}, **how}


def _configure_writer(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    del entry
    last = f"PRAGMA wal_autocheckpoint={checkpoints.LAST_PAGES}"
    _configure(connection, "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA secure_delete=ON", last)


def _configure_reader(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    del entry
    _configure(connection, "PRAGMA query_only=ON")


def _configure(connection: DBAPIConnection, *pragmas: str) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for pragma in (f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}", "PRAGMA foreign_keys=ON", *pragmas):
            cursor.execute(pragma)
        cursor.close()
    except BaseException:
        connection.close()  # the pool forgets a connection that cannot be set up without closing it
        raise


class SqlStore:
    """See ``ports.Store``. Made by ``open_store``; close it."""

    def __init__(self, url: URL) -> None:
        self.writer = _engine(url, connections=1, begin="BEGIN IMMEDIATE", read_only=False)
        self._readers = _engine(url, connections=READERS, begin="BEGIN", read_only=True)
        self._lock = asyncio.Lock()
        self.checkpoints: checkpoints.Checkpoints | None = None
        if url.get_backend_name() == "sqlite":
            beside = _engine(url, connections=1, begin="BEGIN", read_only=False)
            self.checkpoints = checkpoints.Checkpoints(beside, self._lock, _whole)
        self._waiting = 0
        self._owner: asyncio.Task[Any] | None = None
        self._closed = False

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[SqlTransaction]:
        """See ``ports.Store.begin``. Raises RuntimeError inside another write transaction of the same task."""
        if self._owner is not None and self._owner is asyncio.current_task():
            raise RuntimeError("a write transaction inside a write transaction")
        await self._acquire()
        try:
            self._owner = asyncio.current_task()
            async with self._transaction(self.writer, writable=True) as transaction:
                if self.writer.dialect.name == "postgresql":
                    await transaction.run(text("SELECT pg_advisory_xact_lock(:key)").bindparams(key=WRITER_LOCK))
                yield transaction
            if self.checkpoints is not None:
                self.checkpoints.committed()
        finally:
            self._owner = None
            self._lock.release()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlTransaction]:
        """See ``ports.Store.read``: a snapshot from its first query on."""
        async with self._transaction(self._readers, writable=False) as transaction:
            yield transaction

    async def ping(self) -> None:
        async with self.read() as transaction:
            await transaction.run(text("SELECT 1"))

    async def scrub(self) -> bool:
        """See ``ports.Store.scrub``. SQLite: what is free is overwritten already (``secure_delete``), and the log is emptied into the database
        and cut to nothing. PostgreSQL keeps old rows until it vacuums, and its log: there the wrapped key is what must not survive in backups.
        """
        for engine in (self.writer, self._readers):  # a compiled statement remembers the values that it was first asked with
            engine.clear_compiled_cache()
        if self.checkpoints is None:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            return True
        await self._acquire()
        try:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            done: list[bool] = []
            async with self.checkpoints.alone:
                await _whole(self._truncate_log(done))
            return done == [True]
        finally:
            self._lock.release()

    async def _truncate_log(self, done: list[bool]) -> None:
        """Outside any transaction, and waiting for readers for a moment only: writers wait meanwhile."""
        with translated():
            async with self.writer.connect() as connection:
                driver: Any = (await connection.get_raw_connection()).driver_connection
                await driver.execute(f"PRAGMA busy_timeout={SCRUB_WAIT_MS}")
                try:
                    async with driver.execute("PRAGMA wal_checkpoint(TRUNCATE)") as cursor:
                        busy, _, _ = await cursor.fetchone()
                finally:
                    await driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
                done.append(busy == 0)

    async def close(self) -> None:
        """Waits for the write that runs. Again does nothing."""
        async with self._lock:
            self._closed = True
            await self._readers.dispose()
            await self.writer.dispose()
        if self.checkpoints is not None:
            await self.checkpoints.close()

    async def _acquire(self) -> None:
        if self._waiting >= MAX_WAITING_WRITERS:
            raise StoreUnavailable("too many writers wait")
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_S):
                await self._lock.acquire()
        except TimeoutError as exc:
            raise StoreUnavailable("the writer's turn did not come in time") from exc
        finally:
            self._waiting -= 1

    @asynccontextmanager
    async def _transaction(self, engine: AsyncEngine, *, writable: bool) -> AsyncIterator[SqlTransaction]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        connection = engine.connect()
        transaction: SqlTransaction | None = None
        try:
            with translated():
                await _whole(_start(connection))
            transaction = SqlTransaction(connection, writable=writable)
            yield transaction
            with translated():
                await _whole(connection.commit() if writable else connection.rollback())
        finally:
            if transaction is not None:
                transaction.end()
            with translated():
                await _whole(connection.close())  # rolls back what was not committed


async def _start(connection: AsyncConnection) -> None:
    await connection.start()
    await connection.begin()


async def _whole(work: Coroutine[Any, Any, None]) -> None:
    """Await ``work`` to its end even when the awaiting task is cancelled; the cancellation follows then.

    Bounded by the database's own time limits (``busy_timeout``, ``pool_timeout``).
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        task.exception()  # seen
        raise cancelled
    task.result()

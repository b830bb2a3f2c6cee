"""Bringing a database to today's revision (Alembic). The revisions are in ``migrations/versions`` and travel with the package."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.errors import ConfigError

WRITER_LOCK = 7_301_482_011
"""PostgreSQL's advisory lock of Tongping's writers."""


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "server.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def newest_revision() -> str:
    """The revision this version of the server works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    try:
        command.upgrade(_config(connection), "head")
    except CommandError as exc:
        raise ConfigError(f"the database cannot be brought to revision {newest_revision()}: {exc}") from exc


async def upgrade(connection: AsyncConnection) -> None:
    """Run what is pending, all or nothing; of several servers that start at once one does. Raises ConfigError for a database of a newer server."""
    async with connection.begin():
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITER_LOCK})
        await connection.run_sync(_upgrade)


async def check_current(connection: AsyncConnection) -> None:
    """Raises ConfigError when the database is not at today's revision."""
    found = await connection.run_sync(_current)
    if found != newest_revision():
        raise ConfigError(
            f"the database is at revision {found or 'none'}, this server needs {newest_revision()}: run `tongping db upgrade`"
        )

"""Bringing a database to today's revision (Alembic). The revisions are in ``migrations/versions`` and travel with the package."""

from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.errors import ConfigError

if TYPE_CHECKING:
    from alembic.config import Config

NEWEST_REVISION = "0023"
"""What this version of the server works with: the head of the revisions. Said here so that a start with nothing to do need not read them all, nor Alembic."""
WRITER_LOCK = 7_301_482_011
"""PostgreSQL's advisory lock of Tongping's writers."""


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "server.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def head() -> str | None:
    """The newest of the revisions that are there."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config()).get_current_head()


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return found


def _upgrade(connection: Connection) -> None:
    if _current(connection) == NEWEST_REVISION:
        return
    from alembic import command
    from alembic.util.exc import CommandError

    try:
        command.upgrade(_config(connection), "head")
    except CommandError as exc:
        raise ConfigError(f"the database cannot be brought to revision {NEWEST_REVISION}: {exc}") from exc


async def upgrade(connection: AsyncConnection) -> None:
    """Run what is pending, all or nothing; of several servers that start at once one does. Raises ConfigError for a database of a newer server."""
    async with connection.begin():
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": WRITER_LOCK})
        await connection.run_sync(_upgrade)


async def check_current(connection: AsyncConnection) -> None:
    """Raises ConfigError when the database is not at today's revision."""
    found = await connection.run_sync(_current)
    if found != NEWEST_REVISION:
        raise ConfigError(
            f"the database is at revision {found or 'none'}, this server needs {NEWEST_REVISION}: run `tongping db upgrade`"
        )

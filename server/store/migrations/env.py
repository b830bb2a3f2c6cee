"""Alembic's environment: runs on the connection and in the transaction that ``server.store.migrate`` brings."""

from alembic import context

from server.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=False,
)
context.run_migrations()

"""Where Alembic begins: runs the missing steps on the connection that the caller opened."""

from __future__ import annotations

from alembic import context

from tollkeeper.store import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()

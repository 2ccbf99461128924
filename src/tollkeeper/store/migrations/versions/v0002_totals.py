"""What all counters of an application add up to, so that nobody has to add them up."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table, and adds up what was counted before."""
    op.create_table(
        "totals",
        sa.Column("application", sa.String(length=40), nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("application"),
    )
    op.execute(
        "INSERT INTO totals (application, calls, events) "
        "SELECT application, SUM(calls), SUM(events) FROM counters GROUP BY application"
    )

"""The risk of transactions: lists, what happened lately, devices that are known, rules in place of files."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "risk_entries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("list", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", time, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_risk_entries")),
        sa.UniqueConstraint("digest", "kind", "list", name=op.f("uq_risk_entries_digest_kind_list")),
    )
    op.create_index(op.f("ix_risk_entries_created_at_id"), "risk_entries", ["created_at", "id"])
    op.create_table(
        "risk_events",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", time, nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("customer", sa.LargeBinary(), nullable=False),
        sa.Column("device", sa.LargeBinary(), nullable=True),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_risk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_risk_events_at"), "risk_events", ["at"])
    op.create_table(
        "risk_devices",
        sa.Column("customer", sa.LargeBinary(), nullable=False),
        sa.Column("device", sa.LargeBinary(), nullable=False),
        sa.Column("first_at", time, nullable=False),
        sa.Column("last_at", time, nullable=False),
        sa.PrimaryKeyConstraint("customer", "device", name=op.f("pk_risk_devices")),
    )
    op.create_index(op.f("ix_risk_devices_last_at"), "risk_devices", ["last_at"])
    op.create_table(
        "risk_rules",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_risk_rules")),
    )


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

"""Customers whom a person of the bank has identified without a face check; attempts that ended through us; failures that are void."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("verification_cases", sa.Column("identified", sa.Text(), server_default="null", nullable=False))
    op.add_column("verification_failures", sa.Column("excused", sa.Integer(), server_default="0", nullable=False))
    op.add_column("verification_failures", sa.Column("excused_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("risk_events", sa.Column("voids", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

"""What is kept of attempts and portraits, by name and digest, and until when."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("verification_attempts", sa.Column("evidence", sa.Text(), server_default="", nullable=False))
    for column in (
        sa.Column("retention_days", sa.Integer(), server_default="30", nullable=False),
        sa.Column("reference_vault", sa.Text(), server_default="", nullable=False),
        sa.Column("reference_evidence", sa.Text(), server_default="", nullable=False),
        sa.Column("evidence_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence_erased_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("verification_cases", column)
    op.create_index(op.f("ix_verification_cases_evidence_until"), "verification_cases", ["evidence_until"])


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

"""While its customer waits for a person the time of a verification stands still."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("verification_cases", sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("verification_cases", sa.Column("waiting_s", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

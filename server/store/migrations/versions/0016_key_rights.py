"""Reading the audit trail, and what is kept of a customer, are rights of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for right in ("audit", "customers"):
        op.add_column("api_keys", sa.Column(right, sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

"""What a kept answer is about, so that it goes with what is erased."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("idempotency", sa.Column("about", sa.Text(), server_default="", nullable=False))
    op.create_index(op.f("ix_idempotency_about"), "idempotency", ["about"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

"""Which text a decision about consent was asked with: its hash."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consents", sa.Column("text", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

"""Who is on hold, whose microphone was muted by somebody else, and which supervisor listens."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("participants", sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("participants", sa.Column("muted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("participants", sa.Column("listens_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

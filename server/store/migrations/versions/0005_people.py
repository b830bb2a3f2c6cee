"""Locked sessions and waiting rooms, hand-overs that are under way, who waits, and by which signing in staff came."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("locked_at", "waiting_room_at", "consults_at"):
        op.add_column("sessions", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in ("handover_from", "handover_to"):
        op.add_column("sessions", sa.Column(name, sa.String(40), nullable=True))
    op.add_column("participants", sa.Column("waits_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("participants", sa.Column("login_id", sa.String(40), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

"""The picture that a template was made from, sealed with it, where it is kept."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("face_templates", sa.Column("picture", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

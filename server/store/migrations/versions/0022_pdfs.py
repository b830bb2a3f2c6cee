"""PDFs that are looked at together. Their bytes, names and hashes are files of the session."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pdfs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("participant_id", sa.String(length=40), nullable=False),
        sa.Column("file_id", sa.String(length=40), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("sizes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_file_id", sa.String(length=40), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signatures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name=op.f("fk_pdfs_file_id")),
        sa.ForeignKeyConstraint(["signed_file_id"], ["files.id"], name=op.f("fk_pdfs_signed_file_id")),
        sa.ForeignKeyConstraint(
            ["session_id", "participant_id"], ["participants.session_id", "participants.id"], name=op.f("fk_pdfs_session_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pdfs")),
    )
    op.create_index(op.f("ix_pdfs_session_id_created_at"), "pdfs", ["session_id", "created_at"], unique=False)


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

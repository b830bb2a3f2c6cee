"""Transactions to be verified: cases, attempts, the policies they began with, failures of customers; API keys that may ask for them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    time = sa.DateTime(timezone=True)
    op.create_table(
        "verification_policies",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("canonical", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_verification_policies")),
    )
    op.create_table(
        "verification_cases",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("details_hash", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("policy_hash", sa.Text(), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("created_at", time, nullable=False),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.Column("expires_at", time, nullable=False),
        sa.Column("attempts_allowed", sa.Integer(), nullable=False),
        sa.Column("due_at", time, nullable=True),
        sa.Column("template", sa.String(length=40), nullable=True),
        sa.Column("session_id", sa.String(length=40), nullable=True),
        sa.Column("reference_pack", sa.Text(), nullable=False),
        sa.Column("reference_key", sa.LargeBinary(), nullable=False),
        sa.Column("reference_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("attempts_used", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.String(length=40), nullable=True),
        sa.Column("attempt_until", time, nullable=True),
        sa.Column("review_until", time, nullable=True),
        sa.Column("reviews", sa.Text(), nullable=False),
        sa.Column("decided", sa.Text(), nullable=False),
        sa.Column("ended_at", time, nullable=True),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("result_until", time, nullable=True),
        sa.Column("redeemed_at", time, nullable=True),
        sa.ForeignKeyConstraint(
            ["policy_hash"], ["verification_policies.hash"], name=op.f("fk_verification_cases_policy_hash")
        ),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name=op.f("fk_verification_cases_session_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification_cases")),
    )
    op.create_index(op.f("ix_verification_cases_state_review_until"), "verification_cases", ["state", "review_until"])
    op.create_index(op.f("ix_verification_cases_due_at"), "verification_cases", ["due_at"])
    op.create_index(op.f("ix_verification_cases_customer_created_at"), "verification_cases", ["customer", "created_at"])
    op.create_index(op.f("ix_verification_cases_session_id"), "verification_cases", ["session_id"])
    op.create_table(
        "verification_attempts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("case_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("assurance", sa.String(length=40), nullable=False),
        sa.Column("started_at", time, nullable=False),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("until", time, nullable=False),
        sa.Column("ended_at", time, nullable=True),
        sa.Column("outcome", sa.String(length=40), nullable=True),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("checked", sa.Text(), nullable=False),
        sa.Column("risk", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["verification_cases.id"], name=op.f("fk_verification_attempts_case_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification_attempts")),
        sa.UniqueConstraint("case_id", "number", name=op.f("uq_verification_attempts_case_id_number")),
    )
    op.create_table(
        "verification_failures",
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", time, nullable=False),
        sa.Column("locked_until", time, nullable=True),
        sa.PrimaryKeyConstraint("customer", name=op.f("pk_verification_failures")),
    )
    op.add_column("api_keys", sa.Column("verifications", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    raise NotImplementedError("restore a backup instead")

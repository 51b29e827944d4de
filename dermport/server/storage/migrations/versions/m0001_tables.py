"""The tables that the server began with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_activations()
    _create_api_keys()
    _create_comparisons()
    _create_rollouts()


def downgrade() -> None:
    """Drop them."""
    for table in ("rollouts", "comparisons", "api_keys", "activations"):
        op.drop_table(table)


def _time(name: str, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _text(name: str, length: int, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=nullable)


def _create_activations() -> None:
    op.create_table(
        "activations",
        sa.Column("id", sa.Integer(), nullable=False),
        _text("name", 64),
        _text("version", 32),
        _time("activated_at"),
        _text("who", 128),
        sa.PrimaryKeyConstraint("id", name="pk_activations"),
    )


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        _text("id", 16),
        _text("name", 64),
        _text("secret_sha256", 64),
        _text("scopes", 64),
        _time("created_at"),
        _time("expires_at", nullable=True),
        _time("revoked_at", nullable=True),
        _time("last_used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )


def _create_comparisons() -> None:
    op.create_table(
        "comparisons",
        _text("id", 32),
        _time("created"),
        _text("idempotency_key", 128, nullable=True),
        _text("fingerprint", 64),
        _text("cause", 16),
        sa.Column("change", sa.Double(), nullable=False),
        sa.Column("same_label", sa.Boolean(), nullable=False),
        sa.Column("same_decision", sa.Boolean(), nullable=False),
        sa.Column("phone_positive", sa.Boolean(), nullable=False),
        sa.Column("server_positive", sa.Boolean(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        _text("artifact_sha256", 64),
        _text("device", 64, nullable=True),
        sa.Column("device_model", sa.Text(), nullable=True),
        _text("model", 64),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("photo_kept", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_comparisons"),
        sa.UniqueConstraint("idempotency_key", name="uq_comparisons_idempotency_key"),
    )
    op.create_index("ix_comparisons_created_id", "comparisons", ["created", "id"])
    op.create_index("ix_comparisons_artifact_sha256_created", "comparisons", ["artifact_sha256", "created"])


def _create_rollouts() -> None:
    op.create_table(
        "rollouts",
        _text("model", 64),
        _text("platform", 16),
        _text("candidate", 32),
        sa.Column("percentage", sa.Integer(), nullable=False),
        _text("minimum_app_version", 64, nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        _text("pause_reason", 1000),
        _time("updated_at"),
        sa.CheckConstraint("percentage BETWEEN 0 AND 100", name="ck_rollouts_percentage"),
        sa.PrimaryKeyConstraint("model", "platform", name="pk_rollouts"),
    )

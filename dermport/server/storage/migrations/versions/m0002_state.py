"""What a server knows of its state as a whole."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and its one row."""
    table = op.create_table(
        "state",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("signing_keys", sa.String(64), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_state")),
    )
    op.bulk_insert(table, [{"id": secrets.token_hex(16)}])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("state")

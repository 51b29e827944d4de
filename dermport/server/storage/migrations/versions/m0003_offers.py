"""The number of what phones are offered."""

from __future__ import annotations

import datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table with its one row."""
    offers = op.create_table(
        "offers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_offers"),
    )
    began = datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
    op.bulk_insert(offers, [{"id": 1, "sequence": 0, "digest": "", "issued_at": began}])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("offers")

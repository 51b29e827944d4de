"""Which API key posted a comparison: what tells one device from another where names can be drawn at will."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("comparisons", sa.Column("sender", sa.String(16), nullable=True))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("comparisons") as comparisons:
        comparisons.drop_column("sender")

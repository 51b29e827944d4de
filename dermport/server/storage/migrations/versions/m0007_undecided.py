"""Whether a comparison is of a model that knows no decision: then it counts for none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; null is the common case, so that no row is written anew."""
    op.add_column("comparisons", sa.Column("undecided", sa.Boolean(), nullable=True))


def downgrade() -> None:
    """Drop it."""
    with op.batch_alter_table("comparisons") as comparisons:
        comparisons.drop_column("undecided")

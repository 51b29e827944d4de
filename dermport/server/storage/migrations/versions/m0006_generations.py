"""Whether something has changed that the processes of a server keep in memory."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, with a row for each subject."""
    generations = op.create_table(
        "generations",
        sa.Column("subject", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_generations"),
    )
    op.bulk_insert(generations, [{"subject": subject, "number": 0} for subject in ("keys", "live", "folders")])


def downgrade() -> None:
    """Drop it."""
    op.drop_table("generations")

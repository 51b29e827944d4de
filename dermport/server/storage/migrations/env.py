"""What Alembic runs: the migrations, on the connection that it is given."""

from __future__ import annotations

from alembic import context

from dermport.server.storage.activations import ActivationRow
from dermport.server.storage.api_keys import ApiKeyRow
from dermport.server.storage.base import Base
from dermport.server.storage.comparisons import ComparisonRow
from dermport.server.storage.generations import GenerationRow
from dermport.server.storage.offers import OfferRow
from dermport.server.storage.rollouts import RolloutRow
from dermport.server.storage.state import StateRow

# Importing every table is what makes the list whole.
TABLES = (ActivationRow, ApiKeyRow, ComparisonRow, GenerationRow, OfferRow, RolloutRow, StateRow)
METADATA = Base.metadata


def run() -> None:
    """Run the migrations that Alembic has chosen."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=METADATA,
        render_as_batch=True,  # SQLite can alter little of a table; batch mode copies it
        transactional_ddl=True,  # also on SQLite, since our sessions begin their transactions themselves
    )
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # as Alembic calls this file; importing it does nothing
    run()

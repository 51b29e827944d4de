"""Every table of the database, for migrations: importing this file is what makes the list whole."""

from __future__ import annotations

from dermport.server.storage.activations import ActivationRow
from dermport.server.storage.api_keys import ApiKeyRow
from dermport.server.storage.base import Base
from dermport.server.storage.comparisons import ComparisonRow
from dermport.server.storage.rollouts import RolloutRow

TABLES = (ActivationRow, ApiKeyRow, ComparisonRow, RolloutRow)
METADATA = Base.metadata

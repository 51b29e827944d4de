"""Every table of the database, for migrations: importing this file is what makes the list whole."""

from __future__ import annotations

from server.storage.activations import ActivationRow
from server.storage.api_keys import ApiKeyRow
from server.storage.base import Base
from server.storage.comparisons import ComparisonRow
from server.storage.rollouts import RolloutRow

TABLES = (ActivationRow, ApiKeyRow, ComparisonRow, RolloutRow)
METADATA = Base.metadata

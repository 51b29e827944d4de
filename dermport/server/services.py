"""What the views work with."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import cast

from flask import current_app

from dermport.server.comparing.comparisons import ComparisonService
from dermport.server.config import ServerConfig
from dermport.server.delivery.service import ModelDelivery
from dermport.server.delivery.switch import ModelSwitch
from dermport.server.operations.metrics import ServerMetrics
from dermport.server.security.access import Access
from dermport.server.security.limits import Limits
from dermport.server.serving.models import Models
from dermport.server.storage.database import Database

EXTENSION = "dermport"


@dataclass(frozen=True)
class Services:
    """Everything behind the app.

    Attributes:
        config: What the server was told.
        models: The models, one of them live.
        database: What is remembered.
        access: Who may ask.
        limits: How often.
        delivery: Models for phones.
        switch: Makes models live, and remembers it.
        comparisons: Phone against server.
        metrics: Figures for Prometheus.
        closing: Frees all of them, in the order in which they need each other.
    """

    config: ServerConfig
    models: Models
    database: Database
    access: Access
    limits: Limits
    delivery: ModelDelivery
    switch: ModelSwitch
    comparisons: ComparisonService
    metrics: ServerMetrics
    closing: ExitStack

    def is_stuck(self) -> bool:
        """Whether something in hand takes longer than it may: only the end of the process ends that."""
        return self.models.current.overdue() > 0

    def close(self) -> None:
        """Free what the services hold, once no request is being answered."""
        self.closing.close()


def services() -> Services:
    """Return the current app's services."""
    return cast(Services, current_app.extensions[EXTENSION])

"""What the views work with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import current_app

from server.config import ServerConfig
from server.serving.models import Models

EXTENSION = "dermport"


@dataclass(frozen=True)
class Services:
    """Everything behind the app.

    Attributes:
        config: What the server was told.
        models: The models, one of them live.
    """

    config: ServerConfig
    models: Models

    def close(self) -> None:
        """Free what the services hold, once no request is being answered."""
        self.models.close()


def services() -> Services:
    """Return the current app's services."""
    return cast(Services, current_app.extensions[EXTENSION])

"""Addresses that are described when somebody asks for it: to do so at the start takes a tenth of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_openapi3 import APIBlueprint, OpenAPI


class DescribedLater(APIBlueprint):
    """A blueprint that makes the schemas of what it takes and gives when they are asked for, not when imported."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._untold: list[tuple[str, Callable[..., Any], dict[str, Any]]] = []

    def _collect_openapi_info(self, rule: str, func: Callable[..., Any], **said: Any) -> Any:
        self._untold.append((rule, func, said))
        return super()._collect_openapi_info(rule, func, **{**said, "doc_ui": False})

    def describe_in(self, app: OpenAPI) -> None:
        """Have the description of `app` hold that of the addresses; one thread at a time."""
        while self._untold:
            rule, func, said = self._untold.pop(0)
            super()._collect_openapi_info(rule, func, **said)
        app.tags += [tag for tag in self.tags if tag not in app.tags]
        app.paths.update(self.paths)
        app.components_schemas.update(self.components_schemas)

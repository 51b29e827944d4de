"""The base of query strings."""

from __future__ import annotations

from functools import cache
from typing import Any

from dermport.bundle.wire import Message


class Query(Message):
    """A query string. Its schema is made once: flask-openapi3 asks for it at every request."""

    @classmethod
    @cache
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:  # type: ignore[override]  # cached
        """Return the JSON Schema; not to be changed."""
        return super().model_json_schema(*args, **options)

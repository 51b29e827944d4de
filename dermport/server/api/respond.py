"""Answers as JSON."""

from __future__ import annotations

from flask import Response
from pydantic import BaseModel


def json_response(answer: BaseModel, status: int = 200) -> Response:
    """Return a contract class as a JSON response, by the names that its schema has."""
    return Response(answer.model_dump_json(by_alias=True), status=status, mimetype="application/json")

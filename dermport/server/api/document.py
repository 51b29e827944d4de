"""The API's description (OpenAPI 3.1), made from the code, and its page; nothing is loaded from elsewhere."""

from __future__ import annotations

import json
import re
import threading
from functools import cache
from pathlib import Path
from typing import Any, cast

from flask import Blueprint, Response, current_app, render_template_string, request
from flask_openapi3 import OpenAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dermport.bundle import wire
from dermport.bundle.notice import NOTICE
from dermport.bundle.signature import Envelope
from dermport.bundle.wire import PROBLEM_TYPE
from dermport.server.api.blueprint import DescribedLater
from dermport.server.api.bodies import body_of, headers_of
from dermport.server.plain import plain
from dermport.server.security.access import open_to_all, scope_of
from dermport.server.security.headers import PAGE_POLICY

api = Blueprint("document", __name__)
_DESCRIBING = threading.Lock()
_PAGES = Path(__file__).parent / "pages"
_SCHEMAS = "#/components/schemas/"
SECURITY = {
    "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
# Anybody's request can be refused for these reasons, before a view sees it.
_ANYWHERE = ("400", "413", "429", "500", "503")


@api.get("/openapi.json")
@open_to_all
def openapi() -> Response:
    """Return the description of every address."""
    servers = [{"url": request.script_root or "/"}]
    return Response(json.dumps({**_described(), "servers": servers}), mimetype="application/json")


@api.get("/docs")
@open_to_all
def docs() -> Response:
    """Show the description to people."""
    page = (_PAGES / "docs.html").read_text()
    return _page(render_template_string(page, document=_described(), notice=NOTICE, example=_example))


@api.get("/docs/style.css")
@open_to_all
def style() -> Response:
    """Return the page's style."""
    return Response((_PAGES / "docs.css").read_text(), mimetype="text/css")


def _page(text: str) -> Response:
    return Response(text, headers={"Content-Security-Policy": PAGE_POLICY}, mimetype="text/html")


def _described() -> dict[str, Any]:
    with _DESCRIBING:
        return describe(cast(OpenAPI, plain(current_app)))


@cache
def describe(app: OpenAPI) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of an app whose addresses are all registered."""
    for blueprint in app.blueprints.values():
        if isinstance(blueprint, DescribedLater):
            blueprint.describe_in(app)
    document: dict[str, Any] = app.api_doc
    schemas = document["components"]["schemas"]
    schemas.pop("ValidationErrorModel", None)
    schemas.pop("UnprocessableEntity", None)
    schemas.update({name: schema for name, schema in _exact_schemas().items() if name in {*schemas, "Problem"}})
    document["components"]["securitySchemes"] = SECURITY
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            _complete(operation, _view_at(app, path, method))
    return document


def _exact_schemas() -> dict[str, Any]:
    """Return every document's schema by name; flask-openapi3 leaves out what it does not know, as patternProperties."""
    classes = [one for one in [*vars(wire).values(), Envelope] if isinstance(one, type) and issubclass(one, BaseModel)]
    _, made = models_json_schema([(one, "validation") for one in classes], ref_template=_SCHEMAS + "{model}")
    schemas: dict[str, Any] = made["$defs"]
    return schemas


def _complete(operation: dict[str, Any], view: Any) -> None:
    operation["operationId"] = view.__name__
    responses = operation["responses"]
    responses.pop("422", None)
    problem = {"content": {PROBLEM_TYPE: {"schema": {"$ref": _SCHEMAS + "Problem"}}}}
    statuses = [
        *_ANYWHERE,
        *(["401", "403"] if scope_of(view) else []),
        *(["422"] if _takes_input(operation, view) else []),
    ]
    for status in statuses:
        responses.setdefault(status, {"description": "refused", **problem})
    responses["default"] = {"description": "any other refusal or failure", **problem}
    if headers := headers_of(view):
        operation["parameters"] = [*operation.get("parameters", ()), *headers]
    if body := body_of(view):
        operation["requestBody"] = {"required": True, "content": body}
    if scope := scope_of(view):
        operation["security"] = [{}, *({name: []} for name in SECURITY)]
        operation["x-scope"] = scope


def _takes_input(operation: dict[str, Any], view: Any) -> bool:
    return bool(operation.get("parameters") or operation.get("requestBody") or body_of(view))


def _view_at(app: OpenAPI, path: str, method: str) -> Any:
    for rule in app.url_map.iter_rules():
        if re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", rule.rule) == path and method.upper() in (rule.methods or ()):
            return app.view_functions[rule.endpoint]
    raise LookupError(f"{method} {path} is described but not registered")


def _example(schema: dict[str, Any]) -> str:
    """Return the name of a schema for people: a class's name, or its type."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_SCHEMAS)
    return str(schema.get("type", schema.get("title", "")))

"""A small app behind the guard, with a view for each kind of access."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from dermport.server import problems, request_ids
from dermport.server.config import AccessConfig, StorageConfig
from dermport.server.security import guard
from dermport.server.security.access import Access, open_to_all, requires
from dermport.server.security.limits import Limits, unlimited
from dermport.server.security.tokens import Token, new_token
from dermport.server.storage.api_keys import ApiKey, ApiKeys
from dermport.server.storage.base import utc_now
from dermport.server.storage.database import Database, open_database
from dermport.server.storage.generations import Generations


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    time: float = 1000.0

    def __call__(self) -> float:
        return self.time


def sqlite(folder: Path) -> Database:
    return open_database(StorageConfig(folder / "state"))


def add_key(keys: ApiKeys, *scopes: str, hours: float | None = None) -> Token:
    token = new_token()
    now = utc_now()
    expires = now + timedelta(hours=hours) if hours is not None else None
    keys.add(ApiKey(token.id, "a phone", token.secret_sha256, frozenset(scopes), now, expires))
    return token


def guarded_app(database: Database, limits: Limits | None = None, **config: Any) -> tuple[Flask, Access]:
    app = Flask("guarded", static_folder=None)
    settings = AccessConfig(**config)
    generations = Generations(database)
    access = Access(database, settings, lambda: generations.now()["keys"])
    request_ids.register(app)
    problems.register(app)
    guard.register(app, access, limits or Limits(0, Path()), settings)
    _add_views(app)
    return app, access


def _add_views(app: Flask) -> None:
    @app.post("/photo")
    @requires("predict")
    def photo() -> str:
        return f"{len(request.get_data())} bytes"

    @app.get("/free")
    @open_to_all
    @unlimited
    def free() -> str:
        return "free"

    @app.get("/figures")
    @requires("admin")
    @unlimited
    def figures() -> str:
        return "figures"

    @app.get("/forgotten")
    def forgotten() -> str:
        return "a view that nobody marked"

    @app.get("/file")
    @open_to_all
    def file() -> Response:
        return Response("file", headers={"Cache-Control": "max-age=60", "X-Dermport-Sha256": "ab"})


def bearer(token: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}

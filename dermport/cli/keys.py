"""``dermport keys``: who may ask the server."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dermport.cli.options import Database, Json, State
from dermport.cli.output import emit_json, new_table, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dermport.server.storage.api_keys import ApiKey, ApiKeys

app = typer.Typer(name="keys", help="Make, list and revoke the server's API keys.", no_args_is_help=True)

_SPAN = re.compile(r"(\d{1,4})([hdwy])")
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}
_NAME_LENGTH = 64


class ScopeName(str, Enum):
    """A key's scope, as an option."""

    PREDICT = "predict"
    COMPARE = "compare"
    ADMIN = "admin"


_PHONE = (ScopeName.PREDICT, ScopeName.COMPARE)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What you call it, e.g. the phone's owner or the scraper.")],
    scopes: Annotated[
        list[ScopeName] | None,
        typer.Option(
            "--scope", help="What it opens: predict; compare, with that; admin, with all. Default: compare, a phone's."
        ),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="SPAN", help="When it ends: 12h, 30d, 8w, 1y. Default: never.")
    ] = None,
    state: State = None,
    database: Database = None,
    json: Json = False,
) -> None:
    """Make a key and show it, once: what is stored cannot be turned back into it."""
    from dermport.server.security.tokens import new_token
    from dermport.server.storage.api_keys import ApiKey
    from dermport.server.storage.base import utc_now

    now = utc_now()
    token = new_token()
    ends = now + _span(expires) if expires else None
    granted: frozenset[str] = frozenset(scope.value for scope in scopes or _PHONE)
    key = ApiKey(token.id, _name(name), token.secret_sha256, granted, now, ends)
    with _opened(state, database, create=True) as keys:
        keys.add(key)
    if json:
        emit_json({**_document(key), "key": str(token)})
    else:
        say(f"Key {token.id} opens {', '.join(sorted(granted))}. It is shown this once; keep it safe:")
        typer.echo(str(token))


@app.command("list")
def list_keys(state: State = None, database: Database = None, json: Json = False) -> None:
    """List the keys, without their secrets."""
    with _opened(state, database) as keys:
        found = keys.all()
    if json:
        emit_json({"keys": [_document(key) for key in found]})
    else:
        _print_table(found)


@app.command()
def revoke(
    key_ids: Annotated[list[str], typer.Argument(metavar="ID...", help="The part after dp_, as `list` shows it.")],
    state: State = None,
    database: Database = None,
) -> None:
    """Revoke keys; a running server refuses them within 5 seconds."""
    from dermport.errors import UsageError
    from dermport.server.storage.base import utc_now

    wanted = set(key_ids)
    with _opened(state, database) as keys:
        if unknown := wanted - {key.id for key in keys.all()}:
            raise UsageError(
                f"There is no key {', '.join(sorted(unknown))}; none was revoked.",
                remedy="dermport keys list shows those there are.",
            )
        count = keys.revoke(wanted, utc_now())
    say(f"Revoked {count}; {len(wanted) - count} had been revoked before.")


@app.command("new-signing-key")
def new_signing_key(state: State = None, database: Database = None) -> None:
    """Let a server that has lost its signing keys for good make new ones at its next start.

    Every phone must then be told to trust them. Where the root key is left, `dermport signing rotate` spares that.
    """
    from dermport.errors import UsageError
    from dermport.server.config import StorageConfig
    from dermport.server.delivery.roots import Roots
    from dermport.server.storage.database import open_database
    from dermport.server.storage.state import ServerState

    storage = StorageConfig(state, database)
    if Roots(storage.folder).envelope(1):
        raise UsageError(
            f"The server still has roots in {storage.folder / 'roots'}.",
            remedy="Make a new key that phones take by themselves: dermport signing rotate.",
        )
    opened = open_database(storage, create=False)
    try:
        ServerState(opened).sign_with(None)
    finally:
        opened.close()
    say("The next start of the server makes new keys.")


@contextmanager
def _opened(state: Any, url: str | None, *, create: bool = False) -> Iterator[ApiKeys]:
    from dermport.server.config import StorageConfig
    from dermport.server.storage.api_keys import ApiKeys
    from dermport.server.storage.database import open_database

    database = open_database(StorageConfig(state, url), create=create)
    try:
        yield ApiKeys(database)
    finally:
        database.close()


def _name(text: str) -> str:
    from dermport.errors import UsageError

    if not 0 < len(text) <= _NAME_LENGTH or not text.isprintable():
        raise UsageError(f"A key's name has 1 to {_NAME_LENGTH} characters that can be printed.")
    return text


def _span(text: str) -> timedelta:
    from dermport.errors import UsageError

    match = _SPAN.fullmatch(text)
    if match is None or not int(match[1]):
        raise UsageError(f"--expires {text} cannot be read.", remedy="Write a number and h, d, w or y, e.g. 90d.")
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])


def _document(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "created_at": _iso(key.created_at),
        "expires_at": _iso(key.expires_at),
        "revoked_at": _iso(key.revoked_at),
        "last_used_at": _iso(key.last_used_at),
    }


def _iso(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _print_table(keys: tuple[ApiKey, ...]) -> None:
    from rich.markup import escape

    from dermport.cli.output import console

    table = new_table("id", "name", "opens", "made", "state", "last used")
    for key in keys:
        table.add_row(
            key.id, escape(key.name), ", ".join(sorted(key.scopes)), _day(key.created_at), _state(key), _used(key)
        )
    console().print(table)


def _state(key: ApiKey) -> str:
    from dermport.server.storage.base import utc_now

    if key.revoked_at:
        return f"revoked {_day(key.revoked_at)}"
    if not key.valid_at(utc_now()):
        return "expired"
    return f"until {_day(key.expires_at)}" if key.expires_at else "valid"


def _used(key: ApiKey) -> str:
    return f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"


def _day(time: datetime) -> str:
    return f"{time:%Y-%m-%d}"

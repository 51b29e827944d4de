"""``dermport signing``: the keys by which phones know this server's models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dermport.cli.options import Json, State
from dermport.cli.output import emit_json, say

if TYPE_CHECKING:
    from dermport.bundle.wire import RootDocument
    from dermport.server.delivery.roots import Roots

app = typer.Typer(
    name="signing", help="Show, keep safe and change the keys that sign models for phones.", no_args_is_help=True
)


@app.command()
def show(state: State = None, json: Json = False) -> None:
    """Show the root key that phones trust, the key that signs for it, and until when."""
    roots = _roots(state)
    root = _newest(roots)
    if json:
        emit_json(_document(roots, root))
        return
    _tell(root)
    if roots.root_key.exists():
        say(
            f"The root key is in {roots.root_key}: who copies it can sign for this server for good. "
            "Take it off the machine: dermport signing export-root FILE."
        )


@app.command("export-root")
def export_root(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to, e.g. on a stick; never written over.")],
    state: State = None,
) -> None:
    """Move the root key off this machine. It is asked for only when keys change; the server goes on without it."""
    from dermport.server.delivery.roots import ROOT_KEY

    roots = _roots(state)
    key = _newest(roots)
    roots.export(file)
    say(
        f"{ROOT_KEY} of root {key.version} is in {file} and no longer on this machine. Keep it twice, offline, as you "
        "would a house key: without it phones must be paired again to take a new signing key."
    )


@app.command()
def rotate(
    root_key: Annotated[
        Path | None, typer.Option("--root-key", help="The root key's file. Default: the one in the state folder.")
    ] = None,
    new_root: Annotated[
        bool, typer.Option("--new-root", help="Make a new root key, too, signed by the one before.")
    ] = False,
    state: State = None,
    json: Json = False,
) -> None:
    """Make a new signing key, signed by the root key: phones follow by themselves, and the key before signs no more.

    Do it where the signing key may be in other hands or is lost, and before the root ends (`dermport signing show`). A
    running server goes on with the new key at once.
    """
    roots = _roots(state)
    root = roots.rotate(root_key, new_root=new_root)
    if json:
        emit_json(_document(roots, root))
        return
    _tell(root)
    if new_root:
        say(f"The new root key is in {roots.root_key}. Take it off the machine: dermport signing export-root FILE.")


def _roots(state: Path | None) -> Roots:
    from dermport.server.config import StorageConfig
    from dermport.server.delivery.roots import Roots

    return Roots(StorageConfig(state).folder)


def _newest(roots: Roots) -> RootDocument:
    from dermport.errors import UsageError

    root = roots.newest()
    if root is None:
        raise UsageError("This state folder has no keys yet.", remedy="Start the server once: dermport serve.")
    return root


def _tell(root: RootDocument) -> None:
    ids = _ids(root)
    say(f"Phones trust root key {ids['root_keys'][0]}; it lets key {ids['release_keys'][0]} sign models.")
    say(f"Root {root.version}, until {root.expires[:10]}.")


def _document(roots: Roots, root: RootDocument) -> dict[str, Any]:
    on_machine = str(roots.root_key) if roots.root_key.exists() else None
    return {"version": root.version, "expires": root.expires, **_ids(root), "root_key": on_machine}


def _ids(root: RootDocument) -> dict[str, list[str]]:
    from dermport.bundle.signature import key_id, key_of

    listed = {"root_keys": root.root_keys, "release_keys": root.release_keys}
    return {name: [key_id(key_of(key)) for key in keys] for name, keys in listed.items()}

"""Options that mean the same in every command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BundleArgument = Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle folder, e.g. artifacts/ham7.")]
Data = Annotated[
    Path,
    typer.Option("--data", help="Photos: HAM10000's layout, ISIC's, a folder per class, a CSV, or a TOML of several."),
]
Out = Annotated[Path, typer.Option("--out", help="Where to write; must not exist yet.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
Jobs = Annotated[int, typer.Option("--jobs", help="Processes or threads to use; 0: one per core.")]
ApiKey = Annotated[
    str | None,
    typer.Option("--key", envvar="DERMPORT_KEY", help="API key, where the server asks for one; best in the variable."),
]
Authority = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        help="PEM file of the authority that signed the server's certificate, such as a clinic's own. Default: "
        "SSL_CERT_FILE, or the system's.",
    ),
]
State = Annotated[
    Path | None,
    typer.Option("--state", envvar="DERMPORT_STATE", help="Folder of the server's database, signing key and photos."),
]
Database = Annotated[
    str | None,
    typer.Option("--database", envvar="DERMPORT_DATABASE", help="SQLAlchemy URL. Default: SQLite in --state."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout, and nothing else there.")]
To = Annotated[list[str] | None, typer.Option("--to", help="Target; may be repeated. Default: all.")]
Precision = Annotated[list[str] | None, typer.Option("--precision", help="Precision; may be repeated. Default: all.")]
PartOfData = Annotated[
    str | None,
    typer.Option("--part", help="Of --data: train, validation, test or all. Default: test; of other data, all."),
]

"""``dermport compare``: the same photos on the phone and on the Jetson."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import ApiKey, BundleArgument, Json
from cli.output import console, emit_json, progress, say

if TYPE_CHECKING:
    from bundle.manifest import Manifest
    from mobile_stub.comparison import Comparison
    from mobile_stub.photos import Photo


def compare(
    bundle: BundleArgument,
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTOS...", help="JPEG or PNG files, or folders of them.")],
    server: Annotated[str, typer.Option("--server", help="The Jetson's server, e.g. http://jetson.local:8080.")],
    phone_precision: Annotated[
        str | None, typer.Option("--phone-precision", help="Precision of the phone's .tflite. Default: fp32.")
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option("--out", help="Report to write, .html or .csv; may be repeated; must not exist."),
    ] = None,
    key: ApiKey = None,
    json: Json = False,
) -> None:
    """Ask phone and Jetson about the same photos, and say where and why they differ.

    Exit 1 if a photo became different inputs on the two sides, or only one side answered.
    """
    from bundle.store import Bundle
    from mobile_stub.client import JetsonClient
    from mobile_stub.compare import compare as compare_sides
    from mobile_stub.phone import PhoneModel
    from mobile_stub.photos import find_photos

    reports = _checked(out or [])
    opened, found = Bundle.open(bundle), find_photos(photos)
    with (
        PhoneModel(opened, phone_precision) as phone,
        JetsonClient(server, api_key=key) as client,
        progress("comparing") as update,
    ):
        comparison = compare_sides(opened.manifest, found, phone, client, update)
    _print(comparison)
    for path, render in reports:
        _write(path, render(comparison, found, opened.manifest))
    if json:
        emit_json(comparison.model_dump(mode="json", by_alias=True))
    raise typer.Exit(int(not comparison.passed))


_Render = Callable[["Comparison", "tuple[Photo, ...]", "Manifest"], str]


def _checked(out: list[Path]) -> list[tuple[Path, _Render]]:
    """Return how each report is made; refuse what cannot be written before anybody is asked anything."""
    from bundle.errors import UsageError
    from mobile_stub.csv_report import to_csv
    from mobile_stub.html_report import to_html

    renders: dict[str, _Render] = {".html": to_html, ".csv": lambda comparison, _photos, _manifest: to_csv(comparison)}
    for path in out:
        if path.suffix.lower() not in renders:
            raise UsageError(f"{path} is neither .html nor .csv.")
        if path.exists():
            raise UsageError(f"{path} exists already.", remedy="Choose another --out, or remove the file first.")
    return [(path, renders[path.suffix.lower()]) for path in out]


def _print(comparison: Comparison) -> None:
    from mobile_stub.table import to_table

    console().print(to_table(comparison))


def _write(path: Path, text: str) -> None:
    from rich.markup import escape

    from bundle.atomic import write_text

    write_text(path, text)
    say(f"Written: {escape(str(path))}")

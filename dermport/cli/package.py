"""``dermport package``: one zip for each platform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dermport.cli import output
from dermport.cli.options import BundleArgument, Json
from dermport.cli.output import emit_json, say

if TYPE_CHECKING:
    from dermport.exporters.packages.package import PlatformPackage


def package(
    bundle: BundleArgument,
    platforms: Annotated[
        list[str], typer.Option("--for", help="Platform: ios, android, web or jetson; may be repeated.")
    ],
    precision: Annotated[
        list[str] | None, typer.Option("--precision", help="Precision; may be repeated. Default: fp16.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where to put the zips. Default: BUNDLE/packages.")] = None,
    allow_failed: Annotated[
        bool, typer.Option("--allow-failed", help="Package even what failed its proof against the original.")
    ] = False,
    json: Json = False,
) -> None:
    """Pack a platform's artifact, labels, sources, proof and guide into one zip; the same bytes each time."""
    from dermport.bundle.store import Bundle
    from dermport.workflows.package import package as pack_up

    written = pack_up(Bundle.open(bundle), platforms, precision, out=out, allow_failed=allow_failed, progress=output)
    for pack, path in written:
        _report(pack, path)
    if json:
        emit_json({"packages": [_document(pack, path) for pack, path in written]})


def _report(pack: PlatformPackage, path: Path) -> None:
    for warning in pack.warnings:
        say(f"[yellow]warning[/] {warning}")
    say(f"{path}  {len(pack.data):,} bytes, {len(pack.paths)} files\n  sha256 {pack.sha256}")


def _document(pack: PlatformPackage, path: Path) -> dict[str, Any]:
    return {
        "platform": pack.platform.name,
        "path": str(path),
        "bytes": len(pack.data),
        "sha256": pack.sha256,
        "files": list(pack.paths),
        "exports": [
            {
                "target": export.record.target,
                "precision": export.record.precision,
                "status": export.record.parity.status if export.record.parity else None,
                "evidence": export.record.parity.evidence if export.record.parity else None,
            }
            for export in pack.exports
        ],
        "warnings": list(pack.warnings),
    }

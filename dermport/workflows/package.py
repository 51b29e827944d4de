"""A bundle's exports as one zip for each platform; the same bytes each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.progress import SILENT, Progress

if TYPE_CHECKING:
    from dermport.bundle.store import Bundle
    from dermport.exporters.packages.package import PlatformPackage


def package(
    bundle: Bundle,
    platforms: Sequence[str],
    precision: Sequence[str] | None = None,
    *,
    out: Path | None = None,
    allow_failed: bool = False,
    progress: Progress = SILENT,
) -> list[tuple[PlatformPackage, Path]]:
    """Pack artifact, labels, sources, proof and guide for platforms; return each package with the zip's path.

    Args:
        bundle: What was exported.
        platforms: ``ios``, ``android``, ``web`` or ``jetson``.
        precision: Which of the platform's exports; None for the platform's default.
        out: The zips' folder; None for ``packages`` in the bundle's.
        allow_failed: Whether an export that failed its proof may go in.
        progress: What a person sees.

    Raises:
        UsageError: There is no such platform.
        BundleError: An export is missing; the remedy is the command that makes it.
        ExportError: An export is of another model, or failed its proof.
    """
    from dermport.exporters.packages.package import build_package
    from dermport.exporters.packages.platforms import get_platform

    chosen = [get_platform(name) for name in dict.fromkeys(platforms)]
    packages = []
    with progress.bar("packaging") as update:
        for done, platform in enumerate(chosen):
            update(done, len(chosen))
            packages.append(build_package(bundle, platform, tuple(precision or ()), allow_failed=allow_failed))
        update(len(chosen), len(chosen))
    # written only now, so that one platform's missing export leaves none of the zips behind
    return [(pack, pack.write(out or bundle.path / "packages")) for pack in packages]

"""``dermport package``: a bundle's exports, ready to drop into a platform's project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dermport.bundle.atomic import write_bytes
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.store import Bundle, Export
from dermport.exporters.packages.archive import with_sums, zip_bytes
from dermport.exporters.packages.contents import package_files
from dermport.exporters.packages.platforms import PackagePlatform
from dermport.exporters.packages.selection import select_exports


@dataclass(frozen=True)
class Package:
    """A finished package, not yet on disk.

    Attributes:
        platform: What it is for.
        file: The zip's file name.
        data: The zip's bytes: the same for the same bundle, exports and dermport.
        sha256: Their sha256.
        paths: The files below the zip's one top folder, sorted.
        exports: The exports that it holds.
        warnings: What was not proved of them.
    """

    platform: PackagePlatform
    file: str
    data: bytes
    sha256: str
    paths: tuple[str, ...]
    exports: tuple[Export, ...]
    warnings: tuple[str, ...]

    def write(self, folder: Path) -> Path:
        """Write the zip into `folder` atomically and return its path; an older one of that name is replaced."""
        path = folder / self.file
        write_bytes(path, self.data)
        return path


def build_package(
    bundle: Bundle, platform: PackagePlatform, precisions: tuple[str, ...] = (), *, allow_failed: bool = False
) -> Package:
    """Build the package of a bundle for a platform, in memory.

    Args:
        bundle: The bundle; every file that goes in is held against its sha256.
        platform: What the package is for.
        precisions: Which of the platform's exports to put in; the platform's default where empty.
        allow_failed: Whether an export that failed its proof may go in.

    Raises:
        BundleError: An export is missing; the remedy is the command that makes it.
        ExportError: An export is of another model, or failed its proof.
        IntegrityError: A file is not the recorded one.
        UnavailableError: dermport's wheel is needed and cannot be built here.
    """
    exports, warnings = select_exports(bundle, platform.exports(precisions), allow_failed=allow_failed)
    files = with_sums(package_files(bundle, platform, exports))
    chosen = "-".join(dict.fromkeys(precisions or (platform.precision,)))
    name = f"{bundle.manifest.name}-{bundle.manifest.version}-{platform.name}-{chosen}"
    data = zip_bytes(name, files)
    return Package(platform, f"{name}.zip", data, sha256_bytes(data), tuple(sorted(files)), exports, warnings)

"""``dermport package``: a bundle's exports, ready to drop into a platform's project."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dermport.bundle.atomic import write_bytes
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.store import Bundle, Export
from dermport.exporters.packages.contents import package_files
from dermport.exporters.packages.platforms import PackagePlatform
from dermport.exporters.packages.selection import select_exports


@dataclass(frozen=True)
class PlatformPackage:
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
) -> PlatformPackage:
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
    return PlatformPackage(platform, f"{name}.zip", data, sha256_bytes(data), tuple(sorted(files)), exports, warnings)


SUMS = "SHA256SUMS"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can name
_MODE = stat.S_IFREG | 0o644
_UNIX = 3


def with_sums(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return `files` with one more that ``sha256sum --check SHA256SUMS`` reads."""
    lines = (f"{sha256_bytes(files[path])}  {path}\n" for path in sorted(files))
    return {**files, SUMS: "".join(lines).encode()}


def zip_bytes(top: str, files: Mapping[str, bytes]) -> bytes:
    """Return a zip that holds `files` below one folder `top`: equal files give equal bytes, on any machine.

    The files are stored, not deflated: zlib and its drop-in replacements write different bytes for the same data, and
    the sha256 of a package would depend on the machine. That costs size, about a fifth where float32 weights dominate.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(f"{top}/{path}", _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = _MODE << 16
            archive.writestr(entry, files[path])
    return buffer.getvalue()

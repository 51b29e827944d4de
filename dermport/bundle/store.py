"""Bundles on disk: open one, read its files with their sha256 checked, find and record its exports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from dermport.bundle.atomic import write_json
from dermport.bundle.export_record import ExportRecord
from dermport.bundle.golden import GoldenSet, read_golden
from dermport.bundle.hashing import sha256_file
from dermport.bundle.manifest import Manifest
from dermport.contract import Contract, FileEntry
from dermport.errors import BundleError, IntegrityError

MANIFEST = "bundle.json"
RECORD = "export.json"

_Model = TypeVar("_Model", bound=Contract)


_MODELS = frozenset(
    (".keras", ".h5", ".onnx", ".tflite", ".pt", ".pth", ".pt2", ".safetensors", ".mlpackage", ".mlmodel", ".pb")
)


def is_model(path: Path) -> bool:
    """Return whether this is another library's model, by its name's end, and no bundle's folder."""
    if (path / "saved_model.pb").is_file():
        return True
    return path.suffix.lower() in _MODELS and path.exists() and not (path / MANIFEST).exists()


def _read(path: Path, kind: type[_Model], remedy: str) -> _Model:
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BundleError(f"{path} does not exist.", remedy=remedy) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise BundleError(f"{path} is not valid: {where}: {first['msg']}.", remedy=remedy) from error


def file_entries(folder: Path, exclude: Iterable[str] = ()) -> tuple[FileEntry, ...]:
    """Describe every file below `folder`, sorted by path, but for the paths in `exclude`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    named = ((path.relative_to(folder).as_posix(), path) for path in paths)
    left_out = set(exclude)
    return tuple(
        FileEntry(path=name, size=path.stat().st_size, sha256=sha256_file(path))
        for name, path in named
        if name not in left_out
    )


def check_files(folder: Path, entries: Iterable[FileEntry], remedy: str) -> None:
    """Hold files against what was recorded of them.

    Raises:
        IntegrityError: A file is missing, or its size or sha256 differs; the message names the first such file.
    """
    for entry in entries:
        path = folder / entry.path
        if not path.is_file():
            raise IntegrityError(f"{path} is missing.", remedy=remedy)
        if path.stat().st_size != entry.size or sha256_file(path) != entry.sha256:
            raise IntegrityError(
                f"{path} is not the file that was recorded (its size or sha256 differs).", remedy=remedy
            )


@dataclass(frozen=True)
class Bundle:
    """A bundle folder with its validated manifest."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: Path) -> Bundle:
        """Read and validate ``bundle.json``; a model's own file is told from a bundle.

        Raises:
            BundleError: The folder holds no bundle of this schema version.
        """
        if is_model(path):
            raise BundleError(
                f"{path} is a model, not a bundle.",
                remedy=f"Make a bundle of it: `dermport import {path} --out artifacts/NAME`; then name that folder.",
            )
        return cls(path, _read(path / MANIFEST, Manifest, "Name a folder that `dermport train` wrote."))

    def file(self, name: str) -> Path:
        """Return the path of a listed file once its bytes are proved to be the recorded ones.

        Raises:
            BundleError: The manifest lists no such file.
            IntegrityError: The file is missing or differs.
        """
        entries = [entry for entry in self.manifest.files if entry.path == name]
        if not entries:
            raise BundleError(f"{self.path / MANIFEST} lists no file {name}.")
        check_files(self.path, entries, "Restore the bundle, or train it again.")
        return self.path / name

    @property
    def model_sha256(self) -> str:
        """The recorded sha256 of ``model.keras``, which names this model everywhere."""
        return next(entry.sha256 for entry in self.manifest.files if entry.path == self.manifest.model.file)

    def golden(self) -> GoldenSet:
        """Read the golden set, every file of it checked."""
        for name in ("golden/golden.json", "golden/tensors.npy"):
            self.file(name)
        return read_golden(self.path / "golden")

    def export_folder(self, target: str, precision: str) -> Path:
        """Return where the artifact of a target and precision belongs, whether it is there or not."""
        return self.path / "exports" / f"{target}-{precision}"

    def exports(self) -> tuple[Export, ...]:
        """Open every export of this bundle, sorted by folder name."""
        folders = sorted((self.path / "exports").glob(f"*/{RECORD}"))
        return tuple(Export.open(record.parent) for record in folders if not record.parent.name.startswith("."))

    def export(self, target: str, precision: str) -> Export:
        """Open one export of this bundle.

        Raises:
            BundleError: It has not been exported.
        """
        return Export.open(self.export_folder(target, precision))


@dataclass(frozen=True)
class Export:
    """An artifact's folder with its validated record."""

    path: Path
    record: ExportRecord = field(repr=False)

    @classmethod
    def open(cls, path: Path) -> Export:
        """Read and validate ``export.json``.

        Raises:
            BundleError: The folder holds no export of this schema version.
        """
        return cls(path, _read(path / RECORD, ExportRecord, "Run `dermport export` on the bundle first."))

    @property
    def artifact(self) -> Path:
        """The artifact's path (a file, or a folder such as an .mlpackage); not yet checked."""
        return self.path / self.record.artifact

    def checked(self) -> Path:
        """Return the artifact's path once all its files are proved to be the recorded ones.

        Raises:
            IntegrityError: A file is missing or differs.
        """
        check_files(self.path, self.record.files, "Run `dermport export --force` on the bundle.")
        return self.artifact


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write ``bundle.json`` atomically."""
    write_json(folder / MANIFEST, manifest.model_dump(mode="json", by_alias=True))


def write_record(folder: Path, record: ExportRecord) -> None:
    """Write ``export.json`` atomically."""
    write_json(folder / RECORD, record.model_dump(mode="json", by_alias=True))

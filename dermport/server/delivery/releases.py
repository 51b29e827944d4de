"""Releases: the manifest of a model's version, and the files that it lists."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from dermport.bundle.golden import GoldenIndex
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.store import MANIFEST, RECORD, Bundle, Export
from dermport.bundle.wire import (
    PLATFORM_TARGETS,
    GoldenVector,
    GoldenVectors,
    Platform,
    ReleaseArtifact,
    ReleaseFile,
    ReleaseManifest,
)
from dermport.contract import FileEntry
from dermport.errors import DermportError, RequestError

_LOG = logging.getLogger("dermport.handout")
TENSORS = "golden/tensors.npy"
_Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True)
class Release:
    """A model's version as phones get it.

    Attributes:
        manifest: What is signed, once it is offered and so has its number.
        sha256: Names what the manifest says; the same bundle gives the same.
        files: The listed files by path, each with its place on disk.
    """

    manifest: ReleaseManifest
    sha256: str
    files: Mapping[str, tuple[ReleaseFile, Path]]

    def runs_on(self, platform: Platform) -> bool:
        """Whether there is an artifact that `platform` runs."""
        return any(platform in artifact.platforms for artifact in self.manifest.artifacts)


class Releases:
    """Makes releases of bundles, and keeps them until a file that they describe is exported anew."""

    def __init__(self) -> None:
        self._made: dict[Path, tuple[_Stamp, Release]] = {}
        self._lock = threading.Lock()

    def of(self, bundle: Bundle) -> Release:
        """Return the release of a bundle.

        Raises:
            RequestError: 503: the bundle on disk is incomplete or damaged; the log says how.
        """
        with self._lock:
            try:
                stamp = _stamp(bundle)
                found = self._made.get(bundle.path)
                if found is None or found[0] != stamp:
                    found = stamp, self._make(Bundle.open(bundle.path))
                    self._made[bundle.path] = found
            except (DermportError, ValidationError, OSError) as error:
                _LOG.error("no release can be made of %s: %s", bundle.path, error)
                raise RequestError(
                    "The model's files on the server are incomplete or damaged; its log says which.",
                    code="release-unavailable",
                    status=503,
                    remedy="Whoever runs the server must restore the bundle.",
                ) from error
            return found[1]

    @staticmethod
    def _make(bundle: Bundle) -> Release:
        golden = bundle.golden().index
        exports = tuple(_for_phones(bundle))
        files = dict(_files(bundle, exports))
        manifest = _manifest(bundle, exports, tuple(entry for entry, _ in files.values()), golden)
        return Release(manifest, sha256_bytes(manifest.model_dump_json(by_alias=True).encode()), files)


def _stamp(bundle: Bundle) -> _Stamp:
    paths = [bundle.path / MANIFEST, bundle.path / TENSORS, *sorted(bundle.path.glob(f"exports/*/{RECORD}"))]
    stats = [(path, path.stat()) for path in paths]
    return tuple((str(path), stat.st_mtime_ns, stat.st_size) for path, stat in stats)


def _platforms(target: str) -> tuple[Platform, ...]:
    return tuple(platform for platform, runs in PLATFORM_TARGETS.items() if runs == target)


def _for_phones(bundle: Bundle) -> Iterator[Export]:
    """Yield the exports of this very model that a phone runs, but for those that failed the comparison with it."""
    for export in bundle.exports():
        record = export.record
        failed = record.parity is not None and record.parity.status == "fail"
        if _platforms(record.target) and record.bundle.model_sha256 == bundle.model_sha256 and not failed:
            yield export


def _files(bundle: Bundle, exports: tuple[Export, ...]) -> Iterator[tuple[str, tuple[ReleaseFile, Path]]]:
    for export in exports:
        for entry in export.record.files:
            listed = _file(_path(export, entry.path), entry, export)
            yield listed.path, (listed, export.path / entry.path)
    [tensors] = (entry for entry in bundle.manifest.files if entry.path == TENSORS)
    yield TENSORS, (_file(TENSORS, tensors), bundle.path / TENSORS)


def _file(path: str, entry: FileEntry, export: Export | None = None) -> ReleaseFile:
    return ReleaseFile(
        path=path,
        bytes=entry.size,
        sha256=entry.sha256,
        media_type="application/json" if path.endswith(".json") else "application/octet-stream",
        target=export.record.target if export else None,
        precision=export.record.precision if export else None,
        platforms=_platforms(export.record.target) if export else (),
    )


def _path(export: Export, below: str) -> str:
    return f"exports/{export.path.name}/{below}"


def _manifest(
    bundle: Bundle, exports: tuple[Export, ...], files: tuple[ReleaseFile, ...], golden: GoldenIndex
) -> ReleaseManifest:
    manifest = bundle.manifest
    return ReleaseManifest(
        name=manifest.name,
        version=manifest.version,
        sha256=bundle.model_sha256,
        released=manifest.provenance.created,
        task=manifest.task,
        preprocessing=manifest.preprocessing,
        decision=manifest.decision,
        abstention=manifest.abstention,
        artifacts=tuple(_artifact(export) for export in exports),
        files=files,
        golden=GoldenVectors(
            tensors=TENSORS,
            vectors=tuple(
                GoldenVector(input_sha256=photo.input_sha256, probabilities=photo.probabilities)
                for photo in golden.photos
            ),
        ),
        notice=manifest.notice,
    )


def _artifact(export: Export) -> ReleaseArtifact:
    record = export.record
    return ReleaseArtifact(
        target=record.target,
        precision=record.precision,
        platforms=_platforms(record.target),
        path=_path(export, record.artifact),
        bytes=record.artifact_bytes,
        sha256=record.artifact_sha256,
        policy=record.policy,
        parity=record.parity.status if record.parity else None,
    )

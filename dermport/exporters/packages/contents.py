"""What lies in a package: the bundle, narrowed to what the platform uses, with a guide and sources beside it.

The unzipped folder is itself a bundle: ``Bundle.open``, ``dermport serve`` and ``dermport compare`` take it.
"""

from __future__ import annotations

import json
from typing import Any

from dermport.bundle import prep, vectors
from dermport.bundle.manifest import Manifest
from dermport.bundle.notice import NOTICE
from dermport.bundle.store import MANIFEST, RECORD, Bundle, Export
from dermport.exporters.packages import cannot_tell
from dermport.exporters.packages.guide import TEMPLATES, fill, guide_values
from dermport.exporters.packages.platforms import PackagePlatform
from dermport.exporters.packages.wheel import build_wheel

CARD = "evaluation/model_card.md"


def package_files(bundle: Bundle, platform: PackagePlatform, exports: tuple[Export, ...]) -> dict[str, bytes]:
    """Return every file of a package, path to bytes.

    Raises:
        IntegrityError: A file of the bundle is not the recorded one.
        UnavailableError: The platform needs dermport's wheel, and it cannot be built here.
    """
    files = _texts(bundle, platform, exports) | _bundle_files(bundle) | _vector_files()
    for export in exports:
        files |= _export_files(bundle, export)
    if platform.wheel:
        name, data = build_wheel()
        files[f"wheels/{name}"] = data
    return files


def _texts(bundle: Bundle, platform: PackagePlatform, exports: tuple[Export, ...]) -> dict[str, bytes]:
    values = guide_values(bundle, platform, exports)
    own = TEMPLATES / platform.name
    return {
        "GUIDE.md": fill(TEMPLATES / "guide.md", values),
        "LICENSES.md": fill(TEMPLATES / "licenses.md", values),
        "LICENSE": (TEMPLATES / "apache-2.0.txt").read_bytes(),
        "PREPROCESSING.txt": prep.TEXT.encode(),
        "labels.txt": "".join(f"{label}\n" for label in bundle.manifest.task.ids).encode(),
        "labels.json": _labels_json(bundle.manifest),
        cannot_tell.FILE: _json(cannot_tell.findings(bundle).model_dump(mode="json", by_alias=True)),
        **{name: fill(own / name, values) for name in platform.sources},
    }


def _labels_json(manifest: Manifest) -> bytes:
    task, decision = manifest.task, manifest.decision
    document = {
        "task": task.name,
        "labels": [
            {"id": label.id, "name": label.name, "positive": label.id in task.positive} for label in task.labels
        ],
        "decision": {"name": decision.name, "threshold": decision.threshold} if decision else None,
        "notice": NOTICE,
    }
    return _json(document)


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _bundle_files(bundle: Bundle) -> dict[str, bytes]:
    """The manifest, the golden set and the model card with its plots; not the model, not the patients' predictions."""
    listed = [entry.path for entry in bundle.manifest.files]
    plots = [path for path in listed if path.startswith("evaluation/") and path.endswith(".png")]
    golden = [path for path in listed if path.startswith("golden/")]
    files = {path: bundle.file(path).read_bytes() for path in [*golden, CARD, *plots]}
    return {**files, MANIFEST: (bundle.path / MANIFEST).read_bytes()}


def _vector_files() -> dict[str, bytes]:
    names = ("vectors.json", *vectors.photo_names())
    return {f"vectors/{name}": (vectors.FOLDER / name).read_bytes() for name in names}


def _export_files(bundle: Bundle, export: Export) -> dict[str, bytes]:
    names = [RECORD, *(entry.path for entry in export.record.files)]
    below = export.path.relative_to(bundle.path).as_posix()
    return {f"{below}/{name}": (export.path / name).read_bytes() for name in names}

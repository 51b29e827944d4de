"""The manifest: version 1 still opens, and what an imported model does not know may be absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from dermport.bundle.manifest import Manifest
from dermport.bundle.schema.publish import FOLDER
from dermport.bundle.store import Bundle
from dermport.errors import BundleError

COUNTS = {"train": 30, "validation": 10, "test": 10}
VERSION_1: dict[str, Any] = {
    "schema": "dermport-bundle/1",
    "name": "ham7",
    "version": "1.0.0",
    "notice": "Research and education only, not a diagnosis.",
    "task": {
        "name": "lesions",
        "labels": [{"id": "mel", "name": "Melanoma", "sources": ["mel"]}, {"id": "nv", "name": "Nevus", "sources": []}],
        "positive": ["mel"],
    },
    "preprocessing": {"id": "dermport-prep/1", "size": 160, "crop": "full-frame"},
    "model": {"file": "model.keras", "architecture": "MobileNetV2", "alpha": 1.0, "parameters": 9, "weights": "none"},
    "calibration": {"temperature": 1.25, "folded": True, "part": "validation"},
    "decision": {"name": "suspicious", "threshold": 0.2, "target_sensitivity": 0.9, "part": "validation"},
    "abstention": None,
    "dataset": {
        "name": "ham10000",
        "reader": "ham10000",
        "fingerprint": "f" * 64,
        "photos": 50,
        "lesions": 40,
        "dropped": {},
        "lesion_pattern": None,
        "split": {"file": "split.csv", "seed": 1, "photos": COUNTS, "lesions": COUNTS},
    },
    "metrics": {"part": "test", "photos": 10, "confidence": 0.95, "figures": {"accuracy": {"value": 0.5}}},
    "provenance": {
        "created": "2026-01-01T00:00:00+00:00",
        "command": "dermport train",
        "seed": 1,
        "git_commit": None,
        "python": "3.11",
        "platform": "Linux",
        "packages": {},
        "seconds": 1.0,
    },
    "compression": None,
    "cross_validation": None,
    "files": [{"path": path, "size": 1, "sha256": "0" * 64} for path in ("model.keras", "split.csv")],
}
ORIGIN: dict[str, Any] = {
    "file": "theirs.onnx",
    "sha256": "a" * 64,
    "format": "onnx",
    "framework": "onnxruntime",
    "framework_version": "1.31",
    "licence": "unknown",
    "input": {
        "size": 160,
        "layout": "NCHW",
        "channels": "RGB",
        "scaling": "imagenet",
        "mean": [123.675, 116.28, 103.53],
        "std": [58.395, 57.12, 57.375],
    },
    "output": "logits",
    "findings": [{"of": "scaling", "how": "probe", "words": "imagenet: 0.004, the next 0.83"}],
    "proof": {
        "photos": 9,
        "max_change": 1e-6,
        "mean_change": 1e-7,
        "agreement": {"count": 9, "of": 9, "low": 0.7, "high": 1},
        "bound": 1e-4,
    },
}
LEAST: dict[str, Any] = {
    **{key: VERSION_1[key] for key in ("name", "version", "preprocessing", "provenance")},
    "schema": "dermport-bundle/2",
    "task": {"name": "fruit", "labels": [{"id": str(one), "name": f"Fruit {one}"} for one in range(1000)]},
    "model": {"architecture": "their own", "operators": {"Conv2D": 3, "Dense": 1}, "parameters": 9},
    "origin": ORIGIN,
    "files": VERSION_1["files"][:1],
}


@pytest.mark.parametrize("document", [VERSION_1, LEAST], ids=["version 1", "the least of version 2"])
def test_old_and_new_documents_satisfy_the_schema_and_are_written_as_version_2(document: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(json.loads((FOLDER / "bundle.schema.json").read_text()))
    read = Manifest.model_validate(document)
    written = read.model_dump(mode="json", by_alias=True)
    assert written["schema"] == "dermport-bundle/2"
    assert Manifest.model_validate(written) == read
    for one in (document, written):
        assert not [error.message for error in validator.iter_errors(one)]


def test_version_1_keeps_all_that_it_said(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_text(json.dumps(VERSION_1))
    manifest = Bundle.open(tmp_path).manifest
    read = manifest.model_dump(mode="json", by_alias=True)
    assert {key: read[key] for key in VERSION_1 if key not in {"schema", "model", "metrics"}} == {
        key: value for key, value in VERSION_1.items() if key not in {"schema", "model", "metrics"}
    }
    assert (manifest.threshold, manifest.temperature, manifest.origin, manifest.model.operators) == (
        0.2,
        1.25,
        None,
        {},
    )


def test_what_is_absent_is_named_where_it_is_needed() -> None:
    manifest = Manifest.model_validate(LEAST)
    assert (manifest.threshold, manifest.temperature) == (float("inf"), 1.0)
    for name, missing in {"decision": "no decision", "dataset": "no data set", "metrics": "no figures"}.items():
        with pytest.raises(BundleError, match=f"ham7 has {missing}"):
            getattr(manifest, f"known_{name}")


@pytest.mark.parametrize(
    ("document", "change"),
    [
        (VERSION_1, {"decision": None}),
        (LEAST, {"decision": VERSION_1["decision"]}),
        (LEAST, {"files": []}),
        (VERSION_1, {"files": VERSION_1["files"][:1]}),
        (LEAST, {"schema": "dermport-bundle/3"}),
        (LEAST, {"origin": {**ORIGIN, "format": "pickle"}}),
        (LEAST, {"task": {"name": "fruit", "labels": [{"id": "1", "name": "one"}]}}),
        (LEAST, {"task": {"name": "fruit", "labels": [{"id": str(one), "name": "x"} for one in range(1001)]}}),
    ],
)
def test_what_does_not_fit_together_is_refused(document: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Manifest.model_validate({**document, **change})

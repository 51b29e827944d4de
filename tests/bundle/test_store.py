"""What is named for a bundle and is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermport.bundle.store import Bundle
from dermport.errors import BundleError


@pytest.mark.parametrize("name", ["own.keras", "own.ONNX", "own.tflite", "own.mlpackage/", "saved/saved_model.pb"])
def test_a_model_is_told_from_a_bundle(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith("/"):
        path.mkdir()
    else:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    named = path.parent if name.startswith("saved/") else path
    with pytest.raises(BundleError, match="is a model, not a bundle") as refused:
        Bundle.open(named)
    assert f"dermport import {named}" in str(refused.value)


@pytest.mark.parametrize("name", ["absent.keras", "empty"])
def test_what_is_no_model_is_not_called_one(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="does not exist"):
        Bundle.open(tmp_path / name)

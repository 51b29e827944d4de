"""``dermport doctor`` on machines that are for different things."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dermport.cli.doctor import EXTRAS, Check, examine
from dermport.cli.main import build_app

SERVING = {"flask", "gunicorn", "onnxruntime", "ai-edge-litert", "pillow", "simplejpeg", "jinja2"}


def _installed(monkeypatch: pytest.MonkeyPatch, names: set[str]) -> None:
    def version(name: str) -> str:
        if name in names:
            return "1.0"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)


@pytest.fixture
def jetson(tmp_path: Path) -> Path:
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("NVIDIA Jetson Orin Nano Developer Kit\0")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text("# R36 (release), REVISION: 4.3, GCID: 1")
    return tmp_path


def _by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_serving_jetson_is_asked_for_what_it_serves_with(jetson: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, SERVING)
    found = _by_name(examine(jetson))
    assert found["machine"].found == "NVIDIA Jetson Orin Nano Developer Kit, JetPack 6 (L4T 36.4.3)"
    assert [found[f"extra [{name}]"].ok for name in EXTRAS] == [None, None, True, None]
    assert found["runtime ONNX Runtime"].ok
    assert found["runtime TensorRT"].ok is False  # none is installed here
    assert "--system-site-packages" in found["runtime TensorRT"].remedy
    assert not [name for name in found if name.startswith("target")]
    assert [name for name, check in found.items() if check.ok is False] == ["runtime TensorRT"]


def test_what_is_not_here_is_no_fault_and_what_is_half_here_is(monkeypatch: pytest.MonkeyPatch) -> None:
    _installed(monkeypatch, SERVING - {"gunicorn"})
    found = _by_name(examine())
    assert found["extra [server]"].ok is False
    assert found["extra [server]"].found == "missing: gunicorn"
    result = CliRunner().invoke(build_app(), ["doctor"])
    assert result.exit_code == 1
    below = result.output[result.output.index("Not here") :]
    assert "extra [train]: pip install 'dermport[train]'" in below
    assert "[server]" not in below


def test_a_developers_machine_has_its_targets() -> None:
    found = _by_name(examine())
    assert {"runtime LiteRT", "target onnx", "target coreml"} <= set(found)
    assert found["runtime TensorRT"].ok is None

"""What `dermport serve` says, for people and for machines."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dermport.cli.main import build_app
from tests.server.linear_onnx import make_linear
from tests.server.live import serving


@pytest.mark.parametrize("form", ["text", "json"])
def test_every_line_of_the_log_is_of_the_form_asked_for(tmp_path: Path, form: str) -> None:
    bundle = make_linear(tmp_path / "linear")
    options = ("--runtime", "onnxruntime", "--workers", "1", "--log-format", form)
    with serving(bundle.path, tmp_path / "state", *options) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        lines = server.said().splitlines()
    messages = [json.loads(line)["message"] for line in lines] if form == "json" else lines
    assert messages[-1] == "Stopped."
    assert any(f"{server.url} serves linear 1.0.0" in message for message in messages)


def test_a_named_state_folder_asks_for_no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    command = ["serve", str(tmp_path), "--state", str(tmp_path / "state")]
    assert "no bundle" in str(CliRunner().invoke(build_app(), command).exception)

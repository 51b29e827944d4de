"""Who may import whom, and that no heavy library is imported before it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "bundle": {"bundle"},
    "runtimes": {"runtimes", "bundle"},
    "training": {"training", "bundle"},
    "exporters": {"exporters", "bundle", "runtimes"},
    "compression": {"compression", "bundle", "runtimes", "training", "exporters"},
    "server": {"server", "bundle", "runtimes"},
    "mobile_stub": {"mobile_stub", "bundle", "runtimes"},
    "cli": {"bundle", "runtimes", "training", "exporters", "compression", "server", "mobile_stub", "cli"},
}
HEAVY = {
    *("tensorflow", "keras", "torch", "coremltools", "tensorrt", "onnx", "onnxruntime", "ai_edge_litert", "tf2onnx"),
    *("litert_quantizer", "polygraphy", "sklearn", "matplotlib", "optuna", "tflite_micro", "ray"),
}


def _files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            yield node.lineno, node.module or ""


@pytest.mark.parametrize("room", ALLOWED)
def test_room_imports_only_what_it_may(room: str) -> None:
    assert _files(room)
    ours = set(ALLOWED) | {"tests"}
    for path in _files(room):
        for line, name in _imports(path):
            top = name.split(".")[0]
            assert top not in ours or top in ALLOWED[room], f"{path.relative_to(ROOT)}:{line} imports {name}"


def _loaded_after(code: str) -> set[str]:
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("room", ALLOWED)
def test_importing_a_whole_room_loads_nothing_heavy(room: str) -> None:
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in _files(room)]
    loaded = _loaded_after("\n".join(f"import {name}" for name in modules))
    assert not loaded & HEAVY


def test_help_loads_next_to_nothing() -> None:
    loaded = _loaded_after("from cli.main import build_app\nimport typer.main\ntyper.main.get_command(build_app())")
    assert not loaded & {*HEAVY, "numpy", "PIL", "pydantic", "flask"}


@pytest.mark.parametrize("room", ["server", "mobile_stub"])
def test_jetson_and_phone_need_no_training_or_export_room(room: str) -> None:
    modules = [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in _files(room)]
    loaded = _loaded_after("\n".join(f"import {name}" for name in modules))
    assert not {name.split(".")[0] for name in loaded} & {"training", "exporters", "cli"}

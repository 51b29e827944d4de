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
_BASE = {"statistics", "bundle"}
_DEVICES = _BASE | {"figures", "runtimes"}
_TRAINING = _BASE | {"figures"}
_WORKING = {*_DEVICES, "training", "exporters", "compression", "importing", "server", "mobile_stub"}
BENEATH = {"errors", "contract", "options", "progress", "templates"}
ALLOWED: dict[str, set[str]] = {
    "statistics": set(),
    "bundle": {"statistics"},
    "figures": _BASE,
    "runtimes": _BASE,
    "training": _TRAINING,
    "exporters": _DEVICES,
    "compression": {*_DEVICES, "training", "exporters"},
    "importing": {*_DEVICES, "training"},
    "server": _DEVICES,
    "mobile_stub": _DEVICES,
    "workflows": _WORKING,
    "api": {*_WORKING, "workflows"},
    "cli": {*_WORKING, "workflows"},
}
HEAVY = {
    *("tensorflow", "keras", "torch", "coremltools", "tensorrt", "onnx", "onnxruntime", "ai_edge_litert", "tf2onnx"),
    *("litert_quantizer", "polygraphy", "sklearn", "matplotlib", "optuna", "tflite_micro", "ray"),
}


DOORS = ("exporters", "training", "server", "mobile_stub")


def _files(room: str) -> list[Path]:
    return sorted((ROOT / "dermport" / room).rglob("*.py"))


def _modules(room: str) -> list[str]:
    return [".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for p in _files(room)]


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
    for path in _files(room):
        for line, name in _imports(path):
            top, _, rest = name.partition(".")
            ours = {room, *BENEATH, *ALLOWED[room]}
            allowed = rest.split(".")[0] in ours if top == "dermport" else top not in {"tests", "benchmarks"}
            assert allowed, f"{path.relative_to(ROOT)}:{line} imports {name}"


@pytest.mark.parametrize("door", DOORS)
def test_door_at_the_top_leads_to_its_room(door: str) -> None:
    assert (ROOT / door).readlink() == Path("dermport", door)
    assert (ROOT / door).resolve() == ROOT / "dermport" / door


def test_nothing_is_imported_through_a_door() -> None:
    rooms = {path.name for path in (ROOT / "dermport").iterdir() if path.is_dir()} - sys.stdlib_module_names
    for folder in ("dermport", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            if "node_modules" not in path.parts:
                found = [(line, name) for line, name in _imports(path) if name.split(".")[0] in rooms]
                assert not found, f"{path}: {found}"


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").rglob("*.py")), ids=lambda path: path.stem)
def test_benchmarks_use_public_names_alone(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    ours = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = [alias for node in ours if (node.module or "").split(".")[0] == "dermport" for alias in node.names]
    assert not [alias.name for alias in names if alias.name.startswith("_")]
    modules = {alias.asname or alias.name for alias in names} | {"dermport"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).split(".")[0] in modules:
            assert not node.attr.startswith("_"), f"{path}:{node.lineno}: {ast.unparse(node)}"
            assert isinstance(node.ctx, ast.Load), f"{path}:{node.lineno} changes {ast.unparse(node)}"


def _loaded_after(code: str) -> set[str]:
    script = f"import sys, json\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("room", ALLOWED)
def test_importing_a_whole_room_loads_nothing_heavy(room: str) -> None:
    loaded = _loaded_after("\n".join(f"import {name}" for name in _modules(room)))
    assert not loaded & HEAVY


def test_help_loads_next_to_nothing() -> None:
    loaded = _loaded_after(
        "from dermport.cli.main import build_app\nimport typer.main\ntyper.main.get_command(build_app())"
    )
    assert not loaded & {*HEAVY, "numpy", "PIL", "pydantic", "flask"}


@pytest.mark.parametrize("room", ["server", "mobile_stub"])
def test_jetson_and_phone_need_no_training_or_export_room(room: str) -> None:
    loaded = _loaded_after("\n".join(f"import {name}" for name in _modules(room)))
    assert not {name for name in loaded if name.startswith(("dermport.training", "dermport.exporters", "dermport.cli"))}


# Two documents of the published contract, each within its own: renaming one would change a schema.
_STANDS_TWICE = {"Timing"}


def test_a_public_class_name_stands_once() -> None:
    places: dict[str, list[str]] = {}
    for room in ALLOWED:
        for path in _files(room):
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: where for name, where in places.items() if len(where) > 1}.keys() == _STANDS_TWICE

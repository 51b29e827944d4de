"""The notebooks are their scripts, executed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.usefixtures("shallow")

NOTEBOOKS = Path(__file__).parents[1] / "docs" / "notebooks"


@pytest.fixture(scope="module")
def execute() -> ModuleType:
    spec = importlib.util.spec_from_file_location("execute", NOTEBOOKS / "execute.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_first_notebook_is_in_step_and_ends_well(execute: ModuleType) -> None:
    script = (NOTEBOOKS / "first.py").read_text(encoding="utf-8")
    stored = json.loads((NOTEBOOKS / "first.ipynb").read_text(encoding="utf-8"))
    assert [(one["cell_type"], "".join(one["source"])) for one in stored["cells"]] == list(execute.cells(script))
    code = "\n".join(source for kind, source in execute.cells(script) if kind == "code")
    assert len([line for line in code.splitlines() if line and "import" not in line]) <= 12
    made = execute.run(script)
    assert [_kinds(one) for one in made["cells"]] == [_kinds(one) for one in stored["cells"]]
    for notebook in (made, stored):
        assert "<td>tflite-fp32</td><td>pass</td>" in json.dumps(notebook, ensure_ascii=False)
        assert "never a diagnosis" in json.dumps(notebook)


def _kinds(cell: dict[str, list[dict[str, object]]]) -> list[object]:
    return [one["output_type"] for one in cell.get("outputs", ())]

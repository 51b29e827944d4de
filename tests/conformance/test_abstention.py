"""One rule of when the model cannot tell: in Python (server, phone, evaluation) and in the browser, on equal inputs."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dermport.bundle.abstention import reasons
from dermport.bundle.manifest import Abstention
from dermport.bundle.photo_quality import survey_input
from dermport.exporters.packages.guide import TEMPLATES
from dermport.training.evaluation.abstention import fit_abstention, survey_inputs
from tests.bundle.test_photo_quality import FAULTS, Scene

NODE = shutil.which("node")
PORT = TEMPLATES / "web" / "dermport-abstention.js"
SCRIPT = """
import {inputValues, reasonsNotToTell} from './port.mjs';
import {readFileSync} from 'node:fs';
const said = JSON.parse(readFileSync('cases.json')).map(({rule, size, file}) => {
  const values = inputValues(new Uint8Array(readFileSync(file)), size);
  return {values, reasons: reasonsNotToTell(rule, values)};
});
console.log(JSON.stringify(said));
"""


def inputs() -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(3)
    scenes = [Scene(), *FAULTS.values(), *(Scene(skin=150 + level, spot=60 + level) for level in range(-40, 50, 10))]
    sides = (64, 96, 100)
    drawn = [np.asarray(scene.draw().resize((side, side))) for scene in scenes for side in sides]
    tinted = [np.asarray(Image.fromarray(one).convert("RGB")) // np.array([1, 2, 2], np.uint8) for one in drawn[:6]]
    noise = [random.integers(0, 256, (side, side, 3), np.uint8) for side in (7, 12, 16, *sides)]
    return [*drawn, *(one.astype(np.uint8) for one in tinted), *noise]


def rules(tensors: list[NDArray[np.uint8]]) -> list[Abstention | None]:
    surveyed = survey_inputs([tensor for tensor in tensors if len(tensor) >= 16])
    return [None, *(fit_abstention(surveyed, rate) for rate in (0.5, 0.9))]


@pytest.mark.skipif(NODE is None, reason="Node is not on this machine: nothing runs the browser's rule")
def test_the_browser_cannot_tell_where_python_cannot(tmp_path: Path) -> None:
    tensors = inputs()
    cases = [(rule, tensor) for rule in rules(tensors) for tensor in tensors]
    told = _in_node(tmp_path, cases)
    withheld = 0
    for (rule, tensor), said in zip(cases, told, strict=True):
        values = survey_input(tensor)
        assert {name: _known(value) for name, value in values.items()} == {
            name: pytest.approx(value, rel=1e-9, abs=1e-9) if value is not None else None
            for name, value in said["values"].items()
        }
        ours = reasons(rule, values)
        assert [one["code"] for one in said["reasons"]] == [one.code for one in ours]
        assert [one["value"] for one in said["reasons"]] == pytest.approx([one.value for one in ours], rel=1e-9)
        withheld += bool(ours)
    assert 10 < withheld < len(cases) - len(tensors), "both answers occur"


@pytest.mark.skipif(NODE is None, reason="Node is not on this machine: nothing runs the browser's rule")
@pytest.mark.parametrize(
    ("rule", "unknown"),
    [
        ({"score": "energy"}, "score energy"),
        ({"quality": [{"code": "moiré", "side": "above", "threshold": 1}]}, "of moiré"),
        ({"reference": {"names": ["sharpness"], "mean": [1], "precision": [[1]]}}, "of sharpness"),
    ],
)
def test_the_browser_decides_nothing_by_a_rule_that_it_does_not_know(
    rule: dict[str, Any], unknown: str, tmp_path: Path
) -> None:
    shutil.copyfile(PORT, tmp_path / "port.mjs")
    known = {"score": "input-distance", "quality": [], "reference": {"names": [], "mean": [], "precision": []}}
    script = f"""import {{inputValues, reasonsNotToTell}} from './port.mjs';
        reasonsNotToTell({json.dumps({**known, **rule})}, inputValues(new Uint8Array(768), 16));"""
    command = [str(NODE), "--input-type=module", "-e", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert unknown in done.stderr
    assert "decide nothing" in done.stderr


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def _in_node(folder: Path, cases: list[tuple[Abstention | None, NDArray[np.uint8]]]) -> list[Any]:
    shutil.copyfile(PORT, folder / "port.mjs")  # .mjs, since no package.json says that .js are modules
    asked = []
    for index, (rule, tensor) in enumerate(cases):
        (folder / f"{index}.bin").write_bytes(tensor.tobytes())
        document = rule and rule.model_dump(mode="json")
        asked.append({"rule": document, "size": len(tensor), "file": f"{index}.bin"})
    (folder / "cases.json").write_text(json.dumps(asked))
    command = [str(NODE), "--input-type=module", "-e", SCRIPT]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))

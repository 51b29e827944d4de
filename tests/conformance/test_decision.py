"""One temperature and one threshold: in every exported form, on the server, on the phone and in the browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dermport.bundle.manifest import Decision
from dermport.bundle.policy import read_policy
from dermport.bundle.probabilities import answer
from dermport.bundle.store import Bundle
from dermport.exporters.contract import PrecisionRecipe, Target
from dermport.server.serving.answers import verdict_of
from dermport.statistics.metrics import scores
from dermport.statistics.temperature import log_probabilities
from tests.conformance.test_targets import EVERY

NODE = shutil.which("node")
DECISION_JS = Path(__file__).parents[2] / "dermport" / "mobile_stub" / "web" / "engine" / "decision.js"
SURE = 0.25  # a score this far from the threshold is decided alike, whatever the precision


def temperature_between(original: np.ndarray, artifact: np.ndarray) -> float:
    """Return T where the artifact answers softmax(logits / T) of the original's logits, by least squares."""
    first, second = (log_probabilities(p) for p in (original, artifact))
    first, second = (logs - logs.mean(axis=1, keepdims=True) for logs in (first, second))
    return float((first * first).sum() / (first * second).sum())


@EVERY
def test_every_form_has_the_bundles_temperature_and_decides_alike(
    target: Target, recipe: PrecisionRecipe, shared_exports: Bundle
) -> None:
    golden, manifest = shared_exports.golden(), shared_exports.manifest
    export = shared_exports.export(target.capabilities.name, recipe.precision)
    with target.execution(export.path).runtime as runtime:
        answers = runtime.predict(golden.tensors)
    kept = read_policy().rules[recipe.policy].fail.max_change is not None  # float forms
    assert temperature_between(golden.probabilities, answers) == pytest.approx(1, abs=0.01 if kept else 0.12)
    positive, threshold = manifest.task.positive_indices, manifest.decision.threshold
    before, after = scores(golden.probabilities, positive), scores(answers, positive)
    sure = np.abs(before - threshold) > SURE
    assert sure.sum() >= len(before) // 2
    assert ((before >= threshold) == (after >= threshold))[sure].all()


def cases(bundle: Bundle) -> list[tuple[Bundle, np.ndarray]]:
    """Probabilities float32 [C], each with a threshold that is its very score, or the next number above it."""
    random = np.random.default_rng(0)
    found = []
    for index in range(60):
        probabilities = random.dirichlet(np.ones(4)).astype(np.float32)
        positive = tuple(random.permutation(bundle.manifest.task.positive).tolist())
        task = bundle.manifest.task.model_copy(update={"positive": positive})
        score = float(scores(probabilities[None], task.positive_indices)[0])
        threshold = min(1.0, float(np.nextafter(score, 2))) if index % 2 else score
        decision = Decision(threshold=threshold, target_sensitivity=0.9)
        manifest = bundle.manifest.model_copy(update={"task": task, "decision": decision})
        found.append((Bundle(bundle.path, manifest), probabilities))
    return found


def test_the_rule_is_exact_at_the_threshold(shared_bundle: Bundle) -> None:
    for index, (bundle, probabilities) in enumerate(cases(shared_bundle)):
        said = answer(bundle.manifest, probabilities)
        assert said.positive == (index % 2 == 0)
        verdict = verdict_of(bundle.manifest, said)
        assert (verdict.threshold, verdict.positive) == (bundle.manifest.decision.threshold, said.positive)


@pytest.mark.skipif(NODE is None, reason="Node is not on this machine: nothing runs the browser's rule")
def test_the_browser_decides_as_server_and_phone_to_the_last_bit(shared_bundle: Bundle, tmp_path: Path) -> None:
    every = cases(shared_bundle)
    shutil.copyfile(DECISION_JS, tmp_path / "decision.mjs")
    asked = [
        [bundle.manifest.model_dump(mode="json"), dict(zip(bundle.manifest.task.ids, map(float, p), strict=True))]
        for bundle, p in every
    ]
    (tmp_path / "cases.json").write_text(json.dumps(asked))
    script = (
        "import {decide} from './decision.mjs'; import {readFileSync} from 'node:fs';"
        "const said = JSON.parse(readFileSync('cases.json')).map(([manifest, p]) => decide(manifest, p));"
        "console.log(JSON.stringify(said.map(({label, score, positive}) => [label, score, positive])));"
    )
    command = [str(NODE), "--input-type=module", "-e", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = [answer(bundle.manifest, p) for bundle, p in every]
    assert json.loads(done.stdout) == [[one.label, one.score, one.positive] for one in expected]

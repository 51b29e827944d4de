"""The registry: every line leads to a runtime, for a target that there is, with precisions that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermport.errors import DermportError
from dermport.exporters.registry import TARGETS, get_target
from dermport.runtimes.base import Runtime
from dermport.runtimes.registry import RUNTIMES, SERVING, RuntimeSpec, best_here, get_runtime


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda runtime: runtime.name)
def test_a_line_leads_to_a_runtime_of_a_target(runtime: RuntimeSpec, tmp_path: Path) -> None:
    assert issubclass(runtime.runtime(), Runtime)
    capabilities = get_target(runtime.target).capabilities
    assert set(runtime.precisions) <= {recipe.precision for recipe in capabilities.recipes}
    assert runtime.evidence in capabilities.evidence
    with pytest.raises(DermportError):
        runtime.open(tmp_path / "missing" / capabilities.artifact)


def test_every_target_has_a_runtime_and_no_name_stands_twice() -> None:
    assert {runtime.target for runtime in RUNTIMES} == set(TARGETS)
    assert len({runtime.name for runtime in RUNTIMES}) == len(RUNTIMES)
    assert get_runtime("litert") in SERVING


def test_the_reason_is_why_better_evidence_cannot_be_had() -> None:
    runtime, reason = best_here("coreml")
    assert (runtime.name, reason) == ("mil-reference", get_runtime("coreml").unavailable())
    assert best_here("onnx") == (get_runtime("onnxruntime"), "")
    assert best_here("tflite")[1].startswith("LiteRT on this machine")

"""How sessions are set up; what OnnxRuntime does with real artifacts is in tests/exporters/test_onnx.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from dermport.runtimes.onnxruntime import OnnxRuntime, open_session, session_options

ROOT = Path(__file__).parents[2]


@pytest.fixture
def model() -> onnx.ModelProto:
    """Each colour's mean as a probability: image [N, 4, 4, 3] to probabilities [N, 3]."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 4, 4, 3])
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 3])
    mean = helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2], keepdims=0)
    softmax = helper.make_node("Softmax", ["mean"], ["probabilities"])
    graph = helper.make_graph([mean, softmax], "colours", [image], [probabilities])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {"labels": '["red", "green", "blue"]'})
    return model


def test_one_thread_neither_spins_nor_brings_others(model: onnx.ModelProto, tmp_path: Path) -> None:
    options = session_options(1)
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    onnx.save(model, tmp_path / "model.onnx")
    assert _threads(tmp_path / "model.onnx", 3) == _threads(tmp_path / "model.onnx", 1) + 2


def _threads(path: Path, threads: int) -> int:
    script = f"""
import os
from pathlib import Path
import numpy as np
from dermport.runtimes.onnxruntime import OnnxRuntime
with OnnxRuntime(Path({str(path)!r}), {threads}) as runtime:
    runtime.predict(np.zeros((1, 4, 4, 3), np.uint8))
    print(len(os.listdir("/proc/self/task")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return int(done.stdout)


def test_sessions_open_from_files_and_from_bytes(model: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save(model, tmp_path / "model.onnx")
    photo = np.full((1, 4, 4, 3), [9, 7, 7], np.uint8)
    with OnnxRuntime(tmp_path / "model.onnx") as runtime:
        assert runtime.labels == ("red", "green", "blue")
        answer = runtime.predict(photo)
    np.testing.assert_allclose(answer, [[0.787, 0.107, 0.107]], atol=1e-3)
    (again,) = open_session(model.SerializeToString()).run(None, {"image": photo.astype(np.float32)})
    np.testing.assert_array_equal(again, answer)

"""A whole bundle whose model is one matrix, exported to ONNX without TensorFlow: for tests of whole servers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dermport.bundle.export_record import ExportRecord, SourceRef
from dermport.bundle.golden import GoldenIndex, GoldenPhoto, GoldenSet, write_golden
from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.store import RECORD, Bundle, file_entries, write_manifest, write_record
from tests.factories import LABELS, SIZE, draw_set, manifest_of, tensors_of


def make_linear(path: Path, version: str = "1.0.0", seed: int = 0) -> Bundle:
    """Write a bundle; another seed is another model, whose answers differ."""
    import onnxruntime

    onnx = _onnx(seed)
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    photos, _ = draw_set(1, first_seed=1000)
    tensors = tensors_of(photos)
    answers = session.run(None, {"image": tensors.astype(np.float32)})[0]
    golden = tuple(
        GoldenPhoto(
            photo=f"photos/{index}.jpg",
            label=None,
            lesion_id=None,
            input_sha256=sha256_bytes(tensors[index].tobytes()),
            probabilities=tuple(map(float, row)),
        )
        for index, row in enumerate(answers)
    )
    files = {one.photo: photo for one, photo in zip(golden, photos, strict=True)}
    write_golden(path / "golden", GoldenSet(GoldenIndex(photos=golden), tensors), files)
    (path / "model.keras").write_bytes(f"{seed}".encode())
    (path / "split.csv").write_text("photo_id\n")
    write_manifest(path, manifest_of(path, "linear", 1).model_copy(update={"version": version}))
    bundle = Bundle.open(path)
    _export(bundle, onnx)
    return bundle


def _onnx(seed: int) -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(seed).normal(0, 0.02, (3, len(LABELS))).astype(np.float32)
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["colour"], axes=[1, 2], keepdims=0),
        helper.make_node("MatMul", ["colour", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(LABELS)])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {"labels": json.dumps(LABELS)})
    return bytes(model.SerializeToString())


def _export(bundle: Bundle, onnx: bytes) -> None:
    folder = bundle.export_folder("onnx", "fp32")
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(onnx)
    manifest = bundle.manifest
    record = ExportRecord(
        target="onnx",
        precision="fp32",
        bundle=SourceRef(name=manifest.name, version=manifest.version, model_sha256=bundle.model_sha256),
        preprocessing=manifest.preprocessing.id,
        labels=manifest.task.ids,
        artifact="model.onnx",
        artifact_bytes=len(onnx),
        artifact_sha256=sha256_bytes(onnx),
        size_ratio=1.0,
        recipe={},
        policy="fp32",
        inputs=(),
        outputs=(),
        operators=(),
        tools={},
        key="0" * 64,
        seconds=0.0,
        created="2026-01-01T00:00:00+00:00",
        files=file_entries(folder, exclude=(RECORD,)),
    )
    write_record(folder, record)

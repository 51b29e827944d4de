"""Weights as they are stored: chosen here, written by coremltools."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dermport.exporters.coreml.layers import MilLayer
from dermport.exporters.coreml.recipes import INT8, Storage
from dermport.exporters.rounding import Grid, InputStatistics, Palettes, Values, rounded
from dermport.runtimes.mil.package import MilPackage, open_package
from dermport.runtimes.mil.values import Array, blob_span
from dermport.runtimes.quiet import import_coremltools, quiet


def stored_weights(
    layers: Iterable[MilLayer], plan: Mapping[str, Storage], statistics: Mapping[str, InputStatistics]
) -> dict[str, Array]:
    """Return the weights that a plan can store and that keep the layers' answers closest, by name.

    int8 is left to coremltools, which takes each weight's nearest code.

    Args:
        layers: The package's layers.
        plan: How each is stored, by the name of its weight.
        statistics: What they read, by input; layers whose inputs have no covariance take the nearest values.
    """
    return {
        layer.weight_name: stored_weight(layer, plan[layer.weight_name], statistics.get(layer.source))
        for layer in layers
        if plan.get(layer.weight_name, INT8) != INT8
    }


def stored_weight(layer: MilLayer, storage: Storage, statistics: InputStatistics | None) -> Array:
    """Return one layer's weight, float16 or float32 as it was."""
    matrix = layer.weight.reshape(len(layer.weight), -1).astype(np.float64)
    covariance = statistics.covariance if statistics is not None and layer.pointwise else None
    values = rounded(matrix, _values(matrix, storage), covariance)
    return values.reshape(layer.weight.shape).astype(layer.weight.dtype)


def _values(matrix: Any, storage: Storage) -> Values:
    if storage.kind == "palette":
        return Palettes.of(matrix, storage.bits, storage.shared)
    return Grid.of(matrix, storage.bits, storage.shared)


def compressed(original: Path, weights: Mapping[str, Array], plan: Mapping[str, Storage], scratch: Path) -> Any:
    """Return an ``MLModel`` whose weights are stored as planned.

    Args:
        original: The uncompressed .mlpackage.
        weights: What :func:`stored_weights` returned.
        plan: How each weight is stored, by name.
        scratch: A folder that does not exist, for a package with the rounded weights.
    """
    shutil.copytree(original, scratch)
    store_constants(open_package(scratch), weights)
    with quiet():
        model = import_coremltools().models.MLModel(str(scratch), skip_model_load=True)
        return _applied(model, {name: _config(weights.get(name), storage) for name, storage in plan.items()})


def _applied(model: Any, configs: Mapping[str, Any]) -> Any:
    """Return the model with its weights stored as each one's configuration says.

    What coremltools' two public functions do one after the other, in one go: each reads the whole model and optimises
    it anew, which takes most of an export's time.
    """
    from coremltools.converters.mil.mil.passes.graph_pass import PassOption
    from coremltools.converters.mil.mil.passes.pass_registry import PASS_REGISTRY
    from coremltools.models import utils

    cto = import_coremltools().optimize.coreml
    passes = {"linear_quantize_weights": cto.OpLinearQuantizerConfig, "palettize_weights": cto.OpPalettizerConfig}
    chosen = []
    for name, kind in passes.items():
        config = cto.OptimizationConfig(op_name_configs={n: c for n, c in configs.items() if isinstance(c, kind)})
        chosen.append(PASS_REGISTRY[f"compression::{name}"])
        chosen[-1].set_options([PassOption("config", config), PassOption("joint_compression", False)])
    return utils._apply_graph_pass(model, chosen)


def _config(weight: Array | None, storage: Storage) -> Any:
    """Return coremltools' own description of a storage; int8 has no weight of ours."""
    cto = import_coremltools().optimize.coreml
    length = 0 if weight is None else weight.shape[0 if storage.kind == "palette" else 1]
    shared = storage.shared if storage.shared and length % storage.shared == 0 else 0
    if storage.kind == "int":
        granularity = {"granularity": "per_block", "block_size": shared} if shared else {"granularity": "per_channel"}
        dtype = f"int{storage.bits}"
        return cto.OpLinearQuantizerConfig(mode="linear_symmetric", dtype=dtype, weight_threshold=0, **granularity)
    granularity = {"granularity": "per_grouped_channel", "group_size": shared} if shared else {}
    return cto.OpPalettizerConfig(
        mode="custom", lut_function=lambda values: _table(values, storage.bits), weight_threshold=0, **granularity
    )


def _table(values: Array, bits: int) -> tuple[Array, Array]:
    """Return the table of values that take no more than 2^bits, and each one's index in it, flat."""
    # As float32: NumPy 2.4 sorts float16 wrongly where AVX512_ICL is used and values repeat.
    table, indices = np.unique(values.astype(np.float32), return_inverse=True)
    padded = np.pad(table, (0, 2**bits - len(table)), mode="edge")
    return padded.astype(values.dtype), indices.reshape(-1).astype(np.uint8)


def store_constants(package: MilPackage, constants: Mapping[str, Array]) -> None:
    """Overwrite constants in a saved package; ones whose bytes another constant shares stay as they are."""
    spec = package.read_spec()
    function = spec.mlProgram.functions["main"]
    block = function.block_specializations[function.opset]
    values = {o.outputs[0].name: o.attributes["val"] for o in block.operations if o.type == "const"}
    offsets = Counter(value.blobFileValue.offset for value in values.values())
    contents: dict[str, bytearray] = {}
    for name, constant in constants.items():
        if values[name].WhichOneof("value") == "immediateValue":
            values[name].immediateValue.tensor.bytes.values = constant.tobytes()
        elif offsets[values[name].blobFileValue.offset] == 1:
            _overwrite(package, contents, values[name].blobFileValue, constant)
    for file, content in contents.items():
        package.weight_file(file).write_bytes(content)
    package.model_file.write_bytes(spec.SerializeToString(deterministic=True))


def _overwrite(package: MilPackage, contents: dict[str, bytearray], blob: Any, constant: Array) -> None:
    if blob.fileName not in contents:
        contents[blob.fileName] = bytearray(package.weight_file(blob.fileName).read_bytes())
    content = contents[blob.fileName]
    content[blob_span(bytes(content), blob.offset)] = constant.tobytes()

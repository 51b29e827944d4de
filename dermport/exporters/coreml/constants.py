"""Constants of a saved package, overwritten where they lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from dermport.runtimes.mil.package import Package
from dermport.runtimes.mil.values import Array, blob_span


def store_constants(package: Package, constants: Mapping[str, Array]) -> None:
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


def _overwrite(package: Package, contents: dict[str, bytearray], blob: Any, constant: Array) -> None:
    if blob.fileName not in contents:
        contents[blob.fileName] = bytearray(package.weight_file(blob.fileName).read_bytes())
    content = contents[blob.fileName]
    content[blob_span(bytes(content), blob.offset)] = constant.tobytes()

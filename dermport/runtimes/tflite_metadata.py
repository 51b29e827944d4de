"""TFLite metadata: what Android's tools (Task Library, MediaPipe, ML Kit) read about a model, from the file itself.

A flatbuffer of its own (schema: mediapipe's ``tasks/metadata/metadata_schema.fbs``, identifier ``M001``) in a buffer
that the model names ``TFLITE_METADATA``, and the files that it names in a zip archive behind the model. Written and
read here by the schema as data, because the published package with generated classes (mediapipe) brings OpenCV and
124 MB. Documents are what ``flatc --json`` prints: a dict for each table, names for enumerations.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from flatbuffers import encode, number_types
from flatbuffers.table import Table

from dermport.errors import ExportError

Document = dict[str, Any]
BUFFER = "TFLITE_METADATA"
IDENTIFIER = b"M001"
_CREATED = (1980, 1, 1, 0, 0, 0)  # of every file in the archive: equal models are equal bytes

# Tables with their fields in the order of the schema; fields behind the last one that we need are left out.
_TABLES = {
    "ModelMetadata": {
        "name": "string",
        "description": "string",
        "version": "string",
        "subgraph_metadata": "[SubGraphMetadata]",
        "author": "string",
        "license": "string",
        "associated_files": "[AssociatedFile]",
        "min_parser_version": "string",
    },
    "SubGraphMetadata": {
        "name": "string",
        "description": "string",
        "input_tensor_metadata": "[TensorMetadata]",
        "output_tensor_metadata": "[TensorMetadata]",
    },
    "TensorMetadata": {
        "name": "string",
        "description": "string",
        "dimension_names": "[string]",
        "content": "Content",
        "process_units": "[ProcessUnit]",
        "stats": "Stats",
        "associated_files": "[AssociatedFile]",
    },
    "Content": {"content_properties_type": "ContentProperties", "content_properties": "union"},
    "FeatureProperties": {},
    "ImageProperties": {"color_space": "ColorSpaceType"},
    "ProcessUnit": {"options_type": "ProcessUnitOptions", "options": "union"},
    "NormalizationOptions": {"mean": "[float]", "std": "[float]"},
    "Stats": {"max": "[float]", "min": "[float]"},
    "AssociatedFile": {
        "name": "string",
        "description": "string",
        "type": "AssociatedFileType",
        "locale": "string",
    },
}
_ENUMERATIONS = {
    "ContentProperties": ("NONE", "FeatureProperties", "ImageProperties"),
    "ProcessUnitOptions": ("NONE", "NormalizationOptions"),
    "ColorSpaceType": ("UNKNOWN", "RGB", "GRAYSCALE"),
    "AssociatedFileType": ("UNKNOWN", "DESCRIPTIONS", "TENSOR_AXIS_LABELS"),
}


def to_flatbuffer(document: Document) -> bytes:
    """Return a ModelMetadata document as a flatbuffer."""
    builder = flatbuffers.Builder(4096)
    builder.Finish(_write(builder, "ModelMetadata", document), IDENTIFIER)
    return bytes(builder.Output())


def from_flatbuffer(data: bytes) -> Document:
    """Return the ModelMetadata document in a flatbuffer, as far as the tables above name its fields.

    Raises:
        ValueError: The bytes are no TFLite metadata.
    """
    if data[4:8] != IDENTIFIER:
        raise ValueError(f"identifier {bytes(data[4:8])!r} is not {IDENTIFIER!r}")
    root = encode.Get(number_types.UOffsetTFlags.packer_type, data, 0)
    return _read_table(Table(data, root), "ModelMetadata")


def read_metadata(path: Path) -> Document:
    """Return the metadata document of a ``.tflite`` file.

    Raises:
        ExportError: The file carries none that can be read.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        model = schema.Model.GetRootAs(path.read_bytes(), 0)
        entries = [model.Metadata(index) for index in range(model.MetadataLength())]
        (number,) = [entry.Buffer() for entry in entries if entry.Name() == BUFFER.encode()]
        return from_flatbuffer(model.Buffers(number).DataAsNumpy().tobytes())
    except (ValueError, IndexError, struct.error, AttributeError) as error:
        raise _absent(path, "metadata", error) from error


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the labels of a ``.tflite`` file, in the order of its outputs: the file that its metadata names.

    Raises:
        ExportError: The file carries none.
    """
    try:
        output = read_metadata(path)["subgraph_metadata"][0]["output_tensor_metadata"][0]  # a map may follow it
        files = [f for f in output["associated_files"] if f["type"] == "TENSOR_AXIS_LABELS" and "locale" not in f]
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.read(files[0]["name"]).decode().splitlines())
    except (KeyError, ValueError, IndexError, zipfile.BadZipFile) as error:
        raise _absent(path, "labels", error) from error


def with_files(model: bytes, files: dict[str, str]) -> bytes:
    """Return a model with text files in a zip archive behind it: stored, as Android maps them from memory."""
    whole = io.BytesIO(model)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _CREATED), text)
    return whole.getvalue()


def _absent(path: Path, what: str, error: Exception) -> ExportError:
    return ExportError(
        f"{path} carries no {what} that can be read ({error}).",
        remedy="Use a file that `dermport export --to tflite` wrote.",
    )


def _write(builder: flatbuffers.Builder, kind: str, value: Any) -> int:
    """Write a value; return its offset, or the number itself of an enumeration."""
    if kind in _ENUMERATIONS:
        return _ENUMERATIONS[kind].index(value)
    if kind == "string":
        return int(builder.CreateString(value))
    if kind == "[float]":
        return int(builder.CreateNumpyVector(np.asarray(value, np.float32)))
    if kind.startswith("["):
        return _write_vector(builder, [_write(builder, kind[1:-1], item) for item in value])
    return _write_table(builder, kind, value)


def _write_vector(builder: flatbuffers.Builder, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def _write_table(builder: flatbuffers.Builder, table: str, values: Document) -> int:
    fields = _TABLES[table]
    # A table's parts come before it. A union's table is named by the field in front of it.
    parts = {name: _write(builder, values.get(f"{name}_type", fields[name]), value) for name, value in values.items()}
    builder.StartObject(len(fields))
    for slot, (name, kind) in enumerate(fields.items()):
        put = builder.PrependInt8Slot if kind in _ENUMERATIONS else builder.PrependUOffsetTRelativeSlot
        put(slot, parts.get(name, 0), 0)
    return int(builder.EndObject())


def _read(place: Table, kind: str, position: int) -> Any:
    if kind in _ENUMERATIONS:
        return _ENUMERATIONS[kind][place.Get(number_types.Int8Flags, position)]
    if kind == "string":
        return place.String(position).decode()
    if kind == "float":
        return float(place.Get(number_types.Float32Flags, position))
    if kind.startswith("["):
        offset = position - place.Pos
        first, count = place.Vector(offset), place.VectorLen(offset)
        return [_read(place, kind[1:-1], first + 4 * index) for index in range(count)]
    return _read_table(Table(place.Bytes, place.Indirect(position)), kind)


def _read_table(place: Table, table: str) -> Document:
    document: Document = {}
    for slot, (name, kind) in enumerate(_TABLES[table].items()):
        if offset := place.Offset(4 + 2 * slot):
            document[name] = _read(place, document.get(f"{name}_type", kind), place.Pos + offset)
    return document

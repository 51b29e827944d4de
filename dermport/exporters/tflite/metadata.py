"""What a ``.tflite`` file says of itself to Android's tools (see :mod:`dermport.runtimes.tflite_metadata`)."""

from __future__ import annotations

from dermport.bundle.activation_map import MEANING
from dermport.exporters.contract import Source
from dermport.exporters.maps import has_map
from dermport.exporters.origin import AUTHOR, licence
from dermport.exporters.tflite.convert import INPUT, OUTPUT
from dermport.exporters.tflite.graph import TFLiteGraph
from dermport.runtimes.base import ACTIVATION_MAP
from dermport.runtimes.tflite_metadata import BUFFER, Document, to_flatbuffer, with_files

LABELS_FILE = "labels.txt"
NAMES_FILE = "labels_en.txt"
_MAP: Document = {
    "name": ACTIVATION_MAP,
    "description": f"{MEANING[0].upper()}{MEANING[1:]}.",
    "dimension_names": ["batch", "row", "column", "label"],
    "content": {"content_properties_type": "FeatureProperties", "content_properties": {}},
}


def stamped(model: bytes, source: Source, precision: str) -> bytes:
    """Return the model's file with metadata inside and the labels behind it.

    ``labels.txt`` holds the label ids, ``labels_en.txt`` the names for people, which MediaPipe's tasks give for the
    locale "en"; both a line for each output.
    """
    graph = TFLiteGraph(model)
    graph.name_ends(INPUT, OUTPUT, ACTIVATION_MAP)
    graph.add_metadata(BUFFER, to_flatbuffer(document(source, precision)))
    labels = source.manifest.task.labels
    files = {LABELS_FILE: [label.id for label in labels], NAMES_FILE: [label.name for label in labels]}
    return with_files(graph.to_bytes(), {name: "\n".join(lines) for name, lines in files.items()})


def document(source: Source, precision: str) -> Document:
    """Return the ModelMetadata document of a bundle's model in one precision."""
    manifest = source.manifest
    return {
        "name": f"{manifest.name} ({precision})",
        "description": (
            f"{manifest.model.architecture} that tells {len(manifest.task.labels)} classes"
            f"{'' if manifest.origin else ' of skin lesion'} apart. "
            f"{manifest.notice} Made from the model with sha256 {source.model_sha256}; photos are prepared as "
            f"{manifest.preprocessing.id} says."
        ),
        "version": manifest.version,
        "subgraph_metadata": [{"input_tensor_metadata": [_image(source)], "output_tensor_metadata": _results(source)}],
        "author": AUTHOR,
        "license": licence(source),
        "min_parser_version": "1.0.0",
    }


def _image(source: Source) -> Document:
    spec = source.manifest.preprocessing
    return {
        "name": INPUT,
        "description": f"RGB photo, {spec.size} x {spec.size}, values 0..255, prepared as {spec.id} ({spec.crop}).",
        "dimension_names": ["batch", "height", "width", "channel"],
        "content": {"content_properties_type": "ImageProperties", "content_properties": {"color_space": "RGB"}},
        # Raw pixels go in, the graph normalises: (x - 0) / 1. MediaPipe refuses a float input without this unit.
        "process_units": [{"options_type": "NormalizationOptions", "options": {"mean": [0.0], "std": [1.0]}}],
        "stats": {"max": [255.0], "min": [0.0]},
    }


def _results(source: Source) -> list[Document]:
    return [_probabilities(source), *([_MAP] if has_map(source.model) else [])]


def _probabilities(source: Source) -> Document:
    return {
        "name": OUTPUT,
        "description": "Calibrated probability of each label; they add up to 1.",
        "dimension_names": ["batch", "label"],
        "content": {"content_properties_type": "FeatureProperties", "content_properties": {}},
        "stats": {"max": [1.0], "min": [0.0]},
        "associated_files": [
            {"name": LABELS_FILE, "description": "Label ids.", "type": "TENSOR_AXIS_LABELS"},
            {"name": NAMES_FILE, "description": "Label names.", "type": "TENSOR_AXIS_LABELS", "locale": "en"},
        ],
    }

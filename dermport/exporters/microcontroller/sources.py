"""The C sources of a model, and the page that says how to use them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from string import Template

from dermport.errors import ExportError
from dermport.runtimes.microcontroller_card import Card

# By TFLite's type of operator: the method of MicroMutableOpResolver.
METHODS: Mapping[str, str] = {
    "ADD": "AddAdd",
    "AVERAGE_POOL_2D": "AddAveragePool2D",
    "CONCATENATION": "AddConcatenation",
    "CONV_2D": "AddConv2D",
    "DEPTHWISE_CONV_2D": "AddDepthwiseConv2D",
    "DEQUANTIZE": "AddDequantize",
    "FULLY_CONNECTED": "AddFullyConnected",
    "HARD_SWISH": "AddHardSwish",
    "LEAKY_RELU": "AddLeakyRelu",
    "LOGISTIC": "AddLogistic",
    "MAX_POOL_2D": "AddMaxPool2D",
    "MEAN": "AddMean",
    "MUL": "AddMul",
    "PAD": "AddPad",
    "QUANTIZE": "AddQuantize",
    "RELU": "AddRelu",
    "RESHAPE": "AddReshape",
    "SOFTMAX": "AddSoftmax",
    "SUB": "AddSub",
}
_FOLDER = resources.files("dermport.exporters.microcontroller")


def write_sources(folder: Path, model: bytes, card: Card) -> None:
    """Write ``model_data.h``, ``model_data.cc`` (the model as an array) and ``README.md``.

    Raises:
        ExportError: The model has an operator whose registration is not known.
    """
    if unknown := sorted(set(card.operators) - set(METHODS)):
        raise ExportError(
            f"The model has {', '.join(unknown)}, which this target does not know how to register.",
            remedy="Export it to `tflite`, or replace those layers.",
        )
    values = _values(card)
    texts = {
        "model_data.h": "model_data.h.in",
        "model_data.cc": "model_data.cc.in",
        "README.md": "guide.md.in",
    }
    arrays = {
        "array": _rows(f"0x{byte:02x}" for byte in model),
        "codes": _rows(str(code) for code in card.input_codes),
    }
    for name, template in texts.items():
        text = Template(_FOLDER.joinpath(template).read_text(encoding="utf-8")).substitute(values | arrays)
        (folder / name).write_text(text, encoding="utf-8")


def _values(card: Card) -> dict[str, str]:
    arena = card.arena_bytes
    return {
        "notice": card.notice,
        "bundle": f"{card.bundle} {card.version}",
        "sha256": card.model_sha256,
        "licence": card.licence,
        "preprocessing": card.preprocessing,
        "size": str(card.size),
        "flash": str(card.flash_bytes),
        "flash_words": f"{card.flash_bytes:,}",
        "arena": f"constexpr int kArenaBytes = {arena};" if arena else "// kArenaBytes: not measured; try 1024 * 256",
        "arena_words": f"{arena:,} bytes" if arena else f"not measured: {card.arena_not_measured_because}",
        "label_count": str(len(card.labels)),
        "labels": ", ".join(f'"{_escaped(label)}"' for label in card.labels),
        "labels_words": ", ".join(card.labels),
        "output_type": "float" if card.output_is_float else "int8_t",
        "output_scale": f"{card.output_scale!r}f",
        "output_zero_point": str(card.output_zero_point),
        "operator_count": str(len(card.operators)),
        "operators": "\n".join(f"  resolver.{METHODS[kind]}();" for kind in card.operators),
        "output_read": "data.f[i]" if card.output_is_float else "(data.int8[i] - kOutputZeroPoint) * kOutputScale",
    }


def _rows(words: Iterable[str]) -> str:
    listed = list(words)
    return "\n".join(f"    {', '.join(listed[start : start + 16])}," for start in range(0, len(listed), 16))


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"')

"""Which format a file or folder has, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dermport.errors import ModelError, UsageError
from dermport.importing.formats.keras3 import KerasOriginal
from dermport.importing.formats.onnx import OnnxOriginal
from dermport.importing.formats.saved_model import SAVED_MODEL, SavedModelOriginal
from dermport.importing.original import Original
from dermport.importing.request import ImportRequest

FORMATS: dict[str, Callable[[Path], Original]] = {
    ".keras": KerasOriginal,
    ".onnx": OnnxOriginal,
}
"""By the end of the name."""

_PICKLED = frozenset({".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".bin"})
_ARTIFACTS = frozenset({".tflite", ".mlmodel", ".mlpackage", ".engine", ".plan", ".pte", ".aimodel"})


def open_original(request: ImportRequest) -> Original:
    """Return the model that is asked for.

    Raises:
        UsageError: There is no such file.
        ModelError: It cannot be imported; the message says what can.
    """
    path = request.model
    if not path.exists():
        raise UsageError(f"{path} does not exist.")
    if path.is_dir() and (path / SAVED_MODEL).is_file():
        return SavedModelOriginal(path)
    end = path.suffix.lower()
    if end in _PICKLED:
        raise ModelError(
            f"{path} is pickled: reading it runs whatever code is in it, so it is not read.",
            remedy="Where you trust it, in your own Python: torch.jit.trace(model.eval(), image).save('model.pt'), "
            "torch.onnx.export(model.eval(), image, 'model.onnx'), or safetensors of its state_dict; import that.",
        )
    if end in _ARTIFACTS:
        raise ModelError(
            f"{path} is an artifact, made for one kind of device: it can be run, served and compared as it is, but not "
            "exported for others.",
            remedy="Import the model that it was made from.",
        )
    if end not in FORMATS:
        raise ModelError(f"{path} is of no format that is read: {', '.join(FORMATS)} and SavedModels are.")
    return FORMATS[end](path)

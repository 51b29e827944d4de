"""TensorFlow's SavedModels, run by TensorFlow by their serving signature."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.errors import ModelError
from dermport.importing.formats.tensorflow import graph_of
from dermport.importing.original import FrameworkVersion, Original
from dermport.importing.rebuild.graph import the_only

if TYPE_CHECKING:
    import onnx

SAVED_MODEL = "saved_model.pb"
_BATCH = 32
_SIGNATURE = "serving_default"


class SavedModelOriginal(Original):
    """A SavedModel's folder; its Python code is not in it, and nothing but its graph is run."""

    format = "saved-model"

    def __init__(self, path: Path) -> None:
        self.path = path
        inputs = self._signature.structured_input_signature[1]
        name = the_only(list(inputs), "input", inputs, str(path))
        the_only(list(self._signature.structured_outputs), "output", self._signature.structured_outputs, str(path))
        self._input = str(name)
        super().__init__(path, tuple(inputs[name].shape.as_list()))

    @cached_property
    def _loaded(self) -> Any:
        import tensorflow as tf

        try:
            return tf.saved_model.load(str(self.path))
        except Exception as error:  # TensorFlow raises errors of many types
            raise ModelError(f"{self.path} cannot be read by TensorFlow {tf.__version__}: {error}") from error

    @property
    def _signature(self) -> Any:
        signatures = self._loaded.signatures
        if _SIGNATURE not in signatures:
            raise ModelError(
                f"{self.path} has no signature {_SIGNATURE} (it has: {', '.join(signatures) or 'none'}).",
                remedy="Save it with one: model.export(folder).",
            )
        return signatures[_SIGNATURE]

    @property
    def architecture(self) -> str:
        """The folder's name."""
        return self.path.resolve().name

    @property
    def framework(self) -> FrameworkVersion:
        """TensorFlow."""
        import tensorflow as tf

        return FrameworkVersion("tensorflow", tf.__version__)

    def run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return its answers, [N, C]."""
        ready = self.arranged(images)
        parts = [np.asarray(self._answer(ready[start : start + _BATCH])) for start in range(0, len(ready), _BATCH)]
        return np.concatenate(parts).reshape(len(ready), -1)

    def onnx(self) -> onnx.ModelProto:
        """Return it as ONNX, by tf2onnx."""
        return graph_of(self._answer, self.shape)

    def _answer(self, images: Any) -> Any:
        import tensorflow as tf

        [answer] = self._signature(**{self._input: tf.convert_to_tensor(images)}).values()
        return answer

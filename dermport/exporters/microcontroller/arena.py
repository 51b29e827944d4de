"""How much memory a model's tensors need on a microcontroller, measured by TFLite Micro's own interpreter."""

from __future__ import annotations

from dermport.errors import UnavailableError
from dermport.exporters.microcontroller.slim import Slim
from dermport.runtimes.tflite_micro import ROOMY, TFLiteMicro

_STEP = 1024


def measured_arena(model: Slim) -> int | None:
    """Return the bytes of the arena that the model needs, a multiple of 1,024; it was set up in one of that size.

    None where TFLite Micro is not installed. It takes all its memory when it is set up, none while it runs. Pointers
    have 8 bytes here and 4 on a microcontroller, which needs a little less; kernels that are optimised for its
    processor (CMSIS-NN) may need scratch memory beside it. Sizes are not found by trying: where memory ends in the
    middle of a layer, TFLite Micro may crash.

    Raises:
        ExportError: It needs more than 16 MiB, or TFLite Micro lacks one of its operators.
    """
    try:
        with TFLiteMicro(model.model, (), model.codes, ROOMY) as runtime:
            used = runtime.arena_used()
    except UnavailableError:
        return None
    arena = -(-used // _STEP) * _STEP
    with TFLiteMicro(model.model, (), model.codes, arena):
        return arena

"""An optimizer under which a weight that is zero stays zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def keeping_zeros(optimizer: keras.optimizers.AdamW) -> keras.optimizers.Optimizer:
    """Return AdamW with the settings of `optimizer` that leaves the zeros of kernels zero.

    Each update is undone where the kernel was zero, before the moving average takes it in: the average, which is what
    answers in the end, has the very zeros that the weights had when training began. So which weights are zero is no
    state beside the weights, and a resumed run has it with them.
    """
    import keras

    class KeepingZeros(keras.optimizers.AdamW):  # type: ignore[misc]  # keras has no types
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            kept = keras.ops.cast(keras.ops.not_equal(variable, 0), variable.dtype)
            super().update_step(gradient, variable, learning_rate)
            if len(variable.shape) > 1:
                self.assign(variable, variable * kept)

    result = KeepingZeros.from_config(optimizer.get_config())
    result.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return result

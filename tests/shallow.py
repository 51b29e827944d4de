"""MobileNetV2 with 9 of its 17 blocks: half the layers, and half the time of whatever trains, reads or exports it.

Left out are blocks whose kind comes before: of stride 1, behind one of as many filters or between two of other widths.
What stays has every stride, residual sums alone and in a row, and the names of the layers that dermport knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

_LEFT_OUT = frozenset({7, 8, 9, 10, 11, 12, 14, 15})
PLAIN, DEPTHWISE, SUMS = 35 - 2 * len(_LEFT_OUT), 17 - len(_LEFT_OUT), 10 - 7  # of MobileNetV2's, what is left
CONVOLUTIONS = PLAIN + DEPTHWISE
LARGE = 3  # convolutions of more weights than `LARGEST_INT8`, at alpha 0.35: the last three


@contextmanager
def shallow_networks() -> Iterator[None]:
    """Keras' MobileNetV2 is the shallow one meanwhile."""
    from keras.src.applications import mobilenet_v2

    block = mobilenet_v2._inverted_res_block

    def kept(inputs: Any, **settings: Any) -> Any:
        return inputs if settings["block_id"] in _LEFT_OUT else block(inputs, **settings)

    with patch.object(mobilenet_v2, "_inverted_res_block", kept):
        yield


def are_shallow() -> bool:
    """Whether Keras' MobileNetV2 is the shallow one."""
    from keras.src.applications import mobilenet_v2

    return mobilenet_v2._inverted_res_block.__module__ == __name__

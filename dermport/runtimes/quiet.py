"""coremltools without its progress bars and its warnings about what a conversion on Linux does not need."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any


def import_coremltools() -> Any:
    """Import coremltools and return it.

    On importing it warns about newer TensorFlow and scikit-learn than it was tested with and, off macOS, about each
    part of Core ML's runtime that is not there.
    """
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    import coremltools

    return coremltools


@contextmanager
def quiet() -> Iterator[None]:
    """Keep progress bars and warnings off stderr; errors still come as exceptions.

    The quantiser divides by a scale of zero where a channel's weights are all zero; the weights come out as zero.
    """
    with redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

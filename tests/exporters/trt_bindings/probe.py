"""Evaluate expressions on the double of one version; print ``ok`` or the name of the error for each.

Run like `session`: ``python -m tests.exporters.trt_bindings.probe`` with a JSON list of expressions on stdin.
"""

from __future__ import annotations

import json
import sys

import tensorrt as real

from tests.exporters.trt_bindings.double import TensorRT


def outcome(expression: str) -> str:
    """Return what comes of an expression that may use `trt` and one object of each native class."""
    trt = TensorRT(real, {})
    objects = {
        "builder": "Builder",
        "config": "IBuilderConfig",
        "engine": "ICudaEngine",
        "context": "IExecutionContext",
    }
    names = {"trt": trt, **{name: trt.make(kind) for name, kind in objects.items()}}
    try:
        eval(expression, names)
    except Exception as error:
        return type(error).__name__
    return "ok"


if __name__ == "__main__":
    sys.stdout.write(json.dumps([outcome(expression) for expression in json.load(sys.stdin)]))

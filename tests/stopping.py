"""Commands that are stopped at a chosen place: they stop themselves, so that no test depends on how fast it looks.

    python -m tests.stopping MODULE:NAME SIGNAL STEM eager|graph ARGUMENTS...

runs ``dermport ARGUMENTS...``, which sends itself the signal right after its first call of the function (one that was
given a path with this stem, unless STEM is empty).
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from dermport.cli.main import main


def stop_after(called: str, arguments: Sequence[str], *, stem: str = "", how: signal.Signals = signal.SIGKILL) -> str:
    """Start dermport as a process of its own, stopped after a call, and return what it said on stderr.

    Args:
        called: ``module:name``, the function as its caller finds it.
        arguments: What a person types after ``dermport``.
        stem: Of a path that the function is given; empty for any call.
        how: SIGKILL, or SIGINT for Ctrl-C.
    """
    command = [sys.executable, "-m", "tests.stopping", called, how.name, stem, _mode(), *arguments]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    said = done.stderr.decode()
    assert done.returncode == (130 if how is signal.SIGINT else -how), said
    return said


def _mode() -> str:
    """Return how TensorFlow runs here (see `eagerly` in tests/conftest.py); weights are equal in equal modes alone."""
    tensorflow = sys.modules.get("tensorflow")
    return "eager" if tensorflow and tensorflow.config.functions_run_eagerly() else "graph"


def _set_trap(called: str, how: signal.Signals, stem: str) -> None:
    module, _, names = called.partition(":")
    *owners, name = names.split(".")
    owner = reduce(getattr, owners, importlib.import_module(module))
    real = getattr(owner, name)

    def trapped(*arguments: Any, **options: Any) -> Any:
        result = real(*arguments, **options)
        stems = {one.stem for one in (*arguments, *options.values()) if isinstance(one, Path)}
        if not stem or stem in stems:
            setattr(owner, name, real)
            os.kill(os.getpid(), how)
        return result

    setattr(owner, name, trapped)


if __name__ == "__main__":
    _called, _how, _stem, _as, *_arguments = sys.argv[1:]
    if _as == "eager":
        importlib.import_module("tensorflow").config.run_functions_eagerly(True)
    _set_trap(_called, signal.Signals[_how], _stem)
    # A shell that starts the tests in the background leaves Ctrl-C ignored, and Python then does not listen for it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["dermport", *_arguments]
    main()

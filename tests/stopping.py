"""Commands that are stopped at a chosen place: they stop themselves, so that no test depends on how fast it looks.

Each is a process of its own, forked from one that has imported Keras and done nothing else: to import it takes longer
than most of what is stopped.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import reduce
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dermport.cli.main import main
from tests.shallow import are_shallow, shallow_networks

_FORKED = get_context("forkserver")
_FORKED.set_forkserver_preload([__name__, "keras"])


@dataclass(frozen=True)
class _Stop:
    """Where a command is stopped, and how TensorFlow runs it: weights are equal in equal modes alone."""

    called: str
    stem: str
    how: signal.Signals
    eager: bool
    shallow: bool


def stop_after(called: str, arguments: Sequence[str], *, stem: str = "", how: signal.Signals = signal.SIGKILL) -> str:
    """Start dermport as a process of its own, stopped after a call, and return what it said on stderr.

    Args:
        called: ``module:name``, the function as its caller finds it; the process stops right after its first call.
        arguments: What a person types after ``dermport``.
        stem: Of a path that the function is given; empty for any call.
        how: SIGKILL, or SIGINT for Ctrl-C.
    """
    import tensorflow as tf

    stop = _Stop(called, stem, how, tf.config.functions_run_eagerly(), are_shallow())
    with TemporaryDirectory() as folder:
        stderr = Path(folder) / "stderr"
        process = _FORKED.Process(target=_run, args=(stop, list(arguments), stderr))
        process.start()
        process.join()
        said = stderr.read_text()
    assert process.exitcode == (130 if how is signal.SIGINT else -how), said
    return said


def _run(stop: _Stop, arguments: list[str], stderr: Path) -> None:
    """Run the command in this process; what it says, and what C++ below says, goes to a file."""
    import tensorflow as tf

    for number, path in ((1, Path(os.devnull)), (2, stderr)):
        with path.open("w") as file:
            os.dup2(file.fileno(), number)
    tf.config.run_functions_eagerly(stop.eager)
    _set_trap(stop.called, stop.how, stop.stem)
    # A shell that starts the tests in the background leaves Ctrl-C ignored, and Python then does not listen for it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["dermport", *arguments]
    with shallow_networks() if stop.shallow else nullcontext():
        main()


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

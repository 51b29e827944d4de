"""What libraries print while a command runs: kept from people, and in a log where the command fails.

TensorFlow, absl, oneDNN, XNNPACK and coremltools write to stderr's file descriptor, from C++ and before any setting of
theirs is read; so the descriptor itself leads to a file meanwhile, and people's text to what it was.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import typer

from dermport.errors import DermportError, ExportError
from dermport.progress import tell_people

_STDERR = 2
# typer ends a command by an exception, too.
_WELL_SAID = (DermportError, OSError, typer.Exit, typer.Abort)


@contextlib.contextmanager
def libraries_unheard() -> Iterator[None]:
    """Keep stderr for people: :func:`dermport.progress.people` is the terminal, everything else goes to a log.

    The log is removed where the command ends well or with an error that says everything; else its name is printed.
    """
    terminal = _opened_again(sys.stderr)
    if terminal is None:  # a test's or a notebook's, without a descriptor
        yield
        return
    log, name = _new_log()
    caught, keeps = sys.stderr, False
    try:
        os.dup2(log.fileno(), _STDERR)
        sys.stderr = log
        tell_people(terminal)
        yield
    except Exception as error:
        keeps = isinstance(error, ExportError) or not isinstance(error, _WELL_SAID)
        raise
    finally:
        tell_people(None)
        sys.stderr = caught
        terminal.flush()
        os.dup2(terminal.fileno(), _STDERR)
        terminal.close()
        _end(log, name, keeps)


def _opened_again(stream: TextIO) -> TextIO | None:
    """Return another way to where `stream` leads; None where it is not the process's stderr."""
    try:
        if stream.fileno() != _STDERR:
            return None
    except (AttributeError, OSError, ValueError):
        return None
    return os.fdopen(os.dup(_STDERR), "w", encoding=stream.encoding, errors="backslashreplace", buffering=1)


def _new_log() -> tuple[TextIO, Path | None]:
    try:
        descriptor, name = tempfile.mkstemp(prefix="dermport-", suffix=".log")
    except OSError:  # no room for a log is no reason to do nothing
        return io.TextIOWrapper(io.FileIO(os.devnull, "w")), None
    return os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace", buffering=1), Path(name)


def _end(log: TextIO, name: Path | None, keeps: bool) -> None:
    with contextlib.suppress(OSError):
        log.close()
    if name is None:
        return
    if keeps and name.stat().st_size:
        sys.stderr.write(f"dermport: what libraries said meanwhile is in {name}\n")
    else:
        name.unlink(missing_ok=True)

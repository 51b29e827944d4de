"""Where the processes of one server share what need not outlive them: in memory, where a full disk harms nothing.

A process that writes into a mapped file whose disk has no room for the page is killed (SIGBUS), so that this is no
place in the state folder.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from dermport.bundle.hashing import sha256_bytes

_MEMORY = Path("/dev/shm")


def run_folder(state: Path) -> Path:
    """Return the folder of the server whose state is in `state`, made where it is missing, for this user alone."""
    folder = run_place(state)
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        return Path(tempfile.mkdtemp(prefix="dermport-"))  # somebody else's, made to be found here
    return folder


def run_place(state: Path) -> Path:
    """Return where that folder is, if nobody else has made one there."""
    name = f"dermport-{os.geteuid()}-{sha256_bytes(os.fsencode(state.absolute()))[:16]}"
    return (_MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir())) / name


def clear_run_folder(state: Path) -> None:
    """Remove what a server left behind; none may be running."""
    shutil.rmtree(run_place(state), ignore_errors=True)

"""The state folder: for its owner alone, and in the hands of one server."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import pwd
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dermport.errors import StorageError
from dermport.server.config import StorageConfig

_LOG = logging.getLogger("dermport.storage")
_LOG.addHandler(logging.NullHandler())  # a terminal command that logs nothing says the error alone
_FULL = (errno.ENOSPC, errno.EDQUOT)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_LOCK = "server.lock"
_OURS = ("dermport.db*", "*signing.key*", "*root.key*", "roots", "photos", "compressed", "run", _LOCK)
# The workers of a server that was killed end with it, a moment later.
_LOCK_SECONDS = 3.0


def private_folder(path: Path) -> Path:
    """Return a folder of the state that only its owner opens; made where it is missing, but never its parents."""
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def private_file(path: Path) -> None:
    """Make an empty file that only its owner opens, where it is missing; made by root, it is the folder's owner's."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        owner = path.parent.stat()
        if os.geteuid() == 0 != owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid)


def make_state(folder: Path) -> Path:
    """Return the state folder, absolute: made where it is missing, and closed to others with all that is in it.

    Raises:
        StorageError: It cannot be made, or is a file.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise refusal(folder, error) from error
    _close_to_others(folder)
    return folder


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep a state folder for one server while the ``with`` block runs, and all processes that are forked in it.

    Raises:
        StorageError: Another server has it.
    """
    path = folder / _LOCK
    try:
        private_file(path)
        descriptor = os.open(path, os.O_RDWR)
    except OSError as error:
        if error.errno not in _FULL:
            raise refusal(path, error) from error
        _LOG.error("the disk of %s is full: nothing keeps a second server out", folder)
        yield
        return
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def refusal(path: Path, error: OSError) -> StorageError:
    """Return what to tell of a file or folder of the state that cannot be used."""
    if error.errno in _FULL:
        return disk_full(path)
    if error.errno == errno.ENOENT:
        return gone(path)
    said = "it is a file" if error.errno in (errno.EEXIST, errno.ENOTDIR) else error.strerror or str(error)
    return denied(path, said)


def denied(path: Path, said: str) -> StorageError:
    """Return what to tell of a path that this user may not use: what the system said, and whose it is."""
    return StorageError(
        f"{path} cannot be used: {said}{_whose(path)}.",
        reason="denied",
        remedy="Run this as the user whose state it is, give it to this one, or name another folder with {state}.",
        of=StorageConfig,
    )


def gone(path: Path) -> StorageError:
    """Return what to tell of a file or folder that was there before."""
    return StorageError(
        f"{path} is gone.",
        reason="gone",
        remedy="Put it back, from a backup if need be, with the signing key beside it; or restart the server.",
    )


def disk_full(path: Path) -> StorageError:
    """Return what to tell where there is no room."""
    return StorageError(
        f"The disk of {path} is full; nothing was stored.", reason="full", remedy="Make room on it, and try again."
    )


def _whose(path: Path) -> str:
    there = next((one for one in (path, *path.parents) if os.path.lexists(one)), Path("/"))
    try:
        owner = there.stat().st_uid
    except OSError:
        return ""
    return "" if owner == os.geteuid() else f" ({there} belongs to {_user(owner)}, and this is {_user(os.geteuid())})"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _close_to_others(folder: Path) -> None:
    """Take from others what they may do with what is ours, and with the folder where nothing else is in it."""
    ours = {path for name in _OURS for path in folder.glob(name)}
    if set(folder.iterdir()) <= ours:
        close_to_others(folder)
    elif folder.stat().st_mode & _OTHERS:
        _LOG.warning("others may look into %s: give the server a folder of its own", folder)
    for path in ours:
        close_to_others(path)
        for below in path.rglob("*"):
            close_to_others(below)


def close_to_others(path: Path) -> None:
    """Take from others what they may do with a file or folder; say where that cannot be done."""
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if not mode & _OTHERS or stat.S_ISLNK(mode):
            return
        try:
            path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
            _LOG.warning("others could read %s; now its owner alone can", path)
        except PermissionError:
            _LOG.error("others may read %s, and this user may not change that%s", path, _whose(path))


def _lock(descriptor: int, folder: Path) -> None:
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise _taken(folder, os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()) from error
            time.sleep(0.1)
        except OSError as error:  # a file system without locks
            _LOG.warning("nothing keeps a second server out of %s: %s", folder, error.strerror)
            return
    with suppress(OSError):  # it is for people alone
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)


def _taken(folder: Path, process: str) -> StorageError:
    return StorageError(
        f"Another server{f' (process {process})' if process else ''} has the state folder {folder}.",
        reason="held",
        remedy="Stop it, or give this one a folder of its own with {state}.",
        of=StorageConfig,
    )

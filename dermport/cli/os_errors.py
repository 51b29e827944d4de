"""The operating system's errors in words: which file, why, and what to do; the one place for every command."""

from __future__ import annotations

import errno
import os

# What the system says by number: the reason after the file's name, and the remedy.
_ELSEWHERE = "Free some space, or name a folder on another disk."
_PERMISSION = "Change its permissions, or run dermport as its owner."
_WORDS: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("there is no space left on its disk", _ELSEWHERE),
    errno.EDQUOT: ("your quota of its disk is used up", _ELSEWHERE),
    errno.EFBIG: ("it would be larger than a file may be here", _ELSEWHERE),
    errno.EROFS: ("its disk can only be read", "Name a folder on another disk, or copy what is to be changed."),
    errno.EACCES: ("it may not be read or written by this user", _PERMISSION),
    errno.EPERM: ("this user may not do that to it", _PERMISSION),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "Name another path, or move that file away."),
    errno.EISDIR: ("it is a folder, and a file is needed", "Name a file."),
    errno.ENOENT: ("it does not exist", "Check the name."),
    errno.EEXIST: ("something else is there already", "Name another one, or move it away."),
    errno.ENOTEMPTY: ("it is not empty", "Name another folder, or move away what is in it."),
    errno.ENAMETOOLONG: ("its name is too long for its disk", "Name a shorter one."),
    errno.ELOOP: ("its links lead in a circle", "Mend the link."),
    errno.EMFILE: ("too many files are open", "Allow more: ulimit -n 4096"),
    errno.ENFILE: ("too many files are open on this machine", "End other programs."),
    errno.ENOMEM: ("there is not enough memory", "End other programs, or ask for less at a time."),
    errno.EIO: ("its disk fails", "Look at the system's log (dmesg), and save what is on it."),
    errno.ESTALE: ("its network disk has gone", "Mount it again."),
}
# TensorFlow has errors of its own for its files; the words of each begin with the file's name.
_TENSORFLOW = {"ResourceExhaustedError": errno.ENOSPC, "PermissionDeniedError": errno.EACCES}


def in_words(error: Exception) -> str | None:
    """Return an error of the operating system as a line and a remedy; None where it is no such error."""
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        return _said(error.errno, _named(error), error.strerror or str(error))
    number = _TENSORFLOW.get(type(error).__name__) if type(error).__module__.startswith("tensorflow.") else None
    if number and (name := str(error).partition(";")[0]) and os.sep in name:
        return _said(number, name, str(error))
    if isinstance(error, MemoryError):
        return _said(errno.ENOMEM, "", str(error))
    return None


def _said(number: int | None, name: str, own: str) -> str:
    reason, remedy = _WORDS.get(number or 0, (own.rstrip("."), ""))
    line = f"{name}: {reason}." if name else f"{reason[:1].upper()}{reason[1:]}."
    return f"{line}\n  {remedy}" if remedy else line


def _named(error: OSError) -> str:
    """Return the files that the system names, fit to be printed whatever bytes they are made of."""
    names = [os.fsencode(name) if isinstance(name, str) else name for name in (error.filename, error.filename2) if name]
    return " to ".join(
        str(name) if isinstance(name, int) else bytes(name).decode("utf-8", "backslashreplace") for name in names
    )

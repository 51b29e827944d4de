"""What a run has asked and learnt, as JSON lines that are on the disk before anything depends on them.

A phone's answer is written before it is posted, with the idempotency key that it will be posted under, and the server's
answer as it comes. So the journal is the offline queue, too: what was asked and not answered is still to be posted,
word for word, and posting it twice stores nothing twice.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from dermport.bundle.wire import ComparisonRequest
from dermport.contract import Contract, Sha256
from dermport.errors import DataError, UsageError
from dermport.mobile_stub.prediction import Side
from dermport.mobile_stub.received import ReceivedFault, ReceivedParts, ReceivedStep
from dermport.options import Option

NAME = "journal.jsonl"
Send = Literal["photo", "prepared", "both"]


class PhoneEntry(Contract):
    """The phone's side of a photo."""

    kind: Literal["asked"] = "asked"
    id: Annotated[str, Field(description="the idempotency key")]
    photo: str
    path: str
    photo_sha256: Sha256
    artifact_sha256: Sha256
    phone: Side
    said: Annotated[ComparisonRequest | None, Field(description="what is posted; null where the phone refuses")]
    send: Annotated[Send, Field(description="what is posted with it: asking again must send the same")] = "photo"


class ServerEntry(Contract):
    """The Jetson's side of a photo that was asked under that id."""

    kind: Literal["answered"] = "answered"
    id: str
    server: Side
    served: Annotated[str, Field(description="sha256 of the file that the server ran; empty where it did not say")]
    comparison: Annotated[str | None, Field(description="the server's id; null where it only predicted")] = None
    cause: str | None = None
    words: str = ""
    steps: tuple[ReceivedStep, ...] = ()
    parts: ReceivedParts | None = None
    faults: tuple[ReceivedFault, ...] = ()
    round_trip: Annotated[float | None, Field(description="milliseconds from sending to the answer")] = None


Line = Annotated[PhoneEntry | ServerEntry, Field(discriminator="kind")]
_LINE: TypeAdapter[PhoneEntry | ServerEntry] = TypeAdapter(Line)


class Journal:
    """A journal, for any number of threads. Use it in a ``with`` block.

    Args:
        path: The file, made where it is missing; None keeps everything in memory.

    Raises:
        DataError: A line of it is none of ours.
        UsageError: Another run is writing to it, or it cannot be opened.
    """

    path: Annotated[Path | None, Option("Where the run is kept.", name="out")]

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._asked: dict[str, PhoneEntry] = {}
        self._answered: dict[str, ServerEntry] = {}
        self._by_photo: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._file = None if path is None else _open(path)
        if path is not None and self._file is not None:
            whole = path.read_bytes()
            kept = whole[: whole.rfind(b"\n") + 1]  # a power cut may have left half a line
            for number, line in enumerate(kept.splitlines(), start=1):
                self._take(_read(line, path, number))
            os.ftruncate(self._file, len(kept))

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def write(self, line: PhoneEntry | ServerEntry) -> None:
        """Keep a line; it is on the disk when this returns."""
        with self._lock:
            if self._file is not None:
                _append(self._file, line.model_dump_json().encode() + b"\n")
            self._take(line)

    def find(
        self, photo_sha256: str, artifact_sha256: str, served: str | None
    ) -> tuple[PhoneEntry, ServerEntry | None] | None:
        """Return what is known of a photo and an artifact; None where the phone is still to be asked.

        Args:
            photo_sha256: The photo.
            artifact_sha256: What the phone runs.
            served: What the server runs now: answers of other files do not count. None takes any, the latest first.
        """
        with self._lock:
            pairs = [
                (self._asked[one], self._answered.get(one)) for one in self._by_photo[photo_sha256, artifact_sha256]
            ]
        for asked, answered in reversed(pairs):
            if answered is None or served is None or answered.served in ("", served):
                return asked, answered
        return None

    def waiting(self) -> tuple[PhoneEntry, ...]:
        """Return what is still to be posted, in the order in which it was asked."""
        with self._lock:
            return tuple(asked for one, asked in self._asked.items() if one not in self._answered)

    def _take(self, line: PhoneEntry | ServerEntry) -> None:
        if isinstance(line, ServerEntry):
            self._answered[line.id] = line
        else:
            self._asked[line.id] = line
            self._by_photo[line.photo_sha256, line.artifact_sha256].append(line.id)

    def __iter__(self) -> Iterator[tuple[PhoneEntry, ServerEntry | None]]:
        with self._lock:
            pairs = [(asked, self._answered.get(one)) for one, asked in self._asked.items()]
        return iter(pairs)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise UsageError(f"{path} cannot be opened: {error.strerror}.") from error
    if not _lock(file):
        os.close(file)
        raise UsageError(
            f"Another run is writing to {path}.", remedy="Wait for it, or choose another {path}.", of=Journal
        )
    return file


def _lock(file: int) -> bool:
    """Lock the file for this process, where the system can; False where another one has it."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _append(file: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(file, data) :]
        os.fsync(file)
    except OSError as error:
        raise UsageError(
            f"The journal cannot be written: {error.strerror}.", remedy="Make room; the same command goes on."
        ) from error


def _read(line: bytes, path: Path, number: int) -> PhoneEntry | ServerEntry:
    try:
        return _LINE.validate_json(line)
    except ValidationError as error:
        raise DataError(
            f"{path}, line {number}, is none that this version of dermport has written.",
            remedy="Choose another {path}, or remove the line.",
            of=Journal,
        ) from error

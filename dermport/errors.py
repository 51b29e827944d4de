"""The one error tree of dermport.

::

    DermportError                 everything we raise on purpose; exit code 2
     ├── UsageError               an option or a combination of options that cannot be meant
     ├── DataError                a data set, a metadata file or a grouping table that cannot be used
     │    └── PhotoError          one photo that ``dermport-prep/1`` refuses (`code`)
     ├── StorageError             a server's state folder or database that cannot be used (`reason`)
     ├── RequestError             a request that a server refuses (HTTP 4xx or 503, `code`, `status`, `retry_after`)
     ├── BundleError              a bundle folder that is missing, of another version or invalid
     │    └── IntegrityError      a file whose bytes are not the recorded ones
     │         └── TrustError     a signed document that a phone refuses (`code`)
     ├── ModelError               a model file that cannot become a bundle
     ├── ExportError              a conversion that failed, or an artifact that breaks the contract
     │    ├── UnknownOperatorError  an operator that the reference executor has no translation for
     │    └── ArtifactsFailedError  some of several artifacts: the others are finished; exit code 1
     ├── UnavailableError         something that this machine cannot do (no TensorRT, no Mac); says what would
     ├── EngineMismatchError      a TensorRT engine whose sidecar does not match this machine
     └── ServerError              the Jetson's server did not answer, or not in the agreed form
          └── UnreachableError    it did not answer at all, or had no time: asking again later may help

Each message says what was wrong, with which file, and what to do about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_FIELD = re.compile(r"\{(\w+)\}")


class Parameters:
    """An error's `of` where the braces name parameters of a function; the command's options are called alike."""


class DermportError(Exception):
    """Base of every error that dermport raises on purpose.

    Args:
        message: What was wrong and with which file or field.
        remedy: What the reader can do about it; shown on a line of its own.
        of: The dataclass whose fields both name in braces, as in ``"{batch} is odd."``, or :class:`Parameters`; None
            where they name none.
    """

    exit_code = 2

    def __init__(self, message: str, *, remedy: str = "", of: type | None = None) -> None:
        super().__init__(message)
        self.message, self.remedy = self._text = message, remedy
        self.of = of
        self.name_fields(lambda field: field)

    def name_fields(self, named: Callable[[str], str]) -> None:
        """Say the fields in other words than their names, such as the command line's options."""
        if self.of is not None:
            self.message, self.remedy = (_FIELD.sub(lambda field: named(field[1]), text) for text in self._text)

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message


class UsageError(DermportError):
    """An option, or a combination of options, that cannot be meant."""


class DataError(DermportError):
    """A data set, a metadata file or a grouping table that cannot be used."""


class PhotoError(DataError):
    """One photo that ``dermport-prep/1`` refuses; `code` names the reason, e.g. ``"photo-damaged"``."""

    def __init__(self, message: str, *, code: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class StorageError(DermportError):
    """A server's state folder or database that cannot be used; said to a request in the server's words (507 or 503).

    Args:
        message: What was wrong, with which file.
        reason: ``"full"``, ``"gone"``, ``"locked"``, ``"damaged"``, ``"denied"``, ``"newer"``, ``"held"``,
            ``"failed"``.
        remedy: What whoever runs the server can do about it.
        of: As of every error.
    """

    def __init__(self, message: str, *, reason: str, remedy: str = "", of: type | None = None) -> None:
        super().__init__(message, remedy=remedy, of=of)
        self.reason = reason


class RequestError(DermportError):
    """A request that a server refuses.

    Args:
        message: What was wrong.
        code: A short stable name of the reason, e.g. ``"overloaded"`` (part of the HTTP contract).
        status: The HTTP status that a server answers with.
        remedy: What the sender can do about it.
        retry_after: Seconds after which the same request may be taken; None where trying again is no use.
    """

    def __init__(
        self, message: str, *, code: str, status: int, remedy: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.code = code
        self.status = status
        self.retry_after = retry_after


class BundleError(DermportError):
    """A bundle folder that is missing, of another schema version, or invalid."""


class IntegrityError(BundleError):
    """A file whose bytes are not the ones that were recorded."""


class TrustError(IntegrityError):
    """A signed document that a phone refuses.

    Args:
        message: What was wrong.
        code: ``"untrusted"``, ``"replayed"``, ``"expired"`` or ``"unknown-form"``: the same on every phone.
        remedy: What can be done about it.
    """

    def __init__(self, message: str, *, code: str, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code


class ModelError(DermportError):
    """A model file that cannot become a bundle: its form is not read, or something in it has no counterpart."""


class ExportError(DermportError):
    """A conversion that failed, or an artifact that breaks the contract."""


class UnknownOperatorError(ExportError):
    """An operator that the reference executor has no translation for (never skipped)."""


class ArtifactsFailedError(ExportError):
    """Some of several artifacts failed; the others are finished.

    Args:
        failures: By the artifact's name, why.
        done: What they could not be, e.g. ``"exported"``.
        total: How many artifacts there were in all.
    """

    exit_code = 1

    def __init__(self, failures: Mapping[str, DermportError], done: str, total: int) -> None:
        reasons = (f"\n  {name}: {error.message} {error.remedy}".rstrip() for name, error in failures.items())
        super().__init__(f"{len(failures)} of {total} artifacts could not be {done}:{''.join(reasons)}")
        self.failures = failures


class UnavailableError(DermportError):
    """Something that this machine cannot do; the message names what is missing."""


class EngineMismatchError(DermportError):
    """A TensorRT engine whose sidecar does not match this machine or its ONNX."""


class ServerError(DermportError):
    """The Jetson's server did not answer, or not in the agreed form."""


class UnreachableError(ServerError):
    """The Jetson's server did not answer at all, or had no time: asking again later may help."""

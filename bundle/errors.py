"""The one error tree of dermport.

::

    DermportError                 everything we raise on purpose; exit code 2
     ├── UsageError               an option or a combination of options that cannot be meant
     ├── DataError                a data set, a metadata file or a grouping table that cannot be used
     ├── PhotoError               one photo that ``dermport-prep/1`` refuses (HTTP 4xx, `code`, `status`)
     ├── BundleError              a bundle folder that is missing, of another version or invalid
     │    └── IntegrityError      a file whose bytes are not the recorded ones
     ├── ExportError              a conversion that failed, or an artifact that breaks the contract
     │    └── UnknownOperatorError  an operator that the reference executor has no translation for
     ├── UnavailableError         something that this machine cannot do (no TensorRT, no Mac); says what would
     ├── EngineMismatchError      a TensorRT engine whose sidecar does not match this machine
     └── ServerError              the Jetson's server did not answer, or not in the agreed form

Each message says what was wrong, with which file, and what to do about it.
"""

from __future__ import annotations


class DermportError(Exception):
    """Base of every error that dermport raises on purpose.

    Args:
        message: What was wrong and with which file or option.
        remedy: What the reader can do about it; shown on a line of its own.
    """

    exit_code = 2

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  {self.remedy}" if self.remedy else self.message


class UsageError(DermportError):
    """An option, or a combination of options, that cannot be meant."""


class DataError(DermportError):
    """A data set, a metadata file or a grouping table that cannot be used."""


class PhotoError(DermportError):
    """One photo that ``dermport-prep/1`` refuses.

    Args:
        message: What was wrong with the photo.
        code: A short stable name of the reason, e.g. ``"truncated"`` (part of the HTTP contract).
        status: The HTTP status that a server answers with.
        remedy: What the sender can do about it.
    """

    def __init__(self, message: str, *, code: str, status: int = 422, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code
        self.status = status


class BundleError(DermportError):
    """A bundle folder that is missing, of another schema version, or invalid."""


class IntegrityError(BundleError):
    """A file whose bytes are not the ones that were recorded."""


class ExportError(DermportError):
    """A conversion that failed, or an artifact that breaks the contract."""


class UnknownOperatorError(ExportError):
    """An operator that the reference executor has no translation for (never skipped)."""


class UnavailableError(DermportError):
    """Something that this machine cannot do; the message names what is missing."""


class EngineMismatchError(DermportError):
    """A TensorRT engine whose sidecar does not match this machine or its ONNX."""


class ServerError(DermportError):
    """The Jetson's server did not answer, or not in the agreed form."""

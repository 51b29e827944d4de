"""The base of every HTTP message, and the words that headers and forms carry."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field
from typing_extensions import Self

from dermport.contract import Contract

PROBLEM_TYPE = "application/problem+json"
PHOTO_TYPES = ("image/jpeg", "image/png")
PHOTO_FIELD = "photo"
PREP_HEADER = "X-Dermport-Prep"
MANIFEST_HEADER = "X-Dermport-Manifest"
"""The sha256 of the manifest (bundle.json) by which a photo was answered."""
REQUEST_ID_HEADER = "X-Request-Id"
API_KEY_HEADER = "X-Api-Key"
IDEMPOTENCY_HEADER = "Idempotency-Key"
Milliseconds = Annotated[float, Field(ge=0, description="milliseconds")]


class Message(Contract):
    """The base of what travels: fields of a newer server are ignored, so that it can serve phones of last year."""

    model_config = ConfigDict(extra="ignore")

    @classmethod
    def of_ours(cls, **fields: Any) -> Self:
        """Return a message of what we made ourselves: all of its fields, in their order, at which nobody looks again.

        ``model_construct`` takes several times as long, to see what is missing.
        """
        message = cls.__new__(cls)
        object.__setattr__(message, "__dict__", fields)
        object.__setattr__(message, "__pydantic_fields_set__", set(fields))
        object.__setattr__(message, "__pydantic_extra__", None)
        object.__setattr__(message, "__pydantic_private__", None)
        return message

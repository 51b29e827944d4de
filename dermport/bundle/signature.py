"""Signed documents: DSSE envelopes (https://github.com/secure-systems-lab/dsse, version 1.0) with Ed25519 signatures.

The signature covers the document's type as well as its bytes, so that a document signed as one thing is never taken for
another. A key's id is a hint for people and logs; it decides nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, ValidationError

from dermport.bundle.hashing import sha256_bytes
from dermport.contract import Contract
from dermport.errors import DataError, TrustError, UnavailableError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_REMEDY = "It was changed on the way, or another server signed it: do not use it. Compare the key ids."


class _Lenient(Contract):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Signature(_Lenient):
    """One signature of an envelope's payload."""

    keyid: Annotated[str, Field(description="first 16 hexadecimal digits of the sha256 of the raw public key")] = ""
    sig: Annotated[str, Field(description="base64 of the Ed25519 signature of the pre-authentication encoding")]


class Envelope(_Lenient):
    """A document with its signatures, as DSSE defines it."""

    payload: Annotated[str, Field(description="base64 of the document's bytes")]
    payload_type: Annotated[str, Field(alias="payloadType", description="media type of the document")]
    signatures: Annotated[tuple[Signature, ...], Field(min_length=1)]


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: both parts with their lengths, so that no two pairs have one encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(payload: bytes, payload_type: str, *keys: Ed25519PrivateKey) -> Envelope:
    """Return `payload` in an envelope with a signature by each key; equal arguments give equal envelopes."""
    signed = pre_authentication_encoding(payload_type, payload)
    signatures = tuple(Signature(keyid=key_id(key.public_key()), sig=encode(key.sign(signed))) for key in keys)
    return Envelope(payload=encode(payload), payload_type=payload_type, signatures=signatures)


def verify(envelope: Envelope, payload_type: str, trusted: Iterable[Ed25519PublicKey]) -> bytes:
    """Return the payload once one of the `trusted` keys is found to have signed it as `payload_type`.

    Raises:
        TrustError: "untrusted": none of them has, or it is of another type.
    """
    if envelope.payload_type != payload_type:
        raise _untrusted(f"The signed document is of type {envelope.payload_type!r}, not {payload_type!r}.")
    payload = _decode(envelope.payload)
    signed = pre_authentication_encoding(payload_type, payload)
    keys = tuple(trusted)
    if not any(_is_by(key, _decode(found.sig), signed) for found in envelope.signatures for key in keys):
        claimed = ", ".join(found.keyid or "unnamed" for found in envelope.signatures)
        known = ", ".join(map(key_id, keys)) or "none"
        raise _untrusted(f"The signature is not by a trusted key (it claims: {claimed}; trusted: {known}).")
    return payload


def read_envelope(data: bytes) -> Envelope:
    """Read an envelope from JSON; its signatures are not checked.

    Raises:
        TrustError: "untrusted": it is none.
    """
    try:
        return Envelope.model_validate_json(data)
    except ValidationError as error:
        raise _untrusted("The signed document is no DSSE envelope.") from error


def payload_of(envelope: Envelope) -> bytes:
    """Return the payload, whoever signed it.

    Raises:
        TrustError: "untrusted": it is not in base64.
    """
    return _decode(envelope.payload)


def key_id(key: Ed25519PublicKey) -> str:
    """Return the first 16 hexadecimal digits of the sha256 of the raw public key."""
    return sha256_bytes(key.public_bytes_raw())[:16]


def raw_key(key: Ed25519PublicKey) -> str:
    """Return base64 of the 32 bytes of a public key, as documents list it."""
    return encode(key.public_bytes_raw())


def key_of(raw: str) -> Ed25519PublicKey:
    """Return the public key that a document lists.

    Raises:
        UnavailableError: The package cryptography is not installed.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise not_installed(error) from error
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(raw))


def public_pem(key: Ed25519PublicKey) -> str:
    """Return a public key as PEM (SubjectPublicKeyInfo)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public_key(pem: bytes) -> Ed25519PublicKey:
    """Read a public key from PEM.

    Raises:
        DataError: It is no Ed25519 public key.
        UnavailableError: The package cryptography is not installed.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError as error:
        raise not_installed(error) from error
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise DataError("The public key is not in PEM form.", remedy=_GET_KEY) from error
    if not isinstance(key, Ed25519PublicKey):
        raise DataError("The public key is not an Ed25519 key.", remedy=_GET_KEY)
    return key


_GET_KEY = "GET /v1/signing-key of the server has it."


def not_installed(error: ImportError) -> UnavailableError:
    """Return the error of a machine without the package cryptography."""
    return UnavailableError(
        f"Signatures need the package cryptography, which is not installed ({error}).",
        remedy="pip install 'dermport[phone]' or 'dermport[server]' brings it.",
    )


def _is_by(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def encode(data: bytes) -> str:
    """Return base64."""
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    # Verifiers must accept standard and URL-safe base64.
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _untrusted("The signed document is not in base64.") from error


def _untrusted(message: str) -> TrustError:
    return TrustError(message, code="untrusted", remedy=_REMEDY)

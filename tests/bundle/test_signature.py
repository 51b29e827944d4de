"""Signed envelopes: what DSSE defines, and every way to tamper with one."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.signature import (
    Envelope,
    key_id,
    pre_authentication_encoding,
    public_pem,
    read_envelope,
    read_public_key,
    sign,
    verify,
)
from dermport.errors import DataError, IntegrityError

TYPE = "http://example.com/HelloWorld"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
ENVELOPE = sign(b"hello world", TYPE, KEY)


def test_encoding_is_that_of_the_specification() -> None:
    assert (
        pre_authentication_encoding(TYPE, b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pre_authentication_encoding("ä", b"\0") == b"DSSEv1 2 \xc3\xa4 1 \0"  # lengths are in bytes


def test_envelope_has_the_names_of_the_specification_and_is_deterministic() -> None:
    document = ENVELOPE.model_dump(mode="json", by_alias=True)
    assert document["payload"] == "aGVsbG8gd29ybGQ="
    assert document["payloadType"] == TYPE
    assert document["signatures"][0]["keyid"] == sha256_bytes(KEY.public_key().public_bytes_raw())[:16]
    assert sign(b"hello world", TYPE, KEY) == ENVELOPE


def test_signature_holds_for_one_of_several_trusted_keys() -> None:
    assert verify(ENVELOPE, TYPE, [OTHER.public_key(), KEY.public_key()]) == b"hello world"


def test_url_safe_base64_is_understood() -> None:
    payload = bytes(range(256))
    signed = sign(payload, TYPE, KEY)
    found = signed.signatures[0]
    safe = signed.model_copy(
        update={
            "payload": base64.urlsafe_b64encode(payload).decode(),
            "signatures": (found.model_copy(update={"sig": found.sig.replace("+", "-").replace("/", "_")}),),
        }
    )
    assert verify(safe, TYPE, [KEY.public_key()]) == payload


def test_key_id_is_a_hint_and_decides_nothing() -> None:
    renamed = ENVELOPE.signatures[0].model_copy(update={"keyid": key_id(OTHER.public_key())})
    envelope = ENVELOPE.model_copy(update={"signatures": (renamed,)})
    assert verify(envelope, TYPE, [KEY.public_key()]) == b"hello world"
    with pytest.raises(IntegrityError, match="not by a trusted key"):
        verify(envelope, TYPE, [OTHER.public_key()])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"payload": base64.b64encode(b"hello w0rld").decode()}, "not by a trusted key"),
        ({"payload": "aGVsbG8*"}, "base64"),
        ({"payload": "ä"}, "base64"),
        ({"signatures": (ENVELOPE.signatures[0].model_copy(update={"sig": ""}),)}, "not by a trusted key"),
        ({"signatures": (ENVELOPE.signatures[0].model_copy(update={"sig": "ÿ"}),)}, "base64"),
        ({"payload_type": "text/plain"}, "is of type 'text/plain'"),
    ],
)
def test_tampered_envelope_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(IntegrityError, match=message):
        verify(ENVELOPE.model_copy(update=changes), TYPE, [KEY.public_key()])


def test_a_document_signed_as_one_thing_is_not_taken_for_another() -> None:
    renamed = ENVELOPE.model_copy(update={"payload_type": "text/plain"})
    with pytest.raises(IntegrityError, match="not by a trusted key"):
        verify(renamed, "text/plain", [KEY.public_key()])


def test_nobody_is_trusted_without_keys() -> None:
    with pytest.raises(IntegrityError, match="trusted: none"):
        verify(ENVELOPE, TYPE, [])


@pytest.mark.parametrize("data", [b"", b"[]", b'{"payload": "", "payloadType": "x", "signatures": []}', b"\xff"])
def test_no_envelope(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="no DSSE envelope"):
        read_envelope(data)


def test_envelope_of_a_newer_signer_is_read() -> None:
    assert read_envelope(b'{"payload": "", "payloadType": "x", "signatures": [{"sig": "", "new": 1}], "new": 1}')
    assert isinstance(read_envelope(ENVELOPE.model_dump_json(by_alias=True).encode()), Envelope)


def test_public_key_survives_pem() -> None:
    again = read_public_key(public_pem(KEY.public_key()).encode())
    assert key_id(again) == key_id(KEY.public_key())


def test_other_keys_are_refused() -> None:
    with pytest.raises(DataError, match="PEM"):
        read_public_key(b"-----BEGIN PUBLIC KEY-----\nnonsense")
    pem = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(DataError, match="Ed25519"):
        read_public_key(pem)

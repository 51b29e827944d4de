"""Vectors of what a phone believes: signed roots and manifests, and what each client must answer, in trust.json.

A case is a phone with the key that it was paired with; each step shows it what a server (or somebody on the way) says.
"""

from __future__ import annotations

import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dermport.bundle.atomic import write_text
from dermport.bundle.manifest import Decision, Label, TaskSpec
from dermport.bundle.signature import encode, raw_key, sign
from dermport.bundle.wire import RELEASE_TYPE, ROOT_TYPE, GoldenVector, GoldenVectors, ReleaseManifest
from tests.mobile_stub.integration.golden import FOLDER, manifest_spec

TRUST_VECTORS = "trust.json"
NOW, END = "2026-12-01T12:00:00Z", "2026-12-31T12:00:00Z"
_KEYS = {name: Ed25519PrivateKey.from_private_bytes(bytes([index]) * 32) for index, name in enumerate("KLRSX", 1)}
"""Release keys K and, later, L; root keys R and, later, S; X is a stranger's."""
RAW = {name: raw_key(key.public_key()) for name, key in _KEYS.items()}


def document() -> dict[str, Any]:
    """Return the whole of the vectors."""
    return {"schema": "dermport-trust-vectors/1", "documents": _documents(), "cases": [_case(*case) for case in _CASES]}


def write() -> None:
    """Write them."""
    write_text(FOLDER / TRUST_VECTORS, json.dumps(document(), indent=1) + "\n")


def _envelope(payload: dict[str, Any], kind: str, by: str, signed_kind: str | None = None) -> str:
    sealed = sign(json.dumps(payload).encode(), signed_kind or kind, *(_KEYS[name] for name in by))
    return sealed.model_copy(update={"payload_type": kind}).model_dump_json(by_alias=True)


def _root(version: Any, roots: str, releases: str, by: str, **changed: Any) -> str:
    keys = {"root_keys": [RAW[name] for name in roots], "release_keys": [RAW[name] for name in releases]}
    payload = {"schema": "dermport-root/1", "version": version, "expires": "2031-12-01T12:00:00Z", **keys, **changed}
    return _envelope(payload, ROOT_TYPE, by)


def _manifest(version: str, sequence: Any, by: str, **changed: Any) -> str:
    whole = ReleaseManifest(
        name="blotches",
        version=version,
        sha256="0" * 64,
        released=NOW,
        task=TaskSpec(name="blotches", labels=tuple(Label(id=i, name=i, sources=(i,)) for i in "ab"), positive=("a",)),
        preprocessing=manifest_spec(),
        decision=Decision(threshold=0.5, target_sensitivity=0.9),
        artifacts=(),
        files=(),
        golden=GoldenVectors(tensors="x", vectors=(GoldenVector(input_sha256="0" * 64, probabilities=(1.0,)),)),
    ).model_dump(mode="json", by_alias=True, exclude_none=True)
    numbered = {"sequence": sequence, "expires": END} if sequence is not None else {}
    return _envelope({**whole, **numbered, **changed}, RELEASE_TYPE, by)


def _documents() -> dict[str, str]:
    first, ten = _root(1, "R", "K", "RK"), _manifest("1.1.0", 10, "K")
    tampered = json.loads(ten)
    tampered["payload"] = encode(b"{}")
    return {
        "root 1": first,
        "root 2": _root(2, "R", "L", "R"),
        "root 2, old key stays": _root(2, "R", "KL", "R"),
        "root 3": _root(3, "S", "L", "RS"),
        "root 4, ended": _root(4, "S", "L", "S", expires="2026-11-30T12:00:00Z"),
        "root 1 of a stranger": _root(1, "X", "X", "X"),
        "root 2 of a stranger": _root(2, "X", "X", "X"),
        "root 2 by the release key": _root(2, "R", "X", "K"),
        "root 2, old root key did not sign": _root(2, "S", "L", "S"),
        "root 2, new root key did not sign": _root(2, "S", "L", "R"),
        "root 2, signed as a manifest": _envelope({"version": 2}, ROOT_TYPE, "R", RELEASE_TYPE),
        "root 2, no keys": _root(2, "R", "", "R"),
        "root 2, short key": _root(2, "R", "L", "R", release_keys=["AAAA"]),
        "root 2, time in words": _root(2, "R", "L", "R", expires="in May"),
        "root 2, of another form": _root(2, "R", "L", "R", schema="dermport-root/2"),
        "manifest 9": _manifest("1.0.0", 9, "K"),
        "manifest 10": ten,
        "manifest 11, version before": _manifest("1.0.0", 11, "K"),
        "manifest 12, renewed": _manifest("1.0.0", 12, "K", expires="2027-03-01T12:00:00Z"),
        "manifest 5 by L": _manifest("1.2.0", 5, "L"),
        "manifest without number": _manifest("1.0.0", None, "K"),
        "manifest of a stranger": _manifest("9.0.0", 99, "X"),
        "manifest by the root key": _manifest("9.0.0", 99, "R"),
        "manifest without end": _manifest("1.0.0", 10, "K", expires=None),
        "manifest 0": _manifest("1.0.0", 0, "K"),
        "manifest 10.5": _manifest("1.0.0", 10.5, "K"),
        "manifest too large": _manifest("1.0.0", 2**53, "K"),
        "manifest of another form": _manifest("1.0.0", 10, "K", schema="dermport-release/2"),
        "manifest, changed": json.dumps(tampered),
        "manifest, signed as a root": _envelope({}, RELEASE_TYPE, "K", ROOT_TYPE),
        "no JSON": "no JSON",
        "no envelope": "{}",
    }


def _case(name: str, pin: str, *steps: tuple[Any, ...]) -> dict[str, Any]:
    return {"name": name, "pin": RAW[pin], "steps": [_step(*step) for step in steps]}


def _step(asked: str, shown: Any, then: tuple[int, int], refused: str | None = None, now: str = NOW) -> dict[str, Any]:
    """Return a step: `roots` is the answer to /v1/roots; `then` are the root's version and the sequence believed."""
    said = {asked: shown} if asked == "roots" else {asked: shown, "now": now}
    return {**said, "refused": refused, "root_version": then[0], "sequence": then[1]}


_FIRST = ("roots", ["root 1"], (1, 0))
_CASES: tuple[tuple[Any, ...], ...] = (
    (
        *("a model, the same again, an older one replayed, and the way back by a new manifest", "R", _FIRST),
        ("manifest", "manifest 10", (1, 10)),
        ("manifest", "manifest 10", (1, 10)),
        ("manifest", "manifest 9", (1, 10), "replayed"),
        ("manifest", "manifest 11, version before", (1, 11)),
        ("manifest", "manifest 10", (1, 11), "replayed"),
        ("installed", "manifest 10", (1, 11)),
    ),
    (
        *("a server before there were roots", "K", ("roots", [], (0, 0))),
        ("manifest", "manifest without number", (0, 0)),
        ("manifest", "manifest 10", (0, 10)),
        ("manifest", "manifest without number", (0, 10), "replayed"),
        ("manifest", "manifest 9", (0, 10), "replayed"),
    ),
    (
        *("a phone that pinned the signing key", "K", _FIRST),
        ("manifest", "manifest without number", (1, 0), "replayed"),
        ("manifest", "manifest 10", (1, 10)),
    ),
    (
        *("a new signing key", "K", _FIRST),
        ("manifest", "manifest 10", (1, 10)),
        ("roots", ["root 2"], (2, 0)),
        ("manifest", "manifest 11, version before", (2, 0), "untrusted"),
        ("manifest", "manifest 5 by L", (2, 5)),
        ("installed", "manifest 10", (2, 5)),
        ("installed", "manifest of a stranger", (2, 5), "untrusted"),
        ("roots", ["root 3"], (3, 5)),
        ("installed", "manifest 10", (3, 5)),
    ),
    (
        *("a second signing key beside the first", "R", _FIRST),
        ("manifest", "manifest 10", (1, 10)),
        ("roots", ["root 2, old key stays"], (2, 10)),
        ("manifest", "manifest 9", (2, 10), "replayed"),
        ("manifest", "manifest 11, version before", (2, 11)),
    ),
    ("a phone that was away for years", "K", ("roots", ["root 1", "root 2", "root 3"], (3, 0))),
    ("a phone that pinned a later root key", "S", ("roots", ["root 1", "root 2", "root 3"], (3, 0))),
    (
        *("a root that has ended", "S", ("roots", ["root 1", "root 2", "root 3", "root 4, ended"], (4, 0))),
        ("manifest", "manifest 5 by L", (4, 0), "expired"),
        ("manifest", "manifest 5 by L", (4, 5), None, "2026-11-30T11:59:59Z"),
    ),
    (
        *("another server", "X", ("roots", ["root 1", "root 2"], (0, 0))),
        ("manifest", "manifest 10", (0, 0), "untrusted"),
    ),
    (
        *("a stranger's first root", "K", ("roots", ["root 1 of a stranger"], (0, 0))),
        ("manifest", "manifest 10", (0, 10)),
        ("manifest", "manifest of a stranger", (0, 10), "untrusted"),
    ),
    ("all or nothing", "R", ("roots", ["root 1", "root 2", "root 2 of a stranger"], (0, 0), "untrusted")),
    *(
        (name, "R", _FIRST, ("roots", [name], (1, 0), code), ("manifest", "manifest 10", (1, 10)))
        for name, code in (
            ("root 2 of a stranger", "untrusted"),
            ("root 2 by the release key", "untrusted"),
            ("root 2, old root key did not sign", "untrusted"),
            ("root 2, new root key did not sign", "untrusted"),
            ("root 2, signed as a manifest", "untrusted"),
            ("root 1", "replayed"),
            ("root 3", "replayed"),
            ("root 2, no keys", "unknown-form"),
            ("root 2, short key", "unknown-form"),
            ("root 2, time in words", "unknown-form"),
            ("root 2, of another form", "unknown-form"),
            ("manifest 10", "untrusted"),
        )
    ),
    (
        *("clocks, and a manifest that was not renewed", "R", _FIRST),
        ("manifest", "manifest 10", (1, 10), None, "1970-01-01T00:00:00Z"),
        ("manifest", "manifest 10", (1, 10), None, "2026-12-31T11:59:59Z"),
        ("manifest", "manifest 10", (1, 10), "expired", END),
        ("manifest", "manifest 11, version before", (1, 10), "expired", "2027-01-15T12:00:00Z"),
        ("installed", "manifest 10", (1, 10), None, "2027-01-15T12:00:00Z"),
        ("manifest", "manifest 12, renewed", (1, 12), None, "2027-01-15T12:00:00Z"),
    ),
    (
        *("what is no manifest", "R", _FIRST),
        *(
            ("manifest", name, (1, 0), code)
            for name, code in (
                ("manifest of a stranger", "untrusted"),
                ("manifest by the root key", "untrusted"),
                ("manifest, changed", "untrusted"),
                ("manifest, signed as a root", "untrusted"),
                ("root 1", "untrusted"),
                ("no JSON", "untrusted"),
                ("no envelope", "untrusted"),
                ("manifest without end", "unknown-form"),
                ("manifest 0", "unknown-form"),
                ("manifest 10.5", "unknown-form"),
                ("manifest too large", "unknown-form"),
                ("manifest of another form", "unknown-form"),
            )
        ),
    ),
)

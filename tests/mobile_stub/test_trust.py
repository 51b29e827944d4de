"""What phones believe: every vector of docs/integration/golden/trust.json, in Python, Kotlin and Swift."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dermport.bundle.signature import read_envelope
from dermport.bundle.trust import Trust
from dermport.errors import TrustError
from tests.exporters.compiled_ports import ORG_JSON, compiled_kotlin, compiled_swift, needs_kotlin, needs_swift
from tests.mobile_stub.integration.golden import FOLDER
from tests.mobile_stub.integration.trust_vectors import TRUST_VECTORS, document

PATH = FOLDER / TRUST_VECTORS
VECTORS = json.loads(PATH.read_text())
DRIVERS = Path(__file__).parent / "trust_port"


def test_vectors_are_those_of_the_script() -> None:
    assert document() == VECTORS, "run: python -m tests.mobile_stub.integration trust"


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_python(case: dict[str, Any]) -> None:
    trust = Trust(pin=case["pin"])
    for step in case["steps"]:
        try:
            trust = Trust.model_validate_json(_after(trust, step).model_dump_json(by_alias=True))
            refused = None
        except TrustError as error:
            refused = error.code
        believed = (trust.root.version if trust.root else 0, trust.sequence)
        assert (refused, *believed) == (step["refused"], step["root_version"], step["sequence"]), step


def _after(trust: Trust, step: dict[str, Any]) -> Trust:
    documents = VECTORS["documents"]
    if "roots" in step:
        return trust.walked(read_envelope(documents[name].encode()) for name in step["roots"])
    if "installed" in step:
        trust.installed(documents[step["installed"]].encode())
        return trust
    return trust.admitted(documents[step["manifest"]].encode(), step["now"])[1]


@needs_kotlin
def test_kotlin(tmp_path: Path) -> None:
    port = FOLDER.parent / "DermportTrust.kt"
    _hold(compiled_kotlin([port, DRIVERS / "Main.kt"], tmp_path, [ORG_JSON]))


@needs_swift
def test_swift(tmp_path: Path) -> None:
    port = FOLDER.parent / "DermportTrust.swift"
    _hold(compiled_swift([port, DRIVERS / "main.swift"], tmp_path, ["-lsodium"]))


def _hold(program: list[str]) -> None:
    """Every case passes in a program that prints what differs, and then how many steps it took."""
    ran = subprocess.run([*program, str(PATH)], capture_output=True, text=True, check=False)
    steps = sum(len(case["steps"]) for case in VECTORS["cases"])
    assert (ran.stdout.strip(), ran.returncode) == (f"{steps} steps", 0), ran.stderr

"""When the model cannot tell, in the files that packages carry for iOS and Android: held against the Python rule.

Everywhere their constants; where a compiler is at hand (``kotlinc`` with the jar of org.json; ``swiftc``), what they
answer.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.abstention import OUT_OF_DISTRIBUTION, QUALITY, reasons
from dermport.bundle.manifest import Abstention
from dermport.bundle.photo_quality import survey_input
from dermport.exporters.packages.guide import TEMPLATES
from tests.conformance.test_abstention import inputs, rules
from tests.exporters.compiled_ports import ORG_JSON, done, kotlin_program, needs_kotlin, needs_swift, swift_program

SWIFT = TEMPLATES / "ios" / "DermportAbstention.swift"
KOTLIN = TEMPLATES / "android" / "DermportAbstention.kt"
PORTS = pytest.mark.parametrize("port", [SWIFT, KOTLIN], ids=lambda port: str(port.suffix[1:]))
DRIVERS = Path(__file__).parent / "abstention_port"
NAMES = set(survey_input(np.zeros((16, 16, 3), np.uint8)))


def code_of(port: Path) -> str:
    """Return a port without its comments."""
    return re.sub(r"//.*|/\*.*?\*/", "", re.sub(r"/\*.*?\*/", "", port.read_text(), flags=re.DOTALL))


@PORTS
def test_ports_say_the_same_names_and_codes(port: Path) -> None:
    words = set(re.findall(r'"([^"]+)"', code_of(port)))
    assert {word for word in words if word in NAMES} == {name for name in NAMES if not name.endswith("-spread")}
    assert OUT_OF_DISTRIBUTION in words
    assert Abstention.model_fields["score"].default in words
    assert [word for word in words if word.startswith(QUALITY)] != []
    assert [word for word in words if word.endswith(")-spread") or word == "$name-spread"] != []


@PORTS
def test_ports_compute_with_the_same_numbers(port: Path) -> None:
    from dermport.bundle import photo_quality as ours

    code = code_of(port)
    named = {name.upper(): int(value) for name, value in re.findall(r"\b(\w+) = (\d+)\b(?!\.)", code)}
    assert (named["BLOCKS"], named["MARGIN"], named["LEAST"]) == (ours._BLOCKS, ours._MARGIN, ours._LEAST)
    fractions = [float(number) for number in re.findall(r"\b\d+\.\d+\b", code)]
    assert [number for number in fractions if number not in {0.0, 4.0}] == [ours._NORMAL, *ours._LUMA, 0.95, 0.05]
    assert re.search(rf"(?i)floor\w* = {ours._FLOOR}", code)
    weights = [int(weight or 1) for weight in re.findall(r"(?:(\d) \* )?value\(at(?: [-+] \d)?\)", code)]
    assert tuple(weights) == ours._BINOMIAL
    assert f"sum / {sum(ours._BINOMIAL)}" in code


@needs_kotlin
@pytest.mark.skipif(not ORG_JSON.exists(), reason="org.json is not on this machine: nothing runs the Kotlin port")
def test_kotlin_cannot_tell_where_python_cannot(tmp_path: Path) -> None:
    _check(kotlin_program(KOTLIN.stem, DRIVERS, tmp_path, [ORG_JSON]), tmp_path)


@needs_swift
def test_swift_cannot_tell_where_python_cannot(tmp_path: Path) -> None:
    _check(swift_program(SWIFT.stem, DRIVERS, tmp_path), tmp_path)


def _check(program: list[str], folder: Path) -> None:
    tensors = inputs()
    cases = [(rule, tensor) for rule in rules(tensors) for tensor in tensors]
    lines = [_written(folder, index, *case) for index, case in enumerate(cases)]
    (folder / "cases.txt").write_text("\n".join(lines))
    said = done([*program, str(folder / "cases.txt")]).split("end\n")
    for (rule, tensor), one in zip(cases, said[:-1], strict=True):
        told = [line.split("\t") for line in one.splitlines()]
        values = {name: value for name, value in survey_input(tensor).items() if value is not None}
        assert {line[1]: float(line[2]) for line in told if line[0] == "value"} == pytest.approx(values, 1e-9, 1e-9)
        ours, theirs = reasons(rule, values), [line[1:] for line in told if line[0] == "reason"]
        assert [code for code, _, _ in theirs] == [reason.code for reason in ours]
        assert [float(value) for _, value, _ in theirs] == pytest.approx([reason.value for reason in ours], rel=1e-9)
        assert [float(bound) for _, _, bound in theirs] == [reason.bound for reason in ours]


def _written(folder: Path, index: int, rule: Abstention | None, tensor: NDArray[np.uint8]) -> str:
    """Write a case's files and return its line."""
    manifest, bytes_of = folder / f"{index}.json", folder / f"{index}.bin"
    document: dict[str, Any] = {"name": "tiny", "abstention": rule and rule.model_dump(mode="json")}
    manifest.write_text(json.dumps(document))
    bytes_of.write_bytes(tensor.tobytes())
    return f"{manifest}\t{len(tensor)}\t{bytes_of}"

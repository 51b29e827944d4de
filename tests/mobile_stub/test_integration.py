"""docs/integration: the golden vectors are what the code makes, the examples are what the server answers."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from dermport.bundle.hashing import sha256_bytes
from dermport.bundle.notice import NOTICE
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle
from dermport.errors import PhotoError
from dermport.mobile_stub.phone import PhoneModel, choose_artifacts
from dermport.server.problems import refusal_of
from tests.mobile_stub.integration.examples import EXAMPLES, README, in_step
from tests.mobile_stub.integration.golden import FOLDER, PRECISIONS, manifest_spec, read

VECTORS = read()
_NUMBER = re.compile(r"[-+]?\d+\.\d+(?:e-?\d+)?")


@pytest.mark.parametrize("vector", VECTORS["photos"], ids=lambda vector: vector["photo"])
def test_photo_becomes_the_golden_tensor(vector: dict[str, object]) -> None:
    data = (FOLDER / "photos" / str(vector["photo"])).read_bytes()
    prepared = prepare(data, manifest_spec())
    assert sha256_bytes(data) == vector["photo_sha256"]
    assert prepared.input_sha256 == vector["input_sha256"]
    assert (prepared.width, prepared.height, prepared.orientation) == tuple(
        vector[name] for name in ("width", "height", "orientation")
    )


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["photo"])
def test_what_is_refused(vector: dict[str, object]) -> None:
    with pytest.raises(PhotoError) as refused:
        prepare((FOLDER / "photos" / str(vector["photo"])).read_bytes(), manifest_spec())
    assert (refused.value.code, refusal_of(refused.value).status) == (vector["code"], vector["status"])


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_files_answer_as_the_vectors_say(golden_bundle: Bundle, precision: str) -> None:
    (artifact,) = choose_artifacts(golden_bundle, (str(FOLDER / f"tflite-{precision}.tflite"),))
    listed = VECTORS["artifacts"][f"tflite-{precision}.tflite"]
    assert artifact.sha256 == listed["sha256"]
    with PhoneModel(golden_bundle.manifest, artifact) as phone:
        for vector in VECTORS["photos"]:
            data = (FOLDER / "photos" / vector["photo"]).read_bytes()
            said, wanted = phone.predict(prepare(data, manifest_spec()), 0.0), vector["answers"][precision]
            change = np.subtract(list(said.probabilities.values()), list(wanted["probabilities"].values()))
            assert np.abs(change).max() <= listed["tolerance"]
            assert (said.label, said.positive) == (wanted["label"], wanted["positive"])


def test_every_photo_and_file_is_listed_and_small() -> None:
    listed = {vector["photo"] for part in ("photos", "refused") for vector in VECTORS[part]}
    assert {path.name for path in (FOLDER / "photos").iterdir()} == listed
    assert {path.name for path in FOLDER.glob("*.tflite")} == set(VECTORS["artifacts"])
    assert VECTORS["notice"] == NOTICE
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 200_000


def test_examples_are_what_the_server_answers() -> None:
    """Words and forms to the letter; numbers to the tolerance that int8 has between processors."""
    shown = README.read_text(encoding="utf-8")
    fresh = in_step(shown)
    again = "run: python -m tests.mobile_stub.integration examples"
    assert _NUMBER.sub("#", shown) == _NUMBER.sub("#", fresh), again
    pairs = zip(_NUMBER.findall(shown), _NUMBER.findall(fresh), strict=True)
    assert all(abs(float(was) - float(now)) <= 0.02 for was, now in pairs), again


def test_every_example_is_shown() -> None:
    assert set(re.findall(r"<!-- example: ([a-z-]+) -->", README.read_text(encoding="utf-8"))) == set(EXAMPLES)


@pytest.mark.parametrize("page", sorted(README.parent.glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


@pytest.mark.parametrize("name", ["DermportJetson.swift", "DermportJetson.kt"])
def test_sketches_say_that_they_were_not_compiled_and_speak_the_contract(name: str) -> None:
    text = (README.parent / name).read_text(encoding="utf-8")
    assert "not compiled" in text.splitlines()[1].lower()
    for word in ("/v1/comparisons", "Idempotency-Key", "Retry-After", "X-Api-Key", "input_sha256", "photo_sha256"):
        assert word in text, word

"""The published JSON Schemas are those of the classes, and real documents satisfy them."""

from __future__ import annotations

import json

import jsonschema
import pytest

from dermport.bundle.schema.publish import FOLDER, PUBLISHED, schema
from dermport.bundle.vectors import FOLDER as VECTORS


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_schema_is_in_step(name: str) -> None:
    published = json.loads((FOLDER / f"{name}.schema.json").read_text())
    assert published == schema(PUBLISHED[name]), "run: python -m dermport.bundle.schema.publish"
    jsonschema.Draft202012Validator.check_schema(published)


def test_published_vectors_satisfy_their_schema() -> None:
    document = json.loads((VECTORS / "vectors.json").read_text())
    validator = jsonschema.Draft202012Validator(json.loads((FOLDER / "vectors.schema.json").read_text()))
    assert not [error.message for error in validator.iter_errors(document)]

"""The history of live models in both databases."""

from __future__ import annotations

from datetime import timedelta

from dermport.server.storage.activations import Activations
from dermport.server.storage.database import Database


def test_history(database: Database) -> None:
    activations = Activations(database)
    assert activations.last() is None
    assert activations.previous() is None
    for version in ("1.0.0", "1.1.0", "1.1.0"):
        activations.record("ham7", version, "key-1")
    last, previous = activations.last(), activations.previous()
    assert last is not None
    assert previous is not None
    assert (last.key, last.who, last.activated_at.utcoffset()) == (("ham7", "1.1.0"), "key-1", timedelta(0))
    assert previous.key == ("ham7", "1.0.0")


def test_model_of_another_name_is_another(database: Database) -> None:
    activations = Activations(database)
    activations.record("ham7", "1.0.0", "start")
    assert activations.previous() is None
    activations.record("other", "1.0.0", "key-1")
    previous = activations.previous()
    assert previous is not None
    assert previous.key == ("ham7", "1.0.0")

"""What the dashboard is told of the drift alarm: the same as the alarm itself says."""

from __future__ import annotations

from pathlib import Path

from dermport.server.comparing.drift import DriftPolicy, drift_states
from dermport.server.storage.comparisons import ComparisonStore
from dermport.server.storage.database import Database
from tests.server.comparing import linear
from tests.server.comparing.made import NOON, comparison

POLICY = DriftPolicy(id="test/1", latest=20, least=10, devices=2, per_device=10, otherwise=0.5, agreement={"fp32": 0.9})


def test_each_file_is_held_against_the_bound_of_its_precision(database: Database, tmp_path: Path) -> None:
    bundle = linear.make_bundle(tmp_path / "bundle")
    known = linear.export(bundle, "tflite").record.artifact_sha256
    store = ComparisonStore(database)
    for number in range(12):
        server = 0.7 if number < 6 else 0.3
        store.add(comparison(server=server, artifact_sha256=known, device=f"d{number % 2}"), "f", None)
        store.add(comparison(server=server, artifact_sha256="e" * 64, created=NOON.replace(hour=13)), "f", None)
    store.add(comparison(server=0.1, cause="photo-changed", artifact_sha256=known), "f", None)
    answer = drift_states(store, linear.runner_of(bundle), POLICY)
    unknown, phones = answer.files
    assert (unknown.artifact_sha256, unknown.asked, unknown.alarm) == ("e" * 64, 0.5, "")
    assert (phones.artifact_sha256, phones.asked) == (known, 0.9)
    assert (phones.agreement.count, phones.agreement.of) == (6, 12)
    assert unknown.agreement.of == POLICY.per_device
    assert "agree in 6" in phones.alarm
    assert (phones.devices, unknown.devices) == (2, 1)
    assert (answer.policy, answer.latest, answer.least, answer.devices) == ("test/1", 20, 10, 2)


def test_nothing_was_compared_yet(database: Database) -> None:
    assert drift_states(ComparisonStore(database), linear.runner_of()).files == ()

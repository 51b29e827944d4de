"""Ready means proved: a runtime that answers the golden set otherwise is found out, with the photo named."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dermport.bundle.export_record import ExportRecord
from dermport.bundle.store import Bundle
from dermport.server.serving.proof import Proof, prove
from tests.server.fakes import RecallRuntime, recall


class Altered(RecallRuntime):
    """Adds to what is remembered."""

    added: NDArray[np.float32]

    def predict(self, tensors: NDArray[np.uint8]) -> NDArray[np.float32]:
        return super().predict(tensors) + self.added


def _altered(bundle: Bundle, added: NDArray[np.float32]) -> Altered:
    good = recall(bundle)
    runtime = Altered(good.name, good.labels, good.answers)
    runtime.added = added
    return runtime


def _at(bundle: Bundle, photo: int, value: float) -> NDArray[np.float32]:
    added = np.zeros_like(bundle.golden().probabilities)
    added[photo, 1] = value
    return added


def _proof(bundle: Bundle, runtime: RecallRuntime, precision: str) -> Proof:
    record = ExportRecord.model_construct(policy=precision)
    golden = bundle.golden()
    return prove(runtime.predict(golden.tensors), runtime.labels, golden, bundle.manifest, record)


def test_the_original_itself_passes(shared_bundle: Bundle) -> None:
    proof = _proof(shared_bundle, recall(shared_bundle), "fp32")
    assert proof.complaint == ""
    assert proof.status == "pass"
    assert proof.figures.photos == len(shared_bundle.golden().tensors)
    assert proof.figures.max_change == proof.figures.mean_change == 0


@pytest.mark.parametrize(("value", "words"), [(0.01, "differs most, by 0.01"), (np.nan, "differs most, by 1")])
def test_the_photo_that_differs_is_named(shared_bundle: Bundle, value: float, words: str) -> None:
    golden = shared_bundle.golden()
    proof = _proof(shared_bundle, _altered(shared_bundle, _at(shared_bundle, 3, value)), "fp32")
    assert proof.worst_photo == golden.index.photos[3].photo
    assert golden.index.photos[3].photo in proof.complaint
    assert words in proof.complaint


def test_int8_may_lose_a_photo_but_not_the_set(shared_bundle: Bundle) -> None:
    golden = shared_bundle.golden()
    assert not _proof(shared_bundle, _altered(shared_bundle, _at(shared_bundle, 3, 0.9)), "int8").complaint
    all_wrong = np.roll(golden.probabilities, 1, axis=1) - golden.probabilities
    assert "on average" in _proof(shared_bundle, _altered(shared_bundle, all_wrong), "int8").complaint

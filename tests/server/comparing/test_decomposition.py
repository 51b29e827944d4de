"""Each Δp is shared out to the last digit, whatever evidence is missing."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dermport.bundle.wire import Parts
from dermport.server.comparing.decomposition import Cells, Probabilities, decompose


def _said(mel: float) -> Probabilities:
    return {"mel": mel, "nv": 1 - mel}


def _mel(cells: Cells) -> Parts:
    return decompose(cells, ("mel",)).by_label["mel"]


def _shared(parts: Parts) -> float:
    return sum(part or 0.0 for part in (parts.preprocessing, parts.artifact, parts.runtime)) + parts.unresolved


def test_shares_by_hand() -> None:
    cells = Cells(_said(0.80), _said(0.75), _said(0.45), _said(0.60), _said(0.40))
    parts = _mel(cells)
    assert parts.change == pytest.approx(0.40)
    assert parts.runtime == pytest.approx(0.05)
    assert parts.preprocessing == pytest.approx((0.30 + 0.20) / 2)
    assert parts.artifact == pytest.approx((0.15 + 0.05) / 2)
    assert parts.interaction == pytest.approx(0.30 - 0.20)
    assert parts.unresolved == 0


def test_factors_without_interaction_are_their_plain_differences() -> None:
    parts = _mel(Cells(_said(0.7), _said(0.7), _said(0.4), _said(0.6), _said(0.3)))
    assert (parts.preprocessing, parts.artifact) == (pytest.approx(0.3), pytest.approx(0.1))
    assert parts.interaction == pytest.approx(0)


@pytest.mark.parametrize("known", list(product((True, False), repeat=3)))
def test_the_parts_always_add_up(known: tuple[bool, bool, bool]) -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        phone, *between, server = (_said(float(p)) for p in random.random(5))
        cells = Cells(phone, *(said if there else None for said, there in zip(between, known, strict=True)), server)
        found = decompose(cells, ("mel",))
        for parts in (*found.by_label.values(), found.score):
            assert _shared(parts) == pytest.approx(parts.change)
        assert found.complete == (None not in (found.score.preprocessing, found.score.artifact, found.score.runtime))


def test_without_the_phones_file_only_the_tensor_is_told_apart() -> None:
    parts = _mel(Cells(_said(0.9), None, None, _said(0.6), _said(0.4)))
    assert (parts.preprocessing, parts.artifact, parts.runtime) == (pytest.approx(0.2), None, None)
    assert parts.unresolved == pytest.approx(0.3)
    assert parts.interaction is None


def test_a_live_model_of_another_size_is_tried_in_one_order() -> None:
    parts = _mel(Cells(_said(0.9), _said(0.9), _said(0.7), None, _said(0.4)))
    assert (parts.preprocessing, parts.artifact, parts.runtime) == (pytest.approx(0.2), pytest.approx(0.3), 0)
    assert (parts.interaction, parts.unresolved) == (None, 0)


def test_the_label_that_differs_the_most_and_the_score() -> None:
    phone = {"akiec": 0.5, "mel": 0.3, "nv": 0.2}
    server = {"akiec": 0.1, "mel": 0.35, "nv": 0.55}
    found = decompose(Cells(phone, phone, server, phone, server), ("akiec", "mel"))
    assert found.label == "akiec"
    assert found.score.change == pytest.approx(0.35)
    assert found.score.preprocessing == pytest.approx(0.35)
    assert found.complete

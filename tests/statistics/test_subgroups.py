"""The groups of people, as both the evaluation and the benchmark draw them."""

from __future__ import annotations

import numpy as np
import pytest

from dermport.statistics.subgroups import age_band, grouped


@pytest.mark.parametrize(
    ("metadata", "band"),
    [
        ({"age": "29.9"}, "under 30"),
        ({"age": "30.0"}, "30–44"),
        ({"AGE_APPROX": "75"}, "75 and over"),
        ({"age": "unknown"}, "unknown"),
        ({"age": "-3"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_ages(metadata: dict[str, str], band: str) -> None:
    assert age_band(metadata) == band


def test_groups_come_in_an_order_for_people_with_the_unknown_last() -> None:
    metadata = [{"age": "80", "anatom_site_general": "trunk"}, {"age": ""}, {"age": "20", "anatom_site_general": "Arm"}]
    photos = np.full((3, 8, 8, 3), 200, np.uint8)
    found = [(kind, name, members.tolist()) for kind, name, members in grouped(metadata, photos)]
    assert found == [
        ("age", "under 30", [False, False, True]),
        ("age", "75 and over", [True, False, False]),
        ("age", "unknown", [False, True, False]),
        ("site", "arm", [False, False, True]),
        ("site", "trunk", [True, False, False]),
        ("site", "unknown", [False, True, False]),
        ("skin tone", "very light", [True, True, True]),
    ]

"""The space as data: the built-in one, what is refused, and every combination once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dermport.bundle.store import Bundle
from dermport.compression.search.space import SearchSpace, candidates, load_space, original_structure, structures
from dermport.compression.search.starts import PARENT, StartingBundle, open_starts
from dermport.errors import UsageError


def start(bundle: Bundle, name: str = PARENT, *, changeable: bool = True) -> StartingBundle:
    return StartingBundle(name, bundle, changeable, "")


def test_built_in_space_is_valid_and_holds_more_than_a_search_tries(shared_parent: Bundle) -> None:
    space = load_space()
    assert len(candidates(space, [start(shared_parent)], ["tflite-fp32", "tflite-int8"])) >= 40
    assert "int8-full" in space.without


def test_each_structure_is_there_once_and_the_start_first(shared_parent: Bundle) -> None:
    found = list(structures(SearchSpace(sizes=(32, 64), keep=(1.0, 0.5)), [start(shared_parent)]))
    assert found[0] == original_structure(start(shared_parent))
    assert sorted((one.size, one.keep) for one in found) == [(32, 0.5), (32, 1.0), (64, 0.5), (64, 1.0)]


def test_a_quantised_start_is_taken_as_it_is(shared_parent: Bundle) -> None:
    fixed = start(shared_parent, "integer", changeable=False)
    assert list(structures(SearchSpace(sizes=(32, 64)), [fixed])) == [original_structure(fixed)]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("sizes = [100]", "sizes"),
        ("sizes = []", "sizes"),
        ("sizes = [96]\nkeep = [0]", "keep"),
        ("size = [96]", "size"),
    ],
)
def test_what_is_no_space_is_refused_where_it_is_wrong(text: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text(text)
    with pytest.raises(UsageError, match=where):
        load_space(tmp_path / "space.toml")


def test_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "space.toml").write_text("sizes = [")
    with pytest.raises(UsageError, match="TOML"):
        load_space(tmp_path / "space.toml")


def test_starts_of_another_split_or_of_one_name_are_refused(shared_parent: Bundle, tiny_bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="another data set"):
        open_starts(shared_parent, [tiny_bundle.path])
    with pytest.raises(UsageError, match="named drawn"):
        open_starts(shared_parent, [shared_parent.path, shared_parent.path])

from __future__ import annotations

from pathlib import Path

import pytest

from dermport.compression.recipe import built_in, load_recipe
from dermport.errors import UsageError


@pytest.mark.parametrize("name", built_in())
def test_every_recipe_that_comes_with_dermport_is_valid(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.summary
    assert recipe.step


def test_a_change_reaches_every_step_of_its_kind() -> None:
    recipe = load_recipe("fine-tune", ["fine-tune.epochs=2", "size=96"])
    assert recipe.size == 96
    assert [step.epochs for step in recipe.step] == [2]


@pytest.mark.parametrize("change", ["fine-tune.epochs", "prune.share=0.5", "fine-tune.=1"])
def test_a_change_that_names_nothing_is_refused(change: str) -> None:
    with pytest.raises(UsageError, match="changes nothing"):
        load_recipe("fine-tune", [change])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("name = 3", "not valid"),
        ('name = "x"\nsummary = "y"\n[[step]]\nkind = "melt"', "not valid"),
        ('name = "x"\nsummary = "y"\n[[step]]\nkind = "fine-tune"\nepocs = 3', "epocs"),
        ("name = ", "not TOML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(text: str, match: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=match):
        load_recipe(str(path))


def test_an_unknown_name_is_refused_with_the_names_that_are() -> None:
    with pytest.raises(UsageError, match="fine-tune"):
        load_recipe("melt")

"""A field's option: what the dataclass refuses, what the command line makes of it, and how each says what is wrong."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.testing import CliRunner

from dermport.cli.main import Commands, build_app
from dermport.cli.requests import asks
from dermport.errors import UsageError
from dermport.options import Option, OutPath, check_fields, option_fields


@dataclass(frozen=True)
class Oven:
    heat: Annotated[int, Option("How hot.", ge=50, le=300, unit="degrees", name="temperature")] = 180
    mode: Annotated[Literal["fan", "grill"] | None, Option("How.")] = None
    share: Annotated[float, Option("Of the power.", gt=0, lt=1)] = 0.5

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Meal:
    out: OutPath
    oven: Oven
    tins: Annotated[tuple[Path, ...], Option("What it is baked in.")] = ()
    command: str = ""


def _serve(*words: str) -> list[Meal]:
    served: list[Meal] = []

    @asks(Meal, without=("share",))
    def bake(meal: Meal, loud: bool = False) -> None:
        """Bake."""
        served.append(meal)
        if meal.oven.mode == "grill":
            raise UsageError("{heat} is no use with {mode} grill.", of=Oven)

    app = typer.Typer(cls=Commands)
    app.command()(bake)
    app.command()(lambda: None)
    result = CliRunner().invoke(app, ["bake", *words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return served


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"heat": 10}, "heat cannot be meant: 10 is out of range (50 to 300 degrees)."),
        ({"share": 1.0}, "share cannot be meant: 1 is out of range (above 0, below 1)."),
        ({"mode": "boil"}, "mode cannot be meant: 'boil' is none of fan, grill."),
    ],
)
def test_a_library_names_the_field(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        Oven(**changes)  # type: ignore[arg-type]
    assert refused.value.message == said
    assert pickle.loads(pickle.dumps(refused.value)).message == said


def test_a_command_has_the_options_of_the_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["dermport", "cook"])
    [meal] = _serve("--out", "x", "--temperature", "200", "--tins", "a", "--tins", "b")
    assert (meal.out, meal.oven, meal.tins) == (Path("x"), Oven(200), (Path("a"), Path("b")))
    assert meal.command == "dermport cook"
    monkeypatch.setenv("DERMPORT_TEMPERATURE", "70")
    assert _serve("--out", "x")[0].oven.heat == 70


def test_the_command_line_names_the_option() -> None:
    with pytest.raises(UsageError, match=r"^--temperature cannot be meant: 10 is out"):
        _serve("--out", "x", "--temperature", "10")
    with pytest.raises(UsageError, match=r"^--temperature is no use with --mode grill"):
        _serve("--out", "x", "--mode", "grill")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "--fine-tune", "none", "--epochs", "0"), r"Nothing would be trained(.|\n)*--weights none needs"),
        (("train", "--input-size", "8", "--lr", "0"), r"^--input-size cannot be .* --lr cannot be meant"),
        (("cross-validate", "--by", "beauty"), "^--by cannot be meant"),
    ],
)
def test_a_training_that_cannot_be_meant_is_refused(words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(build_app(), [*words, "--data", "x", "--out", "y"])
    with pytest.raises(UsageError, match=said):
        raise result.exception or AssertionError


def test_a_range_is_told_in_words() -> None:
    assert {one.name: one.option.range for one in option_fields(Meal)} == {
        "out": "",
        "heat": "50 to 300 degrees",
        "mode": "",
        "share": "above 0, below 1",
        "tins": "",
    }

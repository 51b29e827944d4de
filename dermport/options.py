"""What a field of a recipe or a request takes, said once, beside the field.

::

    @dataclass(frozen=True)
    class TrainingRecipe:
        batch: Annotated[int, Option("Photos a step.", ge=2)] = 32
        size: Annotated[int, Option("Side of the input.", ge=32, le=1024, unit="pixels", name="input-size")] = 224

        def __post_init__(self) -> None:
            check_fields(self)

``TrainingRecipe(batch=1)`` is then refused by the field's name, and a command whose function is decorated with
``@asks(TrainingRecipe)`` (:mod:`dermport.cli.requests`) has ``--batch`` and ``--input-size``, with help, range, default
and environment variable; there the same refusal names ``--batch``. A field of another such dataclass brings that one's
options; a field without an :class:`Option` is none. An error that names fields says whose they are:
``UsageError("{batch} is odd.", of=TrainingRecipe)``.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from dermport.errors import UsageError

Filled = TypeVar("Filled")


@dataclass(frozen=True)
class Option:
    """What a field is and which values it takes.

    Attributes:
        help: What it is, in sentences.
        ge: The least value.
        gt: Values are above this.
        le: The greatest value.
        lt: Values are below this.
        unit: Of the range, e.g. ``pixels``.
        name: The command line's name without its dashes; empty for the field's.
        panel: The heading in ``--help`` that it stands under.
        metavar: What stands for the value in ``--help``.
        argument: Whether it is an argument of the command instead of an option.
    """

    help: str
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    unit: str = ""
    name: str = ""
    panel: str = ""
    metavar: str = ""
    argument: bool = False

    def allows(self, value: Any) -> bool:
        """Return whether a number is in the range."""
        return (
            (self.ge is None or value >= self.ge)
            and (self.gt is None or value > self.gt)
            and (self.le is None or value <= self.le)
            and (self.lt is None or value < self.lt)
        )

    @property
    def range(self) -> str:
        """The range in words, such as ``32 to 1024 pixels``; empty where there is none."""
        if self.ge is not None and self.le is not None:
            words = [f"{self.ge:g} to {self.le:g}"]
        else:
            bounds = {"{:g} or more": self.ge, "above {:g}": self.gt, "at most {:g}": self.le, "below {:g}": self.lt}
            words = [form.format(bound) for form, bound in bounds.items() if bound is not None]
        return " ".join(filter(None, (", ".join(words), self.unit))) if words else ""


@dataclass(frozen=True)
class OptionField:
    """A field with an :class:`Option`.

    Attributes:
        owner: The dataclass.
        name: The field's name.
        type: Its type, without the option.
        option: What it takes.
    """

    owner: type
    name: str
    type: Any
    option: Option

    @property
    def default(self) -> Any:
        """Its default; ``dataclasses.MISSING`` where it has none."""
        field = self.owner.__dataclass_fields__[self.name]  # type: ignore[attr-defined]
        return field.default if field.default_factory is MISSING else field.default_factory()

    @property
    def flag(self) -> str:
        """The command line's name of it, such as ``--input-size``; an argument's metavar."""
        if self.option.argument:
            return self.option.metavar or self.name.upper()
        return f"--{self.option.name or self.name.replace('_', '-')}"

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a Literal; empty where any is taken."""
        kinds = get_args(self.type) if get_origin(self.type) in (Union, types.UnionType) else (self.type,)
        return tuple(value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind))

    def refusal(self, value: Any) -> str:
        """Return why the field cannot have this value, naming the field in braces; empty where it can."""
        if value is None:
            return ""
        if self.choices and value not in self.choices:
            return f"{{{self.name}}} cannot be meant: {value!r} is none of {', '.join(map(str, self.choices))}."
        if self.option.range and not self.option.allows(value):
            return f"{{{self.name}}} cannot be meant: {value:g} is out of range ({self.option.range})."
        return ""


@cache
def option_fields(owner: type) -> tuple[OptionField, ...]:
    """Return the fields of a dataclass that have options, in order, those of dataclasses in it among them."""
    found: list[OptionField] = []
    for name, hint in get_type_hints(owner, include_extras=True).items():
        if is_dataclass(hint):
            found += option_fields(cast("type", hint))
        elif get_origin(hint) is Annotated:
            kind, *extras = get_args(hint)
            found += [OptionField(owner, name, kind, option) for option in extras if isinstance(option, Option)]
    return tuple(found)


def filled(owner: type[Filled], values: Mapping[str, Any]) -> Filled:
    """Return a dataclass made of values by their fields' names, those of dataclasses in it among them.

    Raises:
        UsageError: It refuses a value.
    """
    hints = get_type_hints(owner)
    parts: dict[str, Any] = {
        name: filled(cast("type", hint), values) for name, hint in hints.items() if is_dataclass(hint)
    }
    return owner(**parts, **{name: values[name] for name in hints if name in values and name not in parts})


def check_fields(instance: Any) -> None:
    """Refuse values that a dataclass' own fields do not take.

    Raises:
        UsageError: A number is out of range, or a word is not among the choices; the message names the fields.
    """
    owner: type = type(instance)
    refused = [one.refusal(getattr(instance, one.name)) for one in option_fields(owner) if one.owner is owner]
    if any(refused):
        raise UsageError(" ".join(filter(None, refused)), of=owner)


DataPath = Annotated[
    Path, Option("Photos: HAM10000's layout, ISIC's, a folder per class, a CSV, or a TOML of several.")
]
OutPath = Annotated[Path, Option("Where to write; must not exist yet.")]
Seed = Annotated[int, Option("Seed of everything random.")]
Jobs = Annotated[int, Option("Processes or threads to use; 0: one per core.", ge=0)]

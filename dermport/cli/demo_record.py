"""What ``dermport demo`` did and found, for its report."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BUNDLE = "bundle"


@dataclass(frozen=True)
class Step:
    """One command that was run: what for, its words, its seconds and its JSON document."""

    title: str
    command: tuple[str, ...]
    seconds: float
    document: dict[str, Any] = field(repr=False)

    @property
    def line(self) -> str:
        """The command as a person would type it."""
        return "dermport " + shlex.join(self.command)


@dataclass(frozen=True)
class Demo:
    """Everything that the report shows.

    Attributes:
        folder: Where all of it is.
        steps: The commands, in order.
        answer: The server's answer to one photo.
        comparisons: Phone precision to the comparison's document.
    """

    folder: Path
    steps: tuple[Step, ...]
    answer: dict[str, Any]
    comparisons: dict[str, dict[str, Any]]

    @property
    def bundle(self) -> Path:
        """The bundle that the demo trained."""
        return self.folder / BUNDLE

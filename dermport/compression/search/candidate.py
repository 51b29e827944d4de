"""What a search tries: a network made from a start, in a precision."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Structure:
    """A network to be: where it starts from, and what is changed in it.

    Attributes:
        start: The name of its start.
        size: Side of the input, pixels.
        keep: Share of the start's multiply-accumulates, at that size, that pruning leaves.
    """

    start: str
    size: int
    keep: float

    @property
    def name(self) -> str:
        """A name for folders and people, e.g. ``parent-160px-50pc``."""
        pruned = "" if self.keep == 1 else f"-{100 * self.keep:g}pc"
        return f"{self.start}-{self.size}px{pruned}"


@dataclass(frozen=True)
class Candidate:
    """A structure in a precision; `export` is ``<target>-<precision>``."""

    structure: Structure
    export: str

    @property
    def name(self) -> str:
        """A name for people, e.g. ``parent-160px-50pc, tflite-int8``."""
        return f"{self.structure.name}, {self.export}"

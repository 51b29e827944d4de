"""The policy that turns figures into pass, warn or fail; its numbers live in ``policy.toml``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle import toml
from dermport.bundle.export_record import MapParity, Status
from dermport.bundle.parity import Figures, Judged, compare
from dermport.contract import Contract, Fraction
from dermport.errors import DataError

BUILT_IN = Path(__file__).with_name("policy.toml")


class Bounds(Contract):
    """One table of the policy; see ``policy.toml`` for what each bound means."""

    max_change: float | None = None
    mean_change: float | None = None
    top1_agreement: Fraction | None = None
    accuracy_drop: float | None = None
    map_change: float | None = None
    map_mean_change: float | None = None
    map_cell_agreement: Fraction | None = None


class Rule(Contract):
    """What fails and what warns for one class of precision."""

    fail: Bounds = Bounds()
    warn: Bounds = Bounds()


class Policy(Contract):
    """All rules, by class of precision."""

    id: str
    rules: dict[str, Rule]

    def judge(self, kind: str, figures: Figures) -> tuple[Status, tuple[str, ...]]:
        """Return the status of an artifact of class `kind`, and the reasons of a warning or failure.

        Raises:
            DataError: The policy has no rule for `kind`.
        """
        if kind not in self.rules:
            raise DataError(f"The policy {self.id} has no table [{kind}].", remedy="Add it to the policy file.")
        rule = self.rules[kind]
        if failures := tuple(_label_failures(figures)) + tuple(_breaches(rule.fail, figures, strict=True)):
            return "fail", failures
        if warnings := tuple(_breaches(rule.warn, figures, strict=False)):
            return "warn", warnings
        return "pass", ()

    def blind(self, manifest: Judged, original: NDArray[np.float32], kinds: Iterable[str]) -> tuple[str, ...]:
        """Return the classes, of `kinds`, in which an artifact that answers every photo alike would not fail.

        It is given the mean of the original's answers, float32 [N, C]. A proof that it passes tells nothing: either the
        original's answers hardly differ, or the photos do.
        """
        alike = np.broadcast_to(original.mean(axis=0), original.shape)
        figures = compare(manifest, original, alike, manifest.task.ids)
        return tuple(kind for kind in dict.fromkeys(kinds) if self.judge(kind, figures)[0] != "fail")


@cache
def read_policy(path: Path = BUILT_IN) -> Policy:
    """Read a policy file.

    Raises:
        DataError: The file is missing or is no policy.
    """
    try:
        document: dict[str, Any] = toml.loads(path.read_text(encoding="utf-8"))
        return Policy(id=document.pop("id"), rules=document)
    except (OSError, KeyError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"{path} is no policy: {reason}.", remedy=f"Start from {BUILT_IN.name} of dermport.") from error


def _label_failures(figures: Figures) -> Iterator[str]:
    if not figures.labels_match:
        yield f"its labels are {', '.join(figures.labels)}: not the bundle's, in the bundle's order"


def _breaches(bounds: Bounds, figures: Figures, *, strict: bool) -> Iterator[str]:
    """Yield what is out of bounds; `strict` reads the end of an interval that favours the artifact."""
    if bounds.max_change is not None and not figures.max_change <= bounds.max_change:
        yield f"a probability changes by {figures.max_change:.2g} (at most {bounds.max_change:g})"
    if bounds.mean_change is not None and not figures.mean_change <= bounds.mean_change:
        yield f"probabilities change by {figures.mean_change:.2g} on average (at most {bounds.mean_change:g})"
    agreement = figures.agreement_interval[1] if strict else figures.top1_agreement
    if bounds.top1_agreement is not None and not agreement >= bounds.top1_agreement:
        yield f"top-1 agreement is {figures.top1_agreement:.3f} (at least {bounds.top1_agreement:g})"
    yield from _accuracy_breach(bounds.accuracy_drop, figures, strict=strict)
    if figures.maps is not None:
        yield from _map_breaches(bounds, figures.maps)


def _map_breaches(bounds: Bounds, maps: MapParity) -> Iterator[str]:
    if bounds.map_change is not None and not maps.max_change <= bounds.map_change:
        yield f"a cell of a map changes by {maps.max_change:.2g} of its range (at most {bounds.map_change:g})"
    if bounds.map_mean_change is not None and not maps.mean_change <= bounds.map_mean_change:
        yield f"maps change by {maps.mean_change:.2g} of their range on average (at most {bounds.map_mean_change:g})"
    if bounds.map_cell_agreement is not None and not maps.cell_agreement >= bounds.map_cell_agreement:
        yield f"the highest cell is the same in {maps.cell_agreement:.3f} (at least {bounds.map_cell_agreement:g})"


def _accuracy_breach(bound: float | None, figures: Figures, *, strict: bool) -> Iterator[str]:
    accuracy = figures.metrics.get("accuracy")
    if bound is None or accuracy is None or accuracy.change is None:
        return
    least = accuracy.high if strict and accuracy.high is not None else accuracy.change
    if -least > bound:
        yield f"accuracy changes by {accuracy.change:+.3f} (at least {-bound:+g})"

"""Is the student with a teacher better than the one without? A paired test of bundles on the same test photos.

    dermport compress artifacts/ham7 --recipe student-050 --data ham10000 --out artifacts/taught
    dermport compress artifacts/ham7 --recipe student-050-alone --data ham10000 --out artifacts/alone
    python -m benchmarks.distillation artifacts/taught artifacts/alone --out distillation.json

Any two children of one parent may be named. Their answers are those of their evaluations (evaluation/predictions.csv,
sha256 checked): the same photos of the test part. Accuracy is compared by McNemar's exact test; balanced accuracy,
macro ROC AUC and the others by a paired bootstrap that draws lesions. "Better" is said where the 95 % interval of the
change lies above 0 and, for accuracy, p < 0.05 as well.

One training of each is a sample of one. Several pairs (TAUGHT ALONE TAUGHT ALONE …: other seeds, other parents) are
judged together: the figures are means over the pairs, on the photos that all of them were tested on, and each drawn
lesion counts in every pair. The interval holds what other test photos would change, not what other trainings would.
Name every pair that was trained.

Exit 1 where the first is better in none of accuracy, balanced accuracy and macro ROC AUC, or worse in one.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.manifest import ModelRef
from dermport.bundle.notice import NOTICE
from dermport.bundle.store import Bundle
from dermport.errors import DataError, DermportError, UsageError
from dermport.statistics.bootstrap import Bootstrap, averaged, changes, resampled
from dermport.statistics.estimates import Delta
from dermport.statistics.metrics import LOWER_IS_BETTER, TITLES, Predictions
from dermport.statistics.paired import mcnemar_exact

PREDICTIONS = "evaluation/predictions.csv"
HEAD = ("accuracy", "balanced_accuracy", "macro_roc_auc")
_BY_THRESHOLD = ("decision_sensitivity", "decision_specificity")
LEVEL = 0.05


@dataclass(frozen=True)
class BundlePredictions:
    """What a bundle answered to its test photos, in the order of their names.

    Attributes:
        photos: Names.
        lesions: The lesion of each.
        truth: int64 [N].
        probabilities: float64 [N, C].
    """

    photos: tuple[str, ...]
    lesions: tuple[str, ...]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def only(self, photos: set[str]) -> BundlePredictions:
        """Return the answers to these photos alone."""
        rows = np.array([photo in photos for photo in self.photos])
        kept = [(photo, lesion) for photo, lesion in zip(self.photos, self.lesions, strict=True) if photo in photos]
        names, lesions = zip(*kept, strict=True)
        return BundlePredictions(names, lesions, self.truth[rows], self.probabilities[rows])

    @classmethod
    def of(cls, bundle: Bundle) -> BundlePredictions:
        ids = bundle.manifest.task.ids
        with bundle.file(PREDICTIONS).open(newline="", encoding="utf-8") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: row["photo_id"])
        return cls(
            tuple(row["photo_id"] for row in rows),
            tuple(row["lesion_id"] for row in rows),
            np.array([ids.index(row["truth"]) for row in rows]),
            np.array([[float(row[f"p_{label}"]) for label in ids] for row in rows]),
        )


@dataclass(frozen=True)
class BundlePair:
    """Two bundles that differ in one thing, and what each answered to the same photos."""

    first: Bundle
    second: Bundle
    ours: BundlePredictions
    theirs: BundlePredictions

    @classmethod
    def of(cls, first: Bundle, second: Bundle) -> BundlePair:
        """Return two children of one parent.

        Raises:
            UsageError: They have different parents or labels.
            DataError: They were tested on different photos.
        """
        _require_siblings(first, second)
        ours, theirs = BundlePredictions.of(first), BundlePredictions.of(second)
        if ours.photos != theirs.photos or (ours.truth != theirs.truth).any():
            raise DataError(f"{first.path} and {second.path} were tested on different photos.")
        return cls(first, second, ours, theirs)

    def only(self, photos: set[str]) -> BundlePair:
        """Return the pair with these of its photos alone."""
        return replace(self, ours=self.ours.only(photos), theirs=self.theirs.only(photos))

    def mcnemar(self) -> dict[str, Any]:
        """Return on how many photos one of the two alone is right, and McNemar's exact p."""
        right, others = (one.probabilities.argmax(axis=1) == one.truth for one in (self.ours, self.theirs))
        only, others_only = int((right & ~others).sum()), int((others & ~right).sum())
        return {"only_first_right": only, "only_second_right": others_only, "p": mcnemar_exact(only, others_only)}

    def to_json(self) -> dict[str, Any]:
        """Return who they are and McNemar's test of the two."""
        return {"first": _said(self.first), "second": _said(self.second), "mcnemar": self.mcnemar()}


def compare(pairs: Sequence[BundlePair], resamples: int = 10_000) -> dict[str, Any]:
    """Return the JSON document that says how far the first bundles are from the second ones.

    Raises:
        UsageError: Pairs tell different labels apart.
        DataError: No photo was in the test part of all pairs, or one has different labels in them.
    """
    pairs = _on_common_photos(pairs)
    manifest, answers = pairs[0].first.manifest, pairs[0].ours
    models = [
        Predictions(one.probabilities, one.truth, manifest.task.positive_indices, manifest.threshold)
        for pair in pairs
        for one in (pair.theirs, pair.ours)
    ]
    bootstrap = Bootstrap(resamples=resamples)
    of_models = resampled(models, answers.lesions, bootstrap)
    deltas = changes(averaged(of_models[0::2]), averaged(of_models[1::2]), bootstrap)
    # Each bundle decides by its own threshold: figures of the decision at the first one's would favour it.
    shown = {name: delta for name, delta in deltas.items() if name not in _BY_THRESHOLD}
    p = pairs[0].mcnemar()["p"] if len(pairs) == 1 else None
    return {
        "notice": NOTICE,
        "pairs": [pair.to_json() for pair in pairs],
        "photos": len(answers.photos),
        "lesions": len(set(answers.lesions)),
        "resamples": resamples,
        "changes": {name: delta.model_dump() | {"verdict": verdict(name, delta, p)} for name, delta in shown.items()},
    }


def _on_common_photos(pairs: Sequence[BundlePair]) -> list[BundlePair]:
    if any(pair.first.manifest.task.ids != pairs[0].first.manifest.task.ids for pair in pairs):
        raise UsageError("The pairs tell different labels apart.", remedy="Name pairs of one task.")
    common = set.intersection(*(set(pair.ours.photos) for pair in pairs))
    if not common:
        raise DataError("No photo is in the test part of every pair.", remedy="Name pairs of one split.")
    kept = [pair.only(common) for pair in pairs]
    if any((pair.ours.truth != kept[0].ours.truth).any() for pair in kept):
        raise DataError("The pairs' test photos have different labels.")
    return kept


def verdict(name: str, delta: Delta, p: float | None) -> str:
    """Return ``better``, ``worse`` or ``no difference shown`` of a change from the second bundle to the first.

    Args:
        name: Of the figure.
        delta: The change.
        p: McNemar's, which accuracy has to pass as well; None for several pairs.
    """
    refuted = name == "accuracy" and p is not None and p >= LEVEL
    if delta.low is None or delta.high is None or refuted:
        return "no difference shown"
    low, high = (-delta.high, -delta.low) if name in LOWER_IS_BETTER else (delta.low, delta.high)
    return "better" if low > 0 else "worse" if high < 0 else "no difference shown"


def _require_siblings(first: Bundle, second: Bundle) -> None:
    parents = [_parent(bundle) for bundle in (first, second)]
    if parents[0] != parents[1]:
        raise UsageError(
            f"{first.path} was made from {parents[0]}, {second.path} from {parents[1]}.",
            remedy="Name two children of one parent.",
        )
    if first.manifest.task.ids != second.manifest.task.ids:
        raise UsageError(f"{first.path} and {second.path} tell different labels apart.")


def _parent(bundle: Bundle) -> ModelRef:
    compression = bundle.manifest.compression
    if compression is None:
        raise UsageError(f"{bundle.path} has no parent.", remedy="Name bundles that `dermport compress` wrote.")
    return compression.parent


def _said(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.manifest
    made = manifest.compression
    recipe = made.recipe if made else ""
    return {"name": manifest.name, "recipe": recipe, "sha256": bundle.model_sha256, "seed": manifest.provenance.seed}


def text_of(document: dict[str, Any]) -> str:
    """Return the document for people."""
    pairs = document["pairs"]
    lines = [_line(pair) for pair in pairs]
    means = f", means over {len(pairs)} pairs" if len(pairs) > 1 else ""
    lines.append(f"{document['photos']:,} test photos of {document['lesions']:,} lesions{means}")
    lines.append(f"{'':<28}{'second':>14}{'first':>14}{'change':>10}   95 % interval")
    for name, change in document["changes"].items():
        if change["change"] is not None:
            ends = f"{change['low']:+.4f} to {change['high']:+.4f}"
            before, after = change["original"], change["artifact"]
            figures = f"{before:>14.4f}{after:>14.4f}{change['change']:>+10.4f}   {ends}"
            lines.append(f"{TITLES[name]:<28}{figures}   {change['verdict']}")
    return "\n".join([*lines, document["notice"]])


def _line(pair: dict[str, Any]) -> str:
    first, second, test = pair["first"], pair["second"], pair["mcnemar"]
    return (
        f"{first['name']} ({first['recipe']}) against {second['name']} ({second['recipe']}): right alone "
        f"{test['only_first_right']} and {test['only_second_right']} photos, McNemar's exact p {test['p']:.3g}"
    )


def _pairs(paths: Sequence[Path]) -> list[BundlePair]:
    if len(paths) % 2:
        raise UsageError(f"{len(paths)} bundles are no pairs.", remedy="Name them as TAUGHT ALONE TAUGHT ALONE …")
    bundles = [Bundle.open(path) for path in paths]
    return [BundlePair.of(first, second) for first, second in zip(bundles[0::2], bundles[1::2], strict=True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", type=Path, nargs="+", help="the one to be better, the other; then further pairs")
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--out", type=Path, help="a JSON file to write the figures to")
    arguments = parser.parse_args()
    try:
        document = compare(_pairs(arguments.bundles), arguments.resamples)
    except DermportError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(text_of(document) + "\n")
    if arguments.out:
        arguments.out.write_text(json.dumps(document, indent=2) + "\n")
    verdicts = {document["changes"][name]["verdict"] for name in HEAD}
    return 0 if "better" in verdicts and "worse" not in verdicts else 1


if __name__ == "__main__":
    sys.exit(main())

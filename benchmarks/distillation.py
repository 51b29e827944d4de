"""Is the student with a teacher better than the one without? A paired test of two bundles on the same test photos.

    dermport compress artifacts/ham7 --recipe student-050 --data ham10000 --out artifacts/taught
    dermport compress artifacts/ham7 --recipe student-050-alone --data ham10000 --out artifacts/alone
    python -m benchmarks.distillation artifacts/taught artifacts/alone --out distillation.json

Any two children of one parent may be named. Their answers are those of their evaluations (evaluation/predictions.csv,
sha256 checked): the same photos of the test part. Accuracy is compared by McNemar's exact test; balanced accuracy,
macro ROC AUC and the others by a paired bootstrap that draws lesions. "Better" is said where the 95 % interval of the
change lies above 0 and, for accuracy, p < 0.05 as well. Exit 1 where the first is better in none of accuracy, balanced
accuracy and macro ROC AUC, or worse in one.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bundle.bootstrap import Bootstrap, paired_intervals
from bundle.errors import DataError, DermportError, UsageError
from bundle.export_record import Delta
from bundle.manifest import ModelRef
from bundle.mcnemar import mcnemar_exact
from bundle.metrics import TITLES
from bundle.notice import NOTICE
from bundle.store import Bundle

PREDICTIONS = "evaluation/predictions.csv"
HEAD = ("accuracy", "balanced_accuracy", "macro_roc_auc")
_BY_THRESHOLD = ("decision_sensitivity", "decision_specificity")
LOWER_IS_BETTER = ("ece", "nll")
LEVEL = 0.05


@dataclass(frozen=True)
class Answered:
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

    @classmethod
    def of(cls, bundle: Bundle) -> Answered:
        ids = bundle.manifest.task.ids
        with bundle.file(PREDICTIONS).open(newline="", encoding="utf-8") as file:
            rows = sorted(csv.DictReader(file), key=lambda row: row["photo_id"])
        return cls(
            tuple(row["photo_id"] for row in rows),
            tuple(row["lesion_id"] for row in rows),
            np.array([ids.index(row["truth"]) for row in rows]),
            np.array([[float(row[f"p_{label}"]) for label in ids] for row in rows]),
        )


def compare(first: Bundle, second: Bundle, resamples: int = 10_000) -> dict[str, Any]:
    """Return the JSON document that says how far `first` is from `second`.

    Raises:
        UsageError: They have different parents or labels.
        DataError: They were tested on different photos.
    """
    _require_siblings(first, second)
    ours, theirs = Answered.of(first), Answered.of(second)
    if ours.photos != theirs.photos or (ours.truth != theirs.truth).any():
        raise DataError(f"{first.path} and {second.path} were tested on different photos.")
    decision = first.manifest.decision
    deltas = paired_intervals(
        theirs.probabilities,
        ours.probabilities,
        ours.truth,
        ours.lesions,
        positive=first.manifest.task.positive_indices,
        threshold=decision.threshold,
        bootstrap=Bootstrap(resamples=resamples),
    )
    right, others_right = (one.probabilities.argmax(axis=1) == one.truth for one in (ours, theirs))
    only, others_only = int((right & ~others_right).sum()), int((others_right & ~right).sum())
    p = mcnemar_exact(only, others_only)
    # Each bundle decides by its own threshold: figures of the decision at the first one's would favour it.
    shown = {name: delta for name, delta in deltas.items() if name not in _BY_THRESHOLD}
    return {
        "notice": NOTICE,
        "first": _said(first),
        "second": _said(second),
        "photos": len(ours.photos),
        "lesions": len(set(ours.lesions)),
        "resamples": resamples,
        "mcnemar": {"only_first_right": only, "only_second_right": others_only, "p": p},
        "changes": {name: delta.model_dump() | {"verdict": verdict(name, delta, p)} for name, delta in shown.items()},
    }


def verdict(name: str, delta: Delta, p: float) -> str:
    """Return ``better``, ``worse`` or ``no difference shown`` of a change from the second bundle to the first."""
    if delta.low is None or delta.high is None or (name == "accuracy" and p >= LEVEL):
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
    first, second, test = document["first"], document["second"], document["mcnemar"]
    lines = [
        f"{first['name']} ({first['recipe']}) against {second['name']} ({second['recipe']}): "
        f"{document['photos']:,} test photos of {document['lesions']:,} lesions",
        f"{'':<28}{second['name'][:12]:>14}{first['name'][:12]:>14}{'change':>10}   95 % interval",
    ]
    for name, change in document["changes"].items():
        if change["change"] is not None:
            ends = f"{change['low']:+.4f} to {change['high']:+.4f}"
            before, after = change["original"], change["artifact"]
            figures = f"{before:>14.4f}{after:>14.4f}{change['change']:>+10.4f}   {ends}"
            lines.append(f"{TITLES[name]:<28}{figures}   {change['verdict']}")
    lines.append(
        f"Right alone: {test['only_first_right']} and {test['only_second_right']} photos; "
        f"McNemar's exact p {test['p']:.3g}"
    )
    return "\n".join([*lines, document["notice"]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="the bundle that is to be better")
    parser.add_argument("second", type=Path, help="the bundle that it is held against")
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--out", type=Path, help="a JSON file to write the figures to")
    arguments = parser.parse_args()
    try:
        document = compare(Bundle.open(arguments.first), Bundle.open(arguments.second), arguments.resamples)
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

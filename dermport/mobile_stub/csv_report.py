"""A comparison as CSV: one row a photo and artifact, both sides beside each other."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from dermport.bundle.csv_table import cell
from dermport.mobile_stub.comparison import ArtifactComparison, PhotoComparison
from dermport.mobile_stub.prediction import Prediction, Refusal

_SIDE = ("label", "probability", "score", "positive", "refused", "artifact", "runtime", "milliseconds", "input_sha256")
_ROW = ("photo", "cause", "change", "same_input", "same_label", "same_decision")
_MORE = ("truth", "lesion", "words", "comparison", "round_trip", "map_change")
COLUMNS = (
    *_ROW,
    *(f"phone_{name}" for name in _SIDE),
    *(f"server_{name}" for name in _SIDE),
    *_MORE,
    "faults",
)


def to_csv(comparisons: Sequence[ArtifactComparison]) -> str:
    """Return the photos of all artifacts as CSV with a header; the empty string stands for what is not known."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for comparison in comparisons:
        writer.writerows({name: cell(value) for name, value in _row(photo).items()} for photo in comparison.photos)
    return text.getvalue()


def _row(row: PhotoComparison) -> dict[str, object]:
    fields: dict[str, object] = {name: getattr(row, name) for name in (*_ROW, *_MORE)}
    faults = {"faults": " ".join(fault.code for fault in row.faults)}
    return fields | _side("phone", row.phone) | _side("server", row.server) | faults


def _side(who: str, said: Prediction | Refusal) -> dict[str, object]:
    if isinstance(said, Refusal):
        return {f"{who}_refused": said.code}
    return {f"{who}_{name}": getattr(said, name) for name in _SIDE if name != "refused"}

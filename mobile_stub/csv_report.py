"""A comparison as CSV: one row a photo, both sides beside each other."""

from __future__ import annotations

import csv
import io

from bundle.cells import cell
from mobile_stub.comparison import Comparison, PhotoComparison
from mobile_stub.prediction import Prediction, Refusal

_SIDE = ("label", "probability", "score", "positive", "refused", "artifact", "runtime", "milliseconds", "input_sha256")
COLUMNS = (
    "photo",
    "cause",
    "change",
    "same_input",
    "same_label",
    "same_decision",
    *(f"phone_{name}" for name in _SIDE),
    *(f"server_{name}" for name in _SIDE),
)


def to_csv(comparison: Comparison) -> str:
    """Return the photos of a comparison as CSV with a header; the empty string stands for what is not known."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in _row(photo).items()} for photo in comparison.photos)
    return text.getvalue()


def _row(row: PhotoComparison) -> dict[str, object]:
    fields = {name: getattr(row, name) for name in COLUMNS[:6]}
    return fields | _side("phone", row.phone) | _side("server", row.server)


def _side(who: str, said: Prediction | Refusal) -> dict[str, object]:
    if isinstance(said, Refusal):
        return {f"{who}_refused": said.code}
    return {f"{who}_{name}": getattr(said, name) for name in _SIDE if name != "refused"}

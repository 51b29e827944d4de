"""A rule for when a model cannot tell, chosen on validation photos, in a copy of its bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dermport.progress import SILENT, Progress

if TYPE_CHECKING:
    from dermport.bundle.store import Bundle


def calibrate_abstention(
    bundle: Bundle, data: Path, out: Path, *, answer_rate: float = 0.95, progress: Progress = SILENT
) -> Bundle:
    """Write a copy of a bundle whose manifest has the rule; the model and its exports stay what they are.

    Args:
        bundle: Whose model.
        data: The data set that it was trained on.
        out: The new bundle's folder; must not exist.
        answer_rate: Share of the validation photos that must still be answered, above 0 and at most 1.
        progress: What a person sees.

    Raises:
        UsageError: The rate is out of range, or `out` exists.
        DataError: The photos are not those of the bundle's split.
    """
    from dermport.training.abstained import write_abstaining
    from dermport.training.evaluation.abstention import check_answer_rate, fit_abstention, survey_inputs, with_shares
    from dermport.workflows.photos import read_photos

    check_answer_rate(answer_rate)
    validation, test = (
        survey_inputs(read_photos(bundle, data, part, progress=progress).tensors(bundle.manifest.preprocessing))
        for part in ("validation", "test")
    )
    return write_abstaining(bundle, with_shares(fit_abstention(validation, answer_rate), {"test": test}), out)

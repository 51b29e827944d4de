"""The report of a reproduction: figures beside the published ones, the leak gap, twins, and remarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from dermport.bundle.atomic import write_json, write_text
from dermport.bundle.csv_table import csv_text
from dermport.bundle.manifest import Provenance
from dermport.bundle.notice import NOTICE
from dermport.contract import Contract
from dermport.statistics.bootstrap import DEFAULT
from dermport.statistics.estimates import Metric
from dermport.statistics.text import interval
from dermport.templates import load_template
from dermport.training.model.cost import cost_of
from dermport.training.protocols.context import ReproductionContext
from dermport.training.protocols.figures import TITLES, LeakGap, ResampledFigure, gaps, measure, of_arm, with_intervals
from dermport.training.protocols.overlap import find_overlap
from dermport.training.protocols.protocol import Arm, Protocol
from dermport.training.protocols.remarks import Remark, remarks_on
from dermport.training.protocols.trial import Trial
from dermport.training.provenance import provenance

SCHEMA: Literal["dermport-reproduction/1"] = "dermport-reproduction/1"
JSON, MARKDOWN = "report.json", "report.md"
_TEMPLATE = Path(__file__).with_name("report.md.in")
_BYTES = 4  # of a float32
_WORDS = {"True": "yes", "False": "no", "None": "its own"}


class PhotosUsed(Contract):
    """The photos that were used."""

    name: str
    reader: str
    fingerprint: str
    photos: int
    lesions: int
    counts: dict[str, int]
    dropped: dict[str, int]
    stand_in: Annotated[bool, Field(description="whether these are other photos than the paper's")]


class OverlapReport(Contract):
    """Test entries that the training had seen; means over an arm's trainings."""

    same_photo: float
    same_lesion: float
    accuracy_with: Annotated[float | None, Field(description="of the entries with a photo of their lesion in training")]
    accuracy_without: float | None


class ArmReport(Contract):
    """One way to part the photos."""

    arm: Arm
    trainings: int
    train: Annotated[int, Field(description="entries, with those that oversampling added; of the first training")]
    validation: int
    test: int
    twins: OverlapReport | None
    figures: Annotated[dict[str, Metric], Field(description="empty: not measured, since nothing was trained")]
    spread: Annotated[dict[str, float | None], Field(description="standard deviation over the trainings")]


class NetworkReport(Contract):
    """One network of a protocol, with its cost for one photo."""

    name: str
    start: Annotated[str, Field(description="what it started from: imagenet, none (random), or a weights file")]
    parameters: int
    macs: int
    weight_bytes: Annotated[int, Field(description="float32 weights; compressed forms are smaller")]
    arms: tuple[ArmReport, ...]
    gaps: Annotated[dict[str, LeakGap], Field(description="published way of parting minus honest one")]


class Report(Contract):
    """``report.json``: everything that a reproduction found."""

    schema_version: Annotated[Literal["dermport-reproduction/1"], Field(alias="schema")] = SCHEMA
    notice: str = NOTICE
    protocol: Protocol
    changes: Annotated[tuple[str, ...], Field(description="options of the protocol that were changed for this run")]
    data: PhotosUsed
    networks: tuple[NetworkReport, ...]
    remarks: tuple[Remark, ...]
    confidence: float
    resamples: int
    provenance: Provenance


def build_report(
    work: ReproductionContext, trials: Sequence[Trial], changes: tuple[str, ...], command: str, seconds: float
) -> Report:
    """Return the report of all trials of a protocol."""
    names = dict.fromkeys(trial.candidate.name for trial in trials)
    by_name = [[trial for trial in trials if trial.candidate.name == name] for name in names]
    return Report(
        protocol=work.protocol,
        changes=changes,
        data=_photos(work),
        networks=tuple(_network(work, one) for one in by_name),
        remarks=remarks_on(work.protocol, work.dataset),
        confidence=DEFAULT.confidence,
        resamples=DEFAULT.resamples,
        provenance=provenance(command, work.seed, seconds),
    )


def write_report(folder: Path, report: Report, work: ReproductionContext, trials: Sequence[Trial]) -> None:
    """Write ``report.json``, ``report.md`` and, for each network and arm, ``predictions-<network>-<arm>.csv``."""
    write_json(folder / JSON, report.model_dump(mode="json", by_alias=True))
    (folder / MARKDOWN).write_text(render(report), encoding="utf-8")
    for trial in trials:
        if trial.answers:
            name = f"predictions-{trial.candidate.name.replace(' ', '-')}-{trial.arm.name}.csv"
            _write_predictions(folder / name, work, trial)


def render(report: Report) -> str:
    """Return the report as Markdown."""
    template = load_template(
        _TEMPLATE,
        count="{:,}".format,
        figure=lambda value: "–" if value is None else f"{value:.3f}",
        metric=metric_in_words,
        gap=gap_in_words,
        words=_option,
        cell=lambda text: " ".join(str(text).replace("|", "\\|").split()),
    )
    published = {one.figure: one for one in report.protocol.published}
    return template.render(
        report=report, protocol=report.protocol, published=published, titles=TITLES, level=100 * report.confidence
    )


def _photos(work: ReproductionContext) -> PhotosUsed:
    dataset = work.dataset
    targets = np.bincount(dataset.targets(), minlength=work.classes).tolist()
    return PhotosUsed(
        name=dataset.name,
        reader=dataset.report.reader,
        fingerprint=dataset.fingerprint,
        photos=len(dataset.records),
        lesions=len({record.lesion_id for record in dataset.records}),
        counts=dict(zip(dataset.task.spec.ids, targets, strict=True)),
        dropped=dict(dataset.report.dropped),
        stand_in=dataset.report.reader not in work.protocol.data.readers,
    )


def _network(work: ReproductionContext, trials: Sequence[Trial]) -> NetworkReport:
    model = trials[0].candidate.build()
    measured: dict[str, dict[str, ResampledFigure]] = {
        trial.arm.name: _measured(work, trial, number) for number, trial in enumerate(trials) if trial.answers
    }
    parameters = int(model.count_params())
    return NetworkReport(
        name=trials[0].candidate.name,
        start=trials[0].candidate.start,
        parameters=parameters,
        macs=cost_of(model).macs,
        weight_bytes=_BYTES * parameters,
        arms=tuple(_arm(work, trial, measured.get(trial.arm.name, {}), n) for n, trial in enumerate(trials)),
        gaps=_gaps(work.protocol, measured),
    )


def _measured(work: ReproductionContext, trial: Trial, number: int) -> dict[str, ResampledFigure]:
    dataset, test = work.dataset, trial.draws[0].test
    lesions = [dataset.records[index].lesion_id for index in test]
    return measure(trial.answers, dataset.targets()[test], lesions, dataset.task.spec, of_arm(number))


def _gaps(protocol: Protocol, measured: Mapping[str, Mapping[str, ResampledFigure]]) -> dict[str, LeakGap]:
    published, honest = protocol.published_arm, protocol.honest_arm
    if published is None or honest is None or not measured:
        return {}
    return gaps(measured[published.name], measured[honest.name])


def _arm(work: ReproductionContext, trial: Trial, figures: Mapping[str, ResampledFigure], number: int) -> ArmReport:
    first = trial.draws[0]
    return ArmReport(
        arm=trial.arm,
        trainings=len(trial.answers),
        train=len(first.train),
        validation=len(first.validation),
        test=len(first.test),
        twins=_twins(work, trial),
        figures=with_intervals(figures, of_arm(number)),
        spread={key: one.spread for key, one in figures.items()},
    )


def _twins(work: ReproductionContext, trial: Trial) -> OverlapReport | None:
    found = [find_overlap(work.dataset, draw) for draw in trial.draws]
    truth = work.dataset.targets()[trial.draws[0].test]
    right = [one.argmax(axis=1) == truth for one in trial.answers]
    pairs = list(zip(right, found, strict=False))
    return OverlapReport(
        same_photo=float(np.mean([one.same_photo.sum() for one in found])),
        same_lesion=float(np.mean([one.same_lesion.sum() for one in found])),
        accuracy_with=_share([hits[twins.same_lesion] for hits, twins in pairs]),
        accuracy_without=_share([hits[~twins.same_lesion] for hits, twins in pairs]),
    )


def _share(hits: Sequence[np.ndarray[Any, np.dtype[np.bool_]]]) -> float | None:
    every = np.concatenate(hits) if hits else np.array([])
    return float(every.mean()) if every.size else None


def metric_in_words(metric: Metric | None) -> str:
    """Return e.g. ``0.821 (0.801 to 0.839)``, or ``not measured``."""
    return interval(metric, undefined="not measured")


def gap_in_words(gap: LeakGap | None) -> str:
    """Return e.g. ``+0.121 (+0.101 to +0.139)``, or a dash."""
    if gap is None or gap.change is None:
        return "–"
    ends = "" if gap.low is None else f" ({gap.low:+.3f} to {gap.high:+.3f})"
    return f"{gap.change:+.3f}{ends}"


def _option(value: Any) -> str:
    """Return an option of a protocol as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_option(one)}" for name, one in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return _WORDS.get(str(value), str(value))


def _write_predictions(path: Path, work: ReproductionContext, trial: Trial) -> None:
    records, targets, ids = work.dataset.records, work.dataset.targets(), work.dataset.task.spec.ids
    rows = (
        [fold, records[index].photo_id, records[index].lesion_id, ids[targets[index]], *probabilities]
        for fold, (draw, answers) in enumerate(zip(trial.draws, trial.answers, strict=True), start=1)
        for index, probabilities in zip(draw.test, answers.tolist(), strict=True)
    )
    write_text(path, csv_text(["fold", "photo_id", "lesion_id", "truth", *(f"p_{label}" for label in ids)], rows))

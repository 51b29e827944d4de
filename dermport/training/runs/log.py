"""What a run writes beside its checkpoints, epoch by epoch: a CSV table and TensorBoard's event files."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from pathlib import Path
from typing import Any

from dermport.bundle.atomic import write_text
from dermport.training.phases.state import EpochFigures

CSV, TENSORBOARD = "log.csv", "tensorboard"
_TAGS = {
    "train": {"loss": "loss", "accuracy": "accuracy", "seconds": "seconds", "busy": "busy"},
    "validation": {"loss": "val_loss", "accuracy": "val_accuracy", "macro_auc": "val_macro_auc"},
}


@dataclass(frozen=True)
class RunLog:
    """The logs of one phase, in the folder of its run.

    Both are made of the history that the checkpoint holds, and after it: a run that is killed and resumed leaves each
    epoch once.

    Attributes:
        folder: The run's folder: ``log.csv`` for all its phases, ``tensorboard/<phase>/train`` and ``validation``.
        phase: The phase's short name.
    """

    folder: Path
    phase: str

    def write(self, history: Sequence[EpochFigures]) -> None:
        """Write the phase's epochs so far; those of other phases stay."""
        earlier = [row for row in _read(self.folder / CSV) if row["phase"] != self.phase]
        write_text(self.folder / CSV, _as_csv([*earlier, *(asdict(one) for one in history)]))
        write_events(self.folder / TENSORBOARD, history)


def write_events(folder: Path, history: Sequence[EpochFigures]) -> None:
    """Write TensorBoard's event files of the phases in `history`: ``<phase>/train`` and ``<phase>/validation``.

    The wall time of an event is the seconds of training until then, so that equal histories give equal files. Without
    TensorFlow, whose format it is, nothing is written.
    """
    try:
        import tensorflow as tf
    except ImportError:
        return
    for phase, group in groupby(history, key=lambda one: one.phase):
        epochs = list(group)
        shutil.rmtree(folder / phase, ignore_errors=True)
        for side, tags in _TAGS.items():
            (folder / phase / side).mkdir(parents=True)
            with tf.io.TFRecordWriter(str(folder / phase / side / "events.out.tfevents.dermport")) as file:
                for event in _events(epochs, tags):
                    file.write(event.SerializeToString())


def _events(epochs: Sequence[EpochFigures], tags: dict[str, str]) -> list[Any]:
    import tensorflow as tf

    v1 = tf.compat.v1
    events, clock = [v1.Event(wall_time=0.0, file_version="brain.Event:2")], 0.0
    for one in epochs:
        clock += one.seconds
        figures = {tag: getattr(one, name) for tag, name in tags.items()}
        values = [v1.Summary.Value(tag=tag, simple_value=value) for tag, value in figures.items() if value is not None]
        events.append(v1.Event(wall_time=clock, step=one.epoch, summary=v1.Summary(value=values)))
    return events


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _as_csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(
        text, [one.name for one in fields(EpochFigures)], lineterminator="\n", extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()

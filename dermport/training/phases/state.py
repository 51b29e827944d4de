"""The state of a phase on disk: everything that a killed training needs to go on to the same result."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, field, fields, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import write_bytes, write_text
from dermport.bundle.csv_table import csv_text

if TYPE_CHECKING:
    import keras

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class EpochFigures:
    """One epoch, as logs and curves show it; validation figures are of the unweighted photos.

    `busy` is the share of the time of its steps in which the trainer did not wait for photos; None where that is not
    known (epochs of earlier versions).
    """

    phase: str
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    val_macro_auc: float | None
    seconds: float
    busy: float | None = None


@dataclass(frozen=True)
class PhaseState:
    """A phase after some epochs.

    Attributes:
        history: The epochs so far.
        finished: Whether the phase is over (all its epochs, or patience at an end).
        variables: The model's variables after the last epoch.
        optimizer: The optimizer's variables after the last epoch (moments, step, moving average).
        best: The model's variables of the best epoch.
    """

    history: tuple[EpochFigures, ...] = ()
    finished: bool = False
    variables: Arrays = field(default=(), repr=False)
    optimizer: Arrays = field(default=(), repr=False)
    best: Arrays = field(default=(), repr=False)

    @property
    def best_epoch(self) -> EpochFigures:
        """The best epoch so far (see :func:`best_of`)."""
        return best_of(self.history)

    def after(self, figures: EpochFigures, model: keras.Model, answering: Arrays) -> PhaseState:
        """Return the state one epoch later; `answering` are the variables that the epoch's figures are of."""
        history = (*self.history, figures)
        is_best = best_of(history) is figures
        return replace(
            self,
            history=history,
            variables=snapshot(model.variables),
            optimizer=snapshot(model.optimizer.variables),
            best=answering if is_best else self.best,
        )


def best_of(history: Sequence[EpochFigures]) -> EpochFigures:
    """Return the epoch with the least cross-entropy on the validation photos; the first of equals.

    Every photo counts in it. The macro ROC AUC hangs on the few photos of the rarest class: among 1,300 validation
    photos of HAM10000, it changes from epoch to epoch by more than the epochs differ.
    """
    return min(history, key=lambda figures: figures.val_loss)


def kept_epochs(history: Sequence[EpochFigures]) -> list[int]:
    """Return the best epoch of each phase, counted from 0 over all phases."""
    phases = groupby(range(len(history)), key=lambda index: history[index].phase)
    return [min(phase, key=lambda index: history[index].val_loss) for _, phase in phases]


def write_history(path: Path, history: Sequence[EpochFigures]) -> None:
    """Write the epochs as CSV."""
    write_text(path, csv_text([field.name for field in fields(EpochFigures)], map(astuple, history)))


def snapshot(variables: Sequence[Any]) -> Arrays:
    """Return the variables' values as numpy arrays."""
    import keras

    # As tensors first: a variable with a copy on each of several devices is no array.
    tensors = (keras.ops.stop_gradient(variable.value) for variable in variables)
    return tuple(np.array(keras.ops.convert_to_numpy(tensor)) for tensor in tensors)


def restore(variables: Sequence[Any], values: Arrays) -> None:
    """Give the variables these values."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def save_state(path: Path, state: PhaseState) -> None:
    """Write the state as one .npz file, atomically."""
    groups = {"variables": state.variables, "optimizer": state.optimizer, "best": state.best}
    arrays = {f"{group}/{index:04d}": value for group, values in groups.items() for index, value in enumerate(values)}
    meta = {"history": [asdict(figures) for figures in state.history], "finished": state.finished}
    file = io.BytesIO()
    np.savez(file, meta=np.array(json.dumps(meta)), **arrays)  # type: ignore[arg-type]  # numpy's stub takes no **
    write_bytes(path, file.getvalue())


def load_state(path: Path) -> PhaseState:
    """Read a state, or return that of a phase that has not begun."""
    if not path.is_file():
        return PhaseState()
    with np.load(path, allow_pickle=False) as file:
        meta = json.loads(str(file["meta"]))
        groups = {
            group: tuple(file[name] for name in sorted(file.files) if name.startswith(f"{group}/"))
            for group in ("variables", "optimizer", "best")
        }
    return PhaseState(tuple(EpochFigures(**one) for one in meta["history"]), meta["finished"], **groups)


def load_history(path: Path) -> tuple[EpochFigures, ...]:
    """Return the epochs of a state file, without reading its arrays."""
    with np.load(path, allow_pickle=False) as file:
        return tuple(EpochFigures(**one) for one in json.loads(str(file["meta"]))["history"])


def seconds_spent(folder: Path) -> float:
    """Return the seconds that the epochs of a run have taken so far."""
    return sum(figures.seconds for path in folder.glob("*.npz") for figures in load_history(path))

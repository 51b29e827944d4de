"""What a training would take, before it begins: photos and weights checked, a few steps timed, nothing written."""

from __future__ import annotations

import resource
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dermport.progress import Progress
from dermport.training.data.photos import load_tensors
from dermport.training.features import Features
from dermport.training.model.network import build_network, predict, trunk_of
from dermport.training.phases.loop import Phase, Targets, class_weights, steps_per_epoch
from dermport.training.phases.recipes import all_phase, head_phase, last_four_phase
from dermport.training.phases.twin import trained_in_place_of
from dermport.training.pipeline import check_recipe, read_photos
from dermport.training.recipe import TrainingRecipe
from dermport.training.request import TrainingRequest, refuse_existing

if TYPE_CHECKING:
    import keras

# Of the control group, version 2 and 1; inside a container they are its own.
_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_SAMPLE = 64
_STEPS = 3
_VALIDATED = 64  # photos that validation passes through the network at once


@dataclass(frozen=True)
class DryRun:
    """What a training would take.

    Attributes:
        photos: Of each part.
        seconds: By what they are spent on; extrapolated from a few photos and steps timed on this machine.
        memory: The peak of this process after real steps of every phase, bytes. Photos come from a memory map whose
            pages are given back batch by batch; features of frozen phases (a part of `disk`) come on top as file pages.
        memory_available: What this process may have, bytes; None where the system does not say.
        disk: What caches, checkpoints and the bundle would take, bytes.
        disk_free: Where they would be, bytes.
    """

    photos: dict[str, int]
    seconds: dict[str, float]
    memory: int
    memory_available: int | None
    disk: int
    disk_free: int

    @property
    def fits(self) -> bool:
        """Whether both memory and disk suffice."""
        has_memory = self.memory_available is None or self.memory <= self.memory_available
        return has_memory and self.disk <= self.disk_free

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        return {**asdict(self), "total_seconds": round(sum(self.seconds.values()), 1), "fits": self.fits}


def dry_run(request: TrainingRequest, progress: Progress) -> DryRun:
    """Check a request and time a few of its steps.

    Raises:
        UsageError: An option is out of range or impossible on this machine.
        DataError: The photos, the task or the weights cannot be used.
    """
    refuse_existing(request.out, TrainingRequest)
    check_recipe(request.recipe)
    split = read_photos(request, progress)
    recipe, photos = request.recipe, split.photos()
    records = split.records("train")[: max(_SAMPLE, recipe.batch)]
    started = time.perf_counter()
    tensors = load_tensors(records, recipe.preprocessing, jobs=request.jobs)
    decoding = (time.perf_counter() - started) / len(records) * sum(photos.values())
    classes = len(split.dataset.task.spec.ids)
    truth = split.dataset.targets()[split.indices("train")]
    targets = Targets(truth[: len(records)], truth[: len(records)], class_weights(truth, classes, recipe.balance))
    with progress.bar("Timing a few steps of each phase"):
        network = build_network(recipe, classes)
        trial = _Trial(recipe, tensors, targets, photos["train"], photos["validation"])
        seconds = {"preparing photos": decoding, **trial.seconds(network)}
        seconds["scoring"] = _timed(lambda: predict(network, tensors)) / len(tensors) * photos["test"]
    return DryRun(
        photos={str(part): count for part, count in photos.items()},
        seconds={what: round(value, 1) for what, value in seconds.items()},
        memory=peak_memory(),
        memory_available=available_memory(),
        disk=_disk(recipe, network, photos["train"], photos["validation"], sum(photos.values())),
        disk_free=shutil.disk_usage(_existing(request.out)).free,
    )


@dataclass(frozen=True)
class _Trial:
    """A few training photos, and how many there are in all."""

    recipe: TrainingRecipe
    tensors: NDArray[np.uint8]
    targets: Targets
    train: int
    validation: int

    def seconds(self, network: keras.Model) -> dict[str, float]:
        """Return what each phase would take."""
        recipe, found = self.recipe, dict[str, float]()
        if recipe.head_epochs:
            trunk = trunk_of(network)
            batch = self.tensors[: recipe.batch].astype(np.float32)
            activations, pooled = trunk.predict_on_batch(batch)
            features = Features(activations.astype(np.float16), pooled)
            passes = (recipe.views * self.train + self.validation) / len(batch)
            found["features"] = _timed(lambda: trunk.predict_on_batch(batch)) * passes
            found["head"] = self._phase(head_phase(network, recipe, [features], features))
            if recipe.fine_tune == "last4" and recipe.tuning_epochs:
                found["last4"] = self._phase(last_four_phase(network, recipe, [features], features))
        if recipe.fine_tune == "all" and recipe.tuning_epochs:
            with trained_in_place_of(network, **recipe.computed) as trained:
                found["all"] = self._phase(all_phase(trained, recipe, self.tensors, self.tensors))
        return found

    def _phase(self, phase: Phase) -> float:
        indices, random = np.arange(len(phase.validation))[: self.recipe.batch], np.random.default_rng(0)

        def step() -> None:
            inputs, targets, weights = phase.batch(indices, self.targets, random)
            phase.model.train_on_batch(inputs, targets, sample_weight=weights)

        validated = replace(phase, validation=phase.validation[:_VALIDATED])
        answering = _timed(validated.logits) / len(validated.validation) * self.validation
        return phase.epochs * (_timed(step) * steps_per_epoch(self.train, self.recipe.batch) + answering)


def peak_memory() -> int:
    """Return the most memory that this process has had so far, bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def available_memory() -> int | None:
    """Return what this process may have in all, bytes: what is free, with what it has; at most its control group's."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        own = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    except OSError:
        return None
    free = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024
    bounds = [path.read_text(encoding="ascii").strip() for path in _LIMITS if path.is_file()]
    return min([free + int(own) * resource.getpagesize(), *(int(bound) for bound in bounds if bound != "max")])


def _timed(step: Callable[[], object]) -> float:
    """Return seconds for one step, after one that compiles."""
    step()
    started = time.perf_counter()
    for _ in range(_STEPS):
        step()
    return (time.perf_counter() - started) / _STEPS


def _disk(recipe: TrainingRecipe, network: keras.Model, train: int, validation: int, photos: int) -> int:
    decoded = photos * recipe.size**2 * 3
    cut, pooled = (int(np.prod(output.shape[1:])) for output in trunk_of(network).outputs)
    features = (recipe.views * train + validation) * (2 * cut + 4 * pooled) if recipe.head_epochs else 0
    # A checkpoint has the weights, two moments, their average and the best ones; a bundle the model and a few photos.
    weights = 4 * int(network.count_params())
    return decoded + features + (2 * 5 + 2) * weights + 300 * recipe.size**2 * 3


def _existing(path: Path) -> Path:
    return next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())

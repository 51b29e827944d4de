"""Training against plain Keras ``fit``, the frozen phase and that of all layers, side by side in one run.

    python -m benchmarks.training --photos 8000 --data ham10000 --weights mobilenet_v2.weights.h5

*Frozen phase*, seconds for 50 epochs. Both train the classification layer on the same photos, with the same
augmentation, batch and optimizer, and validate after each epoch. Plain ``fit`` is what Keras' guide to transfer
learning does, with a tf.data pipeline that decodes in parallel and ahead: every epoch decodes, augments and passes
every photo through the trunk. One of its epochs is measured, after a warm-up, and multiplied by the number of epochs:
they are all alike. The cached way is measured whole: decoding, one pass for each view, all the epochs with their
checkpoints.

*All layers*, photos a second. Plain is ``image_dataset_from_directory`` and ``fit``, with Keras' own layers for the
same augmentation (no mixup, and no change of colour but contrast: they cost ours more) and the same optimizer, loss
and batch. Ours is the loop's own epoch, from the decoded photos' memory map, as it is and with ``--fused-norm``.
Epochs of a few hundred photos take turns, after one to warm up; medians. Processor time stands beside the clock's,
for a machine that others use too. Decoding once is told beside them, and counted in the ratio "with decoding" as a
share of the recipe's epochs.

Without ``--data`` a few hundred photos are drawn and taken again and again, which costs the same as other photos would.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from dermport.exporters.benchmark.machine import this_machine
from dermport.progress import SILENT
from dermport.training.augment import PUBLISHED, STRONG
from dermport.training.data.dataset import read_dataset
from dermport.training.data.photos import Rows, cached_tensors, load_tensors
from dermport.training.data.records import Record
from dermport.training.data.tasks import Task, load_task
from dermport.training.features import FeatureCache, Features, PhotoSource
from dermport.training.model.network import POOL, build_network, trunk_of
from dermport.training.phases.loop import Targets, TrainingLoop, steps_per_epoch
from dermport.training.phases.prefetch import Waiting, prefetched
from dermport.training.phases.recipes import adamw_with_cosine, all_phase, compile_for, head_phase
from dermport.training.phases.twin import twin_of
from dermport.training.recipe import TrainingRecipe
from dermport.training.sample.sample_set import draw_sample_set

if TYPE_CHECKING:
    import keras

DRAWN = 350
VALIDATION = 0.25  # validation photos for each training photo, as in a split of 64/16/20


@dataclass
class StepSeconds:
    """Seconds by step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started
        print(f"  {name:<44}{self.seconds[name]:>9.1f} s", flush=True)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


@dataclass(frozen=True)
class LabelledRecords:
    records: tuple[Record, ...]
    targets: NDArray[np.int64]

    @classmethod
    def first(cls, count: int, records: tuple[Record, ...], task: Task) -> LabelledRecords:
        chosen = tuple(islice(cycle(records), count))
        return cls(chosen, np.array([task.index_of(record.label) for record in chosen], dtype=np.int64))


def cached_way(
    recipe: TrainingRecipe, train: LabelledRecords, validation: LabelledRecords, classes: int, folder: Path
) -> StepSeconds:
    clock = StepSeconds()
    network = build_network(recipe, classes)
    cache = FeatureCache(folder / "features", trunk_of(network), recipe.seed)
    with clock.step("decode, once"):
        tensors = [load_tensors(part.records, recipe.preprocessing) for part in (train, validation)]

    def view(part: int, number: int) -> Features:
        source = PhotoSource({"benchmark": part}, len(tensors[part]), lambda: tensors[part])
        return cache.view(source, number, lambda: SILENT.bar(""))

    views = []
    for number in range(recipe.views):
        with clock.step(f"features of training photos, view {number}"):
            views.append(view(0, number))
    with clock.step("features of validation photos"):
        held_out = view(1, 0)
    with clock.step(f"{recipe.epochs} epochs of the classification layer"):
        targets = Targets(train.targets, validation.targets, np.ones(classes, np.float32))
        loop = TrainingLoop(folder, targets, recipe.batch, patience=0, seed=recipe.seed, progress=SILENT)
        loop.run(head_phase(network, recipe, views, held_out))
    return clock


def plain_epoch(recipe: TrainingRecipe, train: LabelledRecords, validation: LabelledRecords, classes: int) -> float:
    model = _plain_model(recipe, classes)
    warm_up = _dataset(recipe, LabelledRecords(train.records[:128], train.targets[:128]), classes)
    model.fit(warm_up, validation_data=warm_up, shuffle=False, verbose=0)
    data, held_out = _dataset(recipe, train, classes), _dataset(recipe, validation, classes)
    started = time.perf_counter()
    model.fit(data, validation_data=held_out, epochs=1, shuffle=False, verbose=0)
    return time.perf_counter() - started


def _plain_model(recipe: TrainingRecipe, classes: int) -> keras.Model:
    import keras

    network = build_network(recipe, classes)
    trunk = keras.Model(network.input, network.get_layer(POOL).output)
    trunk.trainable = False
    layers = keras.layers
    image = keras.Input((recipe.size, recipe.size, 3))
    x = layers.RandomFlip()(image)
    x = layers.RandomRotation(PUBLISHED.rotation / 360)(x)
    x = layers.RandomZoom(PUBLISHED.zoom)(x)
    x = layers.RandomTranslation(PUBLISHED.shift, PUBLISHED.shift)(x)
    x = layers.Dropout(recipe.dropout)(trunk(x, training=False))
    model = keras.Model(image, layers.Dense(classes)(x))
    compile_for(model, keras.optimizers.Adam(recipe.learning_rate))
    return model


def _dataset(recipe: TrainingRecipe, photos: LabelledRecords, classes: int) -> Any:
    import tensorflow as tf

    def load(path: Any, target: Any) -> Any:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(image, (recipe.size, recipe.size)), tf.one_hot(target, classes)

    paths = [str(record.path) for record in photos.records]
    data = tf.data.Dataset.from_tensor_slices((paths, photos.targets)).shuffle(len(paths), seed=recipe.seed)
    return data.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(recipe.batch).prefetch(tf.data.AUTOTUNE)


@dataclass(frozen=True)
class FullPhase:
    """An epoch of all layers, each way."""

    recipe: TrainingRecipe
    photos: LabelledRecords
    classes: int
    folder: Path

    def ways(self) -> dict[str, Callable[[], object]]:
        fused = replace(self.recipe, fused_norm=True)
        return {
            "plain fit": self._plain(),
            "plain, its data set alone": self._data_alone(),
            "ours": self._ours(self.recipe),
            "ours, --fused-norm": self._ours(fused),
        }

    def decode(self) -> float:
        """Decode the photos into the cache, and return the seconds."""
        started = time.perf_counter()
        cached_tensors(self.folder, self.photos.records, self.recipe.preprocessing, bar=SILENT.bar(""))
        return time.perf_counter() - started

    def _ours(self, recipe: TrainingRecipe) -> Callable[[], object]:
        bar = SILENT.bar("")
        path = cached_tensors(self.folder, self.photos.records, recipe.preprocessing, bar=bar)
        rows = cast("NDArray[np.uint8]", Rows.opened(path, np.arange(len(self.photos.records))))
        network = build_network(recipe, self.classes)
        trained = twin_of(network, fused_norm=recipe.fused_norm)
        phase = all_phase(trained, recipe, rows, rows)
        targets = Targets(self.photos.targets, self.photos.targets, np.ones(self.classes, np.float32))

        def epoch() -> None:
            random = np.random.default_rng(0)
            batches = random.permutation(len(rows)).reshape(-1, recipe.batch)
            with prefetched(partial(phase.batch, targets=targets, random=random), batches, Waiting()) as made:
                for inputs, labels, weights in made:
                    phase.model.train_on_batch(inputs, labels, sample_weight=weights, return_dict=True)

        return epoch

    def _plain(self) -> Callable[[], object]:
        import keras

        network, data = build_network(self.recipe, self.classes), self._directory()
        layers = keras.layers
        image = keras.Input((self.recipe.size, self.recipe.size, 3))
        x = layers.RandomRotation(STRONG.rotation / 360)(layers.RandomFlip()(image))
        x = layers.RandomZoom(STRONG.zoom)(x)
        x = layers.RandomTranslation(STRONG.shift, STRONG.shift)(x)
        model = keras.Model(image, network(layers.RandomContrast(STRONG.contrast)(x)))
        steps = steps_per_epoch(len(self.photos.records), self.recipe.batch)
        compile_for(model, adamw_with_cosine(5e-4, 14 * steps, 0.99), self.recipe.label_smoothing)
        return lambda: model.fit(data, epochs=1, shuffle=False, verbose=0)

    def _data_alone(self) -> Callable[[], object]:
        data = self._directory()
        return lambda: sum(1 for _ in data)

    def _directory(self) -> Any:
        import keras

        root = self.folder / "by-class"
        for number, (record, target) in enumerate(zip(self.photos.records, self.photos.targets, strict=True)):
            link = root / str(target) / f"{number}{record.path.suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.exists():
                link.symlink_to(record.path.resolve())
        for target in range(self.classes):
            (root / str(target)).mkdir(exist_ok=True)
        side = (self.recipe.size, self.recipe.size)
        return keras.utils.image_dataset_from_directory(
            root, label_mode="categorical", image_size=side, batch_size=self.recipe.batch, seed=0, verbose=False
        )


def full_phase(phase: FullPhase, rounds: int) -> dict[str, Any]:
    """Measure epochs of all layers in turns."""
    decoding = phase.decode()
    ways, count = phase.ways(), len(phase.photos.records)
    for epoch in ways.values():
        epoch()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, epoch in ways.items():
            started, used = time.perf_counter(), time.process_time()
            epoch()
            seconds[name].append(time.perf_counter() - started)
            processor[name].append(time.process_time() - used)
    medians = {name: median(values) for name, values in seconds.items()}
    print(f"all layers, {count} photos an epoch, {rounds} rounds:")
    for name, value in medians.items():
        cost = median(processor[name]) / count
        print(f"  {name:<44}{count / value:>9.1f} photos/s, {1000 * cost:>6.1f} ms of processor a photo")
    share = decoding / phase.recipe.tuning_epochs
    plain = medians["plain fit"]
    ratios = {name: round(plain / medians[name], 2) for name in medians if name.startswith("ours")}
    ratios |= {f"{name}, with decoding": round(plain / (medians[name] + share), 2) for name in list(ratios)}
    for name, value in ratios.items():
        print(f"  {f'ratio, {name}':<44}{value:>9.2f}")
    return {
        "photos": count,
        "rounds": rounds,
        "epoch_seconds": {name: [round(value, 2) for value in values] for name, values in seconds.items()},
        "processor_seconds": {name: [round(value, 2) for value in values] for name, values in processor.items()},
        "photos_per_second": {name: round(count / value, 1) for name, value in medians.items()},
        "decoding_seconds": round(decoding, 2),
        "ratio": ratios,
    }


def run(recipe: TrainingRecipe, data: Path, photos: int, folder: Path, full: tuple[int, int]) -> dict[str, Any]:
    """Measure the frozen phase with `photos`, and all layers with (photos, rounds); 0 photos: not at all."""
    task = load_task("ham7")
    records = read_dataset(data, task).records
    order = np.random.default_rng(recipe.seed).permutation(len(records))
    shuffled = tuple(records[index] for index in order)
    figures: dict[str, Any] = {
        "different_photos": len(records),
        "recipe": {**recipe.to_json(), "weights": Path(recipe.weights).name},
        "machine": this_machine().model_dump(mode="json"),
    }
    if full[0]:
        few = LabelledRecords.first(full[0] // recipe.batch * recipe.batch, shuffled, task)
        tuned = replace(recipe, fine_tune="all")
        figures["full"] = full_phase(FullPhase(tuned, few, len(task.spec.ids), folder / "full"), full[1])
    if photos:
        figures["frozen"] = frozen_phase(recipe, shuffled, task, photos, folder)
    return figures


def frozen_phase(
    recipe: TrainingRecipe, shuffled: tuple[Record, ...], task: Task, photos: int, folder: Path
) -> dict[str, Any]:
    train = LabelledRecords.first(photos, shuffled, task)
    validation = LabelledRecords.first(max(1, round(photos * VALIDATION)), shuffled[::-1], task)
    classes = len(task.spec.ids)
    print(f"cached features, {photos:,} training and {len(validation.records):,} validation photos:")
    cached = cached_way(recipe, train, validation, classes, folder)
    print(f"  {'in all':<44}{cached.total:>9.1f} s\nplain fit:")
    epoch = plain_epoch(recipe, train, validation, classes)
    plain = epoch * recipe.epochs
    print(f"  {'one epoch, measured':<44}{epoch:>9.1f} s")
    print(f"  {f'{recipe.epochs} epochs, {recipe.epochs} times that':<44}{plain:>9.1f} s")
    print(f"ratio: {plain / cached.total:.1f}")
    return {
        "photos": {"train": photos, "validation": len(validation.records)},
        "cached_seconds": {name: round(seconds, 2) for name, seconds in cached.seconds.items()},
        "cached_total_seconds": round(cached.total, 2),
        "plain_epoch_seconds": round(epoch, 2),
        "plain_total_seconds_extrapolated": round(plain, 2),
        "ratio": round(plain / cached.total, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=8000, help="training photos of the frozen phase; 0: without it")
    parser.add_argument("--full-photos", type=int, default=320, help="photos of an epoch of all layers; 0: without it")
    parser.add_argument("--rounds", type=int, default=5, help="epochs of each way, for all layers")
    parser.add_argument("--data", type=Path, help="a data set of ham7's classes; default: drawn photos")
    parser.add_argument("--weights", required=True, help="imagenet, or a weights file")
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--input-size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--out", type=Path, help="a JSON file to write the figures to")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    recipe = TrainingRecipe(
        arguments.weights, alpha=arguments.alpha, size=arguments.input_size, epochs=arguments.epochs
    )
    with tempfile.TemporaryDirectory() as name:
        data = arguments.data or Path(name) / "drawn"
        if arguments.data is None:
            draw_sample_set(data, photos=DRAWN, seed=0)
        full = (arguments.full_photos, arguments.rounds)
        figures = run(recipe, data, arguments.photos, Path(name), full)
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

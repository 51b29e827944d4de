"""The frozen phase from cached features against plain Keras ``fit``: seconds for 50 epochs, side by side in one run.

    python -m benchmarks.training --photos 8000 --data ham10000 --weights mobilenet_v2.weights.h5

Both train the classification layer on the same photos, with the same augmentation, batch and optimizer, and validate
after each epoch. Plain ``fit`` is what Keras' guide to transfer learning does, with a tf.data pipeline that decodes in
parallel and ahead: every epoch decodes, augments and passes every photo through the trunk. One of its epochs is
measured, after a warm-up, and multiplied by the number of epochs: they are all alike. The cached way is measured whole:
decoding, one pass for each view, all the epochs with their checkpoints.

Without ``--data`` a few hundred photos are drawn and taken again and again, which costs the same as other photos would.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from training.augment import PUBLISHED
from training.data.dataset import read_dataset
from training.data.photos import load_tensors
from training.data.records import Record
from training.data.tasks import Task, load_task
from training.features import FeatureCache, Features, PhotoSource
from training.model.network import POOL, build_network, trunk_of
from training.phases.loop import Loop, Targets
from training.phases.recipes import compile_for, head_phase
from training.recipe import Recipe
from training.sample.sample_set import draw_sample_set

if TYPE_CHECKING:
    import keras

DRAWN = 350
VALIDATION = 0.25  # validation photos for each training photo, as in a split of 64/16/20


@dataclass
class Clock:
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


class Silent:
    """A reporter that shows nothing: the benchmark prints its own lines."""

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int], None]]:
        yield lambda done, total: None


@dataclass(frozen=True)
class Photos:
    records: tuple[Record, ...]
    targets: NDArray[np.int64]

    @classmethod
    def first(cls, count: int, records: tuple[Record, ...], task: Task) -> Photos:
        chosen = tuple(islice(cycle(records), count))
        return cls(chosen, np.array([task.index_of(record.label) for record in chosen], dtype=np.int64))


def cached_way(recipe: Recipe, train: Photos, validation: Photos, classes: int, folder: Path) -> Clock:
    clock = Clock()
    network = build_network(recipe, classes)
    cache = FeatureCache(folder / "features", trunk_of(network), recipe.seed)
    with clock.step("decode, once"):
        tensors = [load_tensors(part.records, recipe.preprocessing) for part in (train, validation)]

    def view(part: int, number: int) -> Features:
        source = PhotoSource({"benchmark": part}, len(tensors[part]), lambda: tensors[part])
        return cache.view(source, number, lambda: Silent().progress(""))

    views = []
    for number in range(recipe.views):
        with clock.step(f"features of training photos, view {number}"):
            views.append(view(0, number))
    with clock.step("features of validation photos"):
        held_out = view(1, 0)
    with clock.step(f"{recipe.epochs} epochs of the classification layer"):
        targets = Targets(train.targets, validation.targets, np.ones(classes, np.float32))
        loop = Loop(folder, targets, recipe.batch, patience=0, seed=recipe.seed, reporter=Silent())
        loop.run(head_phase(network, recipe, views, held_out))
    return clock


def plain_epoch(recipe: Recipe, train: Photos, validation: Photos, classes: int) -> float:
    model = _plain_model(recipe, classes)
    warm_up = _dataset(recipe, Photos(train.records[:128], train.targets[:128]), classes)
    model.fit(warm_up, validation_data=warm_up, shuffle=False, verbose=0)
    data, held_out = _dataset(recipe, train, classes), _dataset(recipe, validation, classes)
    started = time.perf_counter()
    model.fit(data, validation_data=held_out, epochs=1, shuffle=False, verbose=0)
    return time.perf_counter() - started


def _plain_model(recipe: Recipe, classes: int) -> keras.Model:
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


def _dataset(recipe: Recipe, photos: Photos, classes: int) -> Any:
    import tensorflow as tf

    def load(path: Any, target: Any) -> Any:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.image.resize(image, (recipe.size, recipe.size)), tf.one_hot(target, classes)

    paths = [str(record.path) for record in photos.records]
    data = tf.data.Dataset.from_tensor_slices((paths, photos.targets)).shuffle(len(paths), seed=recipe.seed)
    return data.map(load, num_parallel_calls=tf.data.AUTOTUNE).batch(recipe.batch).prefetch(tf.data.AUTOTUNE)


def run(recipe: Recipe, data: Path, photos: int, folder: Path) -> dict[str, Any]:
    task = load_task("ham7")
    records = read_dataset(data, task).records
    order = np.random.default_rng(recipe.seed).permutation(len(records))
    shuffled = tuple(records[index] for index in order)
    train = Photos.first(photos, shuffled, task)
    validation = Photos.first(max(1, round(photos * VALIDATION)), shuffled[::-1], task)
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
        "photos": {"train": photos, "validation": len(validation.records), "different": len(records)},
        "recipe": {**recipe.to_json(), "weights": Path(recipe.weights).name},
        "machine": {"platform": platform.platform(), "processors": os.cpu_count(), "python": platform.python_version()},
        "cached_seconds": {name: round(seconds, 2) for name, seconds in cached.seconds.items()},
        "cached_total_seconds": round(cached.total, 2),
        "plain_epoch_seconds": round(epoch, 2),
        "plain_total_seconds_extrapolated": round(plain, 2),
        "ratio": round(plain / cached.total, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=8000, help="training photos")
    parser.add_argument("--data", type=Path, help="a data set of ham7's classes; default: drawn photos")
    parser.add_argument("--weights", required=True, help="imagenet, or a weights file")
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--input-size", type=int, default=224)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--out", type=Path, help="a JSON file to write the figures to")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    recipe = Recipe(arguments.weights, alpha=arguments.alpha, size=arguments.input_size, epochs=arguments.epochs)
    with tempfile.TemporaryDirectory() as name:
        data = arguments.data or Path(name) / "drawn"
        if arguments.data is None:
            draw_sample_set(data, photos=DRAWN, seed=0)
        figures = run(recipe, data, arguments.photos, Path(name))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

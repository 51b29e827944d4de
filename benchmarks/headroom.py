"""What more of the same would add to a model: mirrored copies, other input sizes, other models; on the validation part.

    python -m benchmarks.headroom artifacts/ham7 [artifacts/other ...] --data ham10000 [--size 192 --size 256]

Bundles must share one split. Each is scored on its own input, as the mean over the photo's four mirrored copies, and
with photos prepared to each `--size` (the network is the same, its feature map grows or shrinks); with several bundles
also the mean of their probabilities. Nothing here is trained, and no test photo is read: what helps on validation
photos is a reason to train for it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dermport.bundle.atomic import write_json
from dermport.bundle.photo_set import PhotoSet
from dermport.bundle.store import Bundle
from dermport.compression.network import network_of
from dermport.statistics.metrics import TITLES, Predictions, figures
from dermport.statistics.temperature import at_temperature
from dermport.training.model.network import class_logits, predict
from dermport.workflows.photos import read_photos

SHOWN = ("accuracy", "balanced_accuracy", "macro_roc_auc", "decision_roc_auc", "nll")
MIRRORED = ((1, 1), (1, -1), (-1, 1), (-1, -1))
Floats = NDArray[np.float64]


def probabilities(bundle: Bundle, photos: PhotoSet, size: int, *, mirrored: bool = False) -> Floats:
    """Return what a bundle's network answers to photos prepared to S = `size`, float64 [N, C]."""
    own = bundle.manifest.preprocessing
    tensors = photos.tensors(own.model_copy(update={"size": size}))
    network = network_of(bundle, size=None if size == own.size else size)
    copies = MIRRORED if mirrored else MIRRORED[:1]
    logits = (class_logits(predict(network, tensors[:, ::down, ::right])) for down, right in copies)
    return np.asarray(np.mean([at_temperature(each, 1.0) for each in logits], axis=0))


def ways(bundles: list[Bundle], photos: PhotoSet, sizes: list[int]) -> Iterator[tuple[str, Floats]]:
    """Yield each way of answering in words, and its probabilities."""
    means: dict[str, list[Floats]] = {}
    for bundle in bundles:
        own = bundle.manifest.preprocessing.size
        asked = {"as it is": (own, False), "four mirrored copies": (own, True)}
        asked |= {f"{size} pixels": (size, False) for size in sizes if size != own}
        for way, (size, mirrored) in asked.items():
            answer = probabilities(bundle, photos, size, mirrored=mirrored)
            means.setdefault(way, []).append(answer)
            yield f"{bundle.path.name}, {way}", answer
    for way, answers in means.items():
        if len(answers) == len(bundles) > 1:
            yield f"mean of {len(bundles)}, {way}", reduce(np.add, answers) / len(answers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, action="append", default=[], help="a multiple of 32; may be repeated")
    parser.add_argument("--out", type=Path, help="a JSON file to write the figures to")
    arguments = parser.parse_args()
    bundles = [Bundle.open(path) for path in arguments.bundles]
    photos = read_photos(bundles[0], arguments.data, "validation", others=bundles[1:])
    manifest, truth = bundles[0].manifest, photos.targets
    positive, threshold = manifest.task.positive_indices, manifest.threshold
    print("\t".join(["", *(TITLES[name] for name in SHOWN)]))
    found = {}
    for way, answer in ways(bundles, photos, arguments.size):
        found[way] = figures(Predictions(answer, truth, positive, threshold))
        print("\t".join([way, *(f"{found[way][name]:.3f}" for name in SHOWN)]), flush=True)
    if arguments.out:
        write_json(arguments.out, {"photos": len(truth), "figures": found})


if __name__ == "__main__":
    main()

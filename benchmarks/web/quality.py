"""How often the web app's hints about a photo's quality are wrong, and how often they are missed.

    node dermport/mobile_stub/web/build.mjs
    python -m benchmarks.web.quality ham10000/ photos/ --json quality.json

The photos are taken to be good: a hint is a false alarm. Then some are spoilt, blurred, darkened, brightened, made
noisy (each cell of the survey's grid on its own), compressed (as a copy of the grid's size), or cut down to a corner
(which mostly shows skin alone, and sometimes part of the lesion), and the hint that should come is counted.
"""

from __future__ import annotations

import argparse
import io
import json
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.web.parity import WEB
from dermport.bundle.atomic import write_json

GRID = 150
"""Cells of the survey's grid: the unit of the blurs here, so that they are alike on photos of any size."""


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure; return the figures."""
    paths = sorted(path for folder in options.folders for path in folder.rglob("*.jpg"))
    drawn = [paths[i] for i in np.random.default_rng(0).permutation(len(paths))[: options.spoilt]]
    with survey(options.web / "engine", options.size) as look_at:
        good = [look_at(path, lambda image: image) for path in paths]
        caught = {
            name: sum(code in look_at(path, spoil)["hints"] for path in drawn) / max(1, len(drawn))
            for name, (code, spoil) in SPOILT.items()
        }
    alarms = Counter(code for one in good for code in one["hints"])
    return {
        "photos": len(good),
        "false_alarms": {code: alarms[code] / len(good) for code in good[0]["values"]},
        "percentiles": {code: _percentiles([one["values"][code] for one in good]) for code in good[0]["values"]},
        "spoilt": len(drawn),
        "caught": caught,
    }


@contextmanager
def survey(engine: Path, size: int) -> Iterator[Callable[[Path, Callable[[Image.Image], Image.Image]], dict[str, Any]]]:
    """Start Node with the engine's survey; yield what asks it about one photo after something was done to it."""
    driver = Path(__file__).with_suffix(".mjs")
    command = ("node", str(driver), str(engine), str(size))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        pipe, answers = process.stdin, process.stdout

        def look_at(path: Path, change: Callable[[Image.Image], Image.Image]) -> dict[str, Any]:
            with Image.open(path) as image:
                return _ask(pipe, answers, change(image.convert("RGB")))

        yield look_at
        pipe.close()


def _ask(pipe: IO[bytes], answers: IO[bytes], image: Image.Image) -> dict[str, Any]:
    pipe.write(struct.pack("<2I", *image.size) + image.convert("RGBA").tobytes())
    pipe.flush()
    answer: dict[str, Any] = json.loads(answers.readline())
    return answer


def _blur(image: Image.Image, cells: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(cells * max(1, min(image.size) / GRID)))


def _lit(image: Image.Image, light: float) -> Image.Image:
    return image.point(lambda level: min(255, level * light))


def _noisy(image: Image.Image, deviation: float) -> Image.Image:
    cells = _cells(image)
    noise = np.random.default_rng(0).normal(0, deviation, (*cells[::-1], 3))
    spread = [
        np.asarray(Image.fromarray(one.astype(np.float32)).resize(image.size, 0)) for one in np.moveaxis(noise, 2, 0)
    ]
    return Image.fromarray((np.asarray(image) + np.stack(spread, axis=2)).round().clip(0, 255).astype(np.uint8))


def _copied(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.resize(_cells(image), Image.Resampling.BOX).save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def _cells(image: Image.Image) -> tuple[int, int]:
    cell = max(1, min(image.size) / GRID)
    return round(image.width / cell), round(image.height / cell)


def _corner(image: Image.Image) -> Image.Image:
    return image.crop((0, 0, image.width * 3 // 10, image.height * 3 // 10)).resize(image.size)


SPOILT: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "blur of 1 cell": ("blurred", partial(_blur, cells=1)),
    "blur of 1.5 cells": ("blurred", partial(_blur, cells=1.5)),
    "blur of 2 cells": ("blurred", partial(_blur, cells=2)),
    "blur of 4 cells": ("blurred", partial(_blur, cells=4)),
    "a quarter of the light": ("too-dark", partial(_lit, light=0.25)),
    "a third of the light": ("too-dark", partial(_lit, light=0.33)),
    "three times the light": ("too-bright", partial(_lit, light=3)),
    "noise of 5 levels": ("noisy", partial(_noisy, deviation=5)),
    "noise of 10 levels": ("noisy", partial(_noisy, deviation=10)),
    "noise of 15 levels": ("noisy", partial(_noisy, deviation=15)),
    "noise of 20 levels": ("noisy", partial(_noisy, deviation=20)),
    "JPEG of quality 50": ("over-compressed", partial(_copied, quality=50)),
    "JPEG of quality 25": ("over-compressed", partial(_copied, quality=25)),
    "JPEG of quality 15": ("over-compressed", partial(_copied, quality=15)),
    "JPEG of quality 7": ("over-compressed", partial(_copied, quality=7)),
    "a corner": ("no-lesion", _corner),
}
"""What is done to a good photo, and the hint that should come then."""


def _percentiles(values: list[float | None]) -> dict[str, float]:
    known = np.asarray([value for value in values if value is not None])
    return {str(share): round(float(np.percentile(known, share)), 3) for share in (0, 0.5, 1, 5, 50, 95, 99, 99.5, 100)}


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.web.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER", help="JPEG that are taken to be good")
    parser.add_argument("--web", type=Path, default=WEB, help="the built web app")
    parser.add_argument("--size", type=int, default=192, help="side of the model's input")
    parser.add_argument("--spoilt", type=int, default=300, help="photos that are spoilt, drawn from all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    options = parser.parse_args()
    figures = run(options)
    if options.json:
        write_json(options.json, figures)
    sys.stdout.write(f"{json.dumps(figures, indent=1)}\n")


if __name__ == "__main__":
    main()

"""``dermport sample-data``: photos to try everything with, drawn instead of taken."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from dermport.cli.options import Jobs, Json, Out, Seed
from dermport.errors import UsageError


def sample_data(
    out: Out,
    photos: Annotated[int, typer.Option("--photos", help="How many photos; at least 7.")] = 700,
    size: Annotated[str, typer.Option("--size", metavar="WxH", help="Width and height in pixels.")] = "600x450",
    seed: Seed = 0,
    jobs: Jobs = 0,
    json: Json = False,
) -> None:
    """Draw a sample data set of skin lesions in HAM10000's layout: plausible pictures, none of a person.

    Seven classes, several photos per lesion, CC0. The same seed draws the same set.
    """
    from dermport.cli.output import bar, emit_json, say
    from dermport.training.sample.sample_set import draw_sample_set

    with bar("Drawing") as update:
        drawn = draw_sample_set(
            out, photos=photos, seed=seed, size=_size(size), jobs=jobs or os.cpu_count() or 1, update=update
        )
    if json:
        emit_json(
            {"out": str(out), "photos": drawn.photos, "lesions": drawn.lesions, "by_class": drawn.photos_by_class}
        )
        return
    classes = ", ".join(f"{dx} {count}" for dx, count in drawn.photos_by_class.items())
    say(f"{out}: {drawn.photos:,} photos of {drawn.lesions:,} lesions ({classes})")


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UsageError(f"--size {text} is not a size.", remedy="Write WIDTHxHEIGHT, e.g. --size 600x450.")
    return int(width), int(height)

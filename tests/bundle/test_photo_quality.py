"""The survey of a photo's quality: each fault is named, and the phone's JavaScript comes to the same values."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.photo_quality import PhotoQuality, bounds, survey
from dermport.bundle.prep import prepare

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node")
SPEC = Preprocessing(size=96)


@dataclass(frozen=True)
class Scene:
    """Skin of one level, a spot in the middle with an edge of so many pixels, and grain."""

    width: int = 400
    height: int = 300
    skin: int = 170
    spot: int = 70
    edge: float = 8
    grain: int = 12

    def draw(self) -> Image.Image:
        y, x = np.mgrid[: self.height, : self.width]
        away = np.hypot(x - self.width / 2, y - self.height / 2) - self.height / 5
        inside = np.clip(0.5 - away / self.edge, 0, 1)
        grains = np.random.default_rng(7).uniform(-self.grain, self.grain, (self.height, self.width, 3))
        pixels = (self.skin + (self.spot - self.skin) * inside)[..., None] + grains
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


FAULTS = {
    "too-small": Scene(width=90, height=80),
    "too-dark": Scene(skin=60, spot=10, grain=4),
    "too-bright": Scene(skin=250, spot=225, grain=2),
    "blurred": Scene(edge=120, grain=0),
    "noisy": Scene(grain=60),
    "over-compressed": Scene(grain=0),
    "no-lesion": Scene(spot=170),
}


def png(image: Image.Image, orientation: int = 1) -> bytes:
    file, exif = io.BytesIO(), Image.Exif()
    exif[274] = orientation
    image.save(file, "PNG", exif=exif)
    return file.getvalue()


def look(image: Image.Image, orientation: int = 1, spec: Preprocessing = SPEC) -> PhotoQuality:
    return survey(image.convert("RGB"), prepare(png(image, orientation), spec).tensor, spec, orientation)


def test_a_sharp_well_lit_lesion_is_nothing_to_complain_of() -> None:
    found = look(Scene().draw())
    assert found.hints == ()
    assert (found.width, found.height) == (400, 300)
    assert 130 < found.light < 170
    assert found.black == found.white == 0


@pytest.mark.parametrize("code", FAULTS)
def test_each_fault_is_named(code: str) -> None:
    assert code in look(FAULTS[code].draw()).hints
    assert [bound.code for bound in bounds()] == list(FAULTS)


def test_clipped_light_is_measured() -> None:
    pixels = np.full((150, 200, 3), 128, np.uint8)
    pixels[:, :50], pixels[:, 190:] = 0, 255
    found = look(Image.fromarray(pixels))
    assert (found.black, found.white) == (0.25, 0.05)
    assert found.light == pytest.approx(128 * 0.7 + 255 * 0.05)


def test_of_a_tiny_picture_nothing_is_said_of_its_sharpness() -> None:
    found = look(Scene(width=1, height=1).draw())
    assert found.values["blurred"] is None
    assert "blurred" not in found.hints


@pytest.mark.skipif(NODE is None, reason="Node is not on this machine: nothing runs the JavaScript survey")
def test_the_phone_comes_to_the_same_values_and_verdicts(tmp_path: Path) -> None:
    found, cases = [], []
    for index, (image, orientation, spec) in enumerate(_cases()):
        found.append(look(image, orientation, spec))
        pixels = image.convert("RGBA")
        (tmp_path / f"{index}.rgba").write_bytes(pixels.tobytes())
        options = {"size": spec.size, "crop": spec.crop, "orientation": orientation}
        size = {"width": image.width, "height": image.height}
        cases.append({"pixels": str(tmp_path / f"{index}.rgba"), **size, "spec": options})
    for ours, theirs in zip(found, _in_node(tmp_path, cases), strict=True):
        assert list(ours.hints) == theirs["hints"]
        assert list(ours.values) == list(theirs["values"])
        for code, value in ours.values.items():
            assert value == (
                None if theirs["values"][code] is None else pytest.approx(theirs["values"][code], rel=1e-6)
            )
    assert {code for one in found for code in one.hints} == set(FAULTS)


def _cases() -> list[tuple[Image.Image, int, Preprocessing]]:
    whole, square = Preprocessing(size=96), Preprocessing(size=64, crop="centre-square")
    cases = [(scene.draw(), 1, whole) for scene in (Scene(), *FAULTS.values())]
    drawn = Scene(width=701, height=452).draw()
    cases += [(drawn, orientation, square) for orientation in range(1, 9)]
    random = np.random.default_rng(5)
    for _ in range(12):
        width, height = (int(side) for side in np.exp(random.uniform(0, np.log(900), 2)))
        noise = Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))
        cases.append((noise, int(random.integers(1, 9)), square if random.random() < 0.5 else whole))
    return [*cases, (Scene(width=1600, height=1100).draw(), 6, whole)]


def _in_node(folder: Path, cases: list[dict[str, Any]]) -> list[Any]:
    shutil.copyfile(ROOT / "dermport/mobile_stub/web/engine/quality.js", folder / "quality.mjs")
    shutil.copyfile(ROOT / "dermport/exporters/packages/templates/web/dermport-prep.js", folder / "dermport-prep.mjs")
    shutil.copyfile(
        ROOT / "dermport/exporters/packages/templates/web/dermport-abstention.js", folder / "dermport-abstention.js"
    )
    (folder / "package.json").write_text('{"type": "module"}')
    shutil.copyfile(ROOT / "dermport/bundle/photo_quality.json", folder / "photo_quality.json")
    (folder / "cases.json").write_text(json.dumps(cases))
    command = [str(NODE), str(Path(__file__).with_name("photo_quality.mjs")), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))

"""The ports of dermport-prep/1 that packages carry, run against the Python definition.

JavaScript in Node; Swift and Kotlin where a compiler is at hand (``swiftc``; ``kotlinc`` and ``java``).
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from PIL import Image

from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import exif_orientation, prepare
from dermport.bundle.vectors import FOLDER, read_document, read_vectors
from dermport.exporters.packages.guide import TEMPLATES
from tests.exporters.compiled_ports import done, kotlin_program, needs_kotlin, needs_swift, swift_program

NODE = shutil.which("node")
DRIVERS = Path(__file__).parent / "prep_port"
needs_node = pytest.mark.skipif(NODE is None, reason="Node is not on this machine: nothing runs the JavaScript port")
CROPS = ("full-frame", "centre-square")
Runner: TypeAlias = Callable[[Path, list[dict[str, Any]]], list[str]]


def run_node(tmp_path: Path, cases: list[dict[str, Any]]) -> list[Any]:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for name in ("dermport-prep.js", "dermport-decode.js", "dermport-jpeg.js"):
        shutil.copyfile(TEMPLATES / "web" / name, tmp_path / name)
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    command = [str(NODE), str(DRIVERS / "main.mjs"), str(tmp_path), str(tmp_path / "cases.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def pixel_case(path: Path, photo: bytes, spec: Preprocessing, *, alpha: bool = False) -> dict[str, Any]:
    with Image.open(io.BytesIO(photo)) as image:
        orientation = exif_orientation(image)
        pixels = image.convert("RGB")
    if alpha:
        pixels.putalpha(7)
    path.write_bytes(pixels.tobytes())
    options = {"size": spec.size, "crop": spec.crop, "orientation": orientation}
    return {"pixels": str(path), "width": pixels.width, "height": pixels.height, "spec": options}


def random_photo(random: np.random.Generator) -> bytes:
    width, height = (max(1, int(side)) for side in np.exp(random.uniform(0, np.log(700), 2)))
    # noise, and the harshest contrasts: rounding shows where neighbours differ by 255
    pixels = (
        random.integers(0, 256, (height, width, 3))
        if random.random() < 0.5
        else random.integers(0, 2, (height, width, 3)) * 255
    )
    file = io.BytesIO()
    exif = Image.Exif()
    exif[274] = int(random.integers(1, 9))
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG", exif=exif)
    return file.getvalue()


def run_javascript(tmp_path: Path, cases: list[dict[str, Any]]) -> list[str]:
    return run_node(tmp_path, cases)


def run_swift(tmp_path: Path, cases: list[dict[str, Any]]) -> list[str]:
    return _run_compiled(swift_program("DermportPrep", DRIVERS, tmp_path), tmp_path, cases)


def run_kotlin(tmp_path: Path, cases: list[dict[str, Any]]) -> list[str]:
    return _run_compiled(kotlin_program("DermportPrep", DRIVERS, tmp_path), tmp_path, cases)


def _run_compiled(program: list[str], tmp_path: Path, cases: list[dict[str, Any]]) -> list[str]:
    lines = []
    for case in cases:
        channels = Path(case["pixels"]).stat().st_size // (case["width"] * case["height"])
        lines.append([case["pixels"], case["width"], case["height"], channels, *case["spec"].values()])
    (tmp_path / "cases.txt").write_text("\n".join("\t".join(map(str, line)) for line in lines))
    done([*program, str(tmp_path / "cases.txt")])
    return [hashlib.sha256(Path(case["pixels"] + ".input").read_bytes()).hexdigest() for case in cases]


RUNNERS = pytest.mark.parametrize(
    "run",
    [
        pytest.param(run_javascript, marks=needs_node),
        pytest.param(run_swift, marks=needs_swift),
        pytest.param(run_kotlin, marks=needs_kotlin),
    ],
)


@RUNNERS
def test_random_pixels_become_the_same_bytes(run: Runner, tmp_path: Path) -> None:
    random = np.random.default_rng(20)
    photos = [random_photo(random) for _ in range(80)]
    specs = [
        Preprocessing(size=int(random.choice((32, 96, 160, 224))), crop=CROPS[int(random.integers(2))]) for _ in photos
    ]
    cases = [
        pixel_case(tmp_path / f"{i}.raw", photo, spec, alpha=i % 2 == 0)
        for i, (photo, spec) in enumerate(zip(photos, specs, strict=True))
    ]
    expected = [prepare(photo, spec).input_sha256 for photo, spec in zip(photos, specs, strict=True)]
    assert run(tmp_path, cases) == expected


@RUNNERS
def test_the_published_vectors_become_their_hashes(run: Runner, tmp_path: Path) -> None:
    listed = read_vectors()
    cases = [
        pixel_case(tmp_path / f"{i}.raw", (FOLDER / vector.photo).read_bytes(), vector.preprocessing)
        for i, vector in enumerate(listed)
    ]
    assert run(tmp_path, cases) == [vector.input_sha256 for vector in listed]


@needs_node
def test_strip_leaves_the_stored_pixels_and_nothing_that_a_browser_would_apply(tmp_path: Path) -> None:
    photos = [FOLDER / name for name in sorted({vector.photo for vector in read_vectors()})]
    oriented_png = tmp_path / "oriented.png"
    oriented_png.write_bytes(random_photo(np.random.default_rng(3)))
    photos.append(oriented_png)
    answers = run_node(tmp_path, [{"photo": str(path)} for path in photos])
    for path, answer in zip(photos, answers, strict=True):
        with Image.open(path) as original, Image.open(io.BytesIO(base64.b64decode(answer["stripped"]))) as stripped:
            assert answer["orientation"] == exif_orientation(original), path.name
            assert not {"exif", "icc_profile", "xmp", "gamma", "srgb"} & set(stripped.info), path.name
            assert stripped.mode == original.mode
            assert stripped.tobytes() == original.tobytes(), path.name


@needs_node
def test_javascript_refuses_the_published_jpegs(tmp_path: Path) -> None:
    refused = [one for one in read_document().refused if one.photo.endswith(".jpg")]
    answers = run_node(tmp_path, [{"photo": str(FOLDER / one.photo)} for one in refused])
    assert {one.photo: answer.get("refused") for one, answer in zip(refused, answers, strict=True)} == {
        one.photo: one.code for one in refused
    }


@pytest.mark.parametrize(
    "compiled",
    [pytest.param(swift_program, marks=needs_swift), pytest.param(kotlin_program, marks=needs_kotlin)],
)
def test_a_compiled_walk_refuses_the_published_jpegs_and_no_other(
    compiled: Callable[[str, Path, Path], list[str]], tmp_path: Path
) -> None:
    document = read_document()
    wanted = {one.photo: "sound" for one in document.vectors} | {one.photo: one.code for one in document.refused}
    wanted = {photo: said for photo, said in wanted.items() if photo.endswith(".jpg")}
    (tmp_path / "photos.txt").write_text("\n".join(str(FOLDER / photo) for photo in wanted))
    program = compiled("DermportJpeg", DRIVERS.parent / "jpeg_port", tmp_path)
    assert done([*program, str(tmp_path / "photos.txt")]).split() == list(wanted.values())


@needs_node
@pytest.mark.parametrize(("kind", "mode"), [("GIF", "RGB"), ("PNG", "I;16"), ("WEBP", "RGB")], ids=str)
def test_strip_refuses_what_the_definition_refuses(tmp_path: Path, kind: str, mode: str) -> None:
    Image.new(mode, (8, 8)).save(tmp_path / "photo", kind)
    assert "refused" in run_node(tmp_path, [{"photo": str(tmp_path / "photo")}])[0]


@needs_node
def test_damaged_exif_is_no_exif(tmp_path: Path) -> None:
    whole = (FOLDER / "exif-6.jpg").read_bytes()
    at = whole.index(b"Exif\0\0")
    (tmp_path / "photo").write_bytes(whole[: at + 10] + b"\xff\xff\xff\xff" + whole[at + 14 :])
    assert run_node(tmp_path, [{"photo": str(tmp_path / "photo")}])[0]["orientation"] == 1

"""Packages: what is in them, that they are the same each time, and what may not be packaged."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from dermport.bundle.abstention import reasons
from dermport.bundle.export_record import ExportRecord, OperatorCount, Parity, SourceRef, TensorSpec
from dermport.bundle.notice import NOTICE
from dermport.bundle.photo_quality import survey_input
from dermport.bundle.prep import prepare
from dermport.bundle.store import Bundle, file_entries, write_record
from dermport.bundle.vectors import photo_names, read_vectors
from dermport.cli.package import package as package_command
from dermport.errors import BundleError, ExportError, IntegrityError, UsageError
from dermport.exporters.packages.guide import TEMPLATES
from dermport.exporters.packages.package import PlatformPackage, build_package
from dermport.exporters.packages.platforms import PLATFORMS, get_platform
from dermport.training.abstained import write_abstaining
from dermport.training.evaluation.abstention import fit_abstention, survey_inputs

ARTIFACTS = {
    "coreml": ("model.mlpackage/Manifest.json", "model.mlpackage/Data/weights/weight.bin"),
    "tflite": ("model.tflite",),
    "onnx": ("model.onnx",),
    "tensorrt": ("model.onnx", "kit.json"),
}
PHONES = ("ios", "android", "web")


def make_parity(**changes: Any) -> Parity:
    values: dict[str, Any] = {
        "evidence": "host-runtime",
        "data": "golden",
        "photos": 16,
        "max_change": 0.00123,
        "mean_change": 0.0001,
        "top1_agreement": 1.0,
        "flips_to_positive": 0,
        "flips_to_negative": 0,
        "labels_match": True,
        "status": "pass",
        "policy": "fp16",
        "runtime": "drawn",
        "created": "2026-01-01T00:00:00+00:00",
    }
    return Parity(**{**values, **changes})


def make_export(opened: Bundle, target: str, precision: str, parity: Parity | None = None, **changes: Any) -> Path:
    """Write an export whose artifact's bytes mean nothing: packaging reads records and copies bytes."""
    folder = opened.export_folder(target, precision)
    for name in ARTIFACTS[target]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{target} {precision} {name}".encode() * 99)
    values: dict[str, Any] = {
        "target": target,
        "precision": precision,
        "bundle": SourceRef(name="tiny", version="1.0.0", model_sha256=opened.model_sha256),
        "preprocessing": "dermport-prep/1",
        "labels": opened.manifest.task.ids,
        "artifact": ARTIFACTS[target][0].split("/")[0],
        "artifact_bytes": 1234,
        "artifact_sha256": "0" * 64,
        "size_ratio": 0.5,
        "recipe": {},
        "policy": precision,
        "inputs": (TensorSpec(name="image", shape=(1, 96, 96, 3), dtype="float32"),),
        "outputs": (TensorSpec(name="probabilities", shape=(1, 4), dtype="float32"),),
        "operators": (OperatorCount(type="conv", precision="fp16", count=52),),
        "tools": {},
        "key": "0" * 64,
        "seconds": 1.0,
        "created": "2026-01-01T00:00:00+00:00",
        "parity": parity,
        "files": file_entries(folder, exclude=("export.json",)),
    }
    write_record(folder, ExportRecord(**{**values, **changes}))
    return folder


@pytest.fixture
def exported(tiny_bundle: Bundle) -> Bundle:
    """The tiny bundle with every export that the platforms' defaults need, each with a proof that passed."""
    for platform in PLATFORMS.values():
        for target, precision in platform.exports():
            make_export(tiny_bundle, target, precision, make_parity())
    return tiny_bundle


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for the wheel, which takes seconds to build and has tests of its own."""
    monkeypatch.setattr(
        "dermport.exporters.packages.contents.build_wheel", lambda: ("dermport-0-py3-none-any.whl", b"wheel")
    )


def unzip(package: PlatformPackage, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(package.data)) as archive:
        archive.extractall(folder)
    (top,) = folder.iterdir()
    return top


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_package_holds_what_its_developer_needs_and_is_itself_a_bundle(
    exported: Bundle, tmp_path: Path, platform: str
) -> None:
    package = build_package(exported, get_platform(platform))
    top = unzip(package, tmp_path / "unzipped")

    assert top.name == package.file.removesuffix(".zip") == f"tiny-1.0.0-{platform}-fp16"
    narrowed = Bundle.open(top)
    assert narrowed.manifest == exported.manifest
    assert (narrowed.golden().tensors == exported.golden().tensors).all()
    assert {export.path.name for export in narrowed.exports()} == {
        f"{target}-{precision}" for target, precision in get_platform(platform).exports()
    }
    for export in narrowed.exports():
        assert export.checked().exists()
        assert export.record.parity == make_parity()
    assert (top / "labels.txt").read_text().split() == list(exported.manifest.task.ids)
    assert "dermport-prep/1" in (top / "PREPROCESSING.txt").read_text()
    assert "Drawn blotches" in (top / "evaluation/model_card.md").read_text()
    assert "Apache License" in (top / "LICENSE").read_text()
    assert not (top / "model.keras").exists()
    assert not (top / "split.csv").exists()


@pytest.mark.usefixtures("no_wheel")
def test_labels_json_carries_the_decision(exported: Bundle, tmp_path: Path) -> None:
    document = json.loads(
        (unzip(build_package(exported, get_platform("web")), tmp_path / "u") / "labels.json").read_text()
    )
    assert [label["id"] for label in document["labels"] if label["positive"]] == ["akiec", "bcc", "mel"]
    assert document["decision"] == {"name": "suspicious", "threshold": 0.5}


@pytest.mark.usefixtures("no_wheel")
def test_vectors_in_a_package_still_give_their_hashes(exported: Bundle, tmp_path: Path) -> None:
    vectors = unzip(build_package(exported, get_platform("android")), tmp_path / "u") / "vectors"
    found = {path.relative_to(vectors).as_posix() for path in vectors.rglob("*.*")}
    assert found == {"vectors.json", *photo_names()}
    listed = json.loads((vectors / "vectors.json").read_text())["vectors"][0]
    spec = read_vectors()[0].preprocessing
    assert prepare((vectors / listed["photo"]).read_bytes(), spec).input_sha256 == listed["input_sha256"]


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_guide_names_notice_proof_threshold_and_real_files(exported: Bundle, tmp_path: Path, platform: str) -> None:
    top = unzip(build_package(exported, get_platform(platform)), tmp_path / "u")
    guide = (top / "GUIDE.md").read_text()
    assert NOTICE in guide
    assert NOTICE in (top / "LICENSES.md").read_text()
    assert "**0.5**" in guide
    assert "0.0012" in guide
    assert "the artifact itself, run on this machine" in guide
    assert "{{" not in guide
    in_table = re.findall(r"^\| (.+?) \|", guide.split("## What was proved")[0], re.MULTILINE)
    named = [path for cell in in_table for path in re.findall(r"`([^`]+)`", cell)]
    assert len(named) >= 10
    assert [path for path in named if not (top / path).exists()] == []


@pytest.mark.parametrize("platform", PHONES)
def test_guides_code_carries_the_bundles_own_numbers(exported: Bundle, tmp_path: Path, platform: str) -> None:
    guide = (unzip(build_package(exported, get_platform(platform)), tmp_path / "u") / "GUIDE.md").read_text()
    code = "\n".join(re.findall(r"```(?:swift|kotlin|js)\n(.*?)```", guide, re.DOTALL))
    assert '"akiec", "bcc", "mel"' in code
    assert re.search(rf"(?i)size = {exported.manifest.preprocessing.size}\b", code)
    assert re.search(r"(?i)threshold = 0\.5\b", code)


@pytest.fixture
def abstaining(exported: Bundle, tmp_path: Path) -> Bundle:
    """The same, with a rule that half of its golden photos break."""
    rule = fit_abstention(survey_inputs(list(exported.golden().tensors)), 0.5)
    return write_abstaining(exported, rule, tmp_path / "abstaining")


def test_package_says_what_its_rule_finds_in_its_photos(abstaining: Bundle, tmp_path: Path) -> None:
    top = unzip(build_package(abstaining, get_platform("ios")), tmp_path / "u")
    document = json.loads((top / "cannot-tell.json").read_text())
    rule, spec = abstaining.manifest.abstention, abstaining.manifest.preprocessing
    for said in document["photos"]:
        prepared = prepare((top / said["photo"]).read_bytes(), spec)
        assert said["input_sha256"] == prepared.input_sha256
        assert said["values"] == survey_input(prepared.tensor)
        found = reasons(rule, said["values"])
        assert said["reasons"] == [reason.model_dump() for reason in found]
        assert said["answer"] == ("cannot_tell" if found else "decision")
    assert {said["answer"] for said in document["photos"]} == {"cannot_tell", "decision"}
    assert {said["photo"].split("/")[0] for said in document["photos"]} == {"golden", "vectors"}


def test_guide_says_what_to_do_where_the_model_cannot_tell(
    exported: Bundle, abstaining: Bundle, tmp_path: Path
) -> None:
    ruled = unzip(build_package(abstaining, get_platform("android")), tmp_path / "ruled")
    guide = (ruled / "GUIDE.md").read_text()
    for code in ("quality:blurred", "out_of_distribution"):
        assert f"| `{code}` |" in guide
    free = unzip(build_package(exported, get_platform("android")), tmp_path / "free")
    assert "every photo is answered" in (free / "GUIDE.md").read_text()
    assert "every photo is answered" not in guide
    answers = {said["answer"] for said in json.loads((free / "cannot-tell.json").read_text())["photos"]}
    assert answers == {"decision"}


@pytest.mark.parametrize(
    ("platform", "source", "withheld"),
    [
        ("ios", "DermportAbstention.swift", "!Self.positive.isEmpty ? score >= Self.threshold : nil"),
        ("web", "dermport-abstention.js", "cannotTell.length || !POSITIVE.length ? null : score >= THRESHOLD"),
        ("android", "DermportAbstention.kt", "POSITIVE.isNotEmpty()) score >= THRESHOLD else null"),
    ],
)
def test_phones_packages_bring_the_rule_and_use_it(
    exported: Bundle, tmp_path: Path, platform: str, source: str, withheld: str
) -> None:
    top = unzip(build_package(exported, get_platform(platform)), tmp_path / "u")
    guide = (top / "GUIDE.md").read_text()
    assert (top / source).read_bytes() == (TEMPLATES / platform / source).read_bytes()
    assert f"`{source}`" in guide.split("2. ")[0]
    assert withheld in guide


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_sums_cover_every_file(exported: Bundle, tmp_path: Path, platform: str) -> None:
    top = unzip(build_package(exported, get_platform(platform)), tmp_path / "u")
    sums = dict(reversed(line.split("  ", 1)) for line in (top / "SHA256SUMS").read_text().splitlines())
    found = {path.relative_to(top).as_posix(): path for path in top.rglob("*") if path.is_file()}
    assert set(sums) == set(found) - {"SHA256SUMS"}
    assert {name: hashlib.sha256(found[name].read_bytes()).hexdigest() for name in sums} == sums


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize("platform", PLATFORMS)
def test_made_twice_is_the_same_bytes_whatever_the_files_times_and_modes(exported: Bundle, platform: str) -> None:
    first = build_package(exported, get_platform(platform))
    for path in exported.path.rglob("*"):
        path.chmod(0o700)
    assert build_package(Bundle.open(exported.path), get_platform(platform)).data == first.data
    assert hashlib.sha256(first.data).hexdigest() == first.sha256


def test_zip_entries_are_plain_sorted_and_timeless(exported: Bundle) -> None:
    with zipfile.ZipFile(io.BytesIO(build_package(exported, get_platform("ios")).data)) as archive:
        entries = archive.infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {0o100644}


def test_precisions_come_together_in_one_package(exported: Bundle) -> None:
    make_export(exported, "tflite", "int8", make_parity(status="warn", reasons=("agreement 0.86 < 0.97",)))
    package = build_package(exported, get_platform("android"), ("int8", "fp16"))
    assert package.file == "tiny-1.0.0-android-int8-fp16.zip"
    assert {"exports/tflite-int8/model.tflite", "exports/tflite-fp16/model.tflite"} <= set(package.paths)
    assert package.warnings == ("tflite-int8: warn: agreement 0.86 < 0.97",)


def test_missing_exports_are_named_with_the_commands_that_make_them(tiny_bundle: Bundle) -> None:
    make_export(tiny_bundle, "onnx", "fp32")
    with pytest.raises(BundleError) as error:
        build_package(tiny_bundle, get_platform("jetson"))
    assert "tensorrt-fp16, tflite-fp32" in error.value.message
    assert f"dermport export {tiny_bundle.path} --to tensorrt --precision fp16" in error.value.remedy
    assert f"dermport export {tiny_bundle.path} --to tflite --precision fp32" in error.value.remedy
    assert "onnx" not in error.value.remedy


def test_an_export_of_another_model_is_refused(exported: Bundle) -> None:
    other = SourceRef(name="tiny", version="0.9.0", model_sha256="f" * 64)
    make_export(exported, "tflite", "fp16", make_parity(), bundle=other)
    with pytest.raises(ExportError, match="another model"):
        build_package(exported, get_platform("web"), allow_failed=True)


def test_a_failed_proof_is_refused_unless_allowed(exported: Bundle) -> None:
    make_export(exported, "coreml", "fp16", make_parity(status="fail", reasons=("labels swapped",)))
    with pytest.raises(ExportError, match="labels swapped"):
        build_package(exported, get_platform("ios"))
    allowed = build_package(exported, get_platform("ios"), allow_failed=True)
    assert allowed.warnings == ("coreml-fp16: fail: labels swapped",)


def test_what_was_never_proved_is_warned_of_and_says_so(exported: Bundle, tmp_path: Path) -> None:
    make_export(exported, "coreml", "fp16", None)
    package = build_package(exported, get_platform("ios"))
    assert "dermport verify" in package.warnings[0]
    assert "**not proved**" in (unzip(package, tmp_path / "u") / "GUIDE.md").read_text()


@pytest.mark.parametrize(
    "damaged", ["exports/tflite-fp16/model.tflite", "golden/tensors.npy", "evaluation/model_card.md"]
)
def test_damaged_files_are_refused(exported: Bundle, damaged: str) -> None:
    path = exported.path / damaged
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(IntegrityError, match=re.escape(path.name)):
        build_package(exported, get_platform("web"))


def test_unknown_platform_is_refused() -> None:
    with pytest.raises(UsageError, match="windows-phone"):
        get_platform("windows-phone")


@pytest.fixture
def run() -> Callable[..., Any]:
    app = typer.Typer()
    app.command()(package_command)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_command_writes_zips_and_json(exported: Bundle, tmp_path: Path, run: Callable[..., Any]) -> None:
    out = tmp_path / "out"
    result = run(exported.path, "--for", "ios", "--for", "web", "--out", out, "--json")
    assert result.exit_code == 0, result.output
    packages = json.loads(result.stdout)["packages"]
    assert [package["platform"] for package in packages] == ["ios", "web"]
    for package in packages:
        data = Path(package["path"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == package["sha256"]
        assert len(data) == package["bytes"]
        assert package["exports"][0]["status"] == "pass"
    assert sorted(path.name for path in out.iterdir()) == ["tiny-1.0.0-ios-fp16.zip", "tiny-1.0.0-web-fp16.zip"]


def test_one_missing_export_leaves_no_zip_at_all(exported: Bundle, run: Callable[..., Any]) -> None:
    result = run(exported.path, "--for", "ios", "--for", "android", "--precision", "int8-weights")
    assert isinstance(result.exception, BundleError)
    assert result.exception.exit_code == 2
    assert not (exported.path / "packages").exists()


@pytest.mark.usefixtures("no_wheel")
def test_unit_is_hardened_and_serves_this_bundle(exported: Bundle, tmp_path: Path) -> None:
    unit = (unzip(build_package(exported, get_platform("jetson")), tmp_path / "u") / "dermport.service").read_text()
    assert "dermport serve /opt/dermport/tiny " in unit
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "DynamicUser=yes", "Restart=always"):
        assert line in unit.splitlines()


def test_nothing_heavy_is_imported_to_package(exported: Bundle) -> None:
    code = (
        "import sys; import dermport.exporters.packages.package; "
        "heavy = {'tensorflow', 'keras', 'coremltools', 'onnxruntime', 'dermport.exporters.registry'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

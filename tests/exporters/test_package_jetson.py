"""What the Jetson's package adds: dermport's own wheel, its locked requirements, and a bundle that can be served."""

from __future__ import annotations

import io
import re
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from dermport.bundle.store import Bundle
from dermport.errors import UnavailableError
from dermport.exporters.packages import wheel
from dermport.exporters.packages.guide import TEMPLATES
from dermport.exporters.packages.package import PlatformPackage, build_package
from dermport.exporters.packages.platforms import get_platform
from dermport.server.app import create_app
from dermport.server.config import ServerConfig, ServingConfig, StorageConfig


@pytest.fixture(scope="module")
def built() -> tuple[str, bytes]:
    return wheel.build_wheel()


def test_wheel_installs_the_command_and_its_data(built: tuple[str, bytes]) -> None:
    name, data = built
    assert re.fullmatch(r"dermport-[\d.]+-py3-none-any\.whl", name)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        (entry_points,) = (archive.read(n).decode() for n in names if n.endswith("entry_points.txt"))
    assert "dermport = dermport.cli.main:main" in entry_points
    assert {
        "dermport/server/app.py",
        "dermport/bundle/vectors/vectors.json",
        "dermport/exporters/packages/templates/guide.md",
    } <= names
    templates = {p.relative_to(TEMPLATES).as_posix() for p in TEMPLATES.rglob("*") if p.is_file()}
    assert {
        n.removeprefix("dermport/exporters/packages/templates/")
        for n in names
        if "/templates/" in n and "packages" in n
    } == templates
    assert {n.split("/")[0] for n in names if ".dist-info/" not in n} == {"dermport"}
    assert not [n for n in names if "__pycache__" in n or "node_modules" in n]


def test_wheel_has_the_same_bytes_each_time(built: tuple[str, bytes]) -> None:
    assert wheel.build_wheel() == built


def test_wheel_without_sources_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wheel, "__file__", str(tmp_path / "dermport" / "exporters" / "packages" / "wheel.py"))
    monkeypatch.setattr(wheel, "_recorded_root", lambda: None)
    with pytest.raises(UnavailableError, match="sources") as error:
        wheel.build_wheel()
    assert "pip install" in error.value.remedy


def test_wheel_that_cannot_be_built_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel, "_BUILD", "raise SystemExit('no setuptools here')")
    with pytest.raises(UnavailableError, match="no setuptools here"):
        wheel.build_wheel()


def test_jetson_requirements_pin_what_the_project_is_locked_to() -> None:
    root = Path(__file__).parents[2]
    lines = (TEMPLATES / "jetson" / "requirements.txt").read_text().splitlines()
    assert all(re.match(r"[a-z0-9-]+==[\w.]+( ;|$)", line) for line in lines)
    pins = {line.split(" ;")[0] for line in lines}
    locked = {line.split(" ;")[0] for line in (root / "constraints.txt").read_text().splitlines()}
    assert pins <= locked
    distributions = {pin.split("==")[0] for pin in pins}
    assert {"flask", "gunicorn", "onnxruntime", "ai-edge-litert", "polygraphy", "numpy", "pillow"} <= distributions
    assert not {"tensorflow", "tensorflow-cpu", "keras", "coremltools"} & distributions


def test_jetson_requirements_meet_the_projects_own() -> None:
    """Nothing that the server's and the Jetson's extra name is left unpinned."""
    named = [r for r in metadata.requires("dermport") or [] if not re.search(r"extra == .(?!server|jetson)", r)]
    wanted = {re.match(r"[A-Za-z0-9-]+", requirement)[0].lower() for requirement in named} - {"dermport"}  # type: ignore[index]
    lines = (TEMPLATES / "jetson" / "requirements.txt").read_text().splitlines()
    assert wanted <= {line.split("==")[0] for line in lines}


@pytest.fixture(scope="module")
def jetson(shared_exports: Bundle) -> PlatformPackage:
    """The Jetson's package of real exports; none of them was verified, so it warns."""
    return build_package(shared_exports, get_platform("jetson"))


@pytest.mark.xdist_group("exports")
def test_package_is_the_same_with_its_wheel(
    shared_exports: Bundle, jetson: PlatformPackage, built: tuple[str, bytes]
) -> None:
    assert f"wheels/{built[0]}" in jetson.paths
    assert len(jetson.warnings) == 3
    assert build_package(shared_exports, get_platform("jetson")).sha256 == jetson.sha256


@pytest.mark.xdist_group("exports")
@pytest.mark.parametrize("runtime", ["onnxruntime", "litert"])
def test_unzipped_package_is_served_and_proves_itself(jetson: PlatformPackage, tmp_path: Path, runtime: str) -> None:
    with zipfile.ZipFile(io.BytesIO(jetson.data)) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "tiny-1.0.0-jetson-fp16"
    assert not (folder / "model.keras").exists()
    app = create_app(ServerConfig((folder,), StorageConfig(tmp_path / "state"), ServingConfig(runtime=runtime)))
    client = app.test_client()
    ready = client.get("/readyz")
    assert ready.status_code == 200, ready.text
    golden = Bundle.open(folder).golden().index.photos[0]
    photo = (folder / "golden" / golden.photo).read_bytes()
    answer = client.post("/v1/predict", data=photo, content_type="image/jpeg").json
    assert answer["input_sha256"] == golden.input_sha256
    assert list(answer["probabilities"].values()) == pytest.approx(golden.probabilities, abs=1e-3)
    app.extensions["dermport"].close()

"""The parts of the web app's engine that need no browser, in Node; and the build itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dermport.bundle.hashing import sha256_bytes, sha256_file
from dermport.bundle.policy import Policy, read_policy
from tests.mobile_stub.web import probes
from tests.mobile_stub.web.app_site import WEB, build, install_packages

TESTS = sorted((Path(__file__).parent / "node").glob("*.test.mjs"))


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("web") / "dist")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_in_node(path: Path, dist: Path) -> None:
    environment = {**os.environ, "DERMPORT_WEB_DIST": str(dist)}
    done = subprocess.run(["node", "--test", str(path)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "# fail 0" in done.stdout
    assert "# pass 0" not in done.stdout


def test_the_same_sources_give_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    again = build(tmp_path / "dist")
    assert (again / "files.json").read_bytes() == (dist / "files.json").read_bytes()


def test_every_file_is_listed_with_its_hash(dist: Path) -> None:
    listing = _listing(dist)
    found = {str(path.relative_to(dist)) for path in dist.rglob("*") if path.is_file()} - {"files.json"}
    assert {entry["path"] for entry in listing["files"]} == found
    for entry in listing["files"]:
        assert (entry["sha256"], entry["bytes"]) == (sha256_file(dist / entry["path"]), _size(dist / entry["path"]))
    names = "".join(f"{entry['sha256']}  {entry['path']}\n" for entry in listing["files"])
    assert listing["id"] == sha256_bytes(names.encode())


def test_nothing_in_the_build_is_imported_by_a_name_that_a_worker_does_not_know(dist: Path) -> None:
    for path in dist.rglob("*.js"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(("import ", "export ")) and (" from '" in line or ' from "' in line):
                assert line.rstrip(";").rstrip("'\"").rpartition(line.rstrip(";")[-1])[2].startswith("."), (path, line)


def test_the_phone_judges_by_the_policy_of_everybody_else(dist: Path) -> None:
    rules = json.loads((dist / "engine" / "policy.json").read_text())
    assert Policy(id=rules.pop("id"), rules=rules) == read_policy()


def test_licences_of_all_that_is_brought_along_are_there(dist: Path) -> None:
    text = (dist / "LICENCES.txt").read_text()
    for name in json.loads((WEB / "package.json").read_text())["dependencies"]:
        version = json.loads((WEB / "node_modules" / name / "package.json").read_text())["version"]
        assert f"{name} {version}" in text
    assert "Apache License" in text
    assert "MIT" in text


def test_a_folder_that_is_no_build_is_left_alone(tmp_path: Path) -> None:
    install_packages()
    (tmp_path / "thesis.txt").write_text("the only copy")
    command = ["node", "build.mjs", "--out", str(tmp_path), "--no-compress"]
    done = subprocess.run(command, cwd=WEB, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "is no build of the web app" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "the only copy"


def test_probes_of_the_decoder_are_what_the_definition_makes_of_them() -> None:
    listed = json.loads(probes.PROBES.read_text())["probes"]
    assert len({one["kind"] for one in listed}) == len(listed) == 12
    for one in listed:
        assert probes.probe(one["kind"], probes.photo_of(one)) == one


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not on this machine")
def test_no_registry_is_named() -> None:
    locked = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert not any("resolved" in package for package in locked.values())


def _listing(dist: Path) -> dict[str, Any]:
    listing: dict[str, Any] = json.loads((dist / "files.json").read_text())
    return listing


def _size(path: Path) -> int:
    return path.stat().st_size

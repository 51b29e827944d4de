"""``dermport explain`` on the tiny bundle's golden photos."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from dermport.bundle.notice import NOTICE
from dermport.bundle.store import Bundle
from dermport.cli.main import build_app


def test_explain_draws_and_tests_named_photos(shared_bundle: Bundle, tmp_path: Path) -> None:
    photos = sorted((shared_bundle.path / "golden" / "photos").iterdir())[:3]
    out = tmp_path / "explained"
    command = ["explain", str(shared_bundle.path), *map(str, photos), "--out", str(out), "--json"]
    result = CliRunner().invoke(build_app(), command)
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document == json.loads((out / "deletion.json").read_text())
    assert document["notice"] == NOTICE
    assert (document["photos"], document["shares"]) == (3, [0, 0.25, 0.5, 0.75, 1])
    ends = {(round(curve[0], 5), round(curve[-1], 5)) for curve in document["curves"].values()}
    assert len(ends) == 1, "nothing is blurred at the start, everything at the end, in whatever order"
    assert sorted(path.name for path in out.glob("*.png")) == [f"{n:03d}-{p.stem}.png" for n, p in enumerate(photos, 1)]
    assert all(Image.open(path).width > 600 for path in out.glob("*.png"))


def test_explain_wants_photos_or_a_data_set(shared_bundle: Bundle, tmp_path: Path) -> None:
    result = CliRunner().invoke(build_app(), ["explain", str(shared_bundle.path), "--out", str(tmp_path / "no")])
    assert result.exception is not None
    assert "Name photos, or a data set" in str(result.exception)
    assert not (tmp_path / "no").exists()

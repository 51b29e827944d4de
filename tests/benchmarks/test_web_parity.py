"""How the comparison of browser and server counts, without either of them."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pytest
from PIL import Image, ImageCms

from benchmarks.web import parity
from benchmarks.web.kinds import Kind, jpeg, kinds, profile
from dermport.bundle.manifest import Preprocessing
from dermport.bundle.prep import prepare
from dermport.bundle.vectors.draw import picture
from dermport.errors import PhotoError

SPEC = Preprocessing(size=96)


class SaysWhatItIsTold:
    """A browser whose answer is known."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer

    def look_at(self, _: bytes) -> dict[str, Any]:
        return self.answer


def judged(
    monkeypatch: pytest.MonkeyPatch, here: dict[str, Any], there: dict[str, Any], status: int
) -> parity.BrowserComparison:
    monkeypatch.setattr(httpx, "post", lambda *_, **__: httpx.Response(status, json=there))
    judge = parity.BrowserComparison(SaysWhatItIsTold(here), "http://nobody", None, {})  # type: ignore[arg-type]
    monkeypatch.setattr(judge, "_count_changes", lambda *_: None)
    judge.look_at(Kind("coding", "one", jpeg(picture(40, 30))))
    return judge


def browser_says(sha256: str, exact: bool = True) -> dict[str, Any]:
    return {"inputSha256": sha256, "exact": exact, "kind": "jpeg-ycc", "quality": [], "milliseconds": 1.0}


def test_equal_inputs_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = judged(monkeypatch, browser_says("a"), {"input_sha256": "a"}, 200)
    assert (judge.passed, judge.groups["coding"].equal) == (True, 1)


@pytest.mark.parametrize("exact", [True, False])
def test_other_inputs_fail_and_the_unmarked_ones_are_named(monkeypatch: pytest.MonkeyPatch, exact: bool) -> None:
    judge = judged(monkeypatch, browser_says("a", exact), {"input_sha256": "b"}, 200)
    assert not judge.passed
    assert judge.groups["coding"].differ == ["one: other inputs (jpeg-ycc)"]
    assert judge.groups["coding"].unmarked == (["one"] if exact else [])


def test_a_refusal_of_one_side_alone_fails_and_one_of_both_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(monkeypatch, {"refused": "photo-damaged"}, {"code": "photo-damaged"}, 422).passed
    judge = judged(monkeypatch, {"refused": "photo-damaged"}, {"input_sha256": "a"}, 200)
    assert judge.groups["coding"].differ == ["one: browser photo-damaged, server takes it"]


def test_every_kind_of_photo_is_taken_or_refused_as_its_group_says() -> None:
    for kind in kinds(picture(120, 90)):
        if kind.group == "refused":
            with pytest.raises(PhotoError):
                prepare(kind.data, SPEC)
        else:
            prepare(kind.data, SPEC)


@pytest.mark.parametrize("name", ["display-p3", "adobe-rgb"])
def test_profiles_mean_other_colours(name: str) -> None:
    made = ImageCms.ImageCmsProfile(io.BytesIO(profile(name)))
    red = Image.new("RGB", (1, 1), (200, 30, 30))
    seen = ImageCms.profileToProfile(red, made, ImageCms.createProfile("sRGB"))
    assert seen is not None
    assert seen.getpixel((0, 0)) != red.getpixel((0, 0))

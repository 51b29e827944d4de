from __future__ import annotations

from xml.etree import ElementTree

import pytest

from dermport.figures.svg import HATCHES, SHAPES, Axis, Chart, hatch_definitions, linear_axis, log_axis, swatch


def _chart(title: str = "") -> Chart:
    return Chart(linear_axis("size, MB", 0, 9.2), linear_axis("points", -2, 1), "Words & more", title=title)


def test_axes_end_at_round_ticks() -> None:
    axis = linear_axis("x", 0.3, 9.2)
    assert (axis.low, axis.high) == (0, 10)
    assert log_axis("ms", 0.31, 42).ticks[:3] == (0.2, 0.5, 1.0)
    assert log_axis("ms", 1, 100).place(10) == pytest.approx(0.5)


def test_values_beyond_an_axis_are_put_at_its_end() -> None:
    assert Axis("x", 0, 1, (0, 1)).place(7) == 1


def test_every_mark_is_well_formed() -> None:
    chart = _chart("A name")
    for shape in SHAPES:
        chart.mark(1, 0, "point", shape, title="<1>")
    for hatch in HATCHES:
        chart.bar(3, 0, "bar", hatch)
    chart.note(2, 0, "a < b", dx=-8)
    tree = ElementTree.fromstring(chart.svg())
    assert [child.tag for child in tree[:2]] == ["title", "desc"]
    assert (tree[0].text, tree[1].text) == ("A name", "Words & more")
    assert len(tree.findall("path")) == len(SHAPES)
    assert sum("hatch-" in (bar.get("fill") or "") for bar in tree.findall("rect")) == len(HATCHES) - 1


def test_without_a_title_the_words_are_its_name() -> None:
    tree = ElementTree.fromstring(_chart().svg())
    assert tree.get("aria-label") == "Words & more"
    assert tree.find("desc") is None


def test_a_bar_begins_at_the_axis_and_is_never_invisible() -> None:
    chart = _chart()
    chart.bar(0, 0, "bar")
    bar = ElementTree.fromstring(chart.svg()).find("rect")
    assert bar is not None
    assert float(bar.get("width", 0)) >= 1
    assert float(bar.get("x", 0)) == chart.at_x(0)


def test_hatches_are_defined_once_for_all() -> None:
    tree = ElementTree.fromstring(hatch_definitions())
    assert {pattern.get("id") for pattern in tree.iter("pattern")} == {f"hatch-{name}" for name in HATCHES[1:]}
    assert "hatch-up" in swatch("bar", hatch="up")
    assert SHAPES["star"] in swatch("point", "star")

"""Comparisons as CSV."""

from __future__ import annotations

import csv
import io

import pytest

from dermport.bundle.csv_table import cell
from dermport.server.comparing.table import COLUMNS, csv_lines
from tests.server.comparing.made import NOON, comparison, server_side


def test_one_row_each() -> None:
    known = comparison(0.7, 0.3, "model", device="d1", taken=NOON, precision="int8")
    known = known.model_copy(update={"phone": known.phone.model_copy(update={"known": server_side().model})})
    rows = list(csv.DictReader(io.StringIO("".join(csv_lines([known, comparison()])))))
    assert tuple(rows[0]) == COLUMNS
    assert (rows[0]["phone_label"], rows[0]["server_label"], rows[0]["cause"]) == ("mel", "nv", "model")
    assert (rows[0]["phone_score"], rows[0]["device"], rows[0]["taken"]) == ("0.7", "d1", NOON.isoformat())
    assert (rows[0]["phone_version"], rows[0]["phone_precision"]) == ("1.0.0", "fp32")
    assert (rows[1]["device"], rows[1]["phone_version"]) == ("", "")


def test_an_empty_table_has_its_header() -> None:
    assert "".join(csv_lines([])) == ",".join(COLUMNS) + "\n"


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)"])
def test_formulas_are_text(text: str) -> None:
    [_, row] = csv_lines([comparison(runtime=text, device="d", device_model=text)])
    values = dict(zip(COLUMNS, next(csv.reader(io.StringIO(row))), strict=True))
    assert values["phone_runtime"] == values["device_model"] == "'" + text


def test_numbers_are_no_formulas() -> None:
    assert (cell(-0.5), cell("a=b"), cell(""), cell(True)) == (-0.5, "a=b", "", True)

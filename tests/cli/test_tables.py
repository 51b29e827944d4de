"""No table cuts anything off: at 80 columns, and piped, every word is there that a wide terminal shows."""

from __future__ import annotations

import ast
import io
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import dermport
from dermport.bundle.evaluation_report import ClassReport, EvaluationReport
from dermport.bundle.store import Bundle
from dermport.cli import output
from dermport.cli.benchmark_tables import print_result
from dermport.cli.doctor import Check, _print_table
from dermport.cli.evaluate_tables import _classes
from dermport.cli.output import new_table
from dermport.cli.runs import _compare, _list
from dermport.cli.verify import _print
from dermport.mobile_stub.compare import comparison_of, judge
from dermport.mobile_stub.comparison import ArtifactSummary
from dermport.mobile_stub.prediction import Refusal
from dermport.mobile_stub.table import to_table
from dermport.statistics.estimates import Metric
from dermport.training.runs.registry import RunEntry
from dermport.workflows.verify import Verification
from tests.exporters.benchmark.made import result, session
from tests.exporters.test_packages import make_export, make_parity

LONG = "actinic_keratosis_and_intraepithelial_carcinoma"
EVIDENCE = "host-runtime"


def drawn(what: Any, width: int) -> str:
    """Return what a terminal of that width shows."""
    stream = io.StringIO()
    Console(file=stream, width=width, soft_wrap=True, highlight=False).print(what)
    return stream.getvalue()


def words(text: str) -> Counter[str]:
    """Return the words of a table without its lines; a header's colon is none of them, nor the first header."""
    return Counter(re.sub(r"[─━:]|\b(what|class|artifact|check|run)\b", " ", text).split())


def assert_whole(at: Callable[[int], str]) -> None:
    wide, ellipses = words(at(2_000)), at(2_000).count("…")
    for width in (80, 60):
        assert at(width).count("…") == ellipses
        assert wide - words(at(width)) == Counter(), width


@pytest.mark.parametrize(
    "columns",
    [
        ("host-runtime", "0.761 (0.737 to 0.784)"),
        ("host-runtime", *(("0.761 (0.737 to 0.784)",) * 5)),
        (LONG, *(("0.761 (0.737 to 0.784)",) * 5)),
        (LONG, LONG, "a reason of many words " * 6),
        (*(("0.123",) * 8), "https://127.0.0.1/" + "a" * 70),
    ],
)
def test_a_table_shows_every_word_at_any_width(columns: tuple[str, ...]) -> None:
    def at(width: int) -> str:
        table = new_table("what", *(f"column {n}" for n in range(len(columns) - 1)), title="All of them")
        table.add_row(*columns)
        return drawn(table, width)

    assert_whole(at)


def test_every_table_is_made_in_one_place() -> None:
    makers = set()
    for path in Path(dermport.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        calls = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.Call)] if "rich.table" in text else []
        makers |= {path.name for one in calls if isinstance(one.func, ast.Name) and one.func.id == "Table"}
    assert makers == {"table.py"}  # the phone's, below


def _evaluated() -> Any:
    figure = Metric(value=0.761, low=0.737, high=0.784)
    figures = dict.fromkeys(("precision", "recall", "f1", "specificity", "roc_auc"), figure)
    classes = tuple(ClassReport(id=name, name=name, photos=8_191, lesions=6_113, **figures) for name in ("nv", LONG))
    return _classes(EvaluationReport.model_construct(classes=classes, confidence=0.95))


def _runs() -> list[RunEntry]:
    figure = Metric(value=0.761, low=0.737, high=0.784)
    figures = dict.fromkeys(("accuracy", "balanced_accuracy", "macro_roc_auc", "decision_roc_auc"), figure)
    return [
        RunEntry(
            name, Path(name), "finished", "", {"from": f"/weights/{name}"}, figures, 9e3, "x", note="3 of 50 epochs"
        )
        for name in (LONG, "other")
    ]


def test_commands_tables_are_whole(tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_export(tiny_bundle, "onnx", "int8-cpu")
    (export,) = tiny_bundle.exports()
    reason = "probabilities change by 0.089 on average (at most 0.08)"
    proofs = ((export, make_parity(status="fail", evidence="mil-reference", reasons=(reason,))),)
    absent = Check("extra [train]", None, "missing: keras", "pip install 'dermport[train]'")
    checks = [Check(f"target {LONG}", False, "not installed here " * 9, "pip install it"), absent]
    drawers: dict[str, Callable[[], object]] = {
        "evaluate": lambda: output.console().print(_evaluated()),
        "verify": lambda: _print(Verification(proofs)),
        "doctor": lambda: _print_table(checks),
        "benchmark": lambda: print_result(result(session(names=("onnx-int8", "tflite-fp16")))),
        "runs": lambda: _list(_runs()),
        "runs compared": lambda: _compare(_runs(), ["weights"]),
    }
    for draw in drawers.values():

        def at(width: int, draw: Callable[[], object] = draw) -> str:
            stream = io.StringIO()
            console = Console(file=stream, width=width, soft_wrap=True, highlight=False)
            monkeypatch.setattr(output, "_console_on", lambda _: console)
            draw()
            return stream.getvalue()

        assert_whole(at)


def test_a_comparison_keeps_every_character(shared_bundle: Bundle) -> None:
    refused = Refusal(code="too-many-segments", message="It has too many.")
    rows = (judge(f"{LONG}/{LONG}.jpg", refused, refused),)
    artifact = ArtifactSummary(name="tflite-fp32", sha256="3" * 64, bytes=9, precision="fp32", runtime="LiteRT")
    compared = comparison_of(shared_bundle.manifest, rows, artifact, "http://jetson.test", classes=("fp32", "fp32"))
    group = to_table([compared])
    for width in (80, 60):
        text = drawn(group, width)
        assert "…" not in text
        assert Counter("".join(drawn(group, 2_000).split())) == Counter("".join(text.split()))

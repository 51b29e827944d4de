"""The demo's report: one self-contained HTML page, and the same in one table on the terminal."""

from __future__ import annotations

import base64
import io
import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from dermport.cli.output import console, new_table

if TYPE_CHECKING:
    from dermport.bundle.store import Export
    from dermport.cli.demo_record import Demo

_TEMPLATE = Path(__file__).parent / "templates/demo_report.html"
# Plots of the evaluation, in the order of the page.
_PLOTS = (
    ("curves.png", "Training: loss and accuracy by epoch"),
    ("confusion.png", "Confusion matrix of the test part"),
    ("roc.png", "ROC curves"),
    ("reliability.png", "Reliability before and after temperature scaling"),
)
_COLOURS = {"pass": "#1a7f4b", "warn": "#b7791f", "fail": "#c0392b"}


def write_report(demo: Demo, seconds: float) -> Path:
    """Write ``report.html`` into the demo's folder and return its path."""
    from dermport.bundle.atomic import write_text
    from dermport.bundle.export_record import EVIDENCE_MEANING
    from dermport.bundle.store import Bundle
    from dermport.templates import load_template

    bundle = Bundle.open(demo.bundle)
    exports = bundle.exports()
    html = load_template(_TEMPLATE).render(
        demo=demo,
        manifest=bundle.manifest,
        exports=exports,
        evidence=EVIDENCE_MEANING,
        answer=json.dumps(demo.answer, indent=2, ensure_ascii=False),
        plots=_plots(demo.bundle / "evaluation"),
        trade_off=_data_uri(_trade_off(exports)),
        photos=_photos(demo.bundle / "golden" / "photos"),
        packages=sorted((demo.folder / "packages").glob("*.zip")),
        machine=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        seconds=seconds,
    )
    write_text(demo.folder / "report.html", html)
    return demo.folder / "report.html"


def print_summary(demo: Demo) -> None:
    """Print one line for each artifact: its proof, its size, and what serving and comparing said."""
    from dermport.bundle.notice import NOTICE
    from dermport.bundle.store import Bundle

    bundle = Bundle.open(demo.bundle)
    table = new_table("artifact", "KiB", "of Keras", "proof", "top-1", "max |Δp|", "flips +/−", "evidence")
    for export in bundle.exports():
        table.add_row(*_cells(export))
    console().print(table)
    for precision, comparison in demo.comparisons.items():
        totals = comparison["totals"]
        console().print(
            f"Phone ({precision}) against server ({demo.answer['runtime']['name']}): same label on "
            f"{totals['label_agreement']['count']} of {totals['predicted']} photos, same input bytes on "
            f"{totals['inputs_equal']}, largest |Δp| {totals['change']['max']:.2g}."
        )
    figures = bundle.manifest.metrics.figures
    shown = ("accuracy", "balanced_accuracy", "macro_roc_auc")
    console().print("Test part: " + ", ".join(f"{name} {figures[name].value:.3f}" for name in shown) + f". {NOTICE}")


def _cells(export: Export) -> tuple[str, ...]:
    record, parity = export.record, export.record.parity
    size = (export.path.name, f"{record.artifact_bytes / 1024:,.0f}", f"{record.size_ratio:.3f}")
    if parity is None:
        return (*size, "not verified")
    flips = f"{parity.flips_to_positive}/{parity.flips_to_negative}"
    agreement = f"{parity.top1_agreement:.3f}"
    return (*size, parity.status, agreement, f"{parity.max_change:.2g}", flips, parity.evidence)


def _plots(folder: Path) -> list[tuple[str, str]]:
    return [(title, _data_uri((folder / name).read_bytes())) for name, title in _PLOTS if (folder / name).exists()]


def _data_uri(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _photos(folder: Path) -> list[str]:
    """Return thumbnails of the golden photos, as data URIs."""
    from PIL import Image

    uris = []
    for path in sorted(folder.iterdir())[:14]:
        with Image.open(path) as image:
            image.thumbnail((180, 135))
            file = io.BytesIO()
            image.convert("RGB").save(file, "JPEG", quality=80)
        uris.append(_data_uri(file.getvalue(), "image/jpeg"))
    return uris


def _trade_off(exports: tuple[Export, ...]) -> bytes:
    """Plot what each artifact weighs beside how often it agrees with the original; return a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    proved = [(e.path.name, e.record.size_ratio, e.record.parity) for e in reversed(exports) if e.record.parity]
    names = [name for name, _, _ in proved]
    colours = [_COLOURS[parity.status] for _, _, parity in proved]
    figure, (size, agreement) = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
    size.barh(names, [ratio for _, ratio, _ in proved], color="#8fa7bf")
    size.set(xlabel="artifact bytes / bytes of the Keras float32 weights")
    agreement.scatter([100 * parity.top1_agreement for _, _, parity in proved], names, color=colours, s=48, zorder=3)
    agreement.set(xlabel="top-1 agreement with the original, %")
    for axes in (size, agreement):
        axes.grid(axis="x", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=130)
    plt.close(figure)
    return file.getvalue()

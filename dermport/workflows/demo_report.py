"""The demo's report: one self-contained HTML page."""

from __future__ import annotations

import base64
import io
import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dermport.bundle.store import Export
    from dermport.workflows.demo import Demo

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
    from dermport.workflows.evaluate import saved_evaluation

    bundle = Bundle.open(demo.bundle)
    exports = bundle.exports()
    html = load_template(_TEMPLATE).render(
        demo=demo,
        manifest=bundle.manifest,
        doubt=saved_evaluation(bundle).report.doubt,
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

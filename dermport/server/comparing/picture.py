"""The two tensors of a photo side by side, with what sets them apart made visible."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from dermport.server.comparing.likeness import Tensor, difference

_GAP, _LINE, _LEAST = 8, 18, 256
_PAPER, _INK = (255, 255, 255), (20, 20, 20)


def difference_png(phone: Tensor, server: Tensor) -> bytes:
    """Return a PNG of three panels: the phone's tensor, the server's, and their amplified |difference|.

    The largest difference becomes white, so that the factor, which is written below, is 255 / max. The figures are in
    the PNG's own text fields as well: max_level, mean_level, pixels (share that differs), amplified.

    Args:
        phone: uint8 [S, S, 3].
        server: uint8 [S, S, 3].
    """
    found = difference(phone, server)
    factor = 255 / found.max_level if found.max_level else 1.0
    levels = np.abs(phone.astype(np.float32) - server) * factor
    panels = {
        "phone": phone,
        "server": server,
        f"|difference| x {factor:.1f}": np.rint(levels).astype(np.uint8),
    }
    below = f"max {found.max_level}, mean {found.mean_level:.2f} of 255 levels; {found.pixels:.1%} of the pixels differ"
    return _encoded(
        _sheet(panels, below),
        {
            "max_level": str(found.max_level),
            "mean_level": f"{found.mean_level:.4f}",
            "pixels": f"{found.pixels:.4f}",
            "amplified": f"{factor:.3f}",
        },
    )


def _sheet(panels: dict[str, Tensor], below: str) -> Image.Image:
    """Put panels, each with its name above, into one row, with a line of text below; small ones are enlarged."""
    side = len(next(iter(panels.values())))
    scale = -(-_LEAST // side)
    width = side * scale
    sheet = Image.new("RGB", (3 * width + 4 * _GAP, width + 2 * (_LINE + _GAP)), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default()
    for index, (name, tensor) in enumerate(panels.items()):
        left = _GAP + index * (width + _GAP)
        draw.text((left, 4), name, _INK, font)
        enlarged = Image.fromarray(tensor).resize((width, width), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (left, _LINE + _GAP // 2))
    draw.text((_GAP, width + _LINE + _GAP), below, _INK, font)
    return sheet


def _encoded(picture: Image.Image, texts: dict[str, str]) -> bytes:
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text)
    file = io.BytesIO()
    picture.save(file, "PNG", pnginfo=info)
    return file.getvalue()

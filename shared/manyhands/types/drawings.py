"""matplotlib: figures as the picture that they make. What a figure is made of can't be stored without pickling it."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import Any

from manyhands.errors import DamagedValue
from manyhands.extension_types import Extension
from manyhands.types import REGISTERED, Code

#: By what `rcParams["savefig.format"]` says; everything else is drawn as PNG.
_MIME_TYPES = {"png": "image/png", "svg": "image/svg+xml"}
#: matplotlib shares fonts and its parser of formulas between figures without a lock. Held while one is drawn, some
#: 50 to 500 ms.
_DRAWING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a figure looked like when it was committed; what a later event reads in its place."""

    #: A PNG or SVG file.
    data: bytes
    mime_type: str
    #: Width and height in inches.
    size: tuple[float, float]
    dpi: float


def draw(figure: Any) -> Drawing:
    """Draw a figure, in any thread: pyplot and the backend that the app has chosen stay as they are."""
    rc = import_module("matplotlib").rcParams
    form = "svg" if rc["savefig.format"] == "svg" else "png"
    dpi = figure.dpi if rc["savefig.dpi"] == "figure" else rc["savefig.dpi"]
    written = BytesIO()
    with _DRAWING:
        figure.savefig(written, format=form, dpi=dpi, backend="svg" if form == "svg" else "agg")
    width, height = figure.get_size_inches().tolist()
    return Drawing(written.getvalue(), _MIME_TYPES[form], (width, height), float(dpi))


def _pack(drawing: Drawing) -> object:
    return [drawing.data, drawing.mime_type, *drawing.size, drawing.dpi]


def _unpack(packed: Any) -> Drawing:
    data, mime_type, *numbers = packed
    are_numbers = len(numbers) == 3 and all(type(one) is float for one in numbers)
    if not isinstance(data, bytes) or mime_type not in _MIME_TYPES.values() or not are_numbers:
        raise DamagedValue("a figure without its picture")
    width, height, dpi = numbers
    return Drawing(data, mime_type, (width, height), dpi)


DRAWING = Extension(Code.DRAWING, _pack, _unpack, lambda drawing: drawing.data)
FIGURE = Extension(Code.DRAWING, lambda figure: _pack(draw(figure)), _unpack, lambda figure: draw(figure).data)
BY_CODE = {DRAWING.code: DRAWING}
REGISTERED[Drawing] = DRAWING


def find(value: object) -> Extension | None:
    """Find the extension of a value; None for axes and the like."""
    figures: Any = sys.modules.get("matplotlib.figure")
    return FIGURE if figures and type(value) is figures.Figure else None

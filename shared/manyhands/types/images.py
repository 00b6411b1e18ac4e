"""Pillow: images as PNG where that loses nothing, else as their raw bytes."""

from __future__ import annotations

from importlib import import_module
from io import BytesIO
from typing import Any

from manyhands import codec
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.extension_types import Extension
from manyhands.types import Code

Image: Any = import_module("PIL.Image")

#: Modes that PNG gives back as they were. The palette of `P` is stored beside it.
_AS_PNG = frozenset({"1", "L", "LA", "RGB", "RGBA", "P"})
_AS_RAW = frozenset({"I", "F", "I;16", "CMYK", "YCbCr", "HSV", "LAB", "PA", "La", "RGBa", "RGBX"})
#: Pixels up to which an image is stored as PNG: decoders refuse what says it is larger.
_MOST_PIXELS = 80_000_000
#: zlib's level. A higher one makes photographs hardly smaller and takes several times as long.
_LEVEL = 1


def _png(image: Any) -> bytes:
    written = BytesIO()
    image.save(written, "PNG", compress_level=_LEVEL)
    return written.getvalue()


def _indices(image: Any) -> Any:
    """Give the pixels of an image with a palette as shades of grey; another image without what is known of it."""
    return Image.frombytes("L" if image.mode == "P" else image.mode, image.size, image.tobytes())


def _pack(image: Any) -> object:
    if image.mode not in _AS_PNG | _AS_RAW:
        raise NotSerialisable((), f"an image of mode {image.mode}", "use `.convert('RGBA')`")
    palette = None
    if image.mode in ("P", "PA"):
        image.load()
        palette = [image.palette.mode, bytes(image.getpalette(image.palette.mode))]
    width, height = image.size
    as_png = image.mode in _AS_PNG and 0 < width * height <= _MOST_PIXELS
    data = _png(_indices(image)) if as_png else image.tobytes()
    return [image.mode, [width, height], _plain_info(image.info), palette, "png" if as_png else "raw", data]


def _plain_info(info: dict[Any, Any]) -> dict[str, Any]:
    """Give of what a file said beside its pixels all that can be stored."""
    plain = {}
    for key, value in info.items():
        try:
            codec.encode({codec.checked_key(key, ()): value})
        except NotSerialisable:
            continue
        plain[key] = value
    return plain


def _unpack(packed: Any) -> Any:
    mode, (width, height), info, palette, form, data = packed
    if mode not in _AS_PNG | _AS_RAW or type(width) is not int or type(height) is not int or min(width, height) < 0:
        raise DamagedValue(f"an image of mode {mode!r:.20} and {width!r:.20} × {height!r:.20} pixels")
    image = _from_png(mode, (width, height), data) if form == "png" else _from_raw(mode, (width, height), data)
    if palette:
        image.putpalette(palette[1], palette[0])
    image.info = dict(info)
    return image


def _from_png(mode: str, size: tuple[int, int], data: bytes) -> Any:
    opened = Image.open(BytesIO(data), formats=["PNG"])
    # Known from the file's head: nothing of its pixels has been read.
    if opened.size != size or size[0] * size[1] > _MOST_PIXELS or opened.mode != ("L" if mode == "P" else mode):
        raise DamagedValue("an image is not what its head says")
    return Image.frombytes(mode, size, opened.tobytes())


def _from_raw(mode: str, size: tuple[int, int], data: bytes) -> Any:
    # Every mode takes a byte a pixel at least, but for black and white.
    if len(data) * (8 if mode == "1" else 1) < size[0] * size[1]:
        raise DamagedValue("an image has too few bytes")
    return Image.frombytes(mode, size, data)


#: What browsers get of the modes that PNG does not know. The three of more than 8 bits lose all that is beyond white.
_SHOWN_AS = {"I": "L", "F": "L", "I;16": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA"}


def _view(image: Any) -> object:
    if not all(image.size):
        return None
    if image.mode in _AS_PNG:
        shown = image.convert("RGBA") if "transparency" in image.info else image.copy()
    else:
        shown = image.convert(_SHOWN_AS.get(image.mode, "RGB"))
    # Else the encoder would follow what a file of another format said.
    shown.info = {}
    return _png(shown)


IMAGE = Extension(Code.IMAGE, _pack, _unpack, _view)
BY_CODE = {IMAGE.code: IMAGE}


def find(value: object) -> Extension | None:
    """Find the extension of a value. An image that was opened from a file comes back as a plain image."""
    return IMAGE if isinstance(value, Image.Image) else None

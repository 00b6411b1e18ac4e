"""A camera whose pictures are looked at by Pillow: an effect, and what there is to be measured.

A page sends its picture as the bytes of a PNG file. It may as well send anything else, so nothing is taken for a
picture before Pillow has read it, and nothing is decoded that would take a lot of memory.
"""

import io

from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

import manyhands as mh

#: Of a camera, 4,096 × 2,160 at most. A file of a few bytes may claim to have thousands of millions of them.
MOST_PIXELS = 9_000_000
#: What Pillow raises for files that are damaged, or made to be.
DAMAGED = (OSError, SyntaxError, ValueError, AssertionError, Image.DecompressionBombError)
#: What is computed with, and shown.
WIDTH, HEIGHT = 640, 480
SHADES = ("black", "darker", "dark", "less dark", "less light", "light", "lighter", "white")

EFFECTS = {
    "edges": lambda image: ImageOps.invert(image.convert("L").filter(ImageFilter.FIND_EDGES)),
    "grey": lambda image: image.convert("L"),
    "few colours": lambda image: ImageOps.posterize(image, 2),
    "inside out": ImageChops.invert,
}

mh.init_state({
    "effects": list(EFFECTS),
    "effect": "edges",
    "taken": 0,
    "problem": "",
    "shown": None,
    "size": "",
    "brightness": 0.0,
    "colour": "#000000",
    "shades": {},
    "_picture": None,
})


@mh.computed("taken", "effect")
def description(state):
    """What the shown picture is, for those who can't see it."""
    return f"picture {state['taken']}, {state['effect']}"


def take(state, payload):
    """Look at a picture of the camera's: `payload` is the bytes of a PNG file, or whatever else somebody sends."""
    image = _open(payload)
    if image is None:
        state["problem"] = "That was no picture that can be read. Take another one."
        return
    width, height = image.size
    image.thumbnail((WIDTH, HEIGHT))
    # A handler of a later event may have it; browsers don't get it back.
    state["_picture"] = image
    state["taken"] += 1
    state["problem"], state["size"] = "", f"{width} × {height}, {len(payload) / 1024:,.0f} KiB"
    _measure(state, image)
    _show(state)


def choose(state, payload):
    """Choose an effect, also for the picture that is shown."""
    if payload in state["effects"]:
        state["effect"] = payload
        _show(state)


def _open(data):
    """Decode a picture; None where there is none, or one that is too large."""
    if not isinstance(data, bytes):
        return None
    try:
        # Reads the head alone.
        image = Image.open(io.BytesIO(data), formats=["PNG"])
        if image.width * image.height > MOST_PIXELS:
            return None
        return image.convert("RGB")
    except DAMAGED:
        return None


def _measure(state, image):
    grey = image.convert("L")
    counts = grey.histogram()
    parts = [sum(counts[first : first + 32]) for first in range(0, 256, 32)]
    state["shades"] = {name: part / sum(parts) for name, part in zip(SHADES, parts, strict=True)}
    state["brightness"] = ImageStat.Stat(grey).mean[0] / 255
    state["colour"] = "#" + "".join(f"{round(mean):02x}" for mean in ImageStat.Stat(image).mean)


def _show(state):
    if state["_picture"] is not None:
        state["shown"] = EFFECTS[state["effect"]](state["_picture"])

"""Tests of this app, as you may write them for yours: `pytest examples/webcam`."""

import io
from pathlib import Path

import pytest
from PIL import Image

from manyhands.testing import TestApp


@pytest.fixture
def tab():
    with TestApp(Path(__file__).parent) as app:
        yield app.open()


def picture(size=(64, 48), colour="#204080", kind="PNG"):
    """The bytes of a picture of one colour."""
    written = io.BytesIO()
    Image.new("RGB", size, colour).save(written, kind)
    return written.getvalue()


def shown(tab):
    """What the page shows: an image is bytes to it."""
    return Image.open(io.BytesIO(tab.state["shown"]))


def test_a_picture_is_measured_and_shown(tab):
    tab.fire("take", picture(), check=True)
    assert tab.state["size"].startswith("64 × 48, ")
    assert tab.state["colour"] == "#204080"
    assert 0.2 < tab.state["brightness"] < 0.3
    assert tab.state["shades"]["darker"] == 1
    assert sum(tab.state["shades"].values()) == pytest.approx(1)
    assert shown(tab).size == (64, 48)


@pytest.mark.parametrize(
    ("effect", "pixel"), [("grey", 62), ("few colours", (0, 64, 128)), ("inside out", (223, 191, 127)), ("edges", 255)]
)
def test_an_effect_is_for_the_picture_that_was_taken(tab, effect, pixel):
    tab.fire("take", picture(), check=True)
    tab.fire("choose", effect, check=True)
    assert shown(tab).getpixel((20, 20)) == pixel
    assert tab.state["description"] == f"picture 1, {effect}"


def test_a_large_picture_is_made_smaller(tab):
    tab.fire("take", picture((1920, 1080)), check=True)
    assert tab.state["size"].startswith("1920 × 1080, ")
    assert shown(tab).size == (640, 360)


@pytest.mark.parametrize(
    "sent",
    [None, "a text", {"name": "me"}, b"", b"\x89PNG\r\n\x1a\n", picture()[:60], picture(kind="JPEG"),
     picture((4000, 4000))],
    ids=["nothing", "text", "dict", "no-bytes", "a-head-alone", "cut-off", "no-png", "too-many-pixels"],
)  # fmt: skip
def test_what_is_no_picture_leaves_the_last_one(tab, sent):
    tab.fire("take", picture(), check=True)
    before = tab.state["shown"]
    tab.fire("take", sent, check=True)
    assert tab.state["problem"]
    assert (tab.state["shown"], tab.state["taken"]) == (before, 1)
    tab.fire("take", picture(), check=True)
    assert (tab.state["problem"], tab.state["taken"]) == ("", 2)


@pytest.mark.parametrize("effect", ["blur", None, ["edges"], {"edges": 1}])
def test_an_effect_that_there_is_not_changes_nothing(tab, effect):
    tab.fire("choose", effect, check=True)
    assert tab.state["effect"] == "edges"

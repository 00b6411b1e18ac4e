"""An app that assigns tables, figures and images, for the tests of how pages draw them."""

import io
import math
from datetime import datetime

import altair as alt
import pandas as pd
import plotly.graph_objects as go
from matplotlib.figure import Figure
from PIL import Image

import manyhands as mh

PEOPLE = pd.DataFrame({
    "name": [f"Person {number:04}" for number in range(10_000)],
    "born": pd.date_range("1950-01-01", periods=10_000, freq="D"),
    "size": [150 + number * 37 % 50 + 0.1 + 0.2 for number in range(10_000)],
    "left": [None if number % 3 else float(number) for number in range(10_000)],
})  # fmt: skip

mh.init_state({
    "people": mh.table_page(PEOPLE, size=25), "small": None, "plot": None, "chart": None, "drawing": None,
    "image": None, "progress": None, "asked": None,
})  # fmt: skip


def show(state, payload):
    """Show the page that was asked for."""
    state["asked"] = payload
    state["people"] = mh.table_page(PEOPLE, **payload)


def small(state, payload):
    """Show a whole table, or whatever else is given."""
    tables = {
        "frame": pd.DataFrame({"a": [1, 2], "at": [datetime(2024, 2, 29, 12, 30), None]}),
        "long": pd.DataFrame({"n": range(1500)}),
        "dicts": [{"id": "x", "n": 1}, {"id": "y", "n": math.nan, "more": {"a": 1}}],
        "turned": [{"id": "y", "n": 2}, {"id": "x", "n": 1}],
    }  # fmt: skip
    state["small"] = tables[payload] if isinstance(payload, str) else payload


def plot(state, payload):
    """Show a bar for each number, of plotly; in the page's colours unless another template is named."""
    figure = go.Figure(go.Bar(x=list(range(len(payload["bars"]))), y=payload["bars"]))
    figure.update_layout(template=payload.get("template", "none"), height=300, title="Bars", dragmode="zoom")
    state["plot"] = figure


def chart(state, payload):
    """Show the same, of altair."""
    frame = pd.DataFrame({"n": range(len(payload)), "bar": payload})
    state["chart"] = alt.Chart(frame, width="container", height=200).mark_bar().encode(x="n:O", y="bar:Q")


def drawing(state, payload):
    """Show the same, of matplotlib, on a ground of noise: a large picture comes over HTTP."""
    figure = Figure(figsize=(3, 2), dpi=payload["dpi"])
    axes = figure.subplots()
    axes.imshow(Image.effect_noise((100, 100), 100), extent=(-1, 3, 0, 3))
    axes.bar(range(len(payload["bars"])), payload["bars"])
    state["drawing"] = figure


def image(state, payload):
    """Show an image in one of the ways in which an app may have one."""
    red = Image.new("RGB", (payload.get("width", 7), 5), "red")
    written = io.BytesIO()
    red.save(written, "PNG")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="5"><script>parent.ran = 1</script></svg>'
    state["image"] = {
        "pillow": red,
        "bytes": written.getvalue(),
        "file": mh.pack_bytes(written.getvalue(), "image/png"),
        "svg": svg,
        "url": "javascript:window.ran=1",
        "none": None,
        "text": b"not an image",
        "noise": Image.effect_noise((200, 200), 100),
    }[payload["as"]]  # fmt: skip


def progress(state, payload):
    """Show how far something is; None: nobody knows."""
    state["progress"] = payload


def draw(state):
    """Draw one of each, for pages in which no test can fire with a payload."""
    plot(state, {"bars": [1, 2, 3]})
    chart(state, [1, 2, 3])
    drawing(state, {"bars": [1, 2, 3], "dpi": 100})
    image(state, {"as": "bytes"})

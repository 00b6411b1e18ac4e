"""Figures of matplotlib, plotly and altair: what is stored of them, what comes back, what browsers get."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import altair as alt
import matplotlib as mpl
import msgpack
import numpy as np
import pandas as pd
import plotly.express as px
import plotly.graph_objects as go
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from matplotlib.figure import Figure
from PIL import Image
from plotly.subplots import make_subplots
from test_codec import only_simple
from test_library_values import came_back, extension

from manyhands import codec
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.types import Code
from manyhands.types.drawings import Drawing, draw

FRAME = pd.DataFrame({"a": [1, 2, 2], "b": ["x", "y", None], "_c": [1.5, float("nan"), 3]})


# --- matplotlib ---


def a_figure(number: float = 3) -> Any:
    figure = Figure(figsize=(2, 1), dpi=50, layout="constrained")
    axes = figure.add_subplot()
    axes.plot([1, 2, number])
    axes.set_title(r"$\alpha^2$ and text")
    return figure


def pixels(data: bytes) -> bytes:
    opened: Any = Image.open(BytesIO(data), formats=["PNG"])
    return bytes(opened.tobytes())


def test_a_matplotlib_figure_comes_back_as_the_picture_that_browsers_get() -> None:
    field = codec.encode_with_view([{"a": a_figure()}])
    back = codec.decode(field)[0]["a"]
    assert isinstance(back, Drawing)
    assert (back.mime_type, back.size, back.dpi) == ("image/png", (2, 1), 50)
    assert Image.open(BytesIO(back.data)).size == (100, 50)
    assert msgpack.unpackb(codec.view_part(field)) == [{"a": back.data}]


def test_a_drawing_is_stored_again_as_it_is() -> None:
    drawing = came_back(a_figure())
    assert came_back(drawing) == drawing
    assert codec.view(drawing) == drawing.data


def test_a_figure_is_drawn_once_for_what_is_stored_and_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    figure, drawn = a_figure(), []
    monkeypatch.setattr(figure, "savefig", lambda *a, **kw: (drawn.append(1), Figure.savefig(figure, *a, **kw)))
    codec.encode_with_view([figure])
    assert len(drawn) == 1


def test_a_figure_is_drawn_as_svg_where_the_app_says_so() -> None:
    with mpl.rc_context({"savefig.format": "svg"}):
        drawing = draw(a_figure())
    assert drawing.mime_type == "image/svg+xml"
    assert drawing.data.startswith(b"<?xml")
    assert b"<svg" in drawing.data


def test_figures_are_drawn_in_many_threads_at_once_and_leave_pyplot_alone() -> None:
    alone = [pixels(draw(a_figure(number)).data) for number in range(4)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda number: pixels(draw(a_figure(number % 4)).data), range(32)))
    assert together == alone * 8
    code = """
import sys
from matplotlib.figure import Figure
from manyhands import codec
codec.encode_with_view(Figure())
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_stored_drawing_is_read_without_matplotlib() -> None:
    code = """
import sys
from manyhands import codec
print(codec.decode(sys.stdin.buffer.read()).mime_type)
assert "matplotlib" not in sys.modules
"""
    stored = codec.encode(a_figure())
    done = subprocess.run([sys.executable, "-c", code], input=stored, capture_output=True, timeout=60, check=False)
    assert done.stdout.strip() == b"image/png", done.stderr


# --- plotly ---


def a_grid() -> Any:
    figure = make_subplots(rows=1, cols=2, specs=[[{"type": "xy"}, {"type": "domain"}]])
    figure.add_trace(go.Scatter(x=np.arange(3), y=["a", "b", None]), row=1, col=1)
    figure.add_trace(go.Pie(values=[1, 2], labels=["a", "b"]), row=1, col=2)
    return figure


FIGURES = {
    "empty": go.Figure(),
    "without a template": go.Figure(go.Scatter(y=[1, 2]), layout={"template": "none"}),
    "grid": a_grid(),
    "times": go.Figure(go.Scatter(x=pd.date_range("2024-01-01", periods=2, tz="UTC"), y=(1, None))),
    "animated": px.scatter(FRAME, x="a", y="_c", color="b", hover_data=["b"], animation_frame="a"),
    "map": px.choropleth(locations=["DEU"], color=[1]),
    "image": px.imshow(np.arange(6, dtype="uint8").reshape(2, 3)),
    "polars": px.bar(pl.DataFrame({"x": [1, 2], "y": ["a", "b"]}), x="x", y="y"),
}


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_a_plotly_figure_comes_back_equal_and_is_shown_as_its_specification(figure: Any) -> None:
    back = came_back(figure)
    assert type(back) is go.Figure
    assert back == figure
    assert json.loads(back.to_json()) == json.loads(figure.to_json())
    assert codec.view(figure) == json.loads(figure.to_json())
    assert only_simple(codec.view(figure))


ARRAYS = npst.arrays(
    st.sampled_from(["f8", "f4", "i8", "i4", "u1", "M8[ns]", "M8[s]", "?"]), st.integers(0, 4).map(lambda n: (n,))
)
ITEMS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text("abü\n", max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ARRAYS, ARRAYS | st.lists(ITEMS, max_size=4), st.lists(st.dictionaries(st.text("ab", max_size=2), ITEMS)))
def test_a_plotly_figure_of_any_arrays_comes_back_with_them(x: Any, y: Any, custom: Any) -> None:
    figure = go.Figure(go.Scatter(x=x, y=y, customdata=custom, meta={"_hidden": 1}))
    trace, own = came_back(figure).data[0], figure.data[0]
    assert type(trace.x) is type(own.x)
    assert trace.x.dtype == own.x.dtype
    assert np.array_equal(trace.x, own.x, equal_nan=own.x.dtype.kind in "fM")
    assert repr(trace.y) == repr(own.y)
    assert repr(trace.customdata) == repr(own.customdata)
    assert only_simple(codec.view(figure))
    assert codec.view(figure)["data"][0]["meta"] == {}


def test_a_grid_of_plots_can_be_added_to_after_it_came_back() -> None:
    back = came_back(a_grid())
    back.add_trace(go.Bar(y=[1]), row=1, col=1)
    assert [type(one).__name__ for one in back.data] == ["Scatter", "Pie", "Bar"]
    assert type(back.data[0].x) is np.ndarray


# --- altair ---


def a_chart(data: Any = FRAME) -> Any:
    brush = alt.selection_interval(encodings=["x"], name="brush")
    least = alt.param(value=1, bind=alt.binding_range(min=0, max=3), name="least")
    bars = alt.Chart(data).mark_bar(tooltip=True)
    coloured = bars.encode(
        x="a:Q", y=alt.Y("b:N").sort("-x"), color=alt.when(brush).then("b:N").otherwise(alt.value("grey"))
    )
    return coloured.add_params(brush, least).transform_filter(alt.datum.a > least).properties(width=100)


def a_text(data: Any = FRAME) -> Any:
    return alt.Chart(data).mark_text(dx=3).encode(text=alt.Text("b", type="nominal"))


CHARTS = {
    "Chart": a_chart(),
    "LayerChart": a_chart() + a_text(),
    "HConcatChart": a_text() | a_text("data.csv"),
    "VConcatChart": a_text() & a_text(),
    "ConcatChart": alt.concat(a_text(), a_text(), columns=1),
    "FacetChart": a_text().facet("b:N"),
    "RepeatChart": a_text().encode(x=alt.X(alt.repeat("column"), type="quantitative")).repeat(column=["a", "b"]),
}


@pytest.mark.parametrize("name", CHARTS)
def test_an_altair_chart_comes_back_of_its_class_and_is_shown_as_its_specification(name: str) -> None:
    chart: Any = CHARTS[name]
    back = came_back(chart)
    assert type(back) is type(chart)
    assert type(back).__name__ == name
    assert back.to_dict() == chart.to_dict()
    shown = codec.view(chart)
    assert only_simple(shown)
    assert "_c" not in repr(shown)


@pytest.mark.parametrize("data", ["data.csv", alt.Data(values=[{"a": 1, "b": "x"}]), alt.sequence(3)], ids=repr)
def test_a_chart_without_frames_is_equal_to_what_comes_back(data: Any) -> None:
    assert came_back(a_chart(data)) == a_chart(data)


def test_a_chart_comes_back_with_its_frame_and_can_be_gone_on_with() -> None:
    back = came_back(a_chart())
    pd.testing.assert_frame_equal(back.data, FRAME)
    assert back.properties(height=50).to_dict()["height"] == 50
    assert came_back(a_chart(pl.from_pandas(FRAME))).data.equals(pl.from_pandas(FRAME))


VALUES = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text("abü", max_size=3)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.fixed_dictionaries({"a": VALUES, "b": VALUES}), max_size=3), st.sampled_from(["a", "b"]), st.data())
def test_charts_of_any_values_and_in_any_order_come_back(rows: list[Any], field: str, drawn: Any) -> None:
    chart: Any = alt.Chart(alt.Data(values=rows)).mark_point().encode(x=alt.X(field, type="nominal"))
    for _ in range(drawn.draw(st.integers(0, 3))):
        join = drawn.draw(st.sampled_from([alt.hconcat, alt.vconcat, alt.layer, alt.concat]))
        chart = join(chart, chart) if join is not alt.layer or type(chart) is alt.Chart else chart
    back = came_back(chart)
    assert type(back) is type(chart)
    assert back == chart
    assert back.to_dict() == chart.to_dict()


# --- what can't be stored ---


@pytest.mark.parametrize(
    ("value", "says", "cure"),
    [
        (a_text(pd.DataFrame({"b": range(5001)})), "an altair Chart with too many rows", "disable_max_rows"),
        (go.Scatter(y=[1]), "a value of type plotly.", "plain data"),
        (go.Figure(go.Scatter(customdata=[{1: 2}])), "a dict with the key 1", "keys of dicts are strings"),
        (go.Figure(layout={"meta": object()}), "a value of type object", "plain data"),
        (alt.X("a"), "a value of type altair.", "plain data"),
        (a_text(pd.DataFrame({"b": [object()]})), "a DataFrame whose column 'b' holds a value of type", "plain data"),
        (Figure().add_subplot(), "a value of type matplotlib.", "plain data"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value[:20],
)
def test_a_figure_that_cannot_be_stored_is_named_with_its_path_and_a_cure(value: Any, says: str, cure: str) -> None:
    with pytest.raises(NotSerialisable) as caught:
        codec.encode_with_view(value, ("a", "b"))
    assert str(caught.value).startswith('state["a"]["b"] holds ' + says)
    assert cure in caught.value.cure


# --- hostile and damaged values ---


def chart_of(**parts: Any) -> bytes:
    return extension(Code.ALTAIR, {f"\0{name}": part for name, part in parts.items()})


@pytest.mark.parametrize(
    "stored",
    [
        extension(Code.DRAWING, ["text", "image/png", 1.0, 1.0, 1.0]),
        extension(Code.DRAWING, [b"<script>", "text/html", 1.0, 1.0, 1.0]),
        extension(Code.DRAWING, [b"", "image/png", "1", 1.0, 1.0]),
        extension(Code.DRAWING, [b"", "image/png"]),
        extension(Code.PLOTLY, []),
        extension(Code.PLOTLY, [[], [], [], None, None]),
        extension(Code.PLOTLY, [[{"type": "__class__"}], {}, [], None, None]),
        extension(Code.PLOTLY, [[{"type": "scatter", "__class__": "Popen"}], {}, [], None, None]),
        extension(Code.PLOTLY, [[], {"evil": 1}, [], None, None]),
        extension(Code.PLOTLY, [[], {"template": "/etc/passwd"}, [], None, None]),
        extension(Code.PLOTLY, [[], {}, [], None, [[[["xy"]]]]]),
        extension(Code.PLOTLY, [[{"type": "bar", "y": {"\0shape": [2**62], "\0items": []}}], {}, [], None, None]),
        extension(Code.PLOTLY, [[{"type": "bar", "y": {"\0shape": [-1, 0], "\0items": []}}], {}, [], None, None]),
        chart_of(**{"class": "Popen", "set": {}}),
        chart_of(**{"class": "sys", "set": {}}),
        chart_of(**{"class": "expr.Popen", "set": {}}),
        chart_of(**{"class": "os.system", "set": {}}),
        chart_of(**{"class": "load_schema", "set": {}}),
        chart_of(**{"class": "Undefined", "set": {}}),
        chart_of(**{"class": "X", "set": {}}),
        chart_of(**{"class": "Chart", "set": []}),
        chart_of(**{"class": "Chart", "set": {1: 2}, "args": 3}),
        chart_of(**{"class": 3}),
        extension(Code.ALTAIR, {"mark": "bar"}),
    ],
    ids=repr,
)
def test_a_hostile_figure_is_refused_by_name(stored: bytes) -> None:
    with pytest.raises(DamagedValue):
        codec.decode(stored)


STORED = [codec.encode(one) for one in (draw(a_figure()), *FIGURES.values(), *CHARTS.values())]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(STORED), st.data())
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_figure_is_decoded_or_refused_by_name(stored: bytes, data: st.DataObject) -> None:
    damaged = bytearray(stored)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(DamagedValue):
        codec.decode(bytes(damaged[: data.draw(st.integers(len(damaged) // 2, len(damaged)))]))

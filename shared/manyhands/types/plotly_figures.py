"""plotly: figures as the properties that were set, arrays as arrays; browsers get what plotly.js takes."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from manyhands import codec
from manyhands.errors import DamagedValue
from manyhands.extension_types import Extension
from manyhands.types import Code

np: Any = import_module("numpy")
go: Any = import_module("plotly.graph_objects")

#: The key of a dict that stands for an array of objects, which holds most often text: its shape, beside its items.
_SHAPE, _ITEMS = "\0shape", "\0items"


def _pack(figure: Any) -> object:
    # Of each part alone: that of the whole figure has numbers of other dtypes in place of its arrays.
    parts = [[one.to_plotly_json() for one in figure.data], figure.layout.to_plotly_json(),
             [one.to_plotly_json() for one in figure.frames]]  # fmt: skip
    content = _plain([*parts, figure._grid_str, _pack_grid(figure._grid_ref)])
    codec.check_value(content, ())
    return content


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    if type(value) is np.ndarray and value.dtype == object:
        return {_SHAPE: list(value.shape), _ITEMS: _plain(value.ravel().tolist())}
    return value


def _restore(value: Any) -> Any:
    if type(value) in (list, tuple):
        return type(value)(map(_restore, value))
    if not isinstance(value, dict):
        return value
    if _SHAPE not in value:
        return {key: _restore(item) for key, item in value.items()}
    items = _restore(value[_ITEMS])
    array = np.empty(len(items), object)
    array[:] = items
    return array.reshape(value[_SHAPE])


def _pack_grid(grid: Any) -> object:
    """Describe which axes `make_subplots` has put where; named tuples as plain ones."""
    return grid and [[cell and [list(one) for one in cell] for cell in row] for row in grid]


def _unpack_grid(packed: Any) -> Any:
    refer = import_module("plotly._subplots").SubplotRef
    return packed and [[cell and tuple(refer(*one) for one in cell) for cell in row] for row in packed]


def _unpack(packed: Any) -> Any:
    data, layout, frames, *grid = _restore(packed)
    if not isinstance(data, list) or not isinstance(layout, dict) or not isinstance(frames, list) or len(grid) != 2:
        raise DamagedValue("a plotly figure without data and layout")
    # plotly checks every property by its name, and refuses those it does not know.
    figure = go.Figure({"data": data, "layout": layout, "frames": frames})
    if "template" not in layout:
        # It would be of the template that is the default now.
        figure.layout.template = None
    for own, stored in zip([figure._layout, *figure._data], [layout, *data], strict=True):
        _put_back_empty(own, stored)
    figure._grid_str, figure._grid_ref = grid[0], _unpack_grid(grid[1])
    return figure


def _put_back_empty(own: dict[str, Any], stored: dict[str, Any]) -> None:
    """Set again what was set to an empty dict: plotly drops it, and finds the figures different."""
    for key, item in stored.items():
        if type(item) is dict:
            _put_back_empty(own.setdefault(key, {}), item)


def _view(figure: Any) -> object:
    return json.loads(figure.to_json(validate=False))


FIGURE = Extension(Code.PLOTLY, _pack, _unpack, _view)
BY_CODE = {FIGURE.code: FIGURE}


def find(value: object) -> Extension | None:
    """Find the extension of a value; None for a FigureWidget, which belongs to a notebook, and for parts of figures."""
    return FIGURE if type(value) is go.Figure else None

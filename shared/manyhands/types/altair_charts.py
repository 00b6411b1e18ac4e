"""altair: charts as the tree of its objects, data frames as frames; browsers get the Vega-Lite specification."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from importlib import import_module
from typing import Any

from manyhands import codec
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.extension_types import Extension
from manyhands.types import Code

alt: Any = import_module("altair")
_Schema: Any = import_module("altair.utils.schemapi").SchemaBase
#: As `altair.vegalite.v6`, which names of classes go without, so that another version finds them.
_PACKAGE = alt.Chart.__module__.rpartition(".")[0]
#: Where a class is that `altair` itself does not have.
_MODULES = {
    "core": f"{_PACKAGE}.schema.core",
    "mixins": f"{_PACKAGE}.schema.mixins",
    "expr": "altair.expr.core",
}

#: The keys of a dict that stands for an object: of its class, its arguments, its attributes, and those undefined.
_CLASS, _ARGS, _SET, _UNDEFINED = "\0class", "\0args", "\0set", "\0undefined"


def _name(cls: Any) -> Any:
    if vars(alt).get(cls.__name__) is cls:
        return cls.__name__
    for short, module in _MODULES.items():
        if cls.__module__ == module:
            return f"{short}.{cls.__name__}"
    raise NotSerialisable((), f"an altair chart with a {cls.__qualname__}", "use altair's own classes")


def _find_class(name: Any) -> type:
    short, _, own = name.rpartition(".")
    module = sys.modules.get(_MODULES[short]) if short else alt
    found = vars(module).get(own)
    if not isinstance(found, type) or not issubclass(found, (_Schema, alt.Parameter)):
        raise DamagedValue(f"altair has no class {name!r:.60}")
    return found


@cache
def _undefined_at_first(cls: Any) -> tuple[str, ...]:
    """List what a new object has undefined: nearly everything, so that it need not be stored."""
    parameters = inspect.signature(cls).parameters.values()
    return tuple(one.name for one in parameters if one.default is alt.Undefined)


def _pack(chart: Any) -> object:
    content = _pack_part(chart)
    codec.check_value(content, ())
    return content


def _pack_part(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pack_part(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_pack_part, value))
    if isinstance(value, _Schema):
        return _pack_object(value, value._args, value._kwds)
    if isinstance(value, alt.Parameter):
        return _pack_object(value, (), vars(value))
    return value


def _pack_object(value: Any, args: Any, attributes: dict[str, Any]) -> dict[str, Any]:
    cls: Any = type(value)
    undefined = [name for name, item in attributes.items() if item is alt.Undefined]
    packed = {
        _CLASS: _name(cls),
        _SET: {name: _pack_part(item) for name, item in attributes.items() if item is not alt.Undefined},
    }
    if args:
        packed[_ARGS] = _pack_part(list(args))
    if set(undefined) != set(_undefined_at_first(cls)) - set(attributes).difference(undefined):
        packed[_UNDEFINED] = undefined
    return packed


def _unpack(packed: Any) -> Any:
    chart = _unpack_part(packed)
    if not isinstance(chart, alt.TopLevelMixin):
        raise DamagedValue("an altair chart that is none")
    return chart


def _unpack_part(packed: Any) -> Any:
    if type(packed) in (list, tuple):
        return type(packed)(map(_unpack_part, packed))
    if not isinstance(packed, dict):
        return packed
    if _CLASS not in packed:
        return {key: _unpack_part(item) for key, item in packed.items()}
    cls: Any = _find_class(packed[_CLASS])
    undefined = packed.get(_UNDEFINED, _undefined_at_first(cls))
    attributes = dict.fromkeys(undefined, alt.Undefined) | _unpack_part(packed[_SET])
    value = cls.__new__(cls)
    if issubclass(cls, _Schema):
        attributes = {"_args": tuple(_unpack_part(packed.get(_ARGS, []))), "_kwds": attributes}
    # No constructor is called, and no `__setattr__`, which would take them for properties of the chart.
    value.__dict__.update(attributes)
    return value


def _view(chart: Any) -> object:
    try:
        return chart.to_dict()
    except alt.MaxRowsError as error:
        cure = (
            "browsers get each row; aggregate the data before, give the chart a URL, or allow more with "
            "`alt.data_transformers.disable_max_rows()` in the module that makes it"
        )
        raise NotSerialisable((), f"an altair {type(chart).__name__} with too many rows", cure) from error


CHART = Extension(Code.ALTAIR, _pack, _unpack, _view)
BY_CODE = {CHART.code: CHART}


def find(value: object) -> Extension | None:
    """Find the extension of a value; None for parts of charts."""
    return CHART if isinstance(value, alt.TopLevelMixin) and isinstance(value, _Schema) else None

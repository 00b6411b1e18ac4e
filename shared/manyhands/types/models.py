"""pydantic models, by the class's module and name: rebuilt without calling a validator, constructor or hook."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from manyhands import codec
from manyhands.copies import still
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.extension_types import Extension, find_class, pack_class
from manyhands.types import Code

pydantic: Any = import_module("pydantic")
_UNDEFINED: Any = import_module("pydantic_core").PydanticUndefined


def _pack(value: Any) -> object:
    cls = type(value)
    packed_class = pack_class(cls)
    try:
        found: object = find_class(*packed_class)
    except DamagedValue:
        found = None
    if found is not cls:
        cure = "the class must be found in its module by its name"
        raise NotSerialisable((), f"a model of class {cls.__module__}.{cls.__qualname__}", cure)
    fields = {name: item for name, item in list(value.__dict__.items()) if name in cls.model_fields}
    private = value.__pydantic_private__ or {}
    private = {name: item for name, item in private.items() if item is not _UNDEFINED}
    content = still([fields, value.__pydantic_extra__, sorted(value.__pydantic_fields_set__), private])
    codec.check_value(content, ())
    return [*packed_class, *content]


def _unpack(packed: Any) -> object:
    module, name, stored, extra, fields_set, private = packed
    cls: Any = find_class(module, name)
    if not issubclass(cls, pydantic.BaseModel):
        raise DamagedValue(f"{module}.{name} is not a pydantic model")
    fields = {}
    for key, field in cls.model_fields.items():
        if key in stored:
            fields[key] = stored[key]
        elif not field.is_required():
            fields[key] = field.get_default(call_default_factory=True)
    known = cls.__private_attributes__
    privates = {key: item.get_default() for key, item in known.items()}
    privates |= {key: item for key, item in private.items() if key in known}
    value: object = cls.__new__(cls)
    object.__setattr__(value, "__dict__", fields)
    object.__setattr__(value, "__pydantic_extra__", extra)
    object.__setattr__(value, "__pydantic_fields_set__", set(fields_set) & {*fields, *(extra or ())})
    object.__setattr__(value, "__pydantic_private__", privates if known else None)
    return value


def _view(value: Any) -> object:
    fields = {name: item for name, item in value.__dict__.items() if name in type(value).model_fields}
    return {**fields, **(value.__pydantic_extra__ or {})}


MODEL = Extension(Code.MODEL, _pack, _unpack, _view)
BY_CODE = {MODEL.code: MODEL}


def find(_: object) -> Extension:
    """Find the extension of a value, which is known to be a model."""
    return MODEL

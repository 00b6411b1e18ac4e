"""Types that an app has taught us with `register_type`: packed and unpacked by functions of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from manyhands import codec
from manyhands.copies import still
from manyhands.errors import AppError, DamagedValue
from manyhands.extension_types import EXTENSIONS, Extension, pack_class
from manyhands.types import REGISTERED, Code

_T = TypeVar("_T")
#: What msgpack knows itself, and so never asks about; `int` is among `EXTENSIONS`.
_BUILT_IN = frozenset({type(None), bool, float, str, bytes, list, dict, *EXTENSIONS})
#: By module and name, as they are stored.
_UNPACKERS: dict[tuple[str, str], Callable[[Any], object]] = {}


def register_type(
    cls: type[_T],
    *,
    pack: Callable[[_T], object],
    unpack: Callable[[Any], _T],
    view: Callable[[_T], object] | None = None,
) -> None:
    """Let values of a class, and of no subclass, be stored.

    `pack` gives something that can be stored, of which `unpack` makes an equal value; `view` gives something that has
    a view, without it browsers get what `pack` gives. Registering a class again replaces what was registered, which
    is what a reload does. Raises `AppError` for what is no class, for a type that needs none, and for a class that
    nobody would find again.
    """
    if not isinstance(cls, type):
        raise AppError(f"register_type got {cls!r}; expected a class, such as `type(value)`")
    if cls in _BUILT_IN or issubclass(cls, Mapping):
        raise AppError(f"register_type got {cls.__name__}, which is stored already; expected a class of your own")
    if "<locals>" in cls.__qualname__:
        raise AppError(f"register_type got {cls.__qualname__}, defined inside a function; define it in a module")
    module, name = pack_class(cls)

    def pack_checked(value: _T) -> object:
        content = still(pack(value))
        codec.check_value(content, ())
        return [module, name, content]

    REGISTERED[cls] = Extension(Code.REGISTERED, pack_checked, _unpack, view or pack)
    _UNPACKERS[module, name] = unpack


def _unpack(packed: Any) -> object:
    module, name, content = packed
    unpack = _UNPACKERS.get((module, name))
    if unpack is None:
        raise DamagedValue(f"the app has not registered the type {module}.{name}")
    return unpack(content)


#: For reading alone: what a class is packed and shown as is found by the class.
BY_CODE = {Code.REGISTERED: Extension(Code.REGISTERED, list, _unpack, list)}

"""The Python types that msgpack does not know, as extension types: how each is packed, unpacked and shown.

Classes of the app (Enum members, dataclasses) are stored by module and name, and rebuilt only if the app has already
loaded them: reading never imports anything and never calls a constructor that the stored bytes could choose.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack

from manyhands import types
from manyhands.copies import still
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.packing import array_header
from manyhands.wire import MAX_NESTING

#: Types with one natural order.
_ORDERED = frozenset({int, float, str, bytes})
#: Extension types within each other up to which `unpackb` is used, which is quicker but takes 40 KB of the thread's
#: stack for each: 200 of them end the process.
_ON_STACK = 8


class _Packed(bytes):
    """The content of an extension, packed already."""


class Extension(NamedTuple):
    """One type: its code on the wire of the store, and its three conversions."""

    code: int
    #: To something that is itself storable, or to its bytes as `_Packed`.
    pack: Callable[[Any], object]
    unpack: Callable[[Any], object]
    #: To something that has a view.
    view: Callable[[Any], object]


def pack_zone(zone: tzinfo | None) -> object:
    """Describe a time zone. Raises `NotSerialisable`."""
    if zone is None:
        return None
    if zone is UTC:
        return "UTC"
    if isinstance(zone, ZoneInfo) and zone.key:
        # As text it would be taken for the UTC of `datetime`.
        return [zone.key] if zone.key == "UTC" else zone.key
    if type(zone) is timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        named = [name] if name != timezone(offset).tzname(None) else []
        return [offset.days, offset.seconds, offset.microseconds, *named]
    raise NotSerialisable((), f"a time zone of type {_name(type(zone))}", "use zoneinfo.ZoneInfo or datetime.timezone")


def unpack_zone(packed: Any) -> tzinfo | None:
    """Make a time zone; a name is looked up among those of the system and of tzdata."""
    if packed is None:
        return None
    if packed == "UTC":
        return UTC
    if isinstance(packed, str):
        return ZoneInfo(packed)
    if len(packed) == 1:
        return ZoneInfo(packed[0])
    return timezone(timedelta(*packed[:3]), *packed[3:])


def _pack_datetime(value: datetime) -> object:
    return [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, pack_zone(value.tzinfo)]


def _unpack_datetime(packed: Any) -> datetime:
    text, fold, zone = packed
    return datetime.fromisoformat(text).replace(fold=fold, tzinfo=unpack_zone(zone))


def _pack_time(value: time) -> object:
    return [value.replace(tzinfo=None, fold=0).isoformat(), value.fold, pack_zone(value.tzinfo)]


def _unpack_time(packed: Any) -> time:
    text, fold, zone = packed
    return time.fromisoformat(text).replace(fold=fold, tzinfo=unpack_zone(zone))


def _pack_dataclass(value: Any) -> object:
    content = {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if hasattr(value, one.name)}
    return [*pack_class(type(value)), still(content)]


def _unpack_dataclass(packed: Any) -> object:
    module, name, content = packed
    cls = find_class(module, name)
    if not dataclasses.is_dataclass(cls):
        raise DamagedValue(f"{module}.{name} is not a dataclass")
    known = {one.name for one in dataclasses.fields(cls)}
    value = object.__new__(cls)
    for key, item in content.items():
        if key in known:
            object.__setattr__(value, key, item)
    return value


def _view_dataclass(value: Any) -> object:
    return {one.name: getattr(value, one.name) for one in dataclasses.fields(value) if hasattr(value, one.name)}


def _unpack_enum(packed: Any) -> object:
    module, name, member = packed
    cls = find_class(module, name)
    if not issubclass(cls, Enum):
        raise DamagedValue(f"{module}.{name} is not an Enum")
    try:
        return cls[member] if isinstance(member, str) else cls(member[0])
    except (KeyError, ValueError) as error:
        raise DamagedValue(f"{module}.{name} has no member {member!r}") from error


def _pack_enum(value: Enum) -> object:
    # A combination of flags has no name of its own.
    named = value.name if value.name in type(value).__members__ else [value.value]
    return [*pack_class(type(value)), named]


def pack_class(cls: type) -> list[str]:
    """Give a class's module and name. Raises `NotSerialisable` for one that nobody finds by them."""
    if "<locals>" in cls.__qualname__:
        raise NotSerialisable((), f"a {_name(cls)} whose class is defined inside a function", "define it in a module")
    return [cls.__module__, cls.__qualname__]


def find_class(module: str, name: str) -> type:
    """Find a class that the app has loaded. Raises `DamagedValue`."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        # Not `getattr`: a module may have a `__getattr__` that imports what it is asked for.
        found = getattr(found, "__dict__", {}).get(part)
    if not isinstance(found, type):
        raise DamagedValue(f"the app has no class {module}.{name} any more")
    return found


def _in_order(values: Collection[Any]) -> list[Any]:
    # A set of strings has another order in every process: equal sets are to be stored and shown alike, so that the
    # hash of an app's defaults is the same in all its workers. Where values might not compare, their bytes do.
    return sorted(values, key=None if _compare(values) else pack_item)


def _pack_set(values: Collection[Any]) -> object:
    if _compare(values):
        return sorted(values)
    # Each value is packed once: twice at every level would be 2^30 times for sets within 30 others.
    return join_packed(*sorted(map(pack_item, values)))


def _compare(values: Collection[Any]) -> bool:
    kinds = set(map(type, values))
    return len(kinds) == 1 and kinds <= _ORDERED


def _big(packed: Any) -> int:
    return int.from_bytes(packed, "big", signed=True)


def _pack_big(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _view_big(value: int) -> str:
    try:
        return str(value)
    except ValueError as error:
        cure = f"browsers get its decimal digits, and Python writes at most {sys.get_int_max_str_digits()}"
        raise NotSerialisable((), f"a whole number of {value.bit_length()} bits", cure) from error


#: By exact type. Codes are stored for ever: never reuse one.
EXTENSIONS: dict[type, Extension] = {
    tuple: Extension(1, list, tuple, list),
    set: Extension(2, _pack_set, set, _in_order),
    frozenset: Extension(3, _pack_set, frozenset, _in_order),
    int: Extension(4, _pack_big, _big, _view_big),
    datetime: Extension(5, _pack_datetime, _unpack_datetime, datetime.isoformat),
    date: Extension(6, date.isoformat, date.fromisoformat, date.isoformat),
    time: Extension(7, _pack_time, _unpack_time, time.isoformat),
    timedelta: Extension(
        8, lambda d: [d.days, d.seconds, d.microseconds], lambda p: timedelta(*p), timedelta.total_seconds
    ),
    Decimal: Extension(9, str, Decimal, str),
    UUID: Extension(10, lambda u: u.bytes, lambda b: UUID(bytes=b), str),
}
ENUM = Extension(11, _pack_enum, _unpack_enum, lambda member: member.value)
DATACLASS = Extension(12, _pack_dataclass, _unpack_dataclass, _view_dataclass)
BY_CODE = {one.code: one for one in (*EXTENSIONS.values(), ENUM, DATACLASS)}


def find_extension(value: object) -> Extension:
    """Find the extension of a value. Raises `NotSerialisable` with an empty path for a type that has none."""
    found = EXTENSIONS.get(type(value)) or types.REGISTERED.get(type(value))
    if found:
        return found
    if isinstance(value, Enum):
        return ENUM
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return DATACLASS
    of_library: Extension | None = types.find(value)
    if of_library:
        return of_library
    cure = "assign plain data such as numbers, text, lists and dicts instead"
    raise NotSerialisable((), f"a value of type {_name(type(value))}", cure)


def pack_extension(value: object) -> object:
    """Pack what msgpack can't; msgpack's `default`."""
    if isinstance(value, Mapping) and not dataclasses.is_dataclass(value):
        return dict(plain_dict(value).items())
    extension = find_extension(value)
    content = extension.pack(value)
    return msgpack.ExtType(extension.code, content if type(content) is _Packed else pack_item(content))


def join_packed(*items: bytes) -> bytes:
    """Make the content of an extension, a list, of items that are encoded already."""
    return _Packed(array_header(len(items)) + b"".join(items))


def pack_item(content: object) -> Any:
    """Encode something that is storable."""
    return msgpack.packb(content, default=pack_extension, strict_types=True)


def unpack_extension(code: int, data: bytes, depth: int = 1) -> object:
    """Unpack an extension; msgpack's `ext_hook`. Raises `DamagedValue` for an unknown code, and within too many."""
    extension = BY_CODE.get(code) or types.find_code(code)
    if extension is None:
        raise DamagedValue(f"extension type {code} is unknown to this version")
    if depth > MAX_NESTING:
        raise DamagedValue(f"extension types are nested too deeply; at most {MAX_NESTING} levels")
    hook = partial(unpack_extension, depth=depth + 1)
    if depth <= _ON_STACK:
        return extension.unpack(msgpack.unpackb(data, ext_hook=hook, strict_map_key=False))
    unpacker = msgpack.Unpacker(max_buffer_size=len(data), ext_hook=hook, strict_map_key=False)
    unpacker.feed(data)
    content = unpacker.unpack()
    if unpacker.tell() != len(data):
        raise DamagedValue("more bytes follow a value")
    return extension.unpack(content)


def view_extension(value: object) -> object:
    """Show a value of an extension type as something simpler."""
    return find_extension(value).view(value)


def plain_dict(value: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """Give a mapping back; a part of the state as the plain dicts it holds, also after its event was cancelled."""
    plain: Any = getattr(value, "__manyhands_plain__", None)
    return value if plain is None else plain()


def _name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"

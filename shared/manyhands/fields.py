"""A session's state as fields, one per leaf path: what a write changes, and how defaults show through.

A field holds a leaf's stored value, or one of two markers:

    DICT  here is a dict that was assigned; the defaults at and below this path no longer apply. Behind the marker
          stand the keys it was assigned with, in their order
    CUT   nothing is here; the defaults at and below this path no longer apply

What no field says comes from the app's defaults, which are fields of the same form. Two invariants hold of a
session's fields: nothing lies below a leaf or a CUT, and above every field lies, at each level, a DICT or, with
nothing but defaults above, a dict of the defaults.

`apply` is the meaning of a write. `commit.lua` does the same inside Redis; both are tested against one model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from enum import StrEnum
from typing import Any

import msgpack

from manyhands import codec
from manyhands.copies import too_deep
from manyhands.errors import DamagedValue
from manyhands.extension_types import plain_dict
from manyhands.paths import Path, decode_names, decode_path, encode_path, segment
from manyhands.wire import MAX_NESTING

DICT = b"\xc1D"
CUT = b"\xc1X"


class Op(StrEnum):
    """The kinds of writes, in an op `(kind, field, value)`.

    Behind `LEAF`, `LEAF_OVER_DICT` and `DICT` may stand a number: how many of the levels above, from the top, are
    dicts of the defaults. A missing level below these becomes a DICT of its own. That happens when a detached run
    writes below a dict which another event has deleted meanwhile.
    """

    #: A leaf where the defaults have no dict.
    LEAF = "L"
    #: A leaf where the defaults have a dict, so that fields may lie below without a DICT here.
    LEAF_OVER_DICT = "T"
    #: A dict is assigned, the value being its marker; its content follows as `BELOW`.
    DICT = "D"
    #: A field below a dict assigned just before.
    BELOW = "B"
    #: A deletion where the defaults have nothing.
    DELETE = "U"
    #: A deletion where the defaults have something.
    CUT = "C"


class Stored(bytes):
    """A leaf as it is stored, not yet decoded. A class of its own, since an app's values may be bytes."""

    __slots__ = ()


class Whole:
    """A dict that is one value: a leaf, though it is a dict."""

    __slots__ = ("content",)

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content


def kind_of(value: object) -> str:
    """Name the type of a leaf, for errors."""
    return "dict" if type(value) is Whole else type(value).__name__


#: Nested dicts whose leaves are `Stored`.
Tree = dict[str, Any]


def is_dict(value: bytes | None) -> bool:
    """Tell whether a field's value marks a dict."""
    return value is not None and value[:2] == DICT


def count_dicts_above(path: Path, fields: Mapping[bytes, bytes]) -> int:
    """Count the levels above a path, from the top, that are dicts in some fields."""
    for level in range(1, len(path)):
        if not is_dict(fields.get(encode_path(path[:level]))):
            return level - 1
    return len(path) - 1


def encode_marker(value: Mapping[str, Any], path: Path = ()) -> bytes:
    """Encode the marker of a dict, with the order of its keys. Raises `NotSerialisable`, which names `path`."""
    return DICT + b"".join(segment(codec.checked_key(key, path)) for key in list(value))


def ancestors(field: bytes) -> Iterator[bytes]:
    """Give the encoded paths above a field, the topmost first, without the root."""
    path = decode_path(field)
    for length in range(1, len(path)):
        yield encode_path(path[:length])


def apply(fields: MutableMapping[bytes, bytes], ops: Iterable[tuple[str, bytes, bytes]]) -> None:
    """Write to a session's fields."""
    for tagged, field, value in ops:
        kind, dicts_above = tagged[:1], tagged[1:]
        if kind == Op.BELOW:
            fields[field] = value
            continue
        before = fields.get(field)
        if is_dict(before) or (before is None and kind != Op.LEAF):
            for below in [one for one in fields if len(one) > len(field) and one.startswith(field)]:
                del fields[below]
        if kind in (Op.DELETE, Op.CUT):
            _delete(fields, field, cut=kind == Op.CUT)
            continue
        _make_dicts_above(fields, field, int(dicts_above) if dicts_above else None)
        fields[field] = value


def _make_dicts_above(fields: MutableMapping[bytes, bytes], field: bytes, dicts_above: int | None) -> None:
    cut = False
    for level, above in enumerate(ancestors(field)):
        there = fields.get(above)
        in_defaults = not cut and (dicts_above is None or level < dicts_above)
        if not is_dict(there) and not (there is None and in_defaults):
            fields[above] = DICT
        cut = cut or above in fields


def _delete(fields: MutableMapping[bytes, bytes], field: bytes, *, cut: bool) -> None:
    if cut and not any(above in fields for above in ancestors(field)):
        fields[field] = CUT
    else:
        fields.pop(field, None)


def encode_tree(values: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Encode nested dicts, such as an app's defaults, as fields. Raises `NotSerialisable`."""
    return dict(_encode_below((), values))


def _encode_below(path: Path, values: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    if len(path) > MAX_NESTING:
        raise too_deep(path, values)
    # All at once: the app may go on changing a dict that it has assigned.
    for key, value in list(values.items()):
        here = (*path, codec.checked_key(key, path))
        if isinstance(value, Mapping):
            value = plain_dict(value)
            yield encode_path(here), encode_marker(value, here)
            yield from _encode_below(here, value)
        else:
            yield encode_path(here), _encode_leaf(value, here)


def _encode_leaf(value: object, path: Path) -> bytes:
    # A leaf that was never read is stored as it came, its view included.
    if type(value) is Stored:
        return value
    return codec.encode_with_view(value.content if type(value) is Whole else value, path)


def encode_assignment(
    path: Path, value: object, *, over_dict: bool, dicts_above: int | None = None
) -> list[tuple[str, bytes, bytes]]:
    """Encode `state[path] = value` as ops. Raises `NotSerialisable`.

    `over_dict`: the defaults have a dict at the path. `dicts_above`: how many levels above it are dicts of the
    defaults; None where all that the session does not hold are.
    """
    if len(path) > MAX_NESTING:
        raise too_deep(path, value)
    for position, name in enumerate(path):
        codec.checked_key(name, path[:position])
    tag = "" if dicts_above is None or len(path) == 1 else str(dicts_above)
    if isinstance(value, Mapping):
        value = plain_dict(value)
        below = [(Op.BELOW.value, field, stored) for field, stored in _encode_below(path, value)]
        return [(Op.DICT.value + tag, encode_path(path), encode_marker(value, path)), *below]
    kind = Op.LEAF_OVER_DICT if over_dict else Op.LEAF
    return [(kind.value + tag, encode_path(path), _encode_leaf(value, path))]


def build_tree(defaults: Mapping[bytes, bytes], fields: Mapping[bytes, bytes]) -> Tree:
    """Lay a session's fields over the defaults. Costs what is there; decodes no value. Raises `DamagedValue`."""
    tree: Tree = {}
    ordered: list[Tree] = []
    for layer in (defaults, fields):
        # Sorted, so that a dict comes before what lies in it, whatever order the store gave them in.
        for field in sorted(layer):
            _place(tree, decode_path(field), layer[field], ordered)
    for node in ordered:
        for name in [name for name, value in node.items() if value is None]:
            del node[name]
    return tree


def _place(tree: Tree, path: Path, value: bytes, ordered: list[Tree]) -> None:
    if not path:
        raise DamagedValue("a field has no name")
    node = tree
    for name in path[:-1]:
        below = node.get(name)
        if type(below) is not dict:
            below = node[name] = {}
        node = below
    if value == CUT:
        node.pop(path[-1], None)
    elif is_dict(value):
        # Each key holds its place in the order until its own field, if it still has one, is placed.
        below = node[path[-1]] = dict.fromkeys(decode_names(value[len(DICT) :]))
        ordered.append(below)
    else:
        node[path[-1]] = Stored(value)


def dicts_between(fields: Mapping[bytes, bytes], defaults: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Give markers of the dicts in which fields lie though nothing says that they are there.

    Other defaults said so, which the session had when it wrote.
    """
    above = {one for field in fields for one in ancestors(field)}
    return {one: DICT for one in above if one not in fields and not is_dict(defaults.get(one))}


def encode_public(tree: Tree) -> bytes:
    """Encode what browsers may see of a tree, by joining the views that are stored: nothing is decoded."""
    parts: list[bytes] = []
    _join(tree, parts, msgpack.Packer())
    return b"".join(parts)


def encode_whole(tree: Tree) -> bytes:
    """Encode all of a tree for the studio, its private keys too."""
    parts: list[bytes] = []
    _join(tree, parts, msgpack.Packer(), private=True)
    return b"".join(parts)


def _join(tree: Tree, parts: list[bytes], packer: Any, *, private: bool = False) -> None:
    shown = [name for name in tree if private or name[:1] != "_"]
    parts.append(packer.pack_map_header(len(shown)))
    for name in shown:
        parts.append(segment(name))
        value = tree[name]
        if type(value) is dict:
            _join(value, parts, packer, private=private)
        else:
            parts.append(codec.view_part(value))

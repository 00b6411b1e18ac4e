"""What a run has assigned, encoded: the writes for the store and what browsers are told of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from manyhands import codec
from manyhands.errors import DamagedValue, NotSerialisable, Unavailable
from manyhands.fields import Op, build_tree, count_dicts_above, encode_assignment, encode_public, is_dict, kind_of
from manyhands.mutations import Mutation
from manyhands.paths import Path, decode_path, encode_path, is_public
from manyhands.references import Content, is_large

#: How often a value is encoded again that its handler changed in the meantime.
ENCODING_ATTEMPTS = 20
#: What Python says of a dict, set or deque that grows while it is iterated over.
_GREW = re.compile(r"(?:changed(?: size)?|mutated) during iteration")


@dataclass(slots=True)
class Changes:
    """The encoded mutations of one commit."""

    ops: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    set_views: list[tuple[Path, bytes]] = field(default_factory=list)
    unset: list[Path] = field(default_factory=list)
    #: What large fields among them refer to: to be written before the commit.
    contents: list[Content] = field(default_factory=list)
    #: What the page is asked for.
    mail: list[bytes] = field(default_factory=list)
    #: Assignments that were dropped, since their value can't be stored.
    errors: list[NotSerialisable] = field(default_factory=list)

    def add(self, later: Changes) -> None:
        """Take in what was assigned later."""
        self.ops += later.ops
        self.set_views += later.set_views
        self.unset += later.unset
        self.contents += later.contents
        self.mail += later.mail
        self.errors += later.errors

    @property
    def is_visible(self) -> bool:
        """Whether browsers see any of it."""
        return bool(self.set_views or self.unset or self.mail)


#: Makes what stands for a large field in the state, and its content.
Refer = Callable[[bytes], tuple[bytes, Content]]


def encode_changes(
    mutations: Sequence[Mutation], defaults: Mapping[bytes, bytes], *,
    any_defaults: bool, refer: Refer | None = None, max_value: int = 2**63,
) -> Changes:  # fmt: skip
    """Encode mutations. `any_defaults`: the defaults may have changed since the session began, so assume the worst.

    Without `refer`, large fields stay as they are. `max_value`: bytes of one assignment, above which it is dropped.
    """
    changes = Changes()
    for mutation in mutations:
        try:
            in_defaults = any_defaults or encode_path(mutation.path) in defaults
            dicts_above = count_dicts_above(mutation.path, defaults)
            _encode(changes, mutation, in_defaults, dicts_above, refer=refer, max_value=max_value)
        except NotSerialisable as error:
            changes.errors.append(error)
        except Unavailable:
            # Nothing is wrong with the value.
            raise
        except DamagedValue as error:
            cure = "assign something else there"
            changes.errors.append(NotSerialisable(mutation.path, f"a value that can't be read ({error})", cure))
        except UnicodeEncodeError:
            cure = "a key must be valid Unicode, without lone surrogates"
            changes.errors.append(NotSerialisable(mutation.path[:-1], f"the key {mutation.path[-1]!r}", cure))
        except Exception as error:  # noqa: BLE001 - values of the app's classes may raise anything while encoded
            kind = f"a value that raised {type(error).__name__} while it was stored ({error})"
            changes.errors.append(NotSerialisable(mutation.path, kind, "assign plain data instead"))
    return changes


def _encode(
    changes: Changes, mutation: Mutation, in_defaults: bool, dicts_above: int, *, refer: Refer | None, max_value: int
) -> None:  # fmt: skip
    path = mutation.path
    if mutation.deleted:
        changes.ops.append(((Op.CUT if in_defaults else Op.DELETE).value, encode_path(path), b""))
        if is_public(path):
            changes.unset.append(path)
        return
    ops = _encode_stable(path, mutation.value, in_defaults, dicts_above)
    contents: list[Content] = []
    for at, (kind, below, value) in enumerate(ops):
        if refer is not None and is_large(value):
            reference, content = refer(value)
            ops[at] = (kind, below, reference)
            contents.append(content)
    size = sum(len(one.data) for one in contents) or sum(len(value) for _, _, value in ops)
    if size > max_value:
        cure = f"assign at most {show_size(max_value)} at once, or set MANYHANDS_MAX_VALUE"
        raise NotSerialisable(path, f"a {kind_of(mutation.value)} of {show_size(size)}", cure)
    changes.ops += ops
    changes.contents += contents
    if is_public(path):
        changes.set_views.append((path, _view_of(ops)))


def show_size(size: int) -> str:
    """Write a size for people."""
    return f"{size / 2**20:.3g} MiB" if size >= 2**20 else f"{size / 2**10:.3g} KiB"


def _encode_stable(path: Path, value: Any, in_defaults: bool, dicts_above: int) -> list[tuple[str, bytes, bytes]]:
    # The handler runs on while a partial update is encoded, and may grow a dict or list under our hands.
    for _ in range(ENCODING_ATTEMPTS):
        try:
            return encode_assignment(path, value, over_dict=in_defaults, dicts_above=dicts_above)
        except RuntimeError as error:
            # One of another kind is raised by a function of the app's, and would be raised again.
            if not _GREW.search(str(error)):
                raise
    cure = "it kept changing while it was stored; assign a copy, or change it less often"
    raise NotSerialisable(path, f"a {kind_of(value)} that never stood still", cure)


def _view_of(ops: Sequence[tuple[str, bytes, bytes]]) -> bytes:
    if not is_dict(ops[0][2]):
        return codec.view_part(ops[0][2])
    tree: Any = build_tree({}, {stored: value for _, stored, value in ops})
    for name in decode_path(ops[0][1]):
        tree = tree[name]
    return encode_public(tree)

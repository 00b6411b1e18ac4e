"""What a run has assigned, encoded: the writes for the store and what browsers are told of them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from manyhands import codec
from manyhands.errors import DamagedValue, NotSerialisable
from manyhands.fields import Op, build_tree, count_dicts_above, encode_assignment, encode_public, is_dict
from manyhands.mutations import Mutation
from manyhands.paths import Path, decode_path, encode_path, is_public

#: How often a value is encoded again that its handler changed in the meantime.
ENCODING_ATTEMPTS = 20
#: Bytes of one assignment, encoded. Redis closes the connection on a value over 512 MiB, and long before that every
#: event of the session would be slow.
MAX_VALUE = 64 * 2**20


@dataclass(slots=True)
class Changes:
    """The encoded mutations of one commit."""

    ops: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    set_views: list[tuple[Path, bytes]] = field(default_factory=list)
    unset: list[Path] = field(default_factory=list)
    #: Assignments that were dropped, since their value can't be stored.
    errors: list[NotSerialisable] = field(default_factory=list)

    @property
    def is_visible(self) -> bool:
        """Whether browsers see any of it."""
        return bool(self.set_views or self.unset)


def encode_changes(mutations: Sequence[Mutation], defaults: Mapping[bytes, bytes], *, any_defaults: bool) -> Changes:
    """Encode mutations. `any_defaults`: the defaults may have changed since the session began, so assume the worst."""
    changes = Changes()
    for mutation in mutations:
        try:
            in_defaults = any_defaults or encode_path(mutation.path) in defaults
            _encode(changes, mutation, in_defaults, count_dicts_above(mutation.path, defaults))
        except NotSerialisable as error:
            changes.errors.append(error)
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


def _encode(changes: Changes, mutation: Mutation, in_defaults: bool, dicts_above: int) -> None:
    path = mutation.path
    if mutation.deleted:
        changes.ops.append(((Op.CUT if in_defaults else Op.DELETE).value, encode_path(path), b""))
        if is_public(path):
            changes.unset.append(path)
        return
    ops = _encode_stable(path, mutation.value, in_defaults, dicts_above)
    size = sum(len(value) for _, _, value in ops)
    if size > MAX_VALUE:
        cure = f"assign at most {MAX_VALUE >> 20} MiB at once"
        raise NotSerialisable(path, f"a {type(mutation.value).__name__} of {size >> 20} MiB", cure)
    changes.ops += ops
    if is_public(path):
        changes.set_views.append((path, _view_of(ops)))


def _encode_stable(path: Path, value: Any, in_defaults: bool, dicts_above: int) -> list[tuple[str, bytes, bytes]]:
    # The handler runs on while a partial update is encoded, and may grow a dict or list under our hands.
    for _ in range(ENCODING_ATTEMPTS):
        with contextlib.suppress(RuntimeError):
            return encode_assignment(path, value, over_dict=in_defaults, dicts_above=dicts_above)
    cure = "it kept changing while it was stored; assign a copy, or change it less often"
    raise NotSerialisable(path, f"a {type(value).__name__} that never stood still", cure)


def _view_of(ops: Sequence[tuple[str, bytes, bytes]]) -> bytes:
    if not is_dict(ops[0][2]):
        return codec.view_part(ops[0][2])
    tree: Any = build_tree({}, {stored: value for _, stored, value in ops})
    for name in decode_path(ops[0][1]):
        tree = tree[name]
    return encode_public(tree)

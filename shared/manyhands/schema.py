"""What the classes derived from `State` declare: names, types, and what a new session begins with.

A schema is made once per class, when `init_state` is given it. It decides of every assignment to a declared name
whether the value is allowed, and how it lies in the state:

    a class derived from State    nested dicts with a schema of their own, one path per leaf
    dict, Mapping, TypedDict      a dict that is one value: one path, read and assigned whole
    anything else                 a value like any other
"""

from __future__ import annotations

import enum
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin, get_type_hints, is_typeddict

from manyhands.errors import AppError, SchemaViolation
from manyhands.fields import Whole
from manyhands.paths import Path
from manyhands.state_values import Handle, check_keys

#: Stands for a declared name without a default.
NOTHING: Any = object()
#: Characters of a value that an error shows.
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Field:
    """One declared name."""

    name: str
    annotation: Any
    #: The schema of the dict that it is; None for a value.
    below: Schema | None = None
    #: A dict assigned to it is one value.
    is_whole: bool = False
    default: Any = NOTHING
    #: Classes of which a value needs no further look.
    exact: frozenset[type] = frozenset()

    @property
    def is_optional(self) -> bool:
        """Whether None may stand in place of the dict."""
        return type(None) in _alternatives(self.annotation)


@dataclass(slots=True, eq=False)
class Schema:
    """What one class declares."""

    kind: type[Handle]
    fields: dict[str, Field] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The class's name."""
        return self.kind.__name__

    def all(self) -> list[Schema]:
        """List this schema and all that lie in it, each once."""
        found = {id(self): self}
        waiting = [self]
        while waiting:
            below = [one.below for one in waiting.pop().fields.values() if one.below and id(one.below) not in found]
            found |= {id(one): one for one in below}
            waiting += below
        return list(found.values())

    def with_defaults(self, given: Mapping[str, Any], above: tuple[Schema, ...] = ()) -> dict[str, Any]:
        """Lay what `init_state` was given over what the class bodies say. Raises `AppError` for an endless schema."""
        if self in above:
            inner = f"declare the inner one as {self.name} | None"
            raise AppError(f"a {self.name} holds another {self.name} without end; {inner}")
        above = (*above, self)
        values: dict[str, Any] = {}
        for one in self.fields.values():
            value = given.get(one.name, one.default)
            if one.below and isinstance(value, Mapping):
                value = one.below.with_defaults(value, () if one.name in given else above)
            elif one.below and value is NOTHING and not one.is_optional:
                value = one.below.with_defaults({}, above)
            if value is not NOTHING:
                values[one.name] = value
        return {**values, **{name: value for name, value in given.items() if name not in values}}

    def checked(self, name: str, value: Any, above: Callable[[], Path]) -> Any:
        """Give a value as it is to lie in the state. `above`: where the dict lies that it is assigned in.

        Raises `SchemaViolation`, which names the field.
        """
        declared = self.fields.get(name)
        return value if declared is None else self._checked(declared, value, above)

    def checked_dict(self, values: Mapping[str, Any], path: Path) -> dict[str, Any]:
        """Give a dict of this schema as it is to lie in the state: a copy, so that nothing passes unchecked later."""
        check_keys(values, path)
        return {name: self.checked(name, value, lambda: path) for name, value in values.items()}

    def _checked(self, declared: Field, value: Any, above: Callable[[], Path]) -> Any:
        if declared.below is not None:
            if value is None and declared.is_optional:
                return None
            if not isinstance(value, Mapping):
                raise self._violation(declared, value, above())
            return declared.below.checked_dict(plain(value), (*above(), declared.name))
        if type(value) in declared.exact:
            return value
        value = plain(value)
        is_one_value = declared.is_whole and isinstance(value, Mapping)
        if is_one_value:
            check_keys(value, (*above(), declared.name))
        if problem := _mismatch(value, declared.annotation):
            raise self._violation(declared, value, above(), problem)
        if is_one_value:
            return Whole(value if type(value) is dict else dict(value))
        return value

    def _violation(self, declared: Field, value: Any, above: Path, problem: str = "") -> SchemaViolation:
        got = describe(value)
        if problem and not isinstance(declared.annotation, type):
            got += f" ({problem})"
        return SchemaViolation((*above, declared.name), self.name, show_annotation(declared.annotation), got)


def plain(value: Any) -> Any:
    """Give a part of the state as plain dicts, anything else as it is."""
    return value.__manyhands_plain__() if isinstance(value, Handle) else value


def make_schema(kind: type[Handle], defaults: Callable[[type[Handle], str], Any]) -> Schema:
    """Read the annotations of a class and of those that it names. `defaults` gives what a class body says of a name.

    Raises `AppError` for an annotation that can't be resolved, or that no value can be stored by.
    """
    known: dict[type[Handle], Schema] = {}

    def made(one: type[Handle]) -> Schema:
        if one in known:
            return known[one]
        schema = known[one] = Schema(one)
        for name, annotation in _hints(one).items():
            below = _schema_class(annotation, f"{one.__name__}.{name}")
            schema.fields[name] = Field(
                name,
                annotation,
                made(below) if below else None,
                _mentions_dict(annotation),
                defaults(one, name),
                _exact(annotation),
            )
        return schema

    return made(kind)


def declared_names(kind: type) -> list[str]:
    """List the names that a class's own body annotates, in their order."""
    if sys.version_info >= (3, 14):
        import annotationlib

        raw = annotationlib.get_annotations(kind, format=annotationlib.Format.FORWARDREF)
    else:
        raw = inspect.get_annotations(kind)
    return [name for name, one in raw.items() if not _is_class_var(one)]


def describe(value: object) -> str:
    """Show a value with its type, in short."""
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001 - an app's values may raise anything when they are shown
        shown = "something"
    shown = shown if len(shown) <= SHOWN else f"{shown[: SHOWN - 3]}..."
    return f"{shown} ({type(value).__name__})"


def show_annotation(annotation: Any) -> str:
    """Write an annotation as it is written in code."""
    is_class = isinstance(annotation, type) and not get_args(annotation)
    return annotation.__name__ if is_class else str(annotation).replace("typing.", "")


def _hints(kind: type) -> dict[str, Any]:
    try:
        hints = get_type_hints(kind, include_extras=True)
    except Exception as error:
        raise AppError(
            f"the annotations of {kind.__name__} can't be resolved: {error}; "
            "what they name must be imported when the app runs, not for type checkers alone"
        ) from error
    return {name: one for name, one in hints.items() if not _is_class_var(one)}


def _is_class_var(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar", "t.ClassVar"))
    return annotation is ClassVar or get_origin(annotation) is ClassVar


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(one for part in get_args(annotation) for one in _alternatives(part))
    return (annotation,)


def _schema_class(annotation: Any, where: str) -> type[Handle] | None:
    alternatives = [one for one in _alternatives(annotation) if one is not type(None)]
    classes = [one for one in alternatives if isinstance(one, type) and issubclass(one, Handle)]
    if classes and len(alternatives) > 1:
        raise AppError(
            f"{where} is declared as {show_annotation(annotation)}; a part of the state has one schema, "
            "and None alone may stand in its place"
        )
    if not classes and any(_is_handle(one) for one in _parts(annotation)):
        raise AppError(
            f"{where} is declared as {show_annotation(annotation)}, but only a field itself can have a schema, "
            "not what lies in a list or dict; use dataclasses for those, or declare the field as mh.State"
        )
    return classes[0] if classes else None


def _is_handle(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Handle)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


def _mentions_dict(annotation: Any) -> bool:
    for one in _alternatives(annotation):
        origin = get_origin(one) or one
        if is_typeddict(origin) or (isinstance(origin, type) and issubclass(origin, Mapping)):
            return not issubclass(origin, Handle)
    return False


def _exact(annotation: Any) -> frozenset[type]:
    # What remains, such as `list[int]`, typed dicts and protocols, typeguard looks at.
    plain_classes = (one for one in _alternatives(annotation) if type(one) in (type, enum.EnumType))
    return frozenset(one for one in plain_classes if not issubclass(one, Mapping))


def _mismatch(value: Any, annotation: Any) -> str:
    """Say why a value is not of a type; empty where it is. Of a collection's items the first is looked at."""
    # Only apps with a schema need it, and importing it takes its time.
    from typeguard import ForwardRefPolicy, TypeCheckError, check_type

    try:
        check_type(value, annotation, forward_ref_policy=ForwardRefPolicy.IGNORE)
    except TypeCheckError as error:
        return str(error).partition("\n")[0].rstrip(":")
    return ""

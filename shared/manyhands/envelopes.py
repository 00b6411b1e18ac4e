"""Envelopes: what a browser may send, checked field by field, and what the gateway sends it besides updates.

Nothing here does I/O or knows of sockets. `parse` takes any decoded frame, however hostile, and either gives one of
three dataclasses or raises `BadFrame` with a text that names the field, what was expected and what came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from manyhands.abilities import PLAIN, Abilities
from manyhands.errors import BadFrame
from manyhands.letters import Context, Repeater
from manyhands.paths import is_public
from manyhands.trace_context import parse_traceparent
from manyhands.wire import MAX_NESTING, MAX_SAFE_INTEGER, Key, Rejection, Type

#: Characters of the id that a browser makes for a tab. It is stored with each of its events.
MAX_CLIENT = 64
#: Characters of a handler's name. The nearest name is sought for unknown ones, which costs the square of this.
MAX_HANDLER = 256
#: Rooms of which a browser may say what it has seen.
MAX_ROOMS = 1000
#: Characters of a wrong value that are shown in the answer.
SHOWN = 40

_NOWHERE = Context()


@dataclass(frozen=True, slots=True)
class Hello:
    """A browser wants to join its session, or to begin one where `session`, its token, is None."""

    client: str
    session: str | None = None
    #: The last update it has seen; None: it wants the whole state.
    seq: int | None = None
    abilities: Abilities = PLAIN
    #: The last update it has seen of each room that it follows.
    shared: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A browser wants a handler to run."""

    handler: str
    payload: Any = None
    context: Context = field(default_factory=Context)
    #: None: the store counts.
    n: int | None = None
    #: To which trace it belongs, as W3C's Trace Context spells it; None where the browser sent none, or nonsense.
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class CancelEvent:
    """A browser wants its event `n` to end."""

    n: int


Envelope = Hello | Event | CancelEvent


def parse(envelope: object) -> Envelope:
    """Check an envelope. Raises `BadFrame`, with the event's `n` where that could be read."""
    if not isinstance(envelope, dict):
        raise BadFrame(f"a frame holds a map, got {show(envelope)}")
    try:
        match envelope.get(Key.TYPE):
            case Type.HELLO:
                return _parse_hello(envelope)
            case Type.EVENT:
                return _parse_event(envelope)
            case Type.CANCEL:
                return CancelEvent(_number(envelope, Key.N, 1))
            case other:
                raise BadFrame(f"`type` is {Type.HELLO}, {Type.EVENT} or {Type.CANCEL}, got {show(other)}")
    except BadFrame as error:
        raise BadFrame(error.message, _readable_n(envelope)) from None


def _parse_hello(envelope: Mapping[Any, Any]) -> Hello:
    seq = None if envelope.get(Key.SEQ) is None else _number(envelope, Key.SEQ, 0)
    abilities = Abilities(_flag(envelope, Key.ARROW), _flag(envelope, Key.ADD))
    client, session = _text(envelope, Key.CLIENT, MAX_CLIENT), _optional_text(envelope, Key.SESSION)
    return Hello(client, session, seq, abilities, _parse_shared(envelope.get(Key.SHARED)))


def _flag(envelope: Mapping[Any, Any], key: Key) -> bool:
    flag = envelope.get(key)
    if flag is not None and not isinstance(flag, bool):
        raise BadFrame(f"`{key}` is true or false, got {show(flag)}")
    return bool(flag)


def _parse_shared(shared: object) -> Mapping[str, int]:
    if shared is None:
        return {}
    if not isinstance(shared, dict) or len(shared) > MAX_ROOMS:
        raise BadFrame(f"`{Key.SHARED}` is a map of at most {MAX_ROOMS} rooms, got {show(shared)}")
    # What is no room's name is the name of none that the session could have joined.
    return {name: _number(shared, name, 0) for name in shared}


def _parse_event(envelope: Mapping[Any, Any]) -> Event:
    n = None if envelope.get(Key.N) is None else _number(envelope, Key.N, 1)
    handler = _text(envelope, Key.HANDLER, MAX_HANDLER)
    traceparent = envelope.get(Key.TRACEPARENT)
    if traceparent is not None:
        traceparent = parse_traceparent(traceparent)
    return Event(handler, envelope.get(Key.PAYLOAD), _parse_context(envelope.get(Key.CONTEXT)), n, traceparent)


def _parse_context(context: object) -> Context:
    if context is None:
        return _NOWHERE
    if not isinstance(context, dict):
        raise BadFrame(f"`context` is a map, got {show(context)}")
    repeaters = context.get(Key.REPEATERS)
    if repeaters is None:
        repeaters = []
    if not isinstance(repeaters, list) or len(repeaters) > MAX_NESTING:
        raise BadFrame(f"`repeaters` is a list of at most {MAX_NESTING} maps, got {show(repeaters)}")
    event, target = _optional_text(context, Key.EVENT), _optional_text(context, Key.TARGET)
    return Context(event, target, tuple(_parse_repeater(one) for one in repeaters))


def _parse_repeater(repeater: object) -> Repeater:
    if not isinstance(repeater, dict):
        raise BadFrame(f"`repeaters` is a list of maps, got one with {show(repeater)}")
    path = repeater.get(Key.STATE)
    if not isinstance(path, list) or not path or not all(isinstance(name, str) for name in path):
        raise BadFrame(f"a repeater's `state` is a path, a list of strings, got {show(path)}")
    if not is_public(path):
        raise BadFrame(f"a repeater's `state` is a path that browsers may see, got {show(path)}")
    key = repeater.get(Key.REPEATER_KEY)
    if isinstance(key, bool) or not isinstance(key, (str, int)):
        raise BadFrame(f"a repeater's `key` is a string or a whole number, got {show(key)}")
    if not is_public((str(key),)):
        raise BadFrame(f"a repeater's `key` is one that browsers may see, got {show(key)}")
    names = (_optional_text(repeater, Key.KEY_VARIABLE), _optional_text(repeater, Key.VALUE_VARIABLE))
    plain = Repeater(tuple(path), str(key))
    return Repeater(plain.state, plain.key, names[0] or plain.key_variable, names[1] or plain.value_variable)


def _number(envelope: Mapping[Any, Any], key: str, least: int) -> int:
    value = envelope.get(key)
    if type(value) is not int or not least <= value <= MAX_SAFE_INTEGER:
        raise BadFrame(f"`{key}` is a whole number from {least} to 2^53-1, got {show(value)}")
    return value


def _text(envelope: Mapping[Any, Any], key: Key, longest: int) -> str:
    value = envelope.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        raise BadFrame(f"`{key}` is a string of 1 to {longest} characters, got {show(value)}")
    return value


def _optional_text(envelope: Mapping[Any, Any], key: Key) -> str | None:
    value = envelope.get(key)
    if value is not None and not isinstance(value, str):
        raise BadFrame(f"`{key}` is a string, got {show(value)}")
    return value


def _readable_n(envelope: Mapping[Any, Any]) -> int | None:
    try:
        return _number(envelope, Key.N, 1)
    except BadFrame:
        return None


def show(value: object) -> str:
    """Describe a wrong value briefly, whatever its size: its type, and its text where that is short to make."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value) if len(value) <= SHOWN else f"{value[:SHOWN]!r}… ({len(value)} characters)"
    if isinstance(value, (bool, float)) or (isinstance(value, int) and value.bit_length() <= 64):
        return f"{value!r} ({type(value).__name__})"
    names = {int: "a huge number", list: "a list", dict: "a map", bytes: "bytes"}
    return names.get(type(value), f"a {type(value).__name__}")


def welcome(token: str, *, resumed: bool, seq: int, n: int, pending: Sequence[int]) -> dict[str, Any]:
    """Answer a hello. `ended` and `state` are added by the gateway, as the bytes in which they are stored."""
    return {
        Key.TYPE: Type.WELCOME, Key.SESSION: token, Key.RESUMED: resumed, Key.SEQ: seq, Key.N: n,
        Key.PENDING: list(pending),
    }  # fmt: skip


def accepted(n: int) -> dict[str, Any]:
    """Say that an event is durable."""
    return {Key.TYPE: Type.ACCEPTED, Key.N: n}


def rejected(n: int | None, code: Rejection, message: str, retry_after: float | None = None) -> dict[str, Any]:
    """Say that nothing was accepted, and why. `retry_after` is in seconds."""
    return {Key.TYPE: Type.REJECTED, Key.N: n, Key.CODE: code, Key.MESSAGE: message, Key.RETRY_AFTER: retry_after}


def restart(delay: float) -> dict[str, Any]:
    """Ask a browser to reconnect after a delay in seconds."""
    return {Key.TYPE: Type.RESTART, Key.DELAY: delay}


def log(level: str, text: str, event: Mapping[str, Any] | None, time: float) -> dict[str, Any]:
    """Pass on a line that was printed or logged, while developing. `time` is in seconds since 1970."""
    return {Key.TYPE: Type.LOG, Key.LEVEL: level, Key.TEXT: text, Key.EVENT: event, Key.TIME: time}

"""Every error manyhands raises, as one tree.

```
ManyHandsError
├── SettingError          a variable of the environment has a bad value
├── AppError              the app, or how it is named, is wrong
│   ├── AppNotFound       APP names nothing that can be run
│   ├── AppImportError    importing the app's code raised
│   ├── ComputedAssigned  a computed value was assigned
│   ├── KeyNotString      a key of the state is not a string
│   ├── RoomMisused       a room is asked for by a bad name, out of order, or outside of a handler
│   └── SchemaViolation   a value is none of those that the schema of the state allows
├── ReactionFailed        what follows from an assignment raised
│   ├── ComputedFailed    a computed value can't be computed
│   ├── MutationLoop      subscribers assign to what they subscribe to, without end
│   └── SubscriberFailed  a subscriber raised
├── NotSerialisable       a value can't be stored
├── DamagedValue          a stored value can't be read back
├── BadFrame              a browser's frame breaks the protocol
├── Unavailable           Redis or the broker does not answer
│   └── StoreRefused      Redis answers that it can't do what was asked
├── UploadMissing         an event names an upload that is not there
├── LargeMissing          a commit refers to large values that the store has not
├── TurnLost              another worker has taken over the run that wanted to commit
├── SessionRefused        the app's session verifiers refused a session; raised for clients and in tests
├── ClientClosed          a client was closed, or can't go on
└── EventFailed           an event has not ended well, and whoever fired it asked to be told
Cancelled                 (a BaseException) a browser cancelled the event
```
"""

from __future__ import annotations

from collections.abc import Sequence


class ManyHandsError(Exception):
    """The root of the tree: catch it to catch all of ours."""


class Cancelled(BaseException):
    """A browser cancelled this event; raised in a plain handler at its next access to `state`.

    A `BaseException`, so that an app's `except Exception` does not swallow it.
    """


class SettingError(ManyHandsError):
    """A variable has a value that can't be used. Names the variable, the value and what is expected."""

    def __init__(self, name: str, value: str | None, expected: str) -> None:
        self.name, self.value, self.expected = name, value, expected
        got = "is not set" if value is None else f"is {value!r}"
        super().__init__(f"{name} {got}; expected {expected}")


class AppError(ManyHandsError):
    """The app, or the way it was named, is wrong."""


class AppNotFound(AppError):
    """APP names neither a directory with a main.py, nor a Python file, nor a module."""

    def __init__(self, app: str, reason: str) -> None:
        self.app = app
        super().__init__(
            f"can't find the app {app!r}: {reason}; expected a directory that holds a main.py, "
            "a Python file, or a dotted module such as my_app.main"
        )


class AppImportError(AppError):
    """Importing the app raised; `__cause__` is what it raised."""

    def __init__(self, module: str, cause: BaseException) -> None:
        self.module = module
        super().__init__(f"importing the app's module {module!r} raised {type(cause).__name__}: {cause}")


class KeyNotString(AppError, TypeError):
    """A key of the state is not a string. Raised where it is used or assigned."""

    def __init__(self, key: object, path: Sequence[str]) -> None:
        self.key, self.path = key, tuple(path)
        where = f"below {show_path(path)}" if path else "at the top level of the state"
        super().__init__(
            f"keys of the state are strings, got {key!r} ({type(key).__name__}) {where}; use {str(key)!r}"
        )


class SchemaViolation(AppError, TypeError):
    """A value is not what the schema of the state declares. Raised where it is assigned, or given as a default."""

    def __init__(self, path: Sequence[str], schema: str, expected: str, got: str) -> None:
        self.path, self.schema, self.expected, self.got = tuple(path), schema, expected, got
        super().__init__(f"{show_path(path)} is declared as {expected} by {schema}, got {got}; assign {expected}")


class ComputedAssigned(AppError, AttributeError):
    """A computed value was assigned or deleted. Raised where that is done."""

    def __init__(self, path: Sequence[str]) -> None:
        self.path = tuple(path)
        super().__init__(
            f"{show_path(path)} is a computed value, which can't be assigned or deleted; "
            "assign what it is computed from"
        )


class ReactionFailed(ManyHandsError):
    """What follows from an assignment raised; ends its event with `handler_failed`. `who` names it."""

    def __init__(self, who: str, text: str) -> None:
        self.who = who
        super().__init__(f"{who} {text}")


class ComputedFailed(ReactionFailed):
    """A computed value can't be computed; `__cause__` is what its function raised."""

    def __init__(self, path: str, cause: BaseException) -> None:
        super().__init__(f"the computed value {path}", f"raised {type(cause).__name__}: {show_error(cause)}")


class SubscriberFailed(ReactionFailed):
    """A subscriber raised; `__cause__` is what."""

    def __init__(self, name: str, path: str, cause: BaseException) -> None:
        super().__init__(f"the subscriber {name} to {path}", f"raised {type(cause).__name__}: {show_error(cause)}")


class MutationLoop(ReactionFailed, RecursionError):
    """Subscribers assign to what they subscribe to, without end."""

    def __init__(self, chain: Sequence[str]) -> None:
        super().__init__(
            f"the subscriber {chain[-2]}",
            f"assigns what calls subscribers again, {len(chain)} deep in one event: … → {' → '.join(chain[-4:])}; "
            "let a subscriber assign only where something changes",
        )


class RoomMisused(AppError):
    """A room was asked for in a way that can't be served. Says how it can."""


class NotSerialisable(ManyHandsError):
    """A value can't be stored; ends its event with `not_serialisable`."""

    def __init__(self, path: Sequence[str], kind: str, cure: str) -> None:
        self.path, self.kind, self.cure = tuple(path), kind, cure
        super().__init__(f"{show_path(path)} holds {kind}, which can't be stored: {cure}")


class DamagedValue(ManyHandsError):
    """A stored value can't be read back. Names the session and the path, when known."""

    def __init__(self, reason: str, path: Sequence[str] = (), session: str | None = None) -> None:
        self.reason, self.path, self.session = reason, tuple(path), session
        where = f"{show_path(path)} of session {session}" if session else show_path(path)
        super().__init__(f"the value stored at {where} can't be read: {reason}")


class BadFrame(ManyHandsError):
    """A frame breaks the protocol; answered with `rejected`, `n` being the event's number where it was readable."""

    def __init__(self, message: str, n: int | None = None) -> None:
        self.message, self.n = message, n
        super().__init__(message)


class Unavailable(ManyHandsError):
    """Redis or the broker does not answer; `retry_after` is in seconds."""

    def __init__(self, server: str, cause: BaseException | str, retry_after: float = 1.0) -> None:
        self.server, self.retry_after = server, retry_after
        super().__init__(f"{server} does not answer: {cause}")


class StoreRefused(Unavailable):
    """Redis answered with an error that trying again will not mend, such as a value that is too large."""


class LargeMissing(ManyHandsError):
    """A commit refers to large values that are not in the store: it was refused, and nothing of it was written."""

    def __init__(self, session: str, digests: Sequence[bytes]) -> None:
        self.session, self.digests = session, tuple(digests)
        names = ", ".join(one.hex() for one in digests)
        super().__init__(f"session {session} has no large value {names} any more; write it, or assign another one")


class UploadMissing(ManyHandsError):
    """An event's payload names an upload that is not there, or not all of it."""

    def __init__(self, upload: str, reason: str) -> None:
        self.upload, self.reason = upload, reason
        super().__init__(f"the upload {upload!r} can't be used: {reason}; send the file again")


class TurnLost(ManyHandsError):
    """The run's lease passed to another worker, so its commit was refused and nothing of it was written."""


class SessionRefused(ManyHandsError):
    """The app's session verifiers refused the session that was to begin."""


class ClientClosed(ManyHandsError):
    """A client was closed, or the gateway has said that it must not come back."""


class EventFailed(ManyHandsError):
    """An event has not ended well. Where its handler ran in this process, `__cause__` is what the handler raised."""

    def __init__(self, handler: str, code: str, message: str) -> None:
        self.handler, self.code, self.message = handler, code, message
        super().__init__(f"the event for {handler} has ended with {code}: {message}")


def show_path(path: Sequence[str]) -> str:
    """Write a path the way an author writes it: `state["a"]["b"]`."""
    return "state" + "".join(f'["{segment}"]' for segment in path)


def show_error(error: BaseException) -> str:
    """Give an exception's text, also of one that can't say what it is."""
    try:
        return str(error)[:2000]
    except Exception:  # noqa: BLE001 - an exception of the app's may raise anything when it is shown
        return "(an exception that can't be shown)"

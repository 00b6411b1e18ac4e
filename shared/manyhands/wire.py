"""The words of the wire: the keys, types and codes of envelopes, spelled here alone and mirrored by the client."""

from __future__ import annotations

from enum import IntEnum, StrEnum

SUBPROTOCOL_JSON = "manyhands.1.json"
SUBPROTOCOL_MSGPACK = "manyhands.1.msgpack"

#: The key under which JSON carries bytes, as base64.
BYTES_KEY = "$bytes"

#: Bytes of a view that travels in updates. Larger ones are fetched over HTTP.
MOST_INLINE = 32 * 1024
#: What a path's first key begins with where the path lies in the room of that name.
ROOM_SIGN = "@"

#: Where browsers fetch large views and files, and where they send large payloads.
BLOB_PATH = "/_mh/blob"
UPLOAD_PATH = "/_mh/upload"

#: Whole numbers beyond this travel as decimal strings: a browser's numbers are doubles.
MAX_SAFE_INTEGER = 2**53 - 1

#: The deepest nesting of maps and lists in a frame or in the state. Deeper ones are refused by name, long before
#: a recursive encoder would fail.
MAX_NESTING = 100
#: The levels that an event itself may need: the path of a repeater lies in four maps and lists.
LEAST_NESTING = 5


class Key(StrEnum):
    """The keys of envelopes."""

    TYPE = "type"
    # from the browser
    CLIENT = "client"
    SESSION = "session"
    SEQ = "seq"
    N = "n"
    HANDLER = "handler"
    PAYLOAD = "payload"
    CONTEXT = "context"
    TRACEPARENT = "traceparent"
    ARROW = "arrow"
    # In `hello`: whether the browser reads `add` in updates of its session. There: paths of texts, each with what was
    # appended to the text. It comes after `unset` and `set`.
    ADD = "add"
    # inside a context
    EVENT = "event"
    TARGET = "target"
    REPEATERS = "repeaters"
    STATE = "state"
    REPEATER_KEY = "key"
    KEY_VARIABLE = "keyVariable"
    VALUE_VARIABLE = "valueVariable"
    # to the browser
    RESUMED = "resumed"
    PENDING = "pending"
    ENDED = "ended"
    SET = "set"
    UNSET = "unset"
    DONE = "done"
    OK = "ok"
    # Of rooms. In `hello` a map of names to the last seq that the browser has seen. In `welcome` a map of the names
    # that the session has joined to {"seq", "state"}: `state` is absent where the missed updates follow instead,
    # `shared` where none is joined. In `update` the name of the room that it is of, with the room's own `seq`, and
    # either `set` and `unset` or `state`: the whole public state, which replaces what the browser has, or None when
    # the session has left the room.
    SHARED = "shared"
    # In an update of the session: a map of rooms to whether this event has joined (true) or left (false) them. The
    # rooms' own updates say it too, so browsers may pass over it.
    JOINED = "joined"
    RESULT = "result"
    ERROR = "error"
    MAIL = "mail"
    # Of a piece of mail: it is for the tab alone that fired the update's event. The rest is what the page is to do.
    OWN = "own"
    KIND = "kind"
    TITLE = "title"
    NAME = "name"
    URL = "url"
    PAGE = "page"
    VARS = "vars"
    PATH = "path"
    MODULE = "module"
    ARGS = "args"
    CODE = "code"
    MESSAGE = "message"
    RETRY_AFTER = "retry_after"
    LEVEL = "level"
    TEXT = "text"
    TIME = "time"
    DELAY = "delay"
    # in a value
    BLOB = "$blob"
    SIZE = "size"
    UPLOAD = "$upload"
    # of an upload
    ID = "id"
    OFFSET = "offset"


class Type(StrEnum):
    """The types of envelopes: the value of their `type`."""

    HELLO = "hello"
    EVENT = "event"
    CANCEL = "cancel"
    WELCOME = "welcome"
    ACCEPTED = "accepted"
    UPDATE = "update"
    REJECTED = "rejected"
    LOG = "log"
    RESTART = "restart"


class Mail(StrEnum):
    """The types of mail, what a handler asks of the page: each is the name of a method of the state."""

    ADD_NOTIFICATION = "add_notification"
    FILE_DOWNLOAD = "file_download"
    OPEN_URL = "open_url"
    SET_PAGE = "set_page"
    SET_ROUTE_VARS = "set_route_vars"
    IMPORT_STYLESHEET = "import_stylesheet"
    IMPORT_SCRIPT = "import_script"
    IMPORT_FRONTEND_MODULE = "import_frontend_module"
    CALL_FRONTEND_FUNCTION = "call_frontend_function"


class Rejection(StrEnum):
    """The codes of `rejected`."""

    BAD_FRAME = "bad_frame"
    UNKNOWN_HANDLER = "unknown_handler"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    MAILBOX_FULL = "mailbox_full"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    NO_WORKER = "no_worker"


class Failure(StrEnum):
    """The codes of an update's `error`."""

    HANDLER_FAILED = "handler_failed"
    NOT_SERIALISABLE = "not_serialisable"
    CANCELLED = "cancelled"
    WORKER_LOST = "worker_lost"


class Opcode(IntEnum):
    """What a WebSocket frame is (RFC 6455). Those from 8 on may come between the parts of a message."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


class Close(IntEnum):
    """The close codes of the socket."""

    TOO_BIG = 1009
    RESTART = 1012
    PROTOCOL = 4000
    SESSION_UNKNOWN = 4001
    SLOW_CONSUMER = 4002
    REFUSED = 4003

"""A simulated browser tab: one client of one session, in either subprotocol, without threads.

It reads only while it waits. It keeps a copy of the state as a browser would, and holds the gateway to its promises
on the way: updates without gap or repetition, `accepted` before any update of that event, one end per event.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgpack
import websocket

from support.http import ask

JSON = "manyhands.1.json"
MSGPACK = "manyhands.1.msgpack"

Result = TypeVar("Result")


class Tab:
    """One tab. Constructed, it is connected and has had its welcome, unless `hello` is False."""

    def __init__(
        self,
        url: str,
        *,
        subprotocol: str = JSON,
        client: str | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        origin: str | None = None,
        source: str | None = None,
        receive_buffer: int | None = None,
        add: bool = False,
        hello: bool = True,
    ) -> None:
        """`source`: the address it connects from; `receive_buffer`: bytes that its system keeps for it to read.

        `add`: it wants to be told of texts that grew what was added.
        """
        self.url, self.subprotocol = url, subprotocol
        self.source, self.receive_buffer = source, receive_buffer
        self.client = client or uuid.uuid4().hex
        self.token, self.add = token, add
        self.headers, self.origin = dict(headers or {}), origin
        self.state: dict[str, Any] = {}
        #: Of the last update seen; None before the first welcome.
        self.seq: int | None = None
        #: The rooms that its session has joined: their states, and the last update seen of each.
        self.rooms: dict[str, dict[str, Any]] = {}
        self.room_seqs: dict[str, int] = {}
        #: Every update of a room seen, in order.
        self.room_updates: list[dict[str, Any]] = []
        #: Numbers of this tab's events.
        self.n = 0
        self.accepted: set[int] = set()
        #: The number of every `accepted` that came, in order; a number that is sent again comes again.
        self.receipts: list[int] = []
        #: The updates that ended events of this tab, or what a welcome said of their ends.
        self.ended: dict[int, dict[str, Any]] = {}
        #: Every update seen, in order.
        self.updates: list[dict[str, Any]] = []
        #: The blobs that were fetched, in order.
        self.fetched: list[str] = []
        self.rejections: list[dict[str, Any]] = []
        #: Events answered `unavailable`: they may have been accepted nevertheless, and must be sent again as they were.
        self.uncertain: set[int] = set()
        self.welcomes: list[dict[str, Any]] = []
        #: Every other envelope: `restart`, `log`.
        self.others: list[dict[str, Any]] = []
        #: Close code and reason, once the gateway has closed; 1006 where the socket just ended.
        self.closed: tuple[int, str] | None = None
        self._socket: websocket.WebSocket | None = None
        self.connect()
        if hello:
            self.join()

    # --- the socket ---

    def connect(self, url: str | None = None) -> None:
        """Open a socket, to another gateway where `url` is given."""
        self.url, self.closed = url or self.url, None
        parts = urlsplit(self.url)
        self._socket = websocket.create_connection(
            f"ws://{parts.netloc}/_mh/ws", subprotocols=[self.subprotocol], timeout=10,
            socket=self._open(parts.hostname or "", parts.port or 80),
            # The library takes a second for 3 MB; decoding the JSON validates as well.
            skip_utf8_validation=True,
            header=[f"{name}: {value}" for name, value in self.headers.items()],
            **({"origin": self.origin} if self.origin else {"suppress_origin": True}),
        )  # fmt: skip

    def _open(self, host: str, port: int) -> socket.socket | None:
        if self.source is None and self.receive_buffer is None:
            return None
        opened = socket.socket()
        opened.settimeout(10)
        if self.receive_buffer is not None:
            # Before it connects: the window that the other side sees is agreed upon then.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        if self.source is not None:
            opened.bind((self.source, 0))
        opened.connect((host, port))
        return opened

    def join(self, timeout: float = 10) -> dict[str, Any]:
        """Say hello, with what is known from before, and wait for the welcome."""
        before = len(self.welcomes)
        hello = {"type": "hello", "client": self.client, "session": self.token, "seq": self.seq}
        hello |= {"add": True} if self.add else {}
        self.send({**hello, "shared": self.room_seqs} if self.room_seqs else hello)
        self.wait_for(lambda: len(self.welcomes) > before, timeout, "welcome")
        return self.welcomes[-1]

    def reconnect(self, url: str | None = None) -> dict[str, Any]:
        """Drop the socket, connect again and join."""
        self.drop()
        self.connect(url)
        return self.join()

    def drop(self) -> None:
        """End the connection without a word, as a lost network does."""
        if self._socket is not None:
            self._socket.shutdown()  # type: ignore[no-untyped-call]
            self._socket = None

    def close(self) -> None:
        """Close the connection as a browser does."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *_: object) -> None:
        self.drop()

    # --- to the gateway ---

    def send(self, envelope: object) -> None:
        """Send an envelope."""
        if self.subprotocol == JSON:
            self.send_frame(json.dumps(envelope, default=_bytes_to_json))
        else:
            self.send_frame(msgpack.packb(envelope))

    def send_frame(self, data: str | bytes) -> None:
        """Send a frame as it is: text as a text frame, bytes as a binary one."""
        opcode = websocket.ABNF.OPCODE_TEXT if isinstance(data, str) else websocket.ABNF.OPCODE_BINARY
        self.socket.send(data, opcode)

    def fire(
        self, handler: str, payload: object = None, context: Mapping[str, Any] | None = None, n: int | None = None
    ) -> int:
        """Send an event and give its number, without waiting for anything."""
        self.n = max(self.n + 1, n or 0)
        number = n or self.n
        envelope = {"type": "event", "n": number, "handler": handler, "payload": payload}
        self.send(envelope if context is None else {**envelope, "context": dict(context)})
        return number

    def cancel(self, n: int) -> None:
        """Ask for the end of an event."""
        self.send({"type": "cancel", "n": n})

    # --- waiting ---

    def wait_for(self, condition: Callable[[], Result], timeout: float = 10, what: str = "such state") -> Result:
        """Read until a condition is true. Raises `AssertionError` at the deadline or when the gateway closes."""
        deadline = time.monotonic() + timeout
        while not (result := condition()):
            if self.closed or not self.read(deadline - time.monotonic()):
                raise AssertionError(f"no {what} within {timeout} s; {self.describe()}")
        return result

    def wait_accepted(self, n: int, timeout: float = 10) -> None:
        """Wait until an event is durable."""
        self.wait_for(lambda: n in self.accepted, timeout, f"`accepted` for {n}")

    def wait_done(self, n: int, timeout: float = 10) -> dict[str, Any]:
        """Wait for the end of an event, and give what was said of it."""
        return self.wait_for(lambda: self.ended.get(n), timeout, f"end of {n}") or {}

    def has_ended(self, n: int) -> bool:
        """Tell whether an event has ended, by all that has come so far."""
        while self.closed is None and self.read(0.001):
            pass
        return n in self.ended

    def wait_rejected(self, timeout: float = 10) -> dict[str, Any]:
        """Wait for one more `rejected`, and take it off the list."""
        self.wait_for(lambda: self.rejections, timeout, "`rejected`")
        return self.rejections.pop(0)

    def wait_closed(self, timeout: float = 10) -> tuple[int, str]:
        """Wait until the gateway has closed, and give code and reason."""
        deadline = time.monotonic() + timeout
        while self.closed is None:
            if not self.read(deadline - time.monotonic()):
                raise AssertionError(f"not closed within {timeout} s; {self.describe()}")
        return self.closed

    def call(self, handler: str, payload: object = None, timeout: float = 10) -> dict[str, Any]:
        """Fire an event and wait for its end."""
        return self.wait_done(self.fire(handler, payload), timeout)

    def read(self, timeout: float) -> bool:
        """Read one frame and take it in; False when none came in time."""
        if timeout <= 0:
            return False
        self.socket.settimeout(timeout)
        try:
            opcode, data = self.socket.recv_data()
        except websocket.WebSocketTimeoutException:
            return False
        except (websocket.WebSocketConnectionClosedException, OSError):
            self.closed = (1006, "the socket ended")
            return True
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code = struct.unpack_from(">H", data)[0] if len(data) >= 2 else 1005
            self.closed = (code, data[2:].decode())
        else:
            self._take(self._decode(opcode, data))
        return True

    @property
    def socket(self) -> websocket.WebSocket:
        """The open socket."""
        assert self._socket is not None, "the tab is not connected"
        return self._socket

    def describe(self) -> str:
        """Say what the tab has seen, for a test that failed."""
        return (
            f"client {self.client}, seq {self.seq}, closed {self.closed}, accepted {sorted(self.accepted)[-5:]}, "
            f"ended {sorted(self.ended)[-5:]}, rejections {self.rejections[-3:]}, last {self.updates[-2:]}, "
            f"state {str(self.state)[:500]}"
        )

    # --- from the gateway ---

    def _decode(self, opcode: int, data: bytes) -> dict[str, Any]:
        expected = websocket.ABNF.OPCODE_TEXT if self.subprotocol == JSON else websocket.ABNF.OPCODE_BINARY
        assert opcode == expected, f"{self.subprotocol} sent a frame of opcode {opcode}"
        if self.subprotocol == JSON:
            envelope = json.loads(data, object_hook=_bytes_from_json, parse_constant=_refuse)
        else:
            envelope = msgpack.unpackb(data)
        assert isinstance(envelope, dict)
        return envelope

    def _take(self, envelope: dict[str, Any]) -> None:
        match envelope["type"]:
            case "welcome":
                self._take_welcome(envelope)
            case "accepted":
                self.accepted.add(envelope["n"])
                self.uncertain.discard(envelope["n"])
                self.receipts.append(envelope["n"])
                self.n = max(self.n, envelope["n"])
            case "update":
                self._take_update(envelope)
            case "rejected":
                self.rejections.append(envelope)
                if envelope["code"] == "unavailable" and envelope["n"]:
                    self.uncertain.add(envelope["n"])
            case _:
                self.others.append(envelope)

    def _take_welcome(self, envelope: dict[str, Any]) -> None:
        self.welcomes.append(envelope)
        self.token = envelope["session"]
        self.n = max(self.n, envelope["n"])
        self.accepted.update(envelope["pending"])
        for end in envelope["ended"]:
            self.accepted.add(end["n"])
            self.ended.setdefault(end["n"], end)
        if "state" in envelope:
            self.state, self.seq = self._fetched(envelope["state"]), envelope["seq"]
        self._take_rooms(envelope.get("shared", {}))

    def _fetched(self, value: Any) -> Any:
        """Put what references stand for in their places; one whose value has been replaced meanwhile stays."""
        if isinstance(value, list):
            return [self._fetched(item) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) != {"$blob", "type", "size"}:
            return {key: self._fetched(item) for key, item in value.items()}
        accept = "application/json" if self.subprotocol == JSON else "application/x-msgpack"
        answer = ask(self.url, value["$blob"], Accept=accept, **self._http_headers())
        if answer.status == 404:
            return value
        assert answer.status == 200, answer
        self.fetched.append(value["$blob"])
        assert len(answer.body) == value["size"] or value["type"] == "application/json"
        if value["type"] != "application/json":
            return answer.body
        if self.subprotocol == JSON:
            return json.loads(answer.body, object_hook=_bytes_from_json, parse_constant=_refuse)
        return msgpack.unpackb(answer.body)

    def _http_headers(self) -> dict[str, str]:
        return {"Cookie": self.headers["Cookie"]} if "Cookie" in self.headers else {}

    def upload(self, data: bytes, at_once: int = 2**20) -> dict[str, str]:
        """Upload bytes, and give what stands for them in a payload."""
        headers = {"Authorization": f"Bearer {self.token}"}
        begun = ask(self.url, f"/_mh/upload?size={len(data)}", "POST", **headers)
        assert begun.status == 201, begun
        name, offset = json.loads(begun.body)["id"], 0
        while offset < len(data):
            part = data[offset : offset + at_once]
            answer = ask(self.url, f"/_mh/upload/{name}?offset={offset}", "PUT", part, **headers)
            assert answer.status == 200, answer
            offset = json.loads(answer.body)["offset"]
        return {"$upload": name}

    def _take_rooms(self, rooms: Mapping[str, Any]) -> None:
        for name in set(self.rooms) - set(rooms):
            self._forget_room(name)
        for name, room in rooms.items():
            if "state" in room:
                self.rooms[name], self.room_seqs[name] = self._fetched(room["state"]), room["seq"]
            assert name in self.rooms, f"a welcome leaves out the state of {name}, which is unknown"

    def _take_room_update(self, update: dict[str, Any]) -> None:
        self.room_updates.append(update)
        name = update["shared"]
        if "state" not in update:
            expected = self.room_seqs[name] + 1
            assert update["seq"] == expected, f"{update['seq']} of {name} came where {expected} was due"
            self.room_seqs[name] = expected
            apply_update(self.rooms[name], update)
        elif update["state"] is None:
            self._forget_room(name)
        else:
            self.rooms[name], self.room_seqs[name] = self._fetched(update["state"]), update["seq"]

    def _forget_room(self, name: str) -> None:
        self.rooms.pop(name, None)
        self.room_seqs.pop(name, None)

    def _take_update(self, update: dict[str, Any]) -> None:
        if "shared" in update:
            self._take_room_update(update)
            return
        expected = (self.seq or 0) + 1
        assert update["seq"] == expected, f"update {update['seq']} came where {expected} was due; {self.describe()}"
        self.seq = update["seq"]
        assert self.add or "add" not in update, f"it was told what was added, though it can't read that: {update}"
        # As an update has no path twice, the order in which its values come does not matter.
        apply_update(self.state, {**update, "set": [[path, self._fetched(value)] for path, value in update["set"]]})
        self.updates.append(update)
        event = update["event"]
        if event["client"] != self.client:
            return
        n = event["n"]
        assert n in self.accepted or n in self.uncertain, (
            f"an update of {n} came before its `accepted`; {self.describe()}"
        )
        if update["done"]:
            assert "event" not in self.ended.get(n, {}), f"{n} ended twice; {self.describe()}"
            self.ended[n] = update


def apply_update(state: dict[str, Any], update: Mapping[str, Any]) -> None:
    """Change a copy of the state as an update says: `unset` first, then `set` in order, then `add`."""
    for path in update["unset"]:
        node: Any = state
        for name in path[:-1]:
            node = node.get(name) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(path[-1], None)
    for path, value in update["set"]:
        node = state
        for name in path[:-1]:
            if not isinstance(node.get(name), dict):
                node[name] = {}
            node = node[name]
        node[path[-1]] = value
    for path, added in update.get("add", ()):
        node = state
        for name in path[:-1]:
            node = node[name]
        node[path[-1]] += added


def _bytes_to_json(value: object) -> dict[str, str]:
    assert isinstance(value, bytes)
    return {"$bytes": base64.b64encode(value).decode()}


def _bytes_from_json(value: dict[str, Any]) -> Any:
    return base64.b64decode(value["$bytes"]) if set(value) == {"$bytes"} else value


def _refuse(name: str) -> None:
    raise AssertionError(f"the gateway sent {name}, which is not JSON")

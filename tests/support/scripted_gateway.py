"""A gateway that a test of the browser client plays itself, frame by frame, in a real Chromium."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Page, Route, WebSocketRoute

from manyhands_gateway.client_files import client_script, part_script, parts

ORIGIN = "http://manyhands.test"


class Gateway:
    """A gateway that says only what the test tells it to."""

    def __init__(self, context: BrowserContext, page: str) -> None:
        self.sockets: list[WebSocketRoute] = []
        self.frames: list[dict[str, Any]] = []
        #: The id of the tab that has said hello last.
        self.client = ""
        context.route(f"{ORIGIN}/", lambda route: route.fulfill(body=page, content_type="text/html"))
        files = {"client.js": client_script(module=False)} | {f"{name}.mjs": part_script(name) for name in parts()}
        #: Files that this has no answer for, by their names.
        self.missing: set[str] = set()
        context.route(re.compile(r"/_mh/[\w.]+js(\?|$)"), lambda route: self._serve(route, files))
        context.route_web_socket("**/_mh/ws", self._connected)

    def _serve(self, route: Route, files: dict[str, bytes]) -> None:
        name = urlsplit(route.request.url).path.rpartition("/")[2]
        if name in self.missing:
            route.fulfill(status=503)
        else:
            route.fulfill(body=files[name], content_type="text/javascript")

    def _connected(self, socket: WebSocketRoute) -> None:
        self.sockets.append(socket)
        socket.on_message(lambda text: self.frames.append(json.loads(text)))

    def send(self, **envelope: Any) -> None:
        self.sockets[-1].send(json.dumps(envelope))

    def welcome(self, page: Page, *, n: int = 0, seq: int = 0, **more: Any) -> dict[str, Any]:
        """Wait for the next hello and answer it."""
        hello = self.take(page, "hello")
        self.client = hello["client"]
        self.send(**{"type": "welcome", "session": "token-1", "resumed": False, "seq": seq, "n": n} | more)
        page.wait_for_function("manyhands.status === 'open'")
        return hello

    def take(self, page: Page, kind: str) -> dict[str, Any]:
        """Wait for the next frame and take it off the list."""
        for _ in range(500):
            if self.frames:
                frame = self.frames.pop(0)
                assert frame["type"] == kind, frame
                return frame
            page.wait_for_timeout(10)
        raise AssertionError(f"no {kind} came")

    def update(self, seq: int, *changes: tuple[list[str], Any], unset: tuple[list[str], ...] = ()) -> None:
        event = {"client": "x", "n": 1}
        self.send(type="update", seq=seq, set=list(changes), unset=list(unset), event=event, done=True)

    def answer(self, event: dict[str, Any], seq: int, *changes: tuple[list[str], Any], **more: Any) -> None:
        """Accept an event and end it with one update."""
        self.send(type="accepted", n=event["n"])
        ended = {"client": self.client, "n": event["n"]}
        update = {"type": "update", "seq": seq, "set": list(changes), "unset": [], "event": ended, "done": True}
        self.send(**update, **{"ok": True, "result": None, "error": None} | more)

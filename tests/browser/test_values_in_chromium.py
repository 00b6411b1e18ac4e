"""What a real Chromium gets of every value that docs/values.md shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext

from support.fleet import Fleet

REPOSITORY = Path(__file__).parents[2]
APP = str(REPOSITORY / "tests" / "apps" / "values")
PAGE = (REPOSITORY / "docs" / "values.md").read_text("utf-8")
ROWS: dict[str, str] = dict(re.findall(r"^\| `(.*?)`(?: \(.*?\))? \| `(.*?)`(?:, .*?)? \|$", PAGE, re.MULTILINE))

#: Fires `write` and gives the state as text once that has ended, as the welcome of a second connection has it.
WRITE = """() => new Promise((resolve, reject) => {
  const connect = (session, then) => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/_mh/ws", "manyhands.1.json");
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", client: "page", session }));
    socket.onmessage = ({ data }) => then(socket, JSON.parse(data));
  };
  let token;
  connect(null, (socket, envelope) => {
    if (envelope.type === "welcome") {
      token = envelope.session;
      socket.send(JSON.stringify({ type: "event", n: 1, handler: "write" }));
    }
    if (envelope.type !== "update" || !envelope.done) return;
    if (!envelope.ok) reject(envelope.error.message);
    else connect(token, (_, { state }) => state && resolve(JSON.stringify(state)));
  });
})"""

#: Decodes an image as a page does, and gives its size.
DECODE = """async (base64) => {
  const bytes = Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  return [image.width, image.height];
}"""


@pytest.mark.timeout(180)
def test_chromium_gets_what_the_page_says_and_can_show_the_pictures(
    context: BrowserContext, fleet_of: Callable[..., Fleet]
) -> None:
    fleet = fleet_of(app=APP)
    page = context.new_page()
    page.goto(fleet.urls[0])
    values: dict[str, Any] = json.loads(page.evaluate(WRITE))["alone"]
    assert set(values) == set(ROWS)
    for expression, expected in ROWS.items():
        beginning, cut, _ = expected.partition("…")
        seen = values[expression]
        assert json.dumps(seen).startswith(beginning) if cut else seen == json.loads(expected)
    assert page.evaluate(DECODE, values['Image.new("RGB", (1, 1))']["$bytes"]) == [1, 1]
    assert page.evaluate(DECODE, values["Figure()"]["$bytes"]) == [640, 480]

"""The browser client's modules: their own tests in Node.js, their size, and msgpack as the server speaks it."""

from __future__ import annotations

import base64
import gzip
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from manyhands import codec
from manyhands.stubs import STUBS
from manyhands_gateway.client_files import MODULES, add_client, client_script, part_modules, part_script, parts
from manyhands_gateway.frames import encode_json, pack
from support.node import run_node

TESTS = sorted((Path(__file__).parent / "client").glob("*.test.js"))

#: Bytes, compressed as proxies do, that a page may have to wait for.
MOST = 15 * 1024
#: Bytes, compressed, of what comes when it is needed first.
MOST_OF_PART = 4 * 1024


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_the_modules_pass_their_own_tests(file: Path) -> None:
    run_node("--test", str(file))


@pytest.mark.parametrize("module", [True, False])
def test_the_client_is_small_and_one_file(module: bool) -> None:
    script = client_script(module=module)
    assert len(gzip.compress(script, 6)) < MOST
    assert not {line.split()[0] for line in script.decode().splitlines()} & {"import", "//", "/**"}


@pytest.mark.parametrize("name", parts())
def test_a_part_is_small_and_valid(name: str, tmp_path: Path) -> None:
    assert len(gzip.compress(part_script(name), 6)) < MOST_OF_PART
    (tmp_path / "part.mjs").write_bytes(part_script(name))
    code = f"const make = (await import('{tmp_path}/part.mjs')).default; console.log(Object.keys(make({{}})))"
    assert run_node("--input-type=module", "--eval", code).strip() != "[]"


def test_no_module_is_in_two_parts() -> None:
    own = [module for name in parts() for module in part_modules(name)]
    assert len(own) == len(set(own)), "what two parts use is a part of its own, or the client's"


def test_the_file_is_valid_in_both_its_forms(tmp_path: Path) -> None:
    for name, module in (("client.cjs", False), ("client.mjs", True)):
        (tmp_path / name).write_bytes(client_script(module=module))
        run_node("--check", str(tmp_path / name))


def test_the_file_is_served_in_the_form_that_is_asked_for_and_once_only() -> None:
    app = Flask(__name__)
    add_client(app)
    browser = app.test_client()
    imported = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "script"}
    script, module = client_script(module=False), client_script(module=True)
    assert browser.get("/_mh/client.js").data == script
    assert browser.get("/_mh/client.js", headers={**imported, "Sec-Fetch-Dest": "empty"}).data == script
    assert browser.get("/_mh/client.js", headers=imported).data == module
    answer = browser.get("/_mh/client.mjs")
    assert (answer.data, answer.mimetype, answer.headers["Cache-Control"]) == (module, "text/javascript", "no-cache")
    again = browser.get("/_mh/client.mjs", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert browser.get("/_mh/client.js", headers={"If-None-Match": answer.headers["ETag"]}).data == script


def test_the_client_knows_the_events_for_which_there_are_stubs() -> None:
    code = f'import {{ EVENTS }} from "{MODULES}/names.js"; console.log(JSON.stringify(EVENTS))'
    events = json.loads(run_node("--input-type=module", "--eval", code))
    assert {f"wf-{name}" for name in events} == set(STUBS)


def vectors() -> list[Any]:
    """Give views of every kind, and some of each size at which msgpack changes its mind."""
    bits = (4, 5, 7, 8, 15, 16, 31, 32, 52)
    whole = [sign * (2**one + by) for one in bits for by in (-1, 0, 1) for sign in (1, -1)]
    plain: list[Any] = [None, True, False, *whole, 0.5, -1e300, 5e-324, "", "ü𝄞\ufeff", b"", b"\xff\x00"]
    sizes = [15, 16, 31, 32, 255, 256, 65535, 65536]
    sized = [made for size in sizes for made in ("x" * size, "é" * size, b"x" * size, [1] * size)]
    maps = [{str(key): key for key in range(size)} for size in (0, 1, 15, 16, 65536)]
    rng = random.Random(6)
    mixed = [{"list": rng.sample(plain, 9), "map": {str(one): one for one in rng.sample(whole, 9)}} for _ in range(20)]
    return [*plain, *sized, *maps, *mixed, {"__proto__": 1, "constructor": {"a": [[[]]]}}]


COMPARE = """
import {{ unpack, pack }} from "{modules}/msgpack.js";
import {{ fromJson }} from "{modules}/codec.js";
import {{ readFileSync, writeFileSync }} from "node:fs";
import assert from "node:assert/strict";
const packed = [];
for (const [bytes, json] of JSON.parse(readFileSync("{vectors}", "utf8"))) {{
  const value = unpack(new Uint8Array(Buffer.from(bytes, "base64")));
  assert.deepEqual(value, fromJson(json));
  packed.push(Buffer.from(pack(value)).toString("base64"));
}}
writeFileSync("{answers}", JSON.stringify(packed));
"""


def test_the_client_unpacks_what_the_server_packs_and_the_server_what_the_client_packs(tmp_path: Path) -> None:
    views = vectors()
    pairs = [[base64.b64encode(pack(view)).decode(), encode_json(view).decode()] for view in views]
    (tmp_path / "vectors.json").write_text(json.dumps(pairs))
    answers = tmp_path / "answers.json"
    run_node(
        "--input-type=module", "--eval",
        COMPARE.format(modules=MODULES, vectors=tmp_path / "vectors.json", answers=answers),
    )  # fmt: skip
    for view, packed in zip(views, json.loads(answers.read_text()), strict=True):
        decoded = codec.decode(base64.b64decode(packed))
        assert decoded == view or (isinstance(view, float) and math.isclose(decoded, view))

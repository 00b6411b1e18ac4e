"""`manyhands handlers`: for people, and as JSON for tools; and the stubs that it offers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from manyhands.handlers import find_handlers
from manyhands.state_root import StateRoot
from manyhands.stubs import STUBS
from manyhands_worker.loader import hash_code

APP = '''
import manyhands as mh

print("imported")
mh.init_state({})

def increment(state, payload):
    """Add one.

    Or more.
    """

async def fetch(context): ...

def helper(x): ...
'''

#: What the browser sends for each type of event.
PAYLOADS: dict[str, Any] = {
    "wf-click": {"ctrl_key": False, "shift_key": True, "meta_key": False},
    "wf-change": "text",
    "wf-change-finish": 5,
    "wf-submit": {"name": "Ada", "age": 36},
    "wf-keydown": {"key": "ArrowRight", "ctrl_key": False, "shift_key": False, "meta_key": False},
    "wf-file-change": [{"name": "a.txt", "type": "text/plain", "data": b"abc"}],
    "wf-webcam": b"\x89PNG",
    "wf-hashchange": {"page_key": "main", "route_vars": {"animal": "duck"}},
    "wf-load": {"page_key": "main", "route_vars": {}},
    "wf-tick": None,
}


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(APP)
    return tmp_path


def handlers(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MANYHANDS")}
    command = [sys.executable, "-m", "manyhands", "handlers", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def test_it_lists_handlers_with_parameters_docstring_and_place(app: Path) -> None:
    done = handlers(str(app))
    assert (done.returncode, done.stderr) == (0, "imported\n")
    assert done.stdout.startswith(
        "increment(state, payload)  main.py:7\n"
        "    Add one.\n\n    Or more.\n"
        "async fetch(context)  main.py:13\n\n"
        "A handler to begin with, for each type of event:\n\n"
        "# wf-click\n"
        "def handle_click(state, payload, context):\n"
    )


def test_as_json_it_is_one_object_and_nothing_else(app: Path) -> None:
    done = handlers(str(app), "--json")
    assert (done.returncode, done.stderr) == (0, "imported\n")
    found = json.loads(done.stdout)
    file = str(app / "main.py")
    doc = "Add one.\n\nOr more."
    assert found["version"] == hash_code(app)
    assert found["handlers"] == [
        {"name": "increment", "parameters": ["state", "payload"], "async": False, "doc": doc, "file": file, "line": 7},
        {"name": "fetch", "parameters": ["context"], "async": True, "doc": "", "file": file, "line": 13},
    ]
    assert found["stubs"] == {event: stub.code() for event, stub in STUBS.items()}


def test_what_the_app_writes_to_the_descriptor_itself_does_not_spoil_the_json(app: Path) -> None:
    code = "import os, subprocess\nos.write(1, b'raw ')\nsubprocess.run(['echo', 'started'])\n"
    (app / "main.py").write_text(code + APP)
    done = handlers(str(app), "--json")
    assert [one["name"] for one in json.loads(done.stdout)["handlers"]] == ["increment", "fetch"]
    assert sorted(done.stderr.split()) == ["imported", "raw", "started"]


def test_an_app_that_cannot_be_imported_is_shown_with_its_traceback(app: Path) -> None:
    (app / "main.py").write_text("import no_such_module")
    done = handlers(str(app), "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "ModuleNotFoundError: No module named 'no_such_module'" in done.stderr


def test_there_is_a_stub_for_every_event_of_a_page() -> None:
    assert set(STUBS) == set(PAYLOADS)


@pytest.mark.parametrize("event", list(STUBS))
def test_a_stub_is_a_handler_that_works_with_its_events_payload(event: str, app: Path) -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    (app / "stub.py").write_text(STUBS[event].code())
    spec = spec_from_file_location("stub", app / "stub.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    found, others = find_handlers(module, [], app)
    assert (list(found), others) == ([STUBS[event].name], [])
    root = StateRoot({})
    given = {"state": root.state, "payload": PAYLOADS[event], "context": {"event": event, "target": "button"}}
    handler = found[STUBS[event].name]
    handler.function(**{name: given[name] for name in handler.parameters})
    assert root.pending()
    assert handler.doc


def test_a_stub_takes_another_name() -> None:
    assert STUBS["wf-tick"].code("poll").startswith("def poll(state):\n    ")

"""The architecture, held by tests: who imports whom, who spells which words, how large a piece may be."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import manyhands
from manyhands import errors
from manyhands.settings import Settings
from manyhands.store.contract import Verdict
from manyhands.wire import (
    BYTES_KEY,
    SUBPROTOCOL_JSON,
    SUBPROTOCOL_MSGPACK,
    Close,
    Failure,
    Key,
    Mail,
    Rejection,
    Type,
)
from support.node import run_node

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY / "shared" / "manyhands"
GATEWAY = REPOSITORY / "gateway" / "manyhands_gateway"
WORKER = REPOSITORY / "worker" / "manyhands_worker"
PACKAGES = (SHARED, GATEWAY, WORKER)
CLIENT = sorted((GATEWAY / "static" / "client").glob("*.js"))
WIRE_OF_CLIENT = GATEWAY / "static" / "client" / "wire.js"
SCRIPTS = SHARED / "store" / "scripts"

MODULES = sorted(
    file for package in PACKAGES for file in package.rglob("*.py") if not file.is_relative_to(SHARED / "templates")
)
EXAMPLES = sorted((REPOSITORY / "examples").rglob("*.py")) + sorted((SHARED / "templates").rglob("*.py"))
LUA = sorted(SCRIPTS.glob("*.lua"))

LONGEST_MODULE = 400
LONGEST_FUNCTION = 60

#: Modules of `manyhands` that start processes and show their output: children inherit the environment through them.
STARTERS = {"child", "development", "supervisor", "terminal"}


def name_of(file: Path) -> str:
    """Name a file as a failing test should."""
    return file.relative_to(REPOSITORY).as_posix()


each_module = pytest.mark.parametrize("file", MODULES, ids=name_of)
each_script = pytest.mark.parametrize("file", LUA, ids=lambda file: file.name)


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def imports(node: ast.AST) -> Iterator[str]:
    """Give the full name of every module that is imported anywhere below a node."""
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            yield from (alias.name for alias in one.names)
        elif isinstance(one, ast.ImportFrom):
            assert one.level == 0, "imports are absolute"
            yield str(one.module)


def imports_when_loaded(tree: ast.Module) -> set[str]:
    """Give the modules that are imported when a module is loaded: not in functions, nor for a type checker alone."""
    functions = [one for one in ast.walk(tree) if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for_types = [one for one in ast.walk(tree) if isinstance(one, ast.If) and ast.unparse(one.test) == "TYPE_CHECKING"]
    later = {id(one) for outer in (*functions, *for_types) for one in ast.walk(outer)}
    return {
        name for one in ast.walk(tree) if isinstance(one, (ast.Import, ast.ImportFrom)) and id(one) not in later
        for name in imports(one)
    }  # fmt: skip


def strings(file: Path) -> Iterator[str]:
    """Give every string of a module that is no docstring; of f-strings, their constant parts."""
    tree = tree_of(file)
    documenting = {
        id(one.body[0].value)
        for one in ast.walk(tree)
        if isinstance(one, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and one.body and isinstance(one.body[0], ast.Expr)
    }  # fmt: skip
    for one in ast.walk(tree):
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in documenting:
            yield one.value


def package_of(module: str) -> str:
    return module.partition(".")[0]


# --- who imports whom ---


@each_module
def test_a_package_imports_only_what_the_layout_allows(file: Path) -> None:
    imported = {package_of(name) for name in imports(tree_of(file))}
    if file.is_relative_to(GATEWAY):
        assert "manyhands_worker" not in imported
    elif file.is_relative_to(WORKER):
        assert "manyhands_gateway" not in imported
    elif not file.is_relative_to(SHARED / "cli") and not file.is_relative_to(SHARED / "testing"):
        assert not imported & {"manyhands_gateway", "manyhands_worker"}


#: Those that put gateways and workers together.
ASSEMBLERS = [file for file in MODULES if {SHARED / "cli", SHARED / "testing"} & set(file.parents)]


@pytest.mark.parametrize("file", ASSEMBLERS, ids=name_of)
def test_commands_and_the_test_client_import_gateway_and_worker_only_when_they_run(file: Path) -> None:
    loaded = {package_of(name) for name in imports_when_loaded(tree_of(file))}
    assert not loaded & {"manyhands_gateway", "manyhands_worker"}


@each_module
def test_only_the_gateway_knows_http_and_only_worker_and_broker_know_celery(file: Path) -> None:
    imported = {package_of(name) for name in imports(tree_of(file))}
    if not file.is_relative_to(GATEWAY):
        assert not imported & {"flask", "flask_sock", "simple_websocket", "wsproto", "gunicorn", "gevent"}
    if not file.is_relative_to(WORKER) and file not in (SHARED / "broker.py", SHARED / "doorbell.py"):
        assert not imported & {"celery", "kombu"}


@pytest.mark.parametrize("file", EXAMPLES, ids=name_of)
def test_examples_import_of_ours_what_every_app_imports(file: Path) -> None:
    ours = {name for name in imports(tree_of(file)) if name.startswith("manyhands")}
    assert ours <= ({"manyhands", "manyhands.testing"} if file.name.startswith("test_") else {"manyhands"})


@each_module
def test_nothing_pickles(file: Path) -> None:
    assert not {package_of(name) for name in imports(tree_of(file))} & {"pickle", "marshal", "shelve", "dill"}


# --- the public names ---


def test_the_public_names_are_these() -> None:
    assert set(manyhands.__all__) == {
        *("init_state", "init_handlers", "session_verifier"),
        *("computed", "property"),
        *("register_type", "pack_bytes", "pack_file", "table_page"),
        *("State", "Cancelled", "ManyHandsError"),
        *("shared", "Session"),
    }
    assert all(hasattr(manyhands, name) for name in manyhands.__all__)


# --- who spells which words ---


@cache
def key_patterns() -> set[str]:
    """Give the constant parts of all keys and channels."""
    parts = {text for text in strings(SHARED / "keys.py") if text.startswith((":", ".")) and len(text) > 3}
    return parts | {":{app}:"}


def spells_a_key(text: str) -> bool:
    """Tell whether a string is a piece of a key; `x.turns` within a longer one may be anything."""
    return any(text == part if part.startswith(".") else part in text for part in key_patterns())


def test_key_patterns_are_found() -> None:
    assert {":mailbox", ":state", ":updates", ":{app}:", ".turns"} <= key_patterns()


@each_module
def test_only_one_module_spells_keys(file: Path) -> None:
    if file == SHARED / "keys.py":
        return
    assert not [text for text in strings(file) if spells_a_key(text)]


@each_script
def test_scripts_spell_no_keys(file: Path) -> None:
    code = without_comments(file.read_text("utf-8"))
    literals = [first or second for first, second in re.findall(r"'([^']*)'|\"([^\"]*)\"", code)]
    assert not [text for text in literals if spells_a_key(text)]


#: Words that mean nothing outside the wire. The others (`state`, `event`, `cancelled` …) are everyday words.
WIRE_WORDS = (
    {*Rejection, *Failure} - {Failure.CANCELLED}
    | {SUBPROTOCOL_JSON, SUBPROTOCOL_MSGPACK, BYTES_KEY, Key.BLOB, Key.UPLOAD}
    | {Key.KEY_VARIABLE, Key.VALUE_VARIABLE, Key.RETRY_AFTER, Key.UNSET, Key.RESUMED, Key.REPEATERS}
    | {Type.HELLO, Type.REJECTED, Key.BLOB, Key.UPLOAD}
)


@each_module
def test_only_one_module_spells_the_words_of_the_wire(file: Path) -> None:
    allowed: set[str] = set()
    if file == SHARED / "wire.py":
        return
    if file == SHARED / "store" / "contract.py":
        allowed = {one.value for one in Verdict}  # what a script answers to `accept`; the gateway translates it
    spelled = set(strings(file)) & {str(word) for word in WIRE_WORDS} - allowed
    assert not spelled


@cache
def client_wire() -> dict[str, Any]:
    """Give what the client's module of the wire exports."""
    dump = "import * as wire from process.argv[1]; console.log(JSON.stringify(wire))"
    return json.loads(run_node("--input-type=module", "--eval", dump.replace("process.argv[1]", f'"{WIRE_OF_CLIENT}"')))


def client_words(pattern: str) -> set[str]:
    """Give what a regular expression finds in the client's code, comments left out."""
    code = "\n".join(file.read_text("utf-8") for file in CLIENT)
    return set(re.findall(pattern, re.sub(r"(?s:/\*.*?\*/)|^\s*//.*$", "", code, flags=re.MULTILINE)))


def test_the_client_spells_the_words_of_the_wire_as_the_wire_does() -> None:
    spelled = client_wire()
    assert spelled["SUBPROTOCOLS"] == {"json": SUBPROTOCOL_JSON, "msgpack": SUBPROTOCOL_MSGPACK}
    assert [spelled[f"{name}_KEY"] for name in ("BYTES", "BLOB", "UPLOAD")] == [BYTES_KEY, Key.BLOB, Key.UPLOAD]
    for words in (Type, Close, Rejection, Failure):
        assert spelled[words.__name__].items() <= {one.name: one.value for one in words}.items()
    assert set(spelled["Type"]) == set(Type.__members__)


def test_the_client_does_all_that_handlers_can_ask_of_the_page_by_their_words() -> None:
    words = WIRE_OF_CLIENT.with_name("mail.js")
    dump = f'import {{ Mail }} from "{words}"; console.log(JSON.stringify(Mail))'
    assert json.loads(run_node("--input-type=module", "--eval", dump)) == {one.name: one.value for one in Mail}
    assert client_words(r"\[Mail\.(\w+)\]") == set(Mail.__members__)


def test_of_the_client_one_module_spells_the_words_of_the_wire() -> None:
    others = [file for file in CLIENT if file != WIRE_OF_CLIENT]
    words = {str(word) for word in WIRE_WORDS - {Key.KEY_VARIABLE, Key.VALUE_VARIABLE}}
    assert not [word for file in others for word in words if f'"{word}"' in file.read_text("utf-8")]


def test_the_client_takes_every_type_that_a_gateway_sends() -> None:
    received = client_words(r"case Type\.(\w+)")
    assert received == {one.name for one in Type} - {"HELLO", "EVENT", "CANCEL"}


def test_the_client_reads_only_keys_of_the_wire() -> None:
    read = client_words(r"\benvelope\.(\w+)") | client_words(r"\b(?:end|error)\.(code|message|ok|result|mail)\b")
    assert {"type", "seq", "set", "unset", "add"} <= read
    assert read <= {str(key) for key in Key}


def test_no_two_modules_of_the_client_have_a_name_in_common() -> None:
    defined = re.compile(r"^(?:export )?(?:async )?(?:const|let|class|function\*?) (\w+)", re.MULTILINE)
    names = [name for file in CLIENT for name in defined.findall(file.read_text("utf-8"))]
    assert len(names) > 50
    assert not {name for name in names if names.count(name) > 1}


# --- the environment is read at the edge ---


@each_module
def test_only_the_edge_reads_the_environment(file: Path) -> None:
    if file.is_relative_to(SHARED / "cli") or (file.parent == SHARED and file.stem in STARTERS):
        return
    reading = re.compile(r"os\.(environb?|getenvb?)|from os import .*env")
    read = {ast.unparse(one) for one in ast.walk(tree_of(file)) if isinstance(one, (ast.Attribute, ast.ImportFrom))}
    assert not [one for one in read if reading.match(one)]


# --- sizes and habits ---


@pytest.mark.parametrize("file", [*MODULES, *CLIENT], ids=name_of)
def test_no_module_is_too_long(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= LONGEST_MODULE


@each_module
def test_no_function_is_too_long(file: Path) -> None:
    functions = [one for one in ast.walk(tree_of(file)) if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef))]
    assert not [one.name for one in functions if (one.end_lineno or 0) - one.lineno >= LONGEST_FUNCTION]


@each_module
def test_every_module_begins_with_what_it_is(file: Path) -> None:
    assert ast.get_docstring(tree_of(file))


@each_module
def test_no_handler_of_errors_is_bare(file: Path) -> None:
    caught = [one for one in ast.walk(tree_of(file)) if isinstance(one, ast.ExceptHandler)]
    assert all(one.type is not None for one in caught)


@pytest.mark.parametrize("file", [*MODULES, *EXAMPLES, *LUA, *CLIENT], ids=name_of)
def test_nothing_is_left_for_later(file: Path) -> None:
    words = re.findall(r"\b(?:TODO|FIXME|XXX|HACK)\b|(?i:\bfor now\b)", file.read_text("utf-8"))
    assert not words


# --- Lua ---


def head_of(text: str) -> str:
    """Give the comment at the top of a script."""
    lines: list[str] = []
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines)


def without_comments(text: str) -> str:
    return re.sub(r"--.*", "", text)


@each_script
def test_every_script_says_what_it_takes_and_gives(file: Path) -> None:
    head = head_of(file.read_text("utf-8"))
    # The shared functions are no script: they return nothing, and what they take is said of all at one place.
    assert "KEYS" in head or file.name.startswith("_")
    assert "ARGV" in head or file.name.startswith("_")
    assert "Returns " in head or file.name.startswith("_")
    assert re.match(r"[A-Z].*?[.,;:]", head), "the head begins with what the script does"


@each_script
def test_a_script_documents_every_argument_that_it_uses(file: Path) -> None:
    text = file.read_text("utf-8")
    documented = {int(number) for number in re.findall(r"\b\d+\b", head_of(text).partition("ARGV")[2])}
    used = {int(number) for number in re.findall(r"\bARGV\[(\d+)\]", without_comments(text))}
    assert used <= documented


# --- errors ---


def drawn_parents() -> dict[str, str | None]:
    """Read the tree in the docstring of `manyhands.errors`: each class, and the one it hangs from."""
    picture = str(errors.__doc__).partition("```")[2].partition("```")[0]
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in picture.strip().splitlines():
        branch, name = re.match(r"([ │├└─]*)(\w+)", line).groups()  # type: ignore[union-attr]
        depth = len(branch) // 4
        above[depth:] = [name]
        parents[name] = above[depth - 1] if depth else None
    return parents


def test_the_drawn_tree_of_errors_is_the_real_one() -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__]
    real = {one.__name__: one.__bases__[0].__name__ for one in classes}
    drawn = drawn_parents()
    assert set(drawn) == set(real)
    for name, parent in drawn.items():
        assert parent == real[name] or (parent is None and real[name] in ("Exception", "BaseException"))


@each_module
def test_every_error_hangs_in_the_tree(file: Path) -> None:
    classes = {one.name: one for one in ast.walk(tree_of(file)) if isinstance(one, ast.ClassDef)}
    builtin = {"Exception", "BaseException", "RuntimeError", "ValueError", "TypeError", "OSError", "LookupError"}
    rootless = {
        name for name, one in classes.items() if {ast.unparse(base) for base in one.bases} & builtin
        and not {ast.unparse(base) for base in one.bases} & set(drawn_parents())
    }  # fmt: skip
    assert rootless <= ({"ManyHandsError", "Cancelled"} if file == SHARED / "errors.py" else set())


# --- what is written twice is the same ---


def settings_table() -> list[tuple[str, str, str]]:
    """Read the rows of README's table of settings."""
    section = (REPOSITORY / "README.md").read_text("utf-8").partition("## Settings")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", section, re.MULTILINE)
    return [(name, default.strip("`"), meaning.replace("`", "")) for name, default, meaning in rows]


def test_the_readme_lists_every_setting_with_its_default_and_meaning() -> None:
    declared = dataclasses.fields(Settings)
    table = settings_table()
    assert [name for name, _, _ in table] == [one.metadata["variable"] for one in declared]
    for (_, default, meaning), one in zip(table, declared, strict=True):
        assert meaning == one.metadata["meaning"].replace("`", "")
        if default == "–":
            assert not one.default
        else:
            assert one.metadata["parse"](default) == one.default


def test_the_image_is_built_from_all_that_the_distribution_is_made_of() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    needed |= {package.partition("/")[0] for package in packages}
    build = (REPOSITORY / "deploy" / "Dockerfile").read_text("utf-8").partition("AS build")[2].partition("\nFROM")[0]
    copied = {name for names in re.findall(r"^COPY (.*) \S+$", build, re.MULTILINE) for name in names.split()}
    let_through = set(re.findall(r"^!(.*)$", (REPOSITORY / ".dockerignore").read_text("utf-8"), re.MULTILINE))
    assert copied == needed
    assert let_through == needed


@pytest.mark.parametrize("name", ["compose.yaml", "Dockerfile", "nginx.conf"])
def test_every_variable_that_a_deployment_sets_exists(name: str) -> None:
    named = set(re.findall(r"\bMANYHANDS_[A-Z_]+\b", (REPOSITORY / "deploy" / name).read_text("utf-8")))
    assert named <= {one.metadata["variable"] for one in dataclasses.fields(Settings)}

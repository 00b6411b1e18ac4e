"""Which functions are handlers, why the others are not, and what a handler is called with."""

from __future__ import annotations

import importlib.util
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from manyhands.handlers import Handler, NotExposed, bind, find_handlers

Import = Callable[..., ModuleType]


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Import]:
    """Write modules into an app's directory and import them; all are forgotten at the end."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))

    def write_and_import(source: str = "", *, name: str = "main", file: Path | None = None) -> ModuleType:
        file = file or tmp_path / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec
        assert spec.loader
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield write_and_import
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def find(app: Import, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Give what becomes of each public name of a main module: its handler, or the reason why it is none."""

    def found(source: str, *modules: ModuleType) -> dict[str, Any]:
        handlers, others = find_handlers(app(source), modules, tmp_path)
        return {**handlers, **{one.name: one.reason for one in others}}

    return found


Find = Callable[..., dict[str, Any]]


class TestWhichFunctions:
    def test_every_public_function_of_the_main_module_is_a_handler_in_its_order(self, find: Find) -> None:
        found = find("""
            def second(state): ...
            def first(state): ...
            async def third(payload): ...
        """)
        assert list(found) == ["second", "first", "third"]
        assert [found[name].is_async for name in found] == [False, False, True]

    def test_a_handler_knows_its_docstring_and_its_place(self, find: Find, tmp_path: Path) -> None:
        handler = find('''
            def add(state):
                """Add one.

                Or two.
                """
        ''')["add"]
        assert handler.doc == "Add one.\n\nOr two."
        assert (handler.file, handler.line) == (str(tmp_path / "main.py"), 2)
        assert find("def add(): ...")["add"].doc == ""

    def test_names_with_an_underscore_are_not_even_mentioned(self, find: Find) -> None:
        assert find("def _helper(state): ...") == {}

    def test_a_function_of_another_module_of_the_app_goes_by_its_name_in_main(self, app: Import, find: Find) -> None:
        app("def helped(state): ...\ndef other(state): ...", name="helpers")
        found = find("from helpers import helped, other as renamed")
        assert [(name, found[name].name) for name in found] == [("helped", "helped"), ("renamed", "renamed")]

    def test_a_function_that_is_private_where_it_is_defined_stays_so(self, app: Import, find: Find) -> None:
        app("def _secret(state): ...", name="helpers")
        reason = find("from helpers import _secret as shown")["shown"]
        assert reason.startswith("it is defined as _secret, with a leading underscore")

    def test_a_function_that_is_private_where_it_is_imported_stays_so(self, app: Import, find: Find) -> None:
        app("def shown(state): ...", name="helpers")
        assert find("from helpers import shown as _secret") == {}

    def test_functions_of_libraries_are_never_handlers(self, find: Find) -> None:
        found = find("""
            from glob import escape
            from math import sqrt
            from os.path import join
            from manyhands import init_state
        """)
        assert found == {
            "escape": "it is defined outside the app's directory, in glob",
            "sqrt": "it is a built-in function, of math",
            "join": "it is defined outside the app's directory, in posixpath",
            "init_state": "it is defined outside the app's directory, in manyhands.app",
        }

    @pytest.mark.parametrize(
        "place", ["venv/lib/python3.11/site-packages", "env/lib", ".hidden", "node_modules", "__pycache__"]
    )
    def test_what_is_installed_inside_the_apps_directory_is_a_library(
        self, app: Import, find: Find, tmp_path: Path, place: str
    ) -> None:
        (tmp_path / "env").mkdir()
        (tmp_path / "env/pyvenv.cfg").touch()
        app("def run(state): ...", name="installed", file=tmp_path / place / "installed.py")
        assert find("from installed import run")["run"].startswith("it is defined outside the app's directory")

    def test_an_app_that_is_itself_installed_has_handlers(self, app: Import, tmp_path: Path) -> None:
        directory = tmp_path / "lib/site-packages/my_app"
        main = app("def run(state): ...", file=directory / "main.py")
        assert list(find_handlers(main, [], directory)[0]) == ["run"]

    def test_a_link_to_the_apps_directory_is_the_apps_directory(self, app: Import, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to("real")
        main = app("def run(state): ...", file=tmp_path / "link/main.py")
        assert list(find_handlers(main, [], tmp_path / "real")[0]) == ["run"]

    def test_modules_given_to_init_handlers_prefix_the_functions_they_define(self, app: Import, find: Find) -> None:
        more = app("from json import dumps\ndef run(state): ...\ndef _no(state): ...", name="more")
        deep = app("from more import run\ndef go(payload): ...", name="sub.deep")
        found = find("from more import run\ndef run_2(state): ...", more, deep)
        assert {name for name, one in found.items() if isinstance(one, Handler)} == {
            "run",
            "run_2",
            "more.run",
            "sub.deep.go",
        }
        assert found["more.dumps"].startswith("it is imported there, from json;")
        assert found["sub.deep.run"].startswith("it is imported there, from more;")

    def test_a_module_of_a_library_given_to_init_handlers_adds_nothing(self, find: Find) -> None:
        import textwrap as library

        assert find("", library)["textwrap.dedent"] == "it is defined outside the app's directory, in textwrap"

    def test_the_main_module_given_to_init_handlers_adds_nothing(self, app: Import, tmp_path: Path) -> None:
        main = app("def run(state): ...")
        assert list(find_handlers(main, [main], tmp_path)[0]) == ["run"]

    def test_a_function_may_go_by_two_names(self, find: Find) -> None:
        assert list(find("def run(state): ...\ngo = run")) == ["run", "go"]


class TestWhatIsNone:
    def test_a_parameter_that_cannot_be_filled_is_named_with_those_that_can(self, find: Find) -> None:
        found = find("def a(state, user): ...\ndef b(x, *, y): ...\ndef c(x, /): ...")
        assert found["a"] == (
            "its parameter user can't be filled: a handler's parameters are state, payload, context, session; "
            "rename it, give it a default, or begin the function's name with an underscore"
        )
        assert found["b"].startswith("its parameters x, y can't be filled:")
        assert found["c"].startswith("its parameter x can't be filled:")

    def test_generators_are_none(self, find: Find) -> None:
        found = find("def a(state): yield 1\nasync def b(state): yield 1")
        assert all(reason.startswith("it is a generator") for reason in found.values())
        assert len(found) == 2

    def test_a_generator_behind_a_decorator_is_none(self, find: Find) -> None:
        reason = find("import contextlib\n@contextlib.contextmanager\ndef opened(state): yield 1")["opened"]
        assert reason.startswith("it is a generator")

    def test_a_lambda_is_none(self, find: Find) -> None:
        assert find("run = lambda state: 1") == {"run": "it is a lambda; write it with def"}

    def test_what_can_be_called_but_is_no_function_is_none(self, find: Find) -> None:
        found = find("""
            import functools
            class Thing:
                def __call__(self, state): ...
                def method(self, state): ...
            thing = Thing()
            method = thing.method
            part = functools.partial(thing)
            @functools.lru_cache
            def cached(state): ...
        """)
        cure = "wrap it in a function written with def"
        assert found == {
            "thing": f"it is an object of the class Thing, not a function; {cure}",
            "method": f"it is a method of Thing; {cure}",
            "part": f"it is an object of the class partial, not a function; {cure}",
            "cached": f"it is an object of the class _lru_cache_wrapper, not a function; {cure}",
        }

    def test_classes_modules_and_constants_are_not_even_mentioned(self, find: Find) -> None:
        source = (
            "import os, logging\nfrom enum import Enum\nclass A: ...\nX = 5\nlog = logging.getLogger()\nT = list[int]"
        )
        assert find(source) == {}

    def test_what_is_none_says_where_it_is(self, app: Import, tmp_path: Path) -> None:
        _, (one,) = find_handlers(app("\ndef run(x): ..."), [], tmp_path)
        assert isinstance(one, NotExposed)
        assert (one.name, one.file, one.line) == ("run", str(tmp_path / "main.py"), 2)


DECORATORS = """
    import functools, asyncio

    def kept(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return "kept", function(*args, **kwargs)
        return wrapper

    def kept_async(function):
        @functools.wraps(function)
        async def wrapper(*args, **kwargs):
            return function(*args, **kwargs)
        return wrapper

    def lost(function):
        def _inner(*args, **kwargs): ...
        return _inner

    def endless(function):
        function.__wrapped__ = function
        return function
"""


class TestDecorators:
    @pytest.fixture(autouse=True)
    def decorators(self, app: Import) -> None:
        app(DECORATORS, name="decorators")

    def test_a_decorator_with_wraps_keeps_parameters_docstring_and_place(self, find: Find) -> None:
        handler = find("""
            import decorators
            @decorators.kept
            @decorators.kept
            def run(payload, *, state):
                "It runs."
                return payload, state
        """)["run"]
        assert handler.parameters == ("payload", "state")
        assert (handler.doc, Path(handler.file).name, handler.line) == ("It runs.", "main.py", 3)
        args, kwargs = bind(handler, "S", "P", "C", "X")
        assert handler.function(*args, **kwargs) == ("kept", ("kept", ("P", "S")))

    def test_a_handler_is_async_whichever_of_its_wraps_is(self, find: Find) -> None:
        found = find("""
            import decorators
            @decorators.kept
            async def a(state): ...
            @decorators.kept_async
            def b(state): ...
        """)
        assert found["a"].is_async
        assert found["b"].is_async

    def test_a_decorator_without_wraps_is_told_to_use_it(self, find: Find) -> None:
        reason = find("import decorators\n@decorators.lost\ndef run(state): ...")["run"]
        assert reason == (
            "it is defined as _inner, with a leading underscore; "
            "if a decorator made it, the decorator should use functools.wraps"
        )

    def test_a_librarys_decorator_with_wraps_leaves_the_handler_the_apps(self, find: Find) -> None:
        found = find("""
            import contextlib
            class Timer(contextlib.ContextDecorator):
                def __enter__(self): ...
                def __exit__(self, *error): ...
            @Timer()
            def run(state): ...
        """)
        assert found["run"].parameters == ("state",)

    def test_a_librarys_decorator_without_wraps_hides_the_handler_and_is_named(self, find: Find) -> None:
        reason = find("import reprlib\n@reprlib.recursive_repr()\ndef run(state): ...")["run"]
        assert "reprlib.py; if a decorator made it, the decorator should use functools.wraps" in reason

    def test_a_function_that_wraps_itself_is_none(self, find: Find) -> None:
        found = find("import decorators\n@decorators.endless\ndef run(state): ...")
        assert found["run"].startswith("Python can't tell its parameters: wrapper loop")


class TestCalling:
    def call(self, find: Find, source: str) -> Any:
        handler = find(source)["run"]
        args, kwargs = bind(handler, "S", "P", "C", "X")
        return handler.function(*args, **kwargs)

    @pytest.mark.parametrize(
        ("parameters", "expression", "expected"),
        [
            ("", "0", 0),
            ("state", "state", "S"),
            ("session, context, payload, state", "session + context + payload + state", "XCPS"),
            ("payload=None", "payload", "P"),
            ("*, payload, state=None", "payload + state", "PS"),
            ("state, extra=1", "state, extra", ("S", 1)),
            ("state, *args, **kwargs", "state, args, kwargs", ("S", (), {})),
            ("*state, **payload", "state, payload", ((), {})),
            ("state, payload, /", "state + payload", "SP"),
            ("state, /, payload, *, context", "state + payload + context", "SPC"),
            ("x=1, state=2, y=3, /", "x, state, y", (1, "S", 3)),
            ("x=1, /, state=2, y=3", "x, state, y", (1, "S", 3)),
        ],
    )
    def test_arguments_are_bound_by_name_in_any_order(
        self, find: Find, parameters: str, expression: str, expected: Any
    ) -> None:
        assert self.call(find, f"def run({parameters}): return {expression}") == expected

    def test_the_known_parameters_are_listed_in_the_functions_order(self, find: Find) -> None:
        assert find("def run(payload, x=1, *state, context): ...")["run"].parameters == ("payload", "context")

    def test_annotations_are_not_evaluated(self, find: Find) -> None:
        source = "from __future__ import annotations\ndef run(state: NoSuchName) -> Nothing: return state"
        assert self.call(find, source) == "S"

"""Importing an app, whatever its modules are called and whatever they do."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from manyhands import app as declarations
from manyhands.app_location import locate
from manyhands.errors import AppImportError, KeyNotString, NotSerialisable
from manyhands.fields import encode_tree
from manyhands_worker.loader import LoadedApp, format_import_error, hash_code, hash_defaults, load

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Write an app's modules; what is imported of them is forgotten at the end."""
    modules, paths = set(sys.modules), list(sys.path)

    def write_modules(directory: str = "app", **sources: str) -> Path:
        for name, source in sources.items():
            file = (tmp_path / directory).joinpath(*name.split("__in__")[::-1]).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(source))
        return tmp_path / directory

    yield write_modules
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path[:] = paths
    declarations.begin()


def load_at(path: Path | str) -> LoadedApp:
    return load(locate(str(path)))


def test_an_app_has_handlers_defaults_and_a_version(write: Write) -> None:
    app = load_at(
        write(
            main="""
                import manyhands as mh
                import more

                mh.init_state({"counter": 0, "user": {"name": "Bob"}})
                mh.init_handlers(more)

                def increment(state):
                    state["counter"] += 1

                def helper(x): ...
            """,
            more="def run(state): ...",
        )
    )
    assert list(app.handlers) == ["increment", "more.run"]
    assert [one.name for one in app.not_exposed] == ["helper"]
    assert app.defaults == encode_tree({"counter": 0, "user": {"name": "Bob"}})
    assert app.defaults_hash == hash_defaults(app.defaults)
    assert len(app.defaults_hash) == len(app.version) == 16


def test_an_app_may_declare_nothing(write: Write) -> None:
    app = load_at(write(main=""))
    assert (app.handlers, app.not_exposed, app.defaults) == ({}, [], {})


def test_code_that_is_saved_twice_in_a_second_and_is_as_long_as_before_runs_as_it_was_saved_last(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    # Ahead of the clock, so that a slow machine is still within that second when it compiles.
    second = time.time() // 1 + 60
    for number in (1, 2):
        directory = write(main=f"import more\nresults = {number}, more.result", more=f"result = {number}")
        for file in directory.glob("*.py"):
            os.utime(file, (second + number / 10,) * 2)
        load_at(directory)

        results: tuple[int, int] = sys.modules["main"].results
        assert results == (number, number)


def test_handlers_may_be_declared_by_the_modules_themselves(write: Write) -> None:
    app = load_at(
        write(
            main="import first",
            first="import sys, manyhands, second\nmanyhands.init_handlers(sys.modules[__name__])\ndef a(): ...",
            second="import sys, manyhands\nmanyhands.init_handlers([sys.modules[__name__]])\ndef b(): ...",
        )
    )
    assert list(app.handlers) == ["second.b", "first.a"]


def test_a_module_of_the_apps_may_have_any_name_of_ours(write: Write) -> None:
    names = ["shared", "worker", "gateway", "state", "app", "handlers", "codec", "loader", "fields", "cli", "tests"]
    sources = {name: f"def run(): return 'mine: {name}'" for name in names}
    main = f"import manyhands as mh\nimport {', '.join(names)}\nmh.init_handlers([{', '.join(names)}])"
    app = load_at(write(main=main, **sources))
    assert [app.handlers[f"{name}.run"].function() for name in names] == [f"mine: {name}" for name in names]


def test_the_main_module_may_have_any_name(write: Write) -> None:
    directory = write(worker="def run(): return __name__", shared="X = 1")
    assert load_at(directory / "worker.py").handlers["run"].function() == "worker"
    directory = write("dashed", **{"my-app": "import shared\ndef run(): return __name__", "shared": ""})
    assert load_at(directory / "my-app.py").handlers["run"].function() == "my-app"


def test_a_main_module_named_like_the_running_program_is_not_confused_with_it(write: Write) -> None:
    running = sys.modules["__main__"]
    directory = write(__main__="def run(): return __name__")
    assert load_at(directory / "__main__.py").handlers["run"].function() == "main"
    assert sys.modules["__main__"] is running


def test_what_stands_under_if_name_is_main_is_not_run(write: Write) -> None:
    assert load_at(write(main="if __name__ == '__main__':\n    raise RuntimeError")).handlers == {}


def test_the_main_module_is_importable_by_its_name_and_runs_once(write: Write) -> None:
    app = load_at(
        write(
            main="import other\nRUNS = globals().get('RUNS', 0) + 1\ndef runs(): return other.main.RUNS, RUNS",
            other="import main",
        )
    )
    assert app.handlers["runs"].function() == (1, 1)


def test_a_main_module_named_like_a_library_in_use_is_refused(write: Write) -> None:
    directory = write(json="X = 1")
    with pytest.raises(AppImportError, match=r"another module named json is already in use here.*rename json.py"):
        load_at(directory / "json.py")
    assert sys.modules["json"].__file__ != str(directory / "json.py")


def test_a_dotted_app_is_imported_under_its_own_name(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = write(
        "my_app",
        __init__="",
        main="import manyhands as mh\nfrom . import more\nimport plain\nmh.init_handlers([more, plain])\n"
        "def run(): return __name__",
        more="def go(): ...",
        plain="def stay(): ...",
    )
    monkeypatch.chdir(directory.parent)
    app = load_at("my_app.main")
    assert list(app.handlers) == ["run", "my_app.more.go", "plain.stay"]
    assert app.handlers["run"].function() == "my_app.main"


def test_a_package_does_not_hide_the_libraries_that_its_modules_are_named_after(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write("my_app", main="import colorsys\ndef run(): return colorsys.__file__", colorsys="")
    sys.modules.pop("colorsys", None)
    monkeypatch.chdir(directory.parent)
    assert load_at("my_app.main").handlers["run"].function() != str(directory / "colorsys.py")


def test_a_dotted_app_whose_name_another_package_has_taken_is_refused(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write("email", main="")
    monkeypatch.chdir(directory.parent)
    import email  # noqa: F401 - the library's package is in use

    with pytest.raises(AppImportError) as caught:
        load_at("email.main")
    assert isinstance(caught.value.__cause__, ImportError)


def test_loading_again_runs_the_app_afresh(write: Write) -> None:
    source = "import manyhands as mh, more\nmh.init_state({'a': %d})\nmh.init_handlers(more)"
    first = load_at(write(main=source % 1, more="def run(): return 1"))
    write(main=source % 2 + "\n", more="def run(): return 22\n")
    second = load_at(write())
    assert (first.handlers["more.run"].function(), second.handlers["more.run"].function()) == (1, 22)
    assert (first.defaults, second.defaults) == (encode_tree({"a": 1}), encode_tree({"a": 2}))
    assert first.version != second.version


def test_two_apps_after_one_another_share_nothing(write: Write) -> None:
    one = load_at(write("one", main="import more\nfrom more import run", more="def run(): return 'one'"))
    two = load_at(write("two", main="import more\nfrom more import run", more="def run(): return 'two'"))
    assert (one.handlers["run"].function(), two.handlers["run"].function()) == ("one", "two")
    assert str(two.handlers["run"].file).startswith(sys.path[0])
    assert not any(path.endswith("/one") for path in sys.path)


class TestWhatFails:
    def test_what_the_app_raises_is_chained_and_shown_from_its_own_first_line_on(self, write: Write) -> None:
        directory = write(main="import broken", broken="def f():\n    raise RuntimeError('boom')\nf()")
        with pytest.raises(
            AppImportError, match="importing the app's module 'main' raised RuntimeError: boom"
        ) as caught:
            load_at(directory)
        shown = format_import_error(caught.value)
        assert isinstance(caught.value.__cause__, RuntimeError)
        assert shown.splitlines()[:2] == [
            "Traceback (most recent call last):",
            f'  File "{directory}/main.py", line 1, in <module>',
        ]
        assert shown.endswith("RuntimeError: boom")
        assert "loader.py" not in shown

    def test_a_syntax_error_shows_the_line(self, write: Write) -> None:
        with pytest.raises(AppImportError) as caught:
            load_at(write(main="def f(:"))
        shown = format_import_error(caught.value)
        assert 'main.py", line 1' in shown
        assert "def f(:" in shown
        assert "loader.py" not in shown

    @pytest.mark.parametrize(
        ("source", "cause"),
        [
            ("import sys\nsys.exit(3)", SystemExit),
            ("raise SystemExit", SystemExit),
            ("import no_such_module", ModuleNotFoundError),
            ("import manyhands\nmanyhands.init_state({1: 2})", KeyNotString),
            ("import manyhands\nmanyhands.init_state({'a': object()})", NotSerialisable),
        ],
    )
    def test_whatever_it_is_it_is_one_kind_of_error(self, write: Write, source: str, cause: type) -> None:
        with pytest.raises(AppImportError) as caught:
            load_at(write(main=source))
        assert type(caught.value.__cause__) is cause
        assert "main" not in sys.modules

    def test_ctrl_c_is_not_taken_for_the_apps_error(self, write: Write) -> None:
        with pytest.raises(KeyboardInterrupt):
            load_at(write(main="raise KeyboardInterrupt"))

    def test_an_app_that_was_repaired_can_be_loaded(self, write: Write) -> None:
        with pytest.raises(AppImportError):
            load_at(write(main="import more", more="raise RuntimeError"))
        write(more="def run(): ...", main="from more import run")
        assert list(load_at(write()).handlers) == ["run"]


class TestTheVersion:
    def test_it_changes_with_any_python_file_of_the_app(self, write: Write) -> None:
        directory = write(main="X = 1", helper__in__sub="Y = 1")
        seen = {hash_code(directory)}
        write(main="X = 2")
        seen.add(hash_code(directory))
        write(helper__in__sub="Y = 2")
        seen.add(hash_code(directory))
        (directory / "sub/helper.py").rename(directory / "sub/helper2.py")
        seen.add(hash_code(directory))
        assert len(seen) == 4

    def test_it_is_the_same_wherever_the_app_lies(self, write: Write) -> None:
        assert hash_code(write("one", main="X = 1", a="")) == hash_code(write("two", a="", main="X = 1"))

    def test_other_files_and_what_is_installed_do_not_count(self, write: Write) -> None:
        directory = write(main="X = 1")
        version = hash_code(directory)
        write(
            lib__in__venv="",
            data__in__node_modules="",
            main__in____pycache__="",
            hook="",
        )
        (directory / "venv/pyvenv.cfg").touch()
        (directory / ".hidden").mkdir()
        (directory / "hook.py").rename(directory / ".hidden/hook.py")
        (directory / "index.html").touch()
        (directory / "gone.py").symlink_to("nowhere.py")
        assert hash_code(directory) == version

    def test_files_cannot_be_cut_differently_into_the_same_hash(self, write: Write) -> None:
        one, two = write("one", a="", b=""), write("two", a="")
        (two / "a.py").write_bytes(b"" + b"b.py\x000\x00")
        assert hash_code(one) != hash_code(two)

    def test_defaults_and_code_hash_alike_in_every_process(self, write: Write) -> None:
        directory = write(
            main="import manyhands\nmanyhands.init_state({'tags': {'a', 'b', 'c'}, 'n': {'x': {1, 'y'}}})"
        )
        code = (
            "import sys; from manyhands.app_location import locate; from manyhands_worker.loader import load;"
            "app = load(locate(sys.argv[1])); print(app.defaults_hash, app.version)"
        )
        runs = [
            subprocess.run(
                [sys.executable, "-c", code, str(directory)],
                env={**os.environ, "PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for seed in ("1", "2", "3")
        ]
        assert len(set(runs)) == 1

    def test_the_order_of_the_keys_counts(self) -> None:
        assert hash_defaults(encode_tree({"a": 1, "b": 2})) != hash_defaults(encode_tree({"b": 2, "a": 1}))

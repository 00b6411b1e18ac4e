"""What APP may name, and what is said of a name that names nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from manyhands.app_location import AppLocation, locate
from manyhands.errors import AppNotFound


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path.resolve()


def make(file: Path, text: str = "raise AssertionError('it must not be imported')\n") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_directory_with_a_main_py_is_an_app(here: Path) -> None:
    file = make(here / "my_app/main.py")
    assert locate("my_app") == AppLocation(here / "my_app", file, "main")
    assert locate("my_app/") == locate("./my_app") == locate(str(here / "my_app")) == locate("my_app")


def test_without_a_name_the_current_directory_is_the_app(here: Path) -> None:
    file = make(here / "main.py")
    assert locate(None) == locate("") == locate(".") == AppLocation(here, file, "main")


def test_a_python_file_is_an_app_named_by_its_stem(here: Path) -> None:
    file = make(here / "apps/counter.py")
    assert locate("apps/counter.py") == AppLocation(here / "apps", file, "counter")


def test_a_dotted_module_is_found_in_the_current_directory_without_importing_it(here: Path) -> None:
    make(here / "my_app/__init__.py")
    file = make(here / "my_app/main.py")
    found = locate("my_app.main")
    assert found == AppLocation(here / "my_app", file, "my_app.main")
    assert found.root == here
    assert "my_app" not in sys.modules


def test_a_dotted_module_is_found_on_the_python_path(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere").resolve()
    file = make(elsewhere / "deep/er/start.py")
    monkeypatch.syspath_prepend(str(elsewhere))
    found = locate("deep.er.start")
    assert (found.file, found.module, found.root) == (file, "deep.er.start", elsewhere)


def test_a_package_without_a_main_py_is_its_own_main_module(here: Path) -> None:
    file = make(here / "my_app/__init__.py")
    found = locate("my_app")
    assert found == AppLocation(here / "my_app", file, "my_app")
    assert found.root == here
    assert locate("my_app/__init__.py") == found


def test_a_package_on_the_python_path_is_named_without_its_main(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere").resolve()
    make(elsewhere / "installed_app/__init__.py")
    make(elsewhere / "installed_app/main.py")
    monkeypatch.syspath_prepend(str(elsewhere))
    assert locate("installed_app").module == "installed_app.main"


def test_a_file_named_main_with_underscores_does_not_take_the_name_of_the_running_program(here: Path) -> None:
    make(here / "my_app/__main__.py")
    assert locate("my_app/__main__.py").module == "main"


def test_a_file_whose_name_has_dots_gets_a_module_name_without_them(here: Path) -> None:
    make(here / "v1.2.py")
    found = locate("v1.2.py")
    assert (found.module, found.root) == ("v1_2", here)


def test_a_linked_main_py_lies_where_the_link_does(here: Path) -> None:
    make(here / "..data/main.py")
    (here / "main.py").symlink_to("..data/main.py")
    assert locate(None).directory == here


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        (None, "holds no main.py; name the app on the command line or in MANYHANDS_APP"),
        ("empty", "empty holds no main.py"),
        ("notes.txt", "notes.txt is not a Python file"),
        ("no/such/dir", "no/such/dir does not exist"),
        ("~nosuch/app", "nobody here has the home directory ~nosuch"),
        ("a" * 300, "File name too long"),
        ("no_such.module", "a module no_such.module in the current directory or on the Python path"),
    ],
)
def test_what_names_no_app_is_told_why_and_what_is_expected(here: Path, app: str | None, reason: str) -> None:
    make(here / "empty/other.py")
    make(here / "notes.txt")
    with pytest.raises(AppNotFound) as caught:
        locate(app)
    assert reason in str(caught.value)
    assert "expected a directory that holds a main.py, a Python file, or a dotted module" in str(caught.value)

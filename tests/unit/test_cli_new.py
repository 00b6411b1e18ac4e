"""`manyhands new`: makes an app that works, and never writes over anything."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from manyhands import ready_apps
from manyhands.cli import main

REPOSITORY = Path(__file__).parents[2]
EXAMPLES = REPOSITORY / "examples"


def make(directory: Path, *more: str) -> int:
    return main(["new", str(directory), *more])


def refusal(capsys: pytest.CaptureFixture[str], directory: Path, *more: str) -> str:
    """Give what it says as it makes nothing."""
    assert make(directory, *more) == 1
    said = capsys.readouterr()
    assert not said.out
    return said.err


def test_the_new_app_has_handlers_and_a_page_that_fires_them(tmp_path: Path) -> None:
    assert make(tmp_path / "deep" / "app") == 0

    app = tmp_path / "deep" / "app"
    page = (app / "index.html").read_text()
    assert 'wf-click="increment"' in page
    assert 'wf-text="counter"' in page
    assert "/_mh/client.js" in page
    assert (app / "static" / "style.css").is_file()
    compile((app / "main.py").read_text(), "main.py", "exec")
    assert "def increment(state):" in (app / "main.py").read_text()
    assert sorted(path.name for path in app.iterdir()) == ["index.html", "main.py", "static", "test_app.py"]


def test_it_says_how_to_run_the_app(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "my app")
    said = capsys.readouterr().out
    assert f"    manyhands dev '{tmp_path}/my app'\n" in said
    assert f"    pytest '{tmp_path}/my app'\n" in said

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    make(Path())
    assert "    manyhands dev\n" in capsys.readouterr().out


def test_a_repository_that_was_just_made_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    assert make(tmp_path) == 0


def test_a_directory_that_holds_something_is_refused_and_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c", "main.py"):
        (tmp_path / name).write_text("mine")

    said = refusal(capsys, tmp_path, "--example", "hello")
    assert "it holds a, b, c and 1 more; name a directory that is empty" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "main.py"]
    assert (tmp_path / "main.py").read_text() == "mine"


def test_a_file_that_appears_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("mine")

    with pytest.raises(FileExistsError):
        ready_apps.copy(ready_apps.small_app(), tmp_path)
    assert (tmp_path / "main.py").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine")

    assert "File name too long" in refusal(capsys, tmp_path / ("a" * 300))
    assert "it is not a directory" in refusal(capsys, tmp_path / "file")
    assert f"can't write {tmp_path}/file/app: Not a directory" in refusal(capsys, tmp_path / "file" / "app")


def test_an_example_is_made_with_all_that_belongs_to_it_and_nothing_that_running_it_has_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = tmp_path / "examples" / "mine"
    for name in ("main.py", "requirements.txt", "static/a/b.css", ".manyhands/secret", "__pycache__/main.pyc"):
        (example / name).parent.mkdir(parents=True, exist_ok=True)
        (example / name).write_text(name)
    monkeypatch.setattr(ready_apps, "examples", lambda: {"mine": example})

    assert make(tmp_path / "app", "--example", "mine") == 0
    made = {path.relative_to(tmp_path / "app").as_posix() for path in (tmp_path / "app").rglob("*") if path.is_file()}
    assert made == {"main.py", "requirements.txt", "static/a/b.css"}
    assert f"    pip install -r {tmp_path}/app/requirements.txt\n" in capsys.readouterr().out


def test_all_examples_are_listed_by_what_they_say_of_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "--list"]) == 0
    names = [path.parent.name for path in sorted(EXAMPLES.glob("*/main.py"))]
    listed = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.split("\n\n")[0].splitlines())
    assert list(listed) == names
    assert listed["hello"].startswith("A first app: ")


def test_of_an_example_that_does_not_exist_the_nearest_name_is_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "there is no example 'helo'; the nearest one is 'hello'; there are: " in refusal(
        capsys, tmp_path / "app", "--example", "helo"
    )
    assert "there is no example '../hello'" in refusal(capsys, tmp_path / "app", "--example", "../hello")
    assert not (tmp_path / "app").exists()


def test_without_a_directory_it_says_how_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["new", "--example", "hello"])
    assert "one of the arguments DIR --list is required" in capsys.readouterr().err


def test_the_tests_of_the_new_app_pass(tmp_path: Path) -> None:
    make(tmp_path / "app")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "app"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_an_installed_package_has_the_examples_and_need_not_be_unpacked(tmp_path: Path) -> None:
    built = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert "examples" in built["packages"]
    assert built["sources"] == {"examples": "manyhands/examples"}
    with zipfile.ZipFile(tmp_path / "package.zip", "w") as archive:
        archive.write(EXAMPLES / "hello" / "static" / "hello.css", "hello/static/hello.css")
        archive.writestr("hello/main.py", '"""Packed."""')
    packed = zipfile.Path(tmp_path / "package.zip", "hello/")
    assert ready_apps.described(packed) == "Packed."
    ready_apps.copy(packed, tmp_path / "app")
    assert (tmp_path / "app" / "static" / "hello.css").is_file()

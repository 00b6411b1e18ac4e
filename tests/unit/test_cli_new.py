"""`manyhands new`: makes an app that works, and never writes over anything."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from manyhands.cli.new import DirectoryNotEmpty, run
from manyhands.errors import ManyHandsError


def make(directory: Path) -> int:
    return run(argparse.Namespace(directory=directory))


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
    assert sorted(path.name for path in app.iterdir()) == ["index.html", "main.py", "static"]


def test_it_says_how_to_run_the_app(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "my app")
    assert f"manyhands dev '{tmp_path}/my app'\n" in capsys.readouterr().out

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    make(Path())
    assert "    manyhands dev\n" in capsys.readouterr().out


def test_a_repository_that_was_just_made_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    assert make(tmp_path) == 0


def test_a_directory_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "main.py"):
        (tmp_path / name).write_text("mine")

    with pytest.raises(DirectoryNotEmpty, match=r"it holds a, b, c and 1 more; name a directory that is empty"):
        make(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c", "main.py"]
    assert (tmp_path / "main.py").read_text() == "mine"


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManyHandsError, match=r"can't write .*: File name too long"):
        make(tmp_path / ("a" * 300))


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "app").write_text("mine")

    with pytest.raises(DirectoryNotEmpty, match="it is not a directory"):
        make(tmp_path / "app")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")

    with pytest.raises(ManyHandsError, match=r"can't write .*file.*: Not a directory"):
        make(tmp_path / "file" / "app")

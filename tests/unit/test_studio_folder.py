"""What the studio may read and write: the app's own files, whatever a request names and whatever lies there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from manyhands_gateway.studio.app_folder import LARGEST, AppFolder, Content, FileRefused
from manyhands_gateway.studio.texts import append_stub, read_text, write_text


@pytest.fixture
def app(tmp_path: Path) -> Path:
    directory = tmp_path / "app"
    (directory / "static").mkdir(parents=True)
    (directory / "main.py").write_text("def go(state): ...\n")
    (directory / "static" / "style.css").write_text("p {}")
    (tmp_path / "outside.py").write_text("secret")
    return directory


@pytest.fixture
def folder(app: Path) -> AppFolder:
    return AppFolder(app)


HOSTILE = [
    "", ".", "..", "/", "../outside.py", "static/../../outside.py", "static/../main.py", "./main.py", "//main.py",
    "/etc/passwd.py", "static//style.css", "main.py/", "main.py/.", "main.py\0.py", "main.py\n", "..\\outside.py",
    "static\\..\\..\\outside.py", "C:/x.py", "main.py::$DATA.py", ".env", ".git/config.txt", ".manyhands/secret.txt",
    "static/.hidden.py", ".GIT/hooks.py", "node_modules/x.js", "Node_Modules/x.js", "__pycache__/x.py",
    "__PYCACHE__/x.py", "lib/site-packages/x.py", "x.pyc", "main", "x.so", "x.py.", "x.py ", " x.py", "a /x.py",
    "a./x.py", "con.py", "NUL.txt", "static/Aux.js", "lpt1/x.py", "com9.tar.txt",
    "\u202ex.py", "\ufeffmain.py\u2028.py", "a/" * 20 + "x.py", "x" * 400 + ".py",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_may_lead_elsewhere_is_neither_read_nor_written(folder: AppFolder, app: Path, name: str) -> None:
    before = {path: path.read_bytes() for path in app.parent.rglob("*") if path.is_file()}
    with pytest.raises(FileRefused):
        folder.read(name)
    for seen in (None, Content.of(b"secret").etag):
        with pytest.raises(FileRefused):
            folder.write(name, b"owned", seen)
    assert {path: path.read_bytes() for path in app.parent.rglob("*") if path.is_file()} == before


def test_a_link_is_not_followed_neither_as_a_file_nor_as_a_directory(folder: AppFolder, app: Path) -> None:
    outside = app.parent / "outside.py"
    (app / "link.py").symlink_to(outside)
    (app / "out").symlink_to(app.parent)
    (app / "dangling.py").symlink_to(app.parent / "new.py")
    (app / "inside").symlink_to(app / "static")
    for name in ("link.py", "out/outside.py", "dangling.py", "inside/style.css", "out/new.py"):
        with pytest.raises(FileRefused):
            folder.read(name)
        for seen in (None, Content.of(b"secret").etag):
            with pytest.raises(FileRefused):
                folder.write(name, b"owned", seen)
    assert outside.read_text() == "secret"
    assert not (app.parent / "new.py").exists()
    assert folder.names() == ["main.py", "static/style.css"]


def test_a_directory_that_becomes_a_link_while_it_is_used_leads_nowhere(folder: AppFolder, app: Path) -> None:
    seen = folder.read("static/style.css").etag
    (app / "static").rename(app / "was")
    (app / "static").symlink_to(app.parent)
    (app.parent / "style.css").write_text("p {}")
    with pytest.raises(FileRefused, match="link"):
        folder.write("static/style.css", b"owned", seen)
    assert (app.parent / "style.css").read_text() == "p {}"


def test_a_second_name_of_a_file_outside_keeps_its_content(folder: AppFolder, app: Path) -> None:
    os.link(app.parent / "outside.py", app / "twin.py")
    folder.write("twin.py", b"changed", Content.of(b"secret").etag)
    assert (app.parent / "outside.py").read_text() == "secret"
    assert (app / "twin.py").read_text() == "changed"


def test_what_is_no_plain_file_is_refused_at_once(folder: AppFolder, app: Path) -> None:
    os.mkfifo(app / "pipe.py")
    (app / "directory.py").mkdir()
    for name in ("pipe.py", "directory.py"):
        with pytest.raises(FileRefused, match="no plain file"):
            folder.read(name)
        with pytest.raises(FileRefused):
            folder.write(name, b"", None)


def test_a_virtual_environment_in_the_app_is_not_shown(folder: AppFolder, app: Path) -> None:
    (app / "env" / "lib").mkdir(parents=True)
    (app / "env" / "pyvenv.cfg").write_text("")
    (app / "env" / "lib" / "x.py").write_text("")
    assert "env/lib/x.py" not in folder.names()
    with pytest.raises(FileRefused, match="virtual environment"):
        folder.read("env/lib/x.py")


def test_a_file_is_written_whole_with_its_mode_and_leaves_nothing_else(folder: AppFolder, app: Path) -> None:
    (app / "main.py").chmod(0o640)
    content = folder.read("main.py")
    assert folder.write("main.py", b"new", content.etag) == Content.of(b"new")
    assert (app / "main.py").read_bytes() == b"new"
    assert (app / "main.py").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in app.iterdir()) == ["main.py", "static"]


def test_nobody_writes_over_what_they_have_not_seen(folder: AppFolder, app: Path) -> None:
    seen = folder.read("main.py").etag
    (app / "main.py").write_text("somebody else's")
    for stale in (seen, None):
        with pytest.raises(FileRefused) as refused:
            folder.write("main.py", b"mine", stale)
        assert refused.value.status == 409
    (app / "main.py").unlink()
    with pytest.raises(FileRefused, match="deleted meanwhile"):
        folder.write("main.py", b"mine", seen)


def test_what_is_too_large_is_neither_read_nor_written(folder: AppFolder, app: Path) -> None:
    (app / "large.txt").write_bytes(b"x" * (LARGEST + 1))
    with pytest.raises(FileRefused, match="larger"):
        folder.read("large.txt")
    with pytest.raises(FileRefused, match="larger"):
        folder.write("more.txt", b"x" * (LARGEST + 1), None)


def test_an_app_directory_that_is_itself_a_link_is_the_app(app: Path) -> None:
    (app.parent / "current").symlink_to(app)
    folder = AppFolder(app.parent / "current")
    assert folder.read("main.py").data == b"def go(state): ...\n"


@pytest.mark.parametrize(
    ("before", "edited", "after"),
    [
        (b"a = 1\r\nb = 2\r\n", "a = 1\nb = 3\n", b"a = 1\r\nb = 3\r\n"),
        (b"a\r\nb\nc\rd", "a\nb\nc\nd", b"a\r\nb\nc\rd"),
        (b"a\r\nb\nc\rd\r\n", "a\nb\nnew\nc\nd\n", b"a\r\nb\nnew\r\nc\rd\r\n"),
        (b"a\nb\r\nc\n", "a\nc\n", b"a\nc\n"),
        (b"a\r\nb\n", "", b""),
        (b"a\rb\r", "a\nb\nc\n", b"a\rb\rc\r"),
        (b"a\x0cb\xe2\x80\xa8c\n", "a\x0cb\u2028c\nd\n", b"a\x0cb\xe2\x80\xa8c\nd\n"),
        (b"\xef\xbb\xbfa = 1\r\n", "a = 2\n", b"\xef\xbb\xbfa = 2\r\n"),
        (b"no end", "an\nend", b"an\nend"),
    ],
)
def test_line_ends_and_mark_of_a_file_stay_as_they_are(
    folder: AppFolder, app: Path, before: bytes, edited: str, after: bytes
) -> None:
    (app / "x.txt").write_bytes(before)
    file = read_text(folder, "x.txt")
    assert "\r" not in file["text"]
    assert not file["text"].startswith("\ufeff")
    write_text(folder, "x.txt", file["text"], file["etag"])
    assert (app / "x.txt").read_bytes() == before
    write_text(folder, "x.txt", edited, file["etag"])
    assert (app / "x.txt").read_bytes() == after


@pytest.mark.parametrize("before", [b"\xef\xbb\xbfdef go(state): ...\r\n", b"def go(state): ...\n", b"", b"x = 1"])
def test_a_mark_before_the_code_is_no_error_and_a_stub_leaves_every_byte(
    folder: AppFolder, app: Path, before: bytes
) -> None:
    (app / "main.py").write_bytes(before)
    assert read_text(folder, "main.py")["syntax"] is None
    appended = append_stub(folder, "main.py", "def new(state):\n    pass\n", "new")
    after = (app / "main.py").read_bytes()
    assert after.startswith(before)
    assert (b"\r\n" in before) is (b"\r\n" in after)
    assert after.splitlines()[appended["line"] - 1] == b"def new(state):"


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("def go(state):\n    x = (\n", 2), ("x = 1\nreturn x\n", 2), ("def f(a, a): ...\n", 1), ("break\n", 1),
        ("await x\n", 1), ("x = 'a\n", 1), ("a\0b", 1), ("(" * 300, 1),
    ],
)  # fmt: skip
def test_a_syntax_error_is_told_with_its_place_and_saved_all_the_same(
    folder: AppFolder, app: Path, code: str, line: int
) -> None:
    file = write_text(folder, "main.py", code, read_text(folder, "main.py")["etag"])
    assert file["syntax"]["line"] == line
    assert (app / "main.py").read_text() == code


def test_a_file_that_is_no_text_is_refused(folder: AppFolder, app: Path) -> None:
    (app / "x.txt").write_bytes(b"ab\xff")
    with pytest.raises(FileRefused, match="byte 2"):
        read_text(folder, "x.txt")


def test_a_stub_is_appended_under_a_free_name_and_what_stands_there_stays(folder: AppFolder, app: Path) -> None:
    code = "def go(state):\n    pass\n"
    assert append_stub(folder, "main.py", code, "go") == {"name": "go_2", "file": "main.py", "line": 4}
    assert (app / "main.py").read_text() == "def go(state): ...\n\n\ndef go_2(state):\n    pass\n"
    assert append_stub(folder, "main.py", code, "go")["name"] == "go_3"

"""What the studio says to be wrong with a page, and what it offers to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manyhands_gateway.studio.app_folder import AppFolder, FileRefused
from manyhands_gateway.studio.page_tags import describe_page, set_attribute

HANDLERS = ["increment", "more.toggle"]


@pytest.fixture
def folder(tmp_path: Path) -> AppFolder:
    return AppFolder(tmp_path)


def faults(tmp_path: Path, page: str, handlers: list[str] | None = HANDLERS) -> list[dict[str, Any]]:
    (tmp_path / "index.html").write_text(page)
    found: list[dict[str, Any]] = describe_page(AppFolder(tmp_path), handlers, "main.py")["faults"]
    return found


def test_a_handler_that_does_not_exist_is_told_with_the_nearest_one_and_a_stub(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "<b id=x wf-click=incremnt>")
    assert fault["message"] == 'wf-click names incremnt, which is no handler; write wf-click="increment"'
    assert [cure["label"] for cure in fault["cures"]] == [
        'Write wf-click="increment"', "Append def incremnt to main.py",
    ]  # fmt: skip
    (fault,) = faults(tmp_path, "<b id=x wf-click=zzz.other>")
    assert "write def zzz.other(state) in main.py, or choose another one" in fault["message"]
    assert list(fault["cures"]) == []
    (fault,) = faults(tmp_path, "<b id=x wf-click>")
    assert fault["message"].startswith("wf-click names no handler")


def test_nothing_is_said_of_handlers_before_a_worker_has_told_them(tmp_path: Path) -> None:
    assert faults(tmp_path, "<b id=x wf-click=incremnt>", None) == []
    assert faults(tmp_path, "<b id=x wf-click=more.toggle>") == []


def test_elements_without_an_id_of_their_own_are_offered_free_ones(tmp_path: Path) -> None:
    page = "<b wf-click=increment><i wf-click=increment><u id=x><s id=x wf-click=more.toggle><p id=increment>"
    found = faults(tmp_path, page)
    assert [(one["code"], one["cures"][0]["value"]) for one in found] == [
        ("no_id", "increment-2"), ("no_id", "increment-3"), ("same_id", "more-toggle"),
    ]  # fmt: skip
    folder = AppFolder(tmp_path)
    for one in reversed(found):
        etag = describe_page(folder, HANDLERS, "main.py")["etag"]
        set_attribute(folder, etag=etag, at=one["at"], name="id", value=one["cures"][0]["value"])
    assert faults(tmp_path, (tmp_path / "index.html").read_text()) == []


def test_in_a_template_no_id_is_asked_for_since_the_key_tells(tmp_path: Path) -> None:
    inside = "<template><li><template><b wf-click=increment></template><i wf-click=increment></template>"
    assert faults(tmp_path, inside) == []
    assert [one["code"] for one in faults(tmp_path, inside + "<u wf-click=increment>")] == ["no_id"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("id", ""), ("id", "a b"), ("id", '"'), ("onclick", "alert(1)"), ("wf-clik", "go"), ("wf-click", "a b"), ("", "")],
)
def test_only_events_and_ids_are_written_and_only_what_they_can_be(folder: AppFolder, name: str, value: str) -> None:
    folder.write("index.html", b"<b>", None)
    etag = describe_page(folder, HANDLERS, "main.py")["etag"]
    with pytest.raises(FileRefused):
        set_attribute(folder, etag=etag, at=0, name=name, value=value)
    assert folder.read("index.html").data == b"<b>"

"""The page of examples/llm_stream in a real Chromium, served by the real `manyhands dev`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, WebSocket, expect

from support.examples import Example, assert_fits_a_phone

#: Milliseconds within which an answer has come so far on a busy machine, also where another worker has begun it anew.
COMES = 40_000
#: Characters of a text as long as those that are sent as a whole, with a few words.
LONG = 64 + 40


@pytest.fixture(scope="module")
def example(run: Callable[..., Example]) -> Example:
    return run("llm_stream", MANYHANDS_LEASE="2")


@pytest.fixture
def page(example: Example, visitor: Callable[..., BrowserContext]) -> Page:
    return example.open(visitor())


def ask(page: Page, question: str) -> Locator:
    """Ask by a double click, wait for the first words, and give the answer."""
    page.get_by_label("Your question").fill(question)
    page.get_by_role("button", name="Ask").dblclick()
    answer = page.locator("li").filter(has=page.get_by_text(question, exact=True)).locator(".answer")
    expect(answer.locator(".text")).to_contain_text("You asked:")
    return answer


def test_what_travels_of_a_long_answer_is_what_was_added_to_it(
    example: Example, visitor: Callable[..., BrowserContext]
) -> None:
    page = visitor().new_page()
    frames: list[str | bytes] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: frames.append(frame))

    page.on("websocket", listen)
    page.goto(example.url)
    answer = ask(page, "What travels?")
    expect(answer.locator(".text")).to_contain_text("nothing of what they have already", timeout=COMES)
    answer.get_by_role("button", name="Stop").click()
    expect(answer).to_have_attribute("aria-busy", "false")

    updates: list[dict[str, Any]] = [one for one in map(json.loads, frames) if one["type"] == "update"]
    whole = [text for update in updates for text in whole_texts(update)]
    pieces = [piece for update in updates for _, piece in update.get("add", [])]
    assert "".join([whole[-1], *pieces]) == answer.locator(".text").text_content()
    assert max(map(len, whole)) < LONG
    # So the frames are as large at the end as in the middle.
    assert len(pieces) > 10
    assert max(len(json.dumps(update)) for update in updates[-10:]) < 400
    expect(page.locator("li")).to_have_count(1)


def whole_texts(update: dict[str, Any]) -> list[str]:
    """Give the texts of answers that an update holds as a whole."""
    begun = [value["text"] for path, value in update["set"] if path[0] == "answers" and len(path) == 2]
    return begun + [value for path, value in update["set"] if path[-1] == "text"]


def test_questions_are_answered_side_by_side_stopped_and_forgotten(page: Page, example: Example) -> None:
    first, second = ask(page, "Be slow."), ask(page, "Please fail.")
    expect(first).to_have_attribute("aria-busy", "true")
    expect(second.locator(".note")).to_have_text("The model gave up: it was asked to fail.")
    page.reload()
    expect(first).to_have_attribute("aria-busy", "true")
    assert page.locator(".question").all_text_contents() == ["Be slow.", "Please fail."]

    elsewhere = example.open(page.context)
    elsewhere.get_by_role("button", name="Stop").click()
    expect(first.locator(".note")).to_have_text("Stopped.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    assert_fits_a_phone(page)
    page.get_by_role("button", name="Clear").click()
    expect(elsewhere.locator("li")).to_have_count(0)


def test_an_answer_whose_worker_is_killed_begins_anew_and_no_word_stands_there_twice(
    page: Page, example: Example
) -> None:
    answer = ask(page, "Who dies?")
    text = answer.locator(".text")
    expect(text).to_contain_text("what you see", timeout=COMES)
    example.kill_worker()
    expect(text).not_to_contain_text("what you see", timeout=COMES)
    expect(text).to_contain_text("what you see", timeout=COMES)
    answer.get_by_role("button", name="Stop").click()
    expect(answer).to_have_attribute("aria-busy", "false")
    assert str(text.text_content()).count("You asked") == 1
    expect(page.locator("li")).to_have_count(1)

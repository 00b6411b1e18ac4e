"""The page of an app that has none, in a real browser: before a real gateway, with a stand-in for the workers."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from manyhands import codec
from manyhands.settings import Settings
from manyhands.store.turns import Commit, Ending
from manyhands.updates import Outcome, encode_outcome, encode_update
from manyhands.wire import Failure
from support.processes import Processes
from support.stand_in import StandIn, session_of
from support.waiting import wait_until

LONG = "a_handler_whose_name_is_longer_than_any_phone_is_wide_and_still_goes_on"


class Site:
    """A page, what it complained of, and the worker behind it."""

    def __init__(self, page: Page, url: str, worker: StandIn) -> None:
        self.page, self.worker = page, worker
        #: Answers that were errors.
        self.failures: list[str] = []
        page.on("response", lambda answer: self.failures.append(answer.url) if answer.status >= 400 else None)
        page.on("pageerror", lambda error: self.failures.append(str(error)))
        page.goto(url)
        page.wait_for_selector("html[data-mh-status=open]")

    def fire(self, handler: str, payload: str = "") -> None:
        self.page.fill(f"[aria-label='payload of {handler}']", payload)
        self.page.click(f"[data-handler={handler}]")

    def said_of(self, handler: str) -> Any:
        return self.page.locator(f"li:has([data-handler={handler}]) output")

    def end(self, outcome: Outcome) -> None:
        """End the next event of the page's session, once it has come."""
        session = session_of(self.page.evaluate("localStorage.getItem('manyhands.session')"))
        turn = wait_until(lambda: self.worker.store.begin(session, uuid.uuid4().hex), 5, "an event")
        assert turn is not None
        self.worker.store.commit(
            Commit(
                session=session, token=turn.token, k=1, ending=Ending.FINAL, ops=[],
                update=encode_update([], [], turn.client, turn.n, outcome),
                client=turn.client, n=turn.n, outcome=encode_outcome(turn.n, outcome),
            )
        )  # fmt: skip


@pytest.fixture(params=["light", "dark"])
def site(
    request: pytest.FixtureRequest, browser: Browser, processes: Processes, settings: Settings, tmp_path: Path
) -> Iterator[Site]:
    (tmp_path / "main.py").write_text("")
    with contextlib.closing(StandIn(settings)) as worker:
        worker.announce(["increment", LONG])
        _, url = processes.gateway(environ={"MANYHANDS_APP": str(tmp_path)})
        context = browser.new_context(color_scheme=request.param, viewport={"width": 360, "height": 740})
        yield Site(context.new_page(), url, worker)
        context.close()


def test_the_page_shows_what_becomes_of_each_event_fits_a_phone_and_follows_the_colour_scheme(site: Site) -> None:
    site.fire("increment", "{")
    expect(site.said_of("increment")).to_contain_text("not JSON")
    site.fire("increment", '{"by": 2}')
    expect(site.said_of("increment")).to_contain_text("accepted")
    site.end(Outcome(ok=True, result=codec.encode({"counter": 2})))
    expect(site.said_of("increment")).to_have_text('✓ 1: done: {\n  "counter": 2\n}')
    site.fire(LONG)
    site.end(Outcome(ok=False, error=(Failure.HANDLER_FAILED, "ValueError: " + "x" * 300)))
    expect(site.said_of(LONG)).to_contain_text("✗ 2: handler_failed: ValueError")
    expect(site.said_of("increment")).to_contain_text("✓ 1")
    assert site.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert site.failures == []


def test_in_the_dark_the_page_is_dark(site: Site) -> None:
    scheme = site.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    text = site.page.evaluate("getComputedStyle(document.body).color")
    assert text == ("rgb(255, 255, 255)" if scheme else "rgb(0, 0, 0)")

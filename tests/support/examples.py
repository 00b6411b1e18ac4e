"""The examples as browsers meet them: run by the real `manyhands dev`, with pages that may complain of nothing."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from support.liveness import descendants
from support.processes import Process, Processes

EXAMPLES = Path(__file__).parents[2] / "examples"
#: What running an example leaves in its directory.
LEFT_BEHIND = shutil.ignore_patterns(".manyhands", "__pycache__")
#: Pixels of a small phone's width.
PHONE = 360
#: Gives the elements that reach beyond the window, for a test that fails.
TOO_WIDE = """[...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => one.outerHTML.slice(0, 100))"""


@dataclass(frozen=True)
class Example:
    """One example that runs."""

    name: str
    #: With no slash at its end.
    url: str
    #: Of the command that runs it.
    pid: int

    def open(self, context: BrowserContext, fragment: str = "") -> Page:
        """Open its page in a new tab, and wait until it is connected."""
        page = context.new_page()
        page.goto(f"{self.url}/{fragment}")
        expect(page.locator("html")).to_have_attribute("data-mh-status", "open")
        return page

    def kill_worker(self) -> None:
        """Kill the worker, as a machine that is switched off does; another one is started in its place."""
        worker = next(pid for pid in descendants(self.pid) if "\0worker\0" in Path(f"/proc/{pid}/cmdline").read_text())
        os.kill(worker, signal.SIGKILL)


def run_example(name: str, directory: Path, **environ: str) -> tuple[Example, Process]:
    """Run `manyhands dev` on a copy of an example, so that nothing is left in the repository; the caller ends it."""
    app = directory / name
    shutil.copytree(EXAMPLES / name, app, ignore=LEFT_BEHIND)
    processes = Processes(directory, {"REDIS_URL": "", "MANYHANDS_SECRET_KEY": "", **environ})
    process = processes.manyhands("dev", str(app), "--port", "0", "--no-reload")
    url = process.wait_for_output(r"Open (http://\S+) and click")[1].rstrip("/")
    return Example(name, url, process.pid), process


@dataclass
class Complaints:
    """What the pages of some browsers raise, and what their consoles warn of."""

    told: list[str] = field(default_factory=list)

    def listen(self, context: BrowserContext) -> None:
        """Hear of all pages of a browser."""
        context.on("weberror", lambda error: self.told.append(f"raised: {error.error}"))
        context.on("console", self._console)

    def _console(self, said: ConsoleMessage) -> None:
        if said.type in ("error", "warning"):
            self.told.append(f"{said.type}: {said.text}")


def assert_fits_a_phone(page: Page) -> None:
    """Check that a page, as it is, needs no scrolling sideways on a phone: neither light nor dark."""
    before = page.viewport_size
    page.set_viewport_size({"width": PHONE, "height": 740})
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        wider = page.evaluate(TOO_WIDE)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE, f"{scheme}, too wide: {wider}"
    page.emulate_media(color_scheme=None)
    if before:
        page.set_viewport_size(before)

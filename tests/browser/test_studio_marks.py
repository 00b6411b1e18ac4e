"""What the studio marks and writes in a page, as Chromium's own parser reads it, for pages as no author writes them."""

from __future__ import annotations

import random
from typing import Any

from playwright.sync_api import Browser

from manyhands_gateway.studio.marked_page import mark
from manyhands_gateway.studio.tags import start_tags, with_attribute

PIECES = [
    "<p>", "<div class='a'>", '<a href="x>y" id=b>', "</div>", "text", "<!-- <i> -->", "<br/>", "<p wf-click=a >",
    " ", "<script>a<b</script>", "<style><b></style>", "\n", "<input disabled value='\"'>", "&lt;", "a < b", "</p>",
    "<b>", "</b>", "<table>", "<tr>", "<td>", "</table>", "<svg>", "</svg>", "<path d='M0'/>", "<title>a<b></title>",
    "<![CDATA[ <q> ]]>", "<!doctype html>", "<?php <b> ?>", "</ x>", "<!-->", "<!-- a --!> <u>", "<textarea>",
    "<option>", "</textarea>", "<select>", "<template>", "</template>", "<iframe src=x>", "</iframe>", "<math>",
    "<a b=c/>", "<a =x>", "<a b = c>", "<a b='", "'>", "<a\tb\n=\n'c'd>", "<IMG SRC=x OnError=1>", "<body class=x>",
    "<html lang=de>", "<head>", "<form>", "</form>", "<li>", "<script><!-- <script> </script> --></script>",
    "<xmp><b></xmp>", "<plaintext>", "<a/b/c>", "<a\x00b c>", "\u00e9<\u00e9>", "<a \u00e9=\u00fc>", "<a\u00c9>", "<",
    "<a", "<a b=", "<image src=q>", "<button>",
]  # fmt: skip

#: For each page: what it is without the studio, and what becomes of it.
COMPARE = """(pages) => {
  const parse = (text) => new DOMParser().parseFromString(text, "text/html");
  const below = (one) => (one.content ? all(one.content) : []);
  const all = (node) => [...node.querySelectorAll("*")].flatMap((one) => [one, ...below(one)]);
  const shown = (page) => {
    for (const one of page.querySelectorAll("script[src='/_mh/studio/probe.js']")) one.remove();
    for (const one of all(page)) one.removeAttribute("data-mh-at");
    // Where the probe has begun the head, comments and spaces stand in it.
    return page.documentElement.outerHTML.replace(/<!--[^]*?-->|<\\?php[^>]*>|\\s+/g, "");
  };
  return pages.flatMap(({ page, marked, written, names, at }) => {
    const elements = all(parse(marked)).filter((one) => one.hasAttribute("data-mh-at"));
    const misnamed = elements.filter((one) => {
      const name = names[one.getAttribute("data-mh-at")];
      return name !== one.localName && !(name === "image" && one.localName === "img");
    });
    const set = parse(marked);
    const chosen = all(set).filter((one) => one.getAttribute("data-mh-at") === String(at));
    for (const one of chosen) one.setAttribute("wf-click", "go");
    const faults = [];
    if (misnamed.length) faults.push("name");
    if (shown(parse(page)) !== shown(parse(marked))) faults.push("mark");
    if (chosen.length && shown(parse(written)) !== shown(set)) faults.push("write");
    return faults.map((fault) => [fault, page]);
  });
}"""


def odd_page(chance: random.Random) -> dict[str, Any]:
    """Make a page, what the studio makes of it, and what it writes at one of its tags."""
    page = "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 9))).encode()
    tags = list(start_tags(page))
    chosen = chance.choice(tags) if tags else None
    written = with_attribute(page, chosen, "wf-click", "go") if chosen else page
    return {
        "page": page.decode(), "marked": mark(page).decode(), "written": written.decode(),
        "names": {str(tag.begin): tag.name for tag in tags}, "at": chosen.begin if chosen else -1,
    }  # fmt: skip


def test_a_browser_reads_a_marked_page_as_the_page_and_a_written_attribute_as_that_one_alone(browser: Browser) -> None:
    chance = random.Random(6)
    tab = browser.new_page()
    try:
        assert tab.evaluate(COMPARE, [odd_page(chance) for _ in range(1500)]) == []
    finally:
        tab.close()

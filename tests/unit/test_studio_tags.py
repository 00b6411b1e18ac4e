"""Writing one attribute of a page, with every other byte as it was."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from manyhands_gateway.studio.marked_page import MARK, PROBE, mark, tag_at
from manyhands_gateway.studio.tags import start_tags, with_attribute

PAGE = b"""\xef\xbb\xbf<!DOCTYPE html>\r
<!-- <button wf-click="commented"> -->
<html><head><title><b>no tag</b></title>
<script>if (a < b) document.write("<p wf-click='x'>")</script>
<style>p > a { content: "<i>" }</style></head>
<BODY  class=a data-x='1 > 0'>
  <button id=plus   wf-click='increment'\tdisabled>+1</button>
  <input value="a>b"/><textarea><u></textarea>
  <p title="\xc3\xa4\xff">a <  b</p><svg><path d="M0"/></svg>
</BODY></html>
"""


def only(page: bytes, name: str) -> int:
    return next(tag.begin for tag in start_tags(page) if tag.name == name)


def written(page: bytes, name: str, attribute: str, value: str | None) -> bytes:
    tag = tag_at(page, only(page, name))
    assert tag is not None
    return with_attribute(page, tag, attribute, value)


def test_tags_are_found_and_what_only_looks_like_one_is_not() -> None:
    names = [tag.name for tag in start_tags(PAGE)]
    assert names == [
        "html", "head", "title", "script", "style", "body", "button", "input", "textarea", "p", "svg", "path",
    ]  # fmt: skip


def test_what_stands_in_a_template_is_told_apart_and_what_browsers_with_scripts_never_show_is_left_out() -> None:
    page = b"<p><template><b><template><i></template><u></template><s></template><q><noscript><a></noscript><em>"
    tags = {tag.name: tag.in_template for tag in start_tags(page)}
    assert {name for name, inside in tags.items() if inside} == {"b", "template", "i", "u"}
    assert "a" not in tags
    assert not tags["em"]


def test_attributes_are_read_as_browsers_read_them() -> None:
    (tag,) = start_tags(b"<a B=1 b=2 c='x>y' d = \"z\" e f=/g/ =h i=\"\" >")
    assert {name: one.value for name, one in tag.attributes.items()} == {
        "b": "1", "c": "x>y", "d": "z", "e": "", "f": "/g/", "=h": "", "i": "",
    }  # fmt: skip


def test_a_handler_is_changed_within_the_authors_own_quotes() -> None:
    changed = written(PAGE, "button", "wf-click", "more.decrement")
    assert changed == PAGE.replace(b"wf-click='increment'", b"wf-click='more.decrement'")


def test_a_handler_is_added_behind_the_last_attribute() -> None:
    assert written(PAGE, "p", "wf-click", "go") == PAGE.replace(b'\xff">a <', b'\xff" wf-click="go">a <')
    assert written(PAGE, "input", "wf-change", "go") == PAGE.replace(b'a>b"/>', b'a>b" wf-change="go"/>')
    assert written(b"<p>", "p", "wf-click", "go") == b'<p wf-click="go">'
    assert written(b"<a href=x/>", "a", "wf-click", "go") == b'<a href=x/ wf-click="go">'


def test_a_handler_is_removed_with_the_space_before_it() -> None:
    assert written(PAGE, "button", "wf-click", None) == PAGE.replace(b"   wf-click='increment'", b"")
    assert written(b'<p wf-click="a">', "p", "wf-click", None) == b"<p>"
    assert written(b'<p id="x"wf-click="a"class="y">', "p", "wf-click", None) == b'<p id="x"class="y">'
    assert written(b'<p wf-click="a"class="y">', "p", "wf-click", None) == b'<p class="y">'
    assert written(b"<p\n  wf-click=a\n  id=b>", "p", "wf-click", None) == b"<p\n  id=b>"


def test_an_attribute_without_quotes_or_value_gets_them() -> None:
    assert written(b"<p wf-click=a id=b>", "p", "wf-click", "go") == b'<p wf-click="go" id=b>'
    assert written(b"<p wf-click id=b>", "p", "wf-click", "go") == b'<p wf-click="go" id=b>'


def test_what_is_written_as_it_was_changes_nothing() -> None:
    assert written(PAGE, "button", "wf-click", "increment") == PAGE
    assert written(PAGE, "p", "wf-click", None) == PAGE


def test_a_value_can_end_neither_its_attribute_nor_its_tag() -> None:
    hostile = "\"'><script>alert(1)</script>&quot;"
    for page in (b'<p wf-click="a">', b"<p wf-click='a'>", b"<p>"):
        (tag,) = start_tags(written(page, "p", "wf-click", hostile))
        assert set(tag.attributes) == {"wf-click"}


def test_a_page_is_marked_without_a_change_of_its_own_bytes() -> None:
    marked = mark(PAGE)
    assert marked.count(MARK.encode()) == len(list(start_tags(PAGE)))
    unmarked = marked.replace(PROBE, b"")
    for tag in start_tags(PAGE):
        unmarked = unmarked.replace(b' %b="%d"' % (MARK.encode(), tag.begin), b"", 1)
    assert unmarked == PAGE
    # Before it a browser would have begun the body, and after it a script of the page may have run.
    assert marked.index(b"<head") < marked.index(PROBE) < marked.index(b"<title")


def test_the_probe_comes_before_the_first_script_where_there_is_no_head() -> None:
    assert mark(b"<!doctype html><script src=x></script>").startswith(b"<!doctype html>" + PROBE)
    assert mark(b"nothing but text <a") == PROBE + b"nothing but text <a"
    assert mark(b" <!DOCTYPE html>text") == b" <!DOCTYPE html>" + PROBE + b"text"


class Reference(HTMLParser):
    """Python's own parser, which gives no offsets of attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.tags: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))


WORDS = st.sampled_from(
    ["<p>", "<div class='a'>", '<a href="x>y" id=b>', "</div>", "text", "<!-- <i> -->", "<br/>", "<p wf-click=a >",
     "<script>a<b</script>", "<style><b></style>", " ", "\n", "<input disabled value='\"'>", "&lt;", "a < b"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=12))
def test_it_finds_the_tags_that_pythons_parser_finds(words: list[str]) -> None:
    page = "".join(words)
    reference = Reference()
    reference.feed(page)
    reference.close()
    assert [(tag.name, tuple(tag.attributes)) for tag in start_tags(page.encode())] == reference.tags


@given(st.binary(max_size=80) | st.lists(st.sampled_from(["<", ">", "a", "=", "'", '"', "/", "!", "-", " "])).map(
    lambda parts: "".join(parts).encode()
))  # fmt: skip
def test_whatever_a_page_holds_one_attribute_is_written_and_nothing_else(page: bytes) -> None:
    for tag in list(start_tags(page)):
        there = tag.attributes.get("wf-click")
        changed = with_attribute(page, tag, "wf-click", "go")
        kept = len(page) - tag.end
        assert changed.startswith(page[: there.begin if there else tag.name_end])
        assert changed.endswith(page[len(page) - kept :])
        again = tag_at(changed, tag.begin)
        assert again is not None
        assert again.attributes["wf-click"].value == "go"
        assert set(again.attributes) == {*tag.attributes, "wf-click"}

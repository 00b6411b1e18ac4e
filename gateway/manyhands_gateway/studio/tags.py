"""Finds the tags of a page in its bytes, so that one attribute can be written and every other byte stays as it is.

It follows the states of HTML's tokenizer (https://html.spec.whatwg.org/multipage/parsing.html#tokenization) as far as
they decide where a tag begins and ends. Nothing is parsed into a tree and written out again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

#: What follows these tags is text up to their end tag.
#: `noscript` is one of them wherever scripts run, as they do in the studio.
RAW_TEXT = frozenset(
    {b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed", b"noframes", b"noscript"}
)

_SPACE = b" \t\n\r\f"
_NAME = re.compile(rb"[^ \t\n\r\f/>]*")
_TAG_OPEN = re.compile(rb"<(?:!--|[!?]|/?[A-Za-z]|/)")
_ATTRIBUTE = re.compile(rb"[ \t\n\r\f/]*(?P<name>=?[^ \t\n\r\f/>=]+)(?P<assigned>[ \t\n\r\f]*=[ \t\n\r\f]*)?")
_UNQUOTED = re.compile(rb"[^ \t\n\r\f>]*")
_COMMENT_END = re.compile(rb"--!?>")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a tag, by offsets into the page's bytes."""

    #: In lower case.
    name: str
    value: str
    #: From the first byte of the name to behind the closing quote.
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Tag:
    """A start tag, by offsets into the page's bytes."""

    #: In lower case.
    name: str
    begin: int
    #: Behind the `>`.
    end: int
    #: Behind the tag's name.
    name_end: int
    #: In their order; of two with one name only the first one counts.
    attributes: Mapping[str, Attribute]
    #: Whether it stands in a <template>, so that it may be there many times, or not at all.
    in_template: bool = False

    def value(self, name: str) -> str | None:
        """Give the value of an attribute; None where there is none."""
        found = self.attributes.get(name)
        return None if found is None else found.value


def start_tags(page: bytes) -> Iterator[Tag]:
    """Give the start tags of a page, in their order."""
    at = templates = 0
    while found := _TAG_OPEN.search(page, at):
        begin, opened = found.start(), found.group()
        if opened == b"<!--":
            at = _comment_end(page, found.end())
        elif not opened[-1:].isalpha():
            at = _behind(page, b">", found.end())
        else:
            tag = _read_tag(page, begin, closes=opened.startswith(b"</"))
            if tag is None:
                return
            at = tag.end
            is_template = tag.name == "template"
            if opened.startswith(b"</"):
                templates = max(0, templates - is_template)
                continue
            yield replace(tag, in_template=True) if templates else tag
            templates += is_template
            if tag.name == "plaintext":
                return
            if tag.name.encode() in RAW_TEXT:
                at = _raw_text_end(page, tag)


def with_attribute(page: bytes, tag: Tag, name: str, value: str | None) -> bytes:
    """Give the page with an attribute of a tag set, or removed where `value` is None; no other byte differs."""
    there = tag.attributes.get(name)
    if value is None:
        return page if there is None else _without(page, there)
    written = b'%b="%b"' % (name.encode("ascii"), _escape(value))
    if there is not None:
        # The quotes, and the spelling of the name, are the author's.
        kept = page[there.begin : there.end]
        quote = kept[-1:] if kept[-1:] in (b'"', b"'") and b"=" in kept else b""
        if quote and there.value != value:
            first = kept.index(quote)
            escaped = _escape(value).replace(b"'", b"&#39;")
            written = kept[: first + 1] + escaped + quote
        elif quote:
            written = kept
        return page[: there.begin] + written + page[there.end :]
    at = max((one.end for one in tag.attributes.values()), default=tag.name_end)
    return page[:at] + b" " + written + page[at:]


def _without(page: bytes, there: Attribute) -> bytes:
    begin = there.begin
    # Its own space goes with it, unless what follows would then stick to what stands before.
    if page[there.end : there.end + 1] in (b" ", b"\t", b"\n", b"\r", b"\f", b">", b"/", b""):
        while page[begin - 1 : begin] and page[begin - 1] in _SPACE:
            begin -= 1
    return page[:begin] + page[there.end :]


def _escape(value: str) -> bytes:
    return value.replace("&", "&amp;").replace('"', "&quot;").encode("utf-8")


def _read_tag(page: bytes, begin: int, *, closes: bool) -> Tag | None:
    """Read a tag; None for one that the page ends in."""
    name_found = _NAME.match(page, begin + 1 + closes)
    assert name_found is not None, "it matches nothing as well"
    at = name_found.end()
    attributes: dict[str, Attribute] = {}
    while found := _ATTRIBUTE.match(page, at):
        attribute = _read_attribute(page, found)
        if attribute is None:
            return None
        attributes.setdefault(attribute.name, attribute)
        at = attribute.end
    end = _behind(page, b">", at)
    if end == len(page) and page[-1:] != b">":
        return None
    return Tag(_name_of(name_found.group()), begin, end, name_found.end(), attributes)


def _read_attribute(page: bytes, found: re.Match[bytes]) -> Attribute | None:
    name, begin, end = _name_of(found["name"]), found.start("name"), found.end("name")
    if not found["assigned"]:
        return Attribute(name, "", begin, end)
    end = found.end()
    quote = page[end : end + 1]
    if quote in (b'"', b"'"):
        closing = page.find(quote, end + 1)
        if closing < 0:
            return None
        value, end = page[end + 1 : closing], closing + 1
    else:
        unquoted = _UNQUOTED.match(page, end)
        assert unquoted is not None, "it matches nothing as well"
        value, end = unquoted.group(), unquoted.end()
    return Attribute(name, value.decode("utf-8", "replace"), begin, end)


def _name_of(written: bytes) -> str:
    # Of letters beyond ASCII browsers keep the case.
    return written.lower().decode("utf-8", "replace").replace("\0", "\ufffd")


def _comment_end(page: bytes, at: int) -> int:
    # <!--> and <!---> are whole comments.
    for short in (b">", b"->"):
        if page.startswith(short, at):
            return at + len(short)
    found = _COMMENT_END.search(page, at)
    return found.end() if found else len(page)


def _raw_text_end(page: bytes, tag: Tag) -> int:
    """Give where the text of an element ends, such as a script, in which `<` begins no tag."""
    closing = re.compile(rb"</%b(?=[ \t\n\r\f/>])" % re.escape(tag.name.encode()), re.IGNORECASE)
    at = tag.end
    while found := closing.search(page, at):
        hidden = _hidden_until(page, tag, found.start()) if tag.name == "script" else None
        if hidden is None:
            return found.start()
        at = hidden
    return len(page)


def _hidden_until(page: bytes, tag: Tag, closing: int) -> int | None:
    """Tell from where on to look again, where a script's end tag ends only a script that is written in a comment."""
    text = page[tag.end : closing]
    opened = text.rfind(b"<!--")
    if opened < 0 or b"-->" in text[opened:]:
        return None
    inner = re.search(rb"<script[ \t\n\r\f/>]", text[opened:], re.IGNORECASE)
    ended = re.search(rb"</script[ \t\n\r\f/>]", text[opened:], re.IGNORECASE)
    return closing + 1 if inner and not ended else None


def _behind(page: bytes, what: bytes, at: int) -> int:
    found = page.find(what, at)
    return len(page) if found < 0 else found + len(what)

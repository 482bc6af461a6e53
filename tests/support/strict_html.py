"""What a browser would have to mend, or fetch, or run in a page: read strictly, where browsers are patient."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

VOID = frozenset(["meta", "br", "hr", "img", "input", "link", "col", "wbr"])
FETCHING = frozenset(("src", "href", "srcset", "data", "action", "poster", "background", "xlink:href", "style"))


class StrictPage(HTMLParser):
    """Reads a page; `faults` are its faults, `text` what is shown, `tags` how often each element is there."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.shown: list[str] = []
        self.tags: dict[str, int] = {}
        self._open: list[str] = []
        if not page.startswith("<!DOCTYPE html>\n"):
            self.faults.append("no doctype")
        self.feed(page)
        self.close()
        self.faults += [f"<{name}> is not closed" for name in self._open]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.shown).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] = self.tags.get(tag, 0) + 1
        names = [name for name, _ in attrs]
        self.faults += [f"<{tag} {name}> twice" for name in set(names) if names.count(name) > 1]
        self.faults += [f"<{tag} {name}> would fetch or style" for name in names if name in FETCHING or name.startswith("on")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> closes <{self._open[-1] if self._open else ''}>")
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" not in self._open[-1:]:
            self.shown.append(data)


def pictures(page: str) -> list[ElementTree.Element]:
    """Every SVG of a page, read as XML, which a browser need not be: what is not well-formed is refused."""
    return [ElementTree.fromstring(text) for text in re.findall(r"<svg .*?</svg>", page, re.DOTALL)]  # noqa: S314  our own

"""Commands of the book: its blocks of shell, and what stands above each that tests shall not run as it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgetui.engine.config import PACKAGE

BOOK = PACKAGE / "docs"
_BLOCK = re.compile(r"(?:<!-- (not here|long)(?:: ([^>]+?))? -->\n)?```sh\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class ShellBlock:
    """One block, as it stands in a page."""

    page: str
    line: int
    """From 1, of its first command."""
    kind: str
    """`run`: as it is, `long`: in long tests, `not here`: nothing but its options is looked at."""
    reason: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Lines without the comments behind them; what ends in a backslash goes on."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line for each in lines if (line := re.sub(r"(^|\s+)# .*$", "", each).rstrip())]


def shell_blocks() -> list[ShellBlock]:
    """All of the book's, page by page."""
    found = []
    for page in sorted(BOOK.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for block in _BLOCK.finditer(text):
            line = text.count("\n", 0, block.start(3)) + 1
            found.append(ShellBlock(page.name, line, block[1] or "run", block[2] or "", block[3]))
    return found

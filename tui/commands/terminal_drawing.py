"""Tables and bars as rich draws them on a terminal; imported when one is drawn: rich loads as long as the rest of us."""

from __future__ import annotations

import io
import re
from collections.abc import Collection

from rich import box
from rich.console import Console, RenderableType
from rich.highlighter import JSONHighlighter
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ...engine.report.table import Cells
from ...engine.report.width import width_of

STYLES = {"better": "green", "worse": "yellow", "bad": "red", "accent": "cyan", "dim": "dim", "head": "bold"}
_TAIL = re.compile(r"(?: |\x1b\[[\d;]*m)+$")
_in_toml = JSONHighlighter()
"""A value of TOML in one line differs from one of JSON only in the `=` of its inner tables."""


def drawn_table(rows: Cells, *, width: int, tones: Cells, right: Collection[int], heads: bool, colours: bool) -> str:
    """Rows as `engine.report.table.Paint.table` has them; the names of columns stand above a line."""
    many = len(rows[0])
    drawn = Table(
        box=box.SIMPLE_HEAD if heads else None,
        padding=(0, 1, 0, 0) if heads else (0, 2, 0, 0),  # where there is a box, its empty walls are a column wide
        pad_edge=False,
        show_edge=False,
        show_header=heads,
        border_style="dim",
    )
    names = [row[0] for row in rows]
    whole = not any(" " in name.strip() for name in names) and max(map(width_of, names)) <= width // 2
    for n in range(many):
        drawn.add_column(
            Text(rows[0][n]) if heads else "",
            justify="right" if n in right else "left",
            overflow="fold",
            no_wrap=whole and n == 0,  # ids and keys are copied
        )
    for at in range(1 if heads else 0, len(rows)):
        drawn.add_row(*(_cell(rows[at][n], tones[at][n] if tones else "") for n in range(many)))
    return _text(drawn, width, colours)


def _cell(text: str, tone: str) -> RenderableType:
    """A cell in its tone; its indent stands before all of its lines."""
    words = text.lstrip(" ")
    shown = Text(words, STYLES.get(tone, ""))
    if tone == "toml":
        _in_toml.highlight(shown)
    indent = len(text) - len(words)
    return Padding(shown, (0, 0, 0, indent)) if indent else shown


def drawn_bar(share: float, width: int, colours: bool) -> str:
    """How far something is, 0..1, as a bar of so many columns."""
    bar = ProgressBar(total=1.0, completed=share, width=width, style="dim", complete_style="cyan", finished_style="cyan")
    return _text(bar, width, colours).ljust(width)  # without colours what is left is not drawn


def _text(drawn: RenderableType, width: int, colours: bool) -> str:
    """Lines of `width` columns at most, no spaces at their ends."""
    out = io.StringIO()
    Console(
        file=out,
        width=width,
        force_terminal=True,
        color_system="standard" if colours else None,
        highlight=False,
        legacy_windows=False,
    ).print(drawn)
    lines = out.getvalue().rstrip("\n").split("\n")
    return "\n".join(_TAIL.sub(lambda tail: "\x1b[0m" if "\x1b" in tail[0] else "", line) for line in lines)

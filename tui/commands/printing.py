"""What all commands share: the engine, plain output that suits the terminal, and options that many of them have."""

from __future__ import annotations

import functools
import locale
import os
import re
import shutil
import sys
from typing import TYPE_CHECKING, TextIO

import click

from ...engine.report.sanitize import sanitize
from ...engine.report.table import Cells, Paint, plain
from ..ascii_letters import of_lines
from ..locale_told import told_environ
from ..terminal import draws

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ...engine.api import Engine

WIDTH_WITHOUT_TERMINAL = 120
_CODES = {"better": 32, "worse": 33, "bad": 31, "accent": 36, "dim": 2, "head": 1}
_OURS = f"\x1b{os.urandom(8).hex()}"
"""Before each colour that `paint` writes: text from elsewhere may hold colours as well, but cannot know this."""
_CODE = re.compile(r"\x1b\[[\d;]+m")
_PAINTED = re.compile(rf"{_OURS}(\x1b\[[\d;]+m)")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


def open_engine() -> Engine:
    """The engine on the user's configuration and state folder."""
    from ...engine.api import Engine
    from ...engine.config import load_config

    return Engine(load_config())


def echo(text: str, stream: TextIO | None = None) -> None:
    """Print lines with nothing in them that a terminal would obey but our own colours; in ASCII where it knows no more."""
    stream = stream or sys.stdout
    shown = colours(stream)
    parts = _PAINTED.split(text)
    text = "".join((part if shown else "") if n % 2 else sanitize(part, keep="\n") for n, part in enumerate(parts))
    stream.write(fit(text, stream) + "\n")
    stream.flush()


def echo_error(text: str) -> None:
    """`error: what; fix` on standard error, on one line."""
    echo(f"error: {' '.join(text.split())}", sys.stderr)


def echo_notes(notes: Iterable[str]) -> None:
    """What has to be known of a file that is read, on standard error, a line each."""
    for note in notes:
        echo(f"note: {' '.join(note.split())}", sys.stderr)


def echo_json(data: bytes) -> None:
    """One JSON document on standard output, indented; bytes, so that no locale spoils it."""
    import msgspec

    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.format(data, indent=2) + b"\n")
    sys.stdout.buffer.flush()


def fit(text: str, stream: TextIO) -> str:
    """The text as the stream can show it."""
    if unicode_ok():
        encoding = stream.encoding or "utf-8"
        return text if encoding.lower().startswith("utf") else text.encode(encoding, "replace").decode(encoding)
    return of_lines(text).encode("ascii", "replace").decode("ascii")


@functools.cache
def unicode_ok() -> bool:
    """Whether the locale speaks UTF-8. Python's own UTF-8 mode hides LANG=C, so the variables are asked."""
    told = told_environ()
    said = told.get("LC_ALL") or told.get("LC_CTYPE") or told.get("LANG") or ""
    return "utf" in (said or locale.getpreferredencoding(do_setlocale=False)).lower()


def width(stream: TextIO | None = None) -> int:
    """Columns to write in."""
    stream = stream or sys.stdout
    if stream.isatty():
        return shutil.get_terminal_size((80, 24)).columns
    return int(os.environ["COLUMNS"]) if os.environ.get("COLUMNS", "").isdecimal() else WIDTH_WITHOUT_TERMINAL


def colours(stream: TextIO) -> bool:
    """Whether colour is wanted there."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and draws()


class OnTerminal:
    """How reports look on standard output: through `echo`, with tables drawn by rich where that is a terminal."""

    def __call__(self, text: str, tone: str) -> str:
        """A text in a tone, where colours are wanted."""
        text = sanitize(text, keep="\n")
        if not tone or not colours(sys.stdout):
            return text
        return f"{_OURS}\x1b[{_CODES[tone]}m{text}{_OURS}\x1b[0m"

    def table(self, rows: Cells, *, width: int, tones: Cells = (), right: Collection[int] = (), heads: bool = False) -> str:
        """Rows in columns; what is no terminal gets letters alone, whatever rich would make of it in a later release."""
        if not (sys.stdout.isatty() and draws()):
            return plain.table(rows, width=width, right=right)
        from .terminal_drawing import drawn_table

        rows = [[sanitize(cell) for cell in row] for row in rows]
        text = drawn_table(rows, width=width, tones=tones, right=right, heads=heads, colours=colours(sys.stdout))
        return _CODE.sub(rf"{_OURS}\g<0>", text)


paint: Paint = OnTerminal()
